"""One line for each thing that was overheard, as spans: texts with the names of their styles.

Responsible for columns that stay where they are, for what a line says first, and for its width.
Nothing from the wire gets into a line that would act on a terminal. Must not know colours, streams
of output, or time zones: how a time is written comes in as a function.

    0.000345 ←    2 ok         60B  1.21 ms  remote:DOMAIN_LOOKUP_BY_NAME dom="web"(3)
    time   from serial what    size  latency  procedure                   fields
"""

from __future__ import annotations

from virtproto.model.screen_text import columns, cut, head, visible
from virtproto.trace import message as kinds
from virtproto.trace.contents import Contents, contents
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.naming import error_domain, error_number, names_of, with_detail
from virtproto.trace.printing.value_text import LineFull, SpanWriter, counted, duration, shown_size
from virtproto.trace.telling import Begin, End, Note
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR, MESSAGE_STATUS_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from virtproto.trace.printing.stream_runs import StreamRun
    from virtproto.trace.printing.value_text import Span
    from virtproto.trace.telling import Told

__all__ = ["STYLES", "Liner", "fields_text", "procedure_name", "status_word", "text_of"]

# The names that spans use, "" aside; who prints in colours knows what each looks like.
STYLES = (
    *("time", "conversation", "out", "in", "serial", "size", "latency", "slow", "slower"),
    *("call", "ok", "error", "event", "stream", "keepalive", "odd", "note"),
    *("program", "procedure", "key", "string", "number", "flag", "secret", "dim"),
)

# Where a line has less room than this, times have fewer digits and remote's name is left out.
_ROOMY = 100
# Where it has less than this, sizes and latencies are left out: what was called comes first.
_TIGHT = 64
_SLOW_S, _SLOWER_S = 0.1, 1.0
_SOON_S = 0.5
_STREAM = (kinds.DATA, kinds.END, kinds.HOLE, kinds.FINISH, kinds.ABORT)
_MOST_UNANSWERED = 20
# What does not fit goes below, so far to the right, in no more lines than that.
_BELOW = " " * 12
_MOST_BELOW = 8
_FOLDABLE = 40


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


def fields_text(message: TracedMessage) -> str:
    """Return the fields of a message as a line would have them that has room for everything."""
    found = contents(message)
    writer = SpanWriter()
    writer.spans += _remarks(message, found)
    _add_fields(writer, message, found)
    return text_of(writer.spans)


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
        # When one end of a conversation has ended it, until the other has.
        self._ended_s: dict[int, float] = {}

    def fit(self, width: int, longest: int = 0) -> None:
        """Let the lines from here on have another width."""
        self.width = width
        self._longest = longest
        # Of a list: about as many elements as a line can show.
        self._limit = max(16, width // 12) if width else None

    def count_from(self, time_s: float) -> None:
        """Tell times from this one on, not from the first line's."""
        self._began_s = time_s

    def heading(self) -> list[Span]:
        """Return the names of the columns."""
        time = "time" if self._clock is None else "time of day"
        digits = 3 if 0 < self.width < _ROOMY else 6
        room = digits + 4 if self._clock is None else 15
        measures = "" if self._is_tight else f"{'size':>7}  latency  "
        text = f"{time:>{room}}   {'call':>4} {'what':<6} {measures}procedure  fields"
        return [(text if not self.width else cut(text, self.width), "dim")]

    def lines(self, told: Told) -> list[list[Span]]:
        """Return the lines that tell what was overheard: mostly one.

        What went wrong is never cut: where the line is too narrow it goes on below.
        """
        if isinstance(told, TracedMessage):
            return self._message(told)
        if isinstance(told, End):
            return self._end(told)
        if isinstance(told, Begin):
            return self._remark(told.time_s, told.conversation, _beginning(told), "note")
        return self._note(told)

    def message(self, message: TracedMessage, *, bare: bool = False) -> list[Span]:
        """Return the one line of a message; without its fields if ``bare``."""
        found = Contents() if bare else self._read(message)
        return self._line(message, found, _remarks(message, found)).spans

    def _message(self, message: TracedMessage) -> list[list[Span]]:
        found = self._read(message)
        remarks = _remarks(message, found)
        line = self._line(message, found, remarks)
        if not line.is_full or not remarks or self.width < _FOLDABLE:
            return [line.spans]
        lines = [self._line(message, found, []).spans]
        for text, style in remarks:
            lines += [[(f"{_BELOW}{part}", style)] for part in self._folded(text.lstrip())]
        return lines

    def _read(self, message: TracedMessage) -> Contents:
        if message.type_name is None:
            return Contents()
        return contents(message, show_secrets=self._show_secrets, limit=self._limit)

    def _line(self, message: TracedMessage, found: Contents, remarks: list[Span]) -> SpanWriter:
        writer = self._writer(message.time_s, message.conversation)
        try:
            self._columns(writer, message)
            self._name(writer, message)
            for text, style in remarks:
                writer.add(text, style)
            _add_fields(writer, message, found)
        except LineFull:
            pass
        return writer

    def run(self, run: StreamRun) -> list[Span]:
        """Return the line of packets of a stream that came one after the other."""
        first = run.first
        writer = self._writer(first.time_s, first.conversation)
        took_s = run.last_s - first.time_s
        try:
            self._start(writer, first)
            writer.add(f"{status_word(first):<6} {_whole(run.size):>7} ", "stream")
            if not self._is_tight:
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

    @property
    def _is_tight(self) -> bool:
        return 0 < self.width < _TIGHT

    def _columns(self, writer: SpanWriter, message: TracedMessage) -> None:
        self._start(writer, message)
        word = status_word(message)
        writer.add(f"{word:<6}", _style_of(message, word))
        if self._is_tight:
            writer.add(" ")
            return
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

    def _end(self, end: End) -> list[list[Span]]:
        who = "client" if end.from_client else "daemon"
        text = f"conversation {end.conversation}: the {who} ends it"
        if end.text:
            text += f": {end.text}"
        waiting = end.unanswered
        before_s = self._ended_s.pop(end.conversation, None)
        if not end.last:
            self._ended_s[end.conversation] = end.time_s
        elif before_s is not None and end.time_s - before_s < _SOON_S and not (waiting or end.text):
            # The other end has said so a moment ago.
            return []
        if waiting:
            text += f"; {counted(len(waiting), 'call')} without an answer"
        lines = self._remark(end.time_s, end.conversation, text, "odd" if waiting else "note")
        for call in waiting[:_MOST_UNANSWERED]:
            writer = self._writer(end.time_s, end.conversation)
            try:
                self._start(writer, call)
                waited = f"{duration(end.time_s - call.time_s):>8}  "
                writer.add("no answer " if self._is_tight else "no answer      ", "odd")
                writer.add("" if self._is_tight else waited, "slower")
                self._name(writer, call)
                _add_fields(writer, call, self._read(call))
            except LineFull:
                pass
            lines.append(writer.spans)
        return lines

    def _note(self, note: Note) -> list[list[Span]]:
        text = note.text
        if note.from_client is not None:
            text = f"{'client' if note.from_client else 'daemon'}: {text}"
        if note.offset is not None:
            text = f"{text}, at offset {note.offset}"
        style = "odd" if note.damage else "note"
        return self._remark(note.time_s, note.conversation, text, style)

    def _remark(self, time_s: float, conversation: int, text: str, style: str) -> list[list[Span]]:
        text = f" -- {visible(text)}"
        writer = self._writer(time_s, conversation)
        try:
            writer.add(text, style)
        except LineFull:
            if self.width >= _FOLDABLE:
                first = self._writer(time_s, conversation).spans
                part, *more = self._folded(text, sum(columns(span) for span, _ in first))
                return [[*first, (part, style)], *([(_BELOW + each, style)] for each in more)]
        return [writer.spans]

    def _folded(self, text: str, used: int = len(_BELOW)) -> list[str]:
        """Return a visible text in lines, the last of them cut if they are many.

        The first has so many columns less, as those below have.
        """
        parts: list[str] = []
        room = self.width - used
        while text and len(parts) < _MOST_BELOW - 1:
            part = head(text, room)
            if len(part) < len(text) and " " in part[1:]:
                # Between words, if there are any.
                part = part[: part.rindex(" ") + 1]
            parts.append(part.rstrip())
            text = text[len(part) :]
            room = self.width - len(_BELOW)
        return [*parts, cut(text, room)] if text else parts


def _add_fields(writer: SpanWriter, message: TracedMessage, found: Contents) -> None:
    plain = found.plain
    if isinstance(plain, dict) and plain and message.type_name != ERROR_TYPE:
        writer.add(" ")
        names, counts = names_of(message), found.counts
        if message.kind is kinds.EVENT:
            plain, counts = _unwrapped(plain, counts)
            names = with_detail(names, plain)
        writer.fields(plain, names, counts)
    if message.left_out and message.kind is not kinds.DATA and message.oddity is None:
        writer.add(f"  {message.left_out} bytes were not kept", "dim")


def _unwrapped(
    plain: dict[str, Any], counts: dict[str, int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return an event's fields without the wrapping of those that have a registration's ID."""
    inner = plain.get("msg")
    if plain.keys() != {"callbackID", "msg"} or not isinstance(inner, dict):
        return plain, counts
    counts = {path.removeprefix("msg."): count for path, count in counts.items()}
    return {**inner, "callbackID": plain["callbackID"]}, counts


def _beginning(begin: Begin) -> str:
    """Return what is known of the two ends: "conversation 1: virsh (4711) to /run/... by ..."."""
    about = dict(begin.about)
    parts = [f"conversation {begin.conversation}:"]
    client, pid = about.pop("client", None), about.pop("pid", None)
    if client is not None:
        parts.append(f"{client}" if pid is None else f"{client} ({pid})")
    for key, word in (("daemon", "to"), ("by", "by")):
        value = about.pop(key, None)
        if value is not None:
            parts.append(f"{word} {value}")
    parts += [f"{key}={value}" for key, value in about.items()]
    return " ".join(parts) if len(parts) > 1 else f"{parts[0]} it begins"


def _remarks(message: TracedMessage, found: Contents) -> list[Span]:
    """Return what is odd or wrong about a message, and what an error says."""
    remarks = []
    if message.oddity is not None:
        remarks.append((f"  ! {visible(message.oddity)}", "odd"))
    if found.problems:
        remarks.append((f"  ! {visible(problem_text(found.problems, message))}", "odd"))
    if message.type_name == ERROR_TYPE and isinstance(found.plain, dict):
        remarks.append((f"  {visible(_error(found.plain))}", "error"))
    return remarks


def problem_text(problems: list[Any], message: TracedMessage) -> str:
    """Return the first problem of a payload, with its offset in the packet, and how many follow."""
    first = problems[0]
    place = f"{first.path}: " if first.path else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"byte {message.head_size + first.offset}: {place}{first.reason}{more}"


def _error(plain: dict[str, Any]) -> str:
    """Return a daemon's error: code, its name, which part of libvirt says it, and what it says."""
    code, domain = plain.get("code"), plain.get("domain")
    name = error_number(code) if isinstance(code, int) else None
    part = error_domain(domain) if isinstance(domain, int) else None
    return f"error {code} {name or ''}".rstrip() + f" ({part or domain}): {plain.get('message')}"


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
