"""What the handles on every kind of object have in common in both colours.

Responsible for what costs no call: the connection and the daemon's name for the object, equality,
the XDR that most procedures on the object begin with, and making handles from what the daemon
named. Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from itertools import repeat

from virtproto.errors import ArgumentTypeError
from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn, Self, SupportsIndex, TypeVar

    H = TypeVar("H", bound="ObjectHandle")

__all__ = ["ObjectHandle", "UuidHandle", "handle", "handles", "optional_handle"]


class ObjectHandle:
    """What an object of either colour is without its calls.

    Two handles are equal when they mean the same object on the same connection. A copy is one more
    handle on the object; pickles there are none, for the connection is this process's.
    """

    # Lists of thousands are built by storing two attributes, which ``handle`` does without the
    # __init__ below. _packed is set when it is first needed. The colours say which class of
    # connection theirs is.
    __slots__ = ("_connection", "_packed", "_wire")

    _connection: Any
    _packed: bytes
    # The contract's own reference to the object; subclasses say which message it is.
    _wire: Any

    def __init__(self) -> None:
        name = type(self).__name__
        raise ArgumentTypeError(f"{name}: the lookups and lists of its connection make it")

    def __copy__(self) -> Self:
        return handle(type(self), self._connection, self._wire)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        name = type(self).__name__
        raise ArgumentTypeError(f"{name}: it belongs to its connection and cannot be pickled")

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


# Makes an object without its class's __init__.
_bare = object.__new__


def handle(kind: type[H], connection: object, wire: object) -> H:
    """Return a handle of a colour's class ``kind`` for an object that the daemon named."""
    made = _bare(kind)
    made._connection = connection
    made._wire = wire
    return made


def optional_handle(kind: type[H], connection: object, wire: object | None) -> H | None:
    """Return a handle for an object that the daemon may have named, None where it has not."""
    return None if wire is None else handle(kind, connection, wire)


def handles(kind: type[H], connection: object, wires: Sequence[object]) -> list[H]:
    """Return handles of a colour's class ``kind`` for many objects."""
    many = list(map(_bare, repeat(kind, len(wires))))
    for made, wire in zip(many, wires, strict=True):
        made._connection = connection
        made._wire = wire
    return many
