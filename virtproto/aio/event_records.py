"""From a class of records to the kind of events that it stands for.

Responsible for refusing what is none: both colours have classes of the same names, with handles of
their own. Must not know who wants an event, nor how it came.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError
from virtproto.model.event_kinds import kind_of_record

from . import _events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.event_kinds import EventKind

__all__ = ["kind_of"]

# Where the records of each front end are found, and what they are for.
_HOMES = {
    "virtproto.sync": ("virtproto.events", "blocking connections"),
    "virtproto.aio": ("virtproto.aio.events", "asyncio's connections"),
}


def kind_of(parameter: str, record: object) -> EventKind:
    """Return the kind of events that a class of records stands for.

    Raises ArgumentTypeError, naming the parameter, for what is no such class of this colour.
    """
    name = getattr(record, "__name__", None)
    if not isinstance(record, type) or name not in _events.__all__:
        raise ArgumentTypeError(f"{parameter}: expected classes of events, not {record!r}")
    if getattr(_events, name) is not record:
        home, whose = _HOMES.get(record.__module__.partition("._events")[0], (None, None))
        wanted = f"take it from {_HOMES[str(__package__)][0]}"
        if home is None:
            raise ArgumentTypeError(f"{parameter}: {record!r} is no class of events; {wanted}")
        raise ArgumentTypeError(f"{parameter}: {home}.{name} is for {whose}; {wanted}")
    return kind_of_record(name)
