"""One line for each thing that was overheard, as spans: texts with the names of their styles.

Responsible for columns that stay where they are, for what a line says first, and for its width.
Nothing from the wire gets into a line that would act on a terminal. Must not know colours, streams
of output, or time zones: how a time is written comes in as a function.

    0.000345 ←    2 ok         60B  1.21 ms  remote:DOMAIN_LOOKUP_BY_NAME dom="web"(3)
    time   from serial what    size  latency  procedure                   fields
"""

from __future__ import annotations

from virtproto.model.screen_text import visible
from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MIN
from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.message import TracedMessage
from virtproto.trace.naming import error_domain, error_number, names_of
from virtproto.trace.telling import Begin, End, Note
from virtproto.trace.value_text import LineFull, SpanWriter, duration, shown_size
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR, MESSAGE_STATUS_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from virtproto.trace.stream_runs import StreamRun
    from virtproto.trace.value_text import Span

__all__ = ["STYLES", "Liner", "procedure_name", "status_word", "text_of"]

# The names that spans use, "" aside; who prints in colours knows what each looks like.
STYLES = (
    *("time", "conversation", "out", "in", "serial", "size", "latency", "slow", "slower"),
    *("call", "ok", "error", "event", "stream", "keepalive", "odd", "note"),
    *("program", "procedure", "key", "string", "number", "flag", "secret", "dim"),
)

# Where a line has less room than this, times have fewer digits and remote's name is left out.
_ROOMY = 100
_SLOW_S, _SLOWER_S = 0.1, 1.0
_STREAM = (kinds.DATA, kinds.END, kinds.HOLE, kinds.FINISH, kinds.ABORT)
_MOST_UNANSWERED = 20


def text_of(spans: list[Span]) -> str:
    """Return a line without styles."""
    return "".join([text for text, _style in spans])


def procedure_name(message: TracedMessage) -> str:
    """Return "remote:DOMAIN_CREATE"; numbers, as remote:#999, where the contract has no name."""
    packet = message.packet
    program = message.program or f"{packet.program:#x}"
    return f"{program}:{message.procedure or f'#{packet.procedure}'}"


def status_word(message: TracedMessage) -> str:
    """Return what a message is in one word: a reply is "ok" or "error"."""
    if message.kind is not kinds.REPLY:
        return message.kind
    status = message.packet.status
    if status == MESSAGE_STATUS_OK:
        return "ok"
    return "error" if status == MESSAGE_STATUS_ERROR else "reply"


class Liner:
    """Makes the lines of one output.

    ``width`` is in columns, 0 for as wide as it gets; ``longest`` how many characters of one string
    are shown, 0 for all. ``clock`` writes a time (seconds since the epoch); without one, lines tell
    the seconds since the first.
    """

    def __init__(
        self,
        *,
        width: int = 0,
        longest: int = 0,
        show_secrets: bool = False,
        clock: Callable[[float], str] | None = None,
    ) -> None:
        self._show_secrets = show_secrets
        self._clock = clock
        self.fit(width, longest)
        self._began_s: float | None = None
        self._first: int | None = None
        # Whether lines say which conversation they are of: once there is a second.
        self._several = False

    def fit(self, width: int, longest: int = 0) -> None:
        """Let the lines from here on have another width."""
        self.width = width
        self._longest = longest
        # Of a list: about as many elements as a line can show.
        self._limit = max(16, width // 12) if width else None

    def heading(self) -> list[Span]:
        """Return the names of the columns."""
        time = "time" if self._clock is None else "time of day"
        digits = 3 if 0 < self.width < _ROOMY else 6
        room = digits + 4 if self._clock is None else 15
        text = f"{time:>{room}}   {'call':>4} {'what':<6} {'size':>7}  latency  procedure  fields"
        return [(text, "dim")]

    def lines(self, told: TracedMessage | Note | Begin | End) -> list[list[Span]]:
        """Return the lines that tell what was overheard: mostly one."""
        if isinstance(told, TracedMessage):
            return [self.message(told)]
        if isinstance(told, End):
            return self._end(told)
        if isinstance(told, Begin):
            return [self._begin(told)]
        return [self._note(told)]

    def message(self, message: TracedMessage, *, bare: bool = False) -> list[Span]:
        """Return the line of a message; without its fields if ``bare``."""
        writer = self._writer(message.time_s, message.conversation)
        try:
            self._columns(writer, message)
            self._name(writer, message)
            if message.oddity is not None:
                writer.add(f"  ! {visible(message.oddity)}", "odd")
            if not bare:
                self._contents(writer, message)
        except LineFull:
            pass
        return writer.spans

    def run(self, run: StreamRun) -> list[Span]:
        """Return the line of packets of a stream that came one after the other."""
        first = run.first
        writer = self._writer(first.time_s, first.conversation)
        took_s = run.last_s - first.time_s
        try:
            self._start(writer, first)
            writer.add(f"{status_word(first):<6} {_whole(run.size):>7} ", "stream")
            writer.add(f"{duration(took_s):>8}  ", "latency")
            self._name(writer, first)
            writer.add(f" {run.count} packets", "number")
            if took_s > 0:
                writer.add(f", {shown_size(run.size / took_s)}/s", "dim")
        except LineFull:
            pass
        return writer.spans

    def _writer(self, time_s: float, conversation: int) -> SpanWriter:
        """Return a line that begins with its time, and the conversation where there are several."""
        writer = SpanWriter(self.width, longest=self._longest)
        if self._began_s is None:
            self._began_s = time_s
        if self._clock is not None:
            text = self._clock(time_s)
        else:
            digits = 3 if 0 < self.width < _ROOMY else 6
            text = f"{time_s - self._began_s:{digits + 4}.{digits}f}"
        if conversation and conversation != self._first:
            if self._first is None:
                self._first = conversation
            else:
                self._several = True
        try:
            writer.add(text, "time")
            if self._several:
                writer.add(f" {conversation or '-':>3}", "conversation")
        except LineFull:
            # Whatever is added next finds it full as well.
            pass
        return writer

    def _start(self, writer: SpanWriter, message: TracedMessage) -> None:
        if message.from_client:
            writer.add(" → ", "out")
        else:
            writer.add(" ← ", "in")
        writer.add(f"{message.packet.serial:>4} ", "serial")

    def _columns(self, writer: SpanWriter, message: TracedMessage) -> None:
        self._start(writer, message)
        word = status_word(message)
        writer.add(f"{word:<6}", _style_of(message, word))
        writer.add(f" {message.size:>6}B ", "size")
        latency_s = message.latency_s
        if latency_s is None:
            writer.add("          ")
        else:
            style = "latency" if latency_s < _SLOW_S else "slow"
            if latency_s >= _SLOWER_S:
                style = "slower"
            writer.add(f"{duration(latency_s):>8}  ", style)

    def _name(self, writer: SpanWriter, message: TracedMessage) -> None:
        program, _, name = procedure_name(message).partition(":")
        if program != "remote" or not 0 < self.width < _ROOMY:
            writer.add(f"{program}:", "program")
        writer.add(name, "procedure")
        if message.packet.nfds is not None:
            writer.add(f" +{message.packet.nfds} fds", "flag")

    def _contents(self, writer: SpanWriter, message: TracedMessage) -> None:
        if message.type_name is None:
            if message.left_out and message.kind is not kinds.DATA:
                writer.add(f"  {message.left_out} bytes were not kept", "dim")
            return
        found = contents(message, show_secrets=self._show_secrets, limit=self._limit)
        if found.problems:
            writer.add(f"  ! {visible(problem_text(found.problems, message))}", "odd")
        plain = found.plain
        if message.type_name == ERROR_TYPE and isinstance(plain, dict):
            _error(writer, plain)
        elif isinstance(plain, dict) and plain:
            writer.add(" ")
            writer.fields(plain, names_of(message), found.counts)
        if message.left_out:
            writer.add(f"  {message.left_out} bytes were not kept", "dim")

    def _begin(self, begin: Begin) -> list[Span]:
        writer = self._writer(begin.time_s, begin.conversation)
        try:
            writer.add(" -- ", "note")
            writer.add(f"conversation {begin.conversation} begins", "note")
            if begin.about:
                writer.add(" ")
                writer.fields(begin.about)
        except LineFull:
            pass
        return writer.spans

    def _end(self, end: End) -> list[list[Span]]:
        who = "client" if end.from_client else "daemon"
        text = f"conversation {end.conversation}: the {who} ends it"
        if end.text:
            text += f": {end.text}"
        waiting = end.unanswered
        if waiting:
            text += f"; {_counted(len(waiting), 'call')} without an answer"
        lines = [self._remark(end.time_s, end.conversation, text, "odd" if waiting else "note")]
        for call in waiting[:_MOST_UNANSWERED]:
            writer = self._writer(end.time_s, end.conversation)
            try:
                self._start(writer, call)
                writer.add("no answer      ", "odd")
                writer.add(f"{duration(end.time_s - call.time_s):>8}  ", "slower")
                self._name(writer, call)
                self._contents(writer, call)
            except LineFull:
                pass
            lines.append(writer.spans)
        return lines

    def _note(self, note: Note) -> list[Span]:
        text = note.text
        if note.from_client is not None:
            text = f"{'client' if note.from_client else 'daemon'}: {text}"
        if note.offset is not None:
            text = f"{text}, at offset {note.offset}"
        style = "odd" if note.damage else "note"
        return self._remark(note.time_s, note.conversation, text, style)

    def _remark(self, time_s: float, conversation: int, text: str, style: str) -> list[Span]:
        writer = self._writer(time_s, conversation)
        try:
            writer.add(" -- ", style)
            writer.add(visible(text), style)
        except LineFull:
            pass
        return writer.spans


def problem_text(problems: list[Any], message: TracedMessage) -> str:
    """Return the first problem of a payload, with its offset in the packet, and how many follow."""
    first = problems[0]
    head = PACKET_MIN + (LENGTH_SIZE if message.packet.nfds is not None else 0)
    place = f"{first.path}: " if first.path else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"byte {head + first.offset}: {place}{first.reason}{more}"


def _error(writer: SpanWriter, plain: dict[str, Any]) -> None:
    """Add a daemon's error: its code, the code's name, which part of libvirt says it, and what."""
    code, domain = plain.get("code"), plain.get("domain")
    name = error_number(code) if isinstance(code, int) else None
    part = error_domain(domain) if isinstance(domain, int) else None
    writer.add(f"  error {code}", "error")
    if name is not None:
        writer.add(f" {name}", "error")
    writer.add(f" ({part or domain}): ", "dim")
    writer.add(visible(str(plain.get("message"))), "error")


def _style_of(message: TracedMessage, word: str) -> str:
    if word in ("call", "ok", "error", "event"):
        return word
    if message.kind is kinds.ABORT:
        return "error"
    if message.kind in _STREAM:
        return "stream"
    return "keepalive" if message.program == "keepalive" else "odd"


def _whole(size: int) -> str:
    return f"{size}B" if size < 1_000_000 else shown_size(size).replace(" ", "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
