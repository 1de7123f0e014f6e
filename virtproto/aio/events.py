"""Every event as a record, for asyncio: ``async for event in connection.events(...)``.

Each class stands for one kind of event and is a tuple with names: the object that the event is
about, then what it tells. ``Gap`` tells that events may be missing. ``virtproto.events`` has the
same for blocking connections. ``Events`` is the iterator, ``Overflow`` what becomes of too many.
Each is loaded when it is first used.
"""

from __future__ import annotations

from virtproto.aio import _events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.aio._events import *  # noqa: F403
    from virtproto.aio.event_stream import Events as Events
    from virtproto.model.event_queue import Overflow as Overflow
    from virtproto.model.records.events import Gap as Gap
    from virtproto.model.records.events import GraphicsAddress as GraphicsAddress
    from virtproto.model.records.events import GraphicsIdentity as GraphicsIdentity

_PLAIN = ("Gap", "GraphicsAddress", "GraphicsIdentity")
# What events come by.
_MEANS = {"Events": "virtproto.aio.event_stream", "Overflow": "virtproto.model.event_queue"}

__all__ = [*_events.__all__, *_PLAIN, *_MEANS]


def __getattr__(name: str) -> object:
    if name in _PLAIN:
        from virtproto.model.records import events as home

        value: object = getattr(home, name)
    elif name in _events.__all__:
        value = getattr(_events, name)
    elif name in _MEANS:
        from importlib import import_module

        value = getattr(import_module(_MEANS[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
