"""From the payloads of events to what they hold, quickly: the same ones come again and again.

Responsible for reading the payloads of one kind of event. What was read is remembered for a while,
as a domain that is paused and resumed a hundred times sends two payloads a hundred times; but not
where values can be changed by who gets them. Must not know who wants an event, nor how it came.
"""

from __future__ import annotations

from virtproto.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.event_kinds import EventKind

__all__ = ["EventReader"]

# So many payloads of one kind are remembered, none of them longer than that.
_REMEMBERED = 1024
_LONGEST = 1024
# What values become that can be changed afterwards.
_CHANGEABLE = ("params", "identities")


class EventReader:
    """Reads the payloads of one kind of event, of which an iterator makes records.

    ``known`` holds, by payload, what `read` would return. ``made`` is the class of the records,
    ``concerned`` that of the handles on what the events are about.
    """

    __slots__ = ("_arguments_in", "_keep", "_object_in", "_unpack", "concerned", "known", "made")

    def __init__(self, kind: EventKind, made: type, concerned: type) -> None:
        self.made = made
        self.concerned = concerned
        self.known: dict[bytes, tuple[Any, tuple[Any, ...]]] = {}
        message: Any = kind.procedure.msg
        self._unpack = message.unpack
        self._object_in = kind.object_in
        self._arguments_in = kind.arguments_in
        self._keep = not any(field.partition(":")[2] in _CHANGEABLE for field in kind.fields)

    def read(self, payload: bytes) -> tuple[Any, tuple[Any, ...]] | None:
        """Return the daemon's name for the object and the fields after it.

        None stands for a payload that cannot be read.
        """
        try:
            message = self._unpack(payload)
        except DecodeError:
            return None
        found = self._object_in(message), self._arguments_in(message)
        if self._keep and len(payload) <= _LONGEST:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[payload] = found
        return found
