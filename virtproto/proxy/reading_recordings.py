"""Reading what is to be played from a file: a recording, a capture, or text of a bug report.

Responsible for the file, and for saying what of it could not be read. Formats are
`virtproto.trace`'s. Must not know what is done with it.
"""

from __future__ import annotations

from virtproto.errors import RecordingError, UsageError
from virtproto.proxy.packed_files import Source, opened
from virtproto.trace.reading.formats import reader_of
from virtproto.trace.replaying.recalling import Recalled
from virtproto.trace.telling import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.reading.formats import Reader
    from virtproto.trace.recording import Record

__all__ = ["read_recording"]

# All of it is in memory, and a packed file of few bytes may hold very much.
_MOST = 512 << 20


def read_recording(path: str) -> tuple[Recalled, RecordingError | None]:
    """Return what the recording at ``path`` tells, all of it in memory; "-" is the input.

    And what is wrong with it, where that is damaged or cut off: what is whole before is told.
    Raises RecordingError where that is nothing, and UsageError for a file that cannot be opened, or
    is too large.
    """
    recalled = Recalled()
    teller: Teller | None = None
    fault: RecordingError | None = None
    reader: Reader | None = None
    with opened(path) as file:
        try:
            for data in Source(file).chunks():
                if reader is None:
                    reader = reader_of(data)
                records = reader.feed(data)
                teller = _take(recalled, teller, reader, records)
                if reader.error is not None:
                    break
        except RecordingError as error:
            fault = error
    if reader is not None:
        _take(recalled, teller, reader, reader.rest())
        fault = fault or reader.finish()
    if not recalled.messages:
        name = "the input" if path == "-" else path
        if fault is None:
            raise RecordingError(f"{name} has no conversation to be played")
        fault.args = (f"{name}: {fault}",)
        raise fault
    return recalled, fault


def _take(
    recalled: Recalled, teller: Teller | None, reader: Reader, records: list[Record]
) -> Teller | None:
    """Add what ``records`` tell; return the teller, which is made with the first of them."""
    for record in records:
        teller = teller or Teller(reader.started_s)
        recalled.add(teller.tell(record))
        if recalled.size > _MOST:
            raise UsageError(
                f"FILE takes more than {_MOST >> 20} MiB of memory: it is too large to be played"
            )
    return teller
