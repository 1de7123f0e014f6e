"""What was recorded or captured, or pasted into a report, printed as `trace` prints what passes.

Responsible for files, packed ones too, for what could not be read, and the exit code that says so.
Formats are `virtproto.trace`'s, printing is `showing`'s. Must not know of click.
"""

from __future__ import annotations

import os

from virtproto.cli.output import complain
from virtproto.cli.showing import Shower
from virtproto.errors import DecodeError, RecordingError, UsageError
from virtproto.proxy.packed_files import Source, opened
from virtproto.trace.contents import message_class
from virtproto.trace.message import TracedMessage
from virtproto.trace.reading.formats import reader_of
from virtproto.trace.telling import Note, Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from virtproto.cli.showing_options import ShowingOptions
    from virtproto.trace.reading.formats import Reader
    from virtproto.trace.recording import Record
    from virtproto.trace.telling import Told

__all__ = ["run_decode"]

DONE, DAMAGED = 0, 1


def run_decode(path: str, showing: ShowingOptions) -> int:
    """Print what is in the file ``path``, or in the input if that is "-"; return the exit code.

    It is 1 where something was damaged, missing or not understood, which is said on stderr.

    Raises UsageError for a file that cannot be opened.
    """
    output = showing.output
    with opened(path) as file:
        if output is not None and _are_same(path, output):
            raise UsageError(f"--output: {output} is the file that is to be decoded")
        return _Decoding("the input" if path == "-" else path, showing).run(file)


def _are_same(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


class _Decoding:
    """One file on its way to the output."""

    def __init__(self, name: str, showing: ShowingOptions) -> None:
        self._name = name
        self._shower = Shower(showing)
        self._teller: Teller | None = None
        self._messages = 0
        # What was damaged or not understood, and the first of it.
        self._wrong = 0
        self._first = ""

    def run(self, file: BinaryIO) -> int:
        error: RecordingError | None = None
        reader: Reader | None = None
        source = Source(file)
        try:
            for data in source.chunks():
                if reader is None:
                    reader = reader_of(data)
                self._tell(reader, reader.feed(data))
                if self._shower.closed or reader.error is not None:
                    break
        except RecordingError as why:
            error = why
        if reader is not None and not self._shower.closed:
            self._tell(reader, reader.rest())
            # Of a file that cannot be unpacked any further the end is not the recording's.
            if error is None and (error := reader.finish()) is not None and source.is_packed:
                self._name += ", unpacked"
            if self._teller is not None:
                self._shower.show(self._watched(self._teller.finish()))
        self._shower.finish()
        return self._judge(error, bool(getattr(reader, "incomplete", False)))

    def _tell(self, reader: Reader, records: Iterable[Record]) -> None:
        for record in records:
            if self._teller is None:
                self._teller = Teller(reader.started_s)
            self._shower.show(self._watched(self._teller.tell(record)))

    def _watched(self, told: list[Told]) -> list[Told]:
        """Return ``told``, having counted what is wrong with it."""
        for each in told:
            if isinstance(each, TracedMessage):
                self._messages += 1
                fault = _fault(each)
                where = f"message {each.number} of conversation {each.conversation}"
            elif isinstance(each, Note) and each.damage:
                fault, where = each.text, f"conversation {each.conversation}"
            else:
                continue
            if fault is not None:
                self._wrong += 1
                self._first = self._first or f"{where}: {fault}"
        return told

    def _judge(self, error: RecordingError | None, incomplete: bool) -> int:
        if self._shower.closed:
            # Whoever read it has enough, or it could not be written, which was said.
            return DAMAGED if self._shower.failure is not None else DONE
        before = f"; {self._messages} messages could be read before" if self._messages else ""
        if error is not None:
            complain(f"{self._name}: {error}{before}")
        if self._wrong:
            more = f" ({self._wrong} such places)" if self._wrong > 1 else ""
            complain(f"{self._name}: {self._first}{more}")
        elif incomplete and error is None:
            complain(f"{self._name}: some bytes are missing, where the notes say so")
        return DAMAGED if error is not None or self._wrong or incomplete else DONE


def _fault(message: TracedMessage) -> str | None:
    """Return what is wrong with a message, None if it is as libvirt's peers send it.

    That the call of a reply was not overheard is nothing wrong with the reply.
    """
    known = message.program is not None and message.procedure is not None
    if message.oddity is not None and not (known and _lacks_call(message)):
        return message.oddity
    found = message_class(message)
    if found is None or message.left_out or message.masked:
        # What was overwritten is not damaged.
        return None
    try:
        found.unpack(message.packet.payload)
    except DecodeError as error:
        return f"its payload: {error}"
    return None


def _lacks_call(message: TracedMessage) -> bool:
    oddity = message.oddity or ""
    return message.call is None and oddity.endswith(" was seen")
