"""From messages of events to records, and from a record's class to the kind that it stands for.

Responsible for finding the class by the kind and the kind by the class; both colours have classes
of the same names, with handles of their own. Must not know who wants an event, nor how it came.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError
from virtproto.model.event_kinds import kind_of_record
from virtproto.model.object_handle import handle

from . import _events
from .delivery import class_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.event_kinds import EventKind

    from .living import LivingCalls

__all__ = ["kind_of", "record_of"]

# By the record's name, once it was used: its class, and that of the object it is about.
_CLASSES: dict[str, tuple[Any, Any]] = {}


def kind_of(parameter: str, record: object) -> EventKind:
    """Return the kind of events that a class of records stands for.

    Raises ArgumentTypeError, naming the parameter, for what is no such class of this colour.
    """
    name = getattr(record, "__name__", None)
    if not isinstance(record, type) or name not in _events.__all__:
        raise ArgumentTypeError(f"{parameter}: expected classes of events, not {record!r}")
    if getattr(_events, name) is not record:
        raise ArgumentTypeError(f"{parameter}: {record!r} is not of this front end")
    return kind_of_record(name)


def record_of(connection: LivingCalls, kind: EventKind, message: Any) -> Any:
    """Return the record of an event's message: the object that it is about, then its fields."""
    found = _CLASSES.get(kind.record)
    if found is None:
        found = _CLASSES[kind.record] = getattr(_events, kind.record), class_of(kind.family)
    record, cls = found
    concerned = handle(cls, connection, kind.object_in(message))
    return record(concerned, *kind.arguments_in(message))
