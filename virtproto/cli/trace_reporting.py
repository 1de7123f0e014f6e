"""What the reporter does with the records of what passed: it prints them, and keeps them.

Responsible for the one way from a pipe to both, and for each going on where the other cannot. Must
not know how either is done.
"""

from __future__ import annotations

import os
from select import POLLIN, poll

from virtproto.cli.output import complain
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.telling import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.cli.showing import Shower
    from virtproto.proxy.writing_recordings import RecordingFile
    from virtproto.trace.recording import Record

__all__ = ["Report"]

_READ_SIZE = 1 << 20


class Report:
    """Everything that is told of what passes."""

    def __init__(self, shower: Shower, recording: RecordingFile | None) -> None:
        self._shower = shower
        self._recording = recording
        self._reader = RecordReader()
        self._teller: Teller | None = None
        self._output_failed = False

    def work(self, descriptor: int) -> int:
        """Tell what comes by ``descriptor`` until it ends; return the exit code.

        That is 1 where some of it could not be told. It ends before, too, once nobody wants to know
        any more.
        """
        waiting = poll()
        waiting.register(descriptor, POLLIN)
        while self._is_wanted:
            if not waiting.poll(0):
                patience_s = self._rest()
                waiting.poll(None if patience_s is None else max(1, round(patience_s * 1000)))
                if not waiting.poll(0):
                    continue
            data = os.read(descriptor, _READ_SIZE)
            if not data:
                break
            for record in self._reader.feed(data):
                self._tell(record)
        return self._finish()

    @property
    def _is_wanted(self) -> bool:
        return self._is_shown or (self._recording is not None and self._recording.failure is None)

    @property
    def _is_shown(self) -> bool:
        return not self._shower.closed and not self._output_failed

    def _tell(self, record: Record) -> None:
        if self._teller is None:
            self._teller = Teller(self._reader.started_s)
            if self._recording is not None:
                self._recording.begin(self._reader.about or {})
        told = self._teller.tell(record)
        if self._recording is not None:
            self._recording.keep(record, told)
        if self._is_shown:
            try:
                self._shower.show(told)
            except OSError as exc:
                self._blame(exc)

    def _rest(self) -> float | None:
        if self._recording is not None:
            self._recording.rest()
        if not self._is_shown:
            return None
        try:
            return self._shower.rest()
        except OSError as exc:
            self._blame(exc)
            return None

    def _finish(self) -> int:
        recording = self._recording
        if recording is not None:
            if self._teller is None:
                recording.begin(self._reader.about or {})
            recording.finish()
            if recording.failure is not None:
                why = recording.failure.strerror or recording.failure
                complain(f"{recording.path} is not a whole recording: {why}")
        try:
            if self._is_shown:
                if self._teller is not None:
                    self._shower.show(self._teller.finish())
                self._shower.finish()
        except OSError as exc:
            self._blame(exc)
        if self._reader.finish() is not None and self._is_wanted:
            # What carried it was ended by force; what came was told.
            complain("the rest is not known: what carried it has ended")
            return 1
        return 1 if self._output_failed or (recording is not None and recording.failure) else 0

    def _blame(self, error: OSError) -> None:
        self._output_failed = True
        if not isinstance(error, BrokenPipeError):
            complain(f"the output cannot be written: {error.strerror or error}")
