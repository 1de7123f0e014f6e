"""What the handles on every kind of object have in common in both colours.

Responsible for what costs no call: the connection and the daemon's name for the object, equality,
the XDR that most procedures on the object begin with, and making handles from what the daemon
named. Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    H = TypeVar("H", bound="ObjectHandle")

__all__ = ["ObjectHandle", "UuidHandle", "handle", "handles", "optional_handle"]


class ObjectHandle:
    """What an object of either colour is without its calls.

    Two handles are equal when they mean the same object on the same connection.
    """

    # No __init__: lists of thousands are built by storing the two attributes. _packed is set when
    # it is first needed. The colours say which class of connection theirs is.
    __slots__ = ("_connection", "_packed", "_wire")

    _connection: Any
    _packed: bytes
    # The contract's own reference to the object; subclasses say which message it is.
    _wire: Any

    def _identity(self) -> object:
        """Return what tells this object from the others of its kind on the same connection."""
        raise NotImplementedError

    def _label(self) -> str:
        """Return what a reader of a log knows the object by."""
        return repr(self._identity())

    def __eq__(self, other: object) -> bool:
        # The colours' classes of one kind share their handle class, other kinds do not.
        if not isinstance(other, ObjectHandle) or type(other) is not type(self):
            return NotImplemented
        return self._connection is other._connection and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._label()}>"

    def _reference(self) -> bytes:
        """Return the XDR of the object, which most procedures on it begin with."""
        try:
            return self._packed
        except AttributeError:
            packed: bytes = self._wire.pack()
            self._packed = packed
            return packed


class UuidHandle(ObjectHandle):
    """A handle on an object that has a UUID, and a ``uuid`` in the daemon's name for it."""

    __slots__ = ()

    def _identity(self) -> object:
        return self._wire.uuid

    def _label(self) -> str:
        return uuid_to_text(self._wire.uuid)

    def get_uuid(self) -> bytes:
        """Return the UUID as 16 raw bytes. No call is made."""
        uuid: bytes = self._wire.uuid
        return uuid

    def get_uuid_string(self) -> str:
        """Return the UUID as text of 36 characters. No call is made."""
        return uuid_to_text(self._wire.uuid)


def handle(kind: type[H], connection: object, wire: object) -> H:
    """Return a handle of a colour's class ``kind`` for an object that the daemon named."""
    made = kind()
    made._connection = connection
    made._wire = wire
    return made


def optional_handle(kind: type[H], connection: object, wire: object | None) -> H | None:
    """Return a handle for an object that the daemon may have named, None where it has not."""
    return None if wire is None else handle(kind, connection, wire)


def handles(kind: type[H], connection: object, wires: Iterable[object]) -> list[H]:
    """Return handles of a colour's class ``kind`` for many objects."""
    many: list[H] = []
    append = many.append
    for wire in wires:
        made = kind()
        made._connection = connection
        made._wire = wire
        append(made)
    return many
