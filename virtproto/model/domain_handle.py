"""What the handles on domains have in common in both colours: identity, and what they remember.

Responsible for what costs no call: equality, name, UUID, id, and the XDR that every procedure on a
domain begins with. Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from virtproto.wire.remote.types import NonnullDomain

    D = TypeVar("D", bound="DomainHandle")

__all__ = ["DomainHandle", "domain_handle", "domain_handles"]


class DomainHandle:
    """What a domain of either colour is without its calls.

    Two handles are equal when they mean the same domain (UUID) on the same connection.
    """

    # No __init__: lists of thousands are built by storing the two attributes. _packed is set when
    # it is first needed. The colours say which class of connection theirs is.
    __slots__ = ("_connection", "_packed", "_wire")

    _connection: object
    _packed: bytes
    _wire: NonnullDomain

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DomainHandle):
            return NotImplemented
        return self._wire.uuid == other._wire.uuid and self._connection is other._connection

    def __hash__(self) -> int:
        return hash(self._wire.uuid)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._wire.name!r} {uuid_to_text(self._wire.uuid)}>"

    def get_name(self) -> str:
        """Return the domain's name. No call is made."""
        return self._wire.name

    def get_uuid(self) -> bytes:
        """Return the UUID as 16 raw bytes. No call is made."""
        return self._wire.uuid

    def get_uuid_string(self) -> str:
        """Return the UUID as text of 36 characters. No call is made."""
        return uuid_to_text(self._wire.uuid)

    def get_id(self) -> int:
        """Return the id as far as this handle knows, -1 if it was not running. No call is made."""
        return self._wire.id

    def _reference(self) -> bytes:
        """Return the XDR of name, UUID and id, which every procedure on a domain begins with."""
        try:
            return self._packed
        except AttributeError:
            packed = self._packed = self._wire.pack()
            return packed

    def _set_id(self, number: int) -> None:
        self._wire.id = number
        self._packed = self._wire.pack()


def domain_handle(kind: type[D], connection: object, wire: NonnullDomain) -> D:
    """Return a handle of a colour's class ``kind`` for a domain that the daemon named."""
    domain = kind()
    domain._connection = connection
    domain._wire = wire
    return domain


def domain_handles(kind: type[D], connection: object, wires: list[NonnullDomain]) -> list[D]:
    """Return handles of a colour's class ``kind`` for many domains."""
    domains: list[D] = []
    append = domains.append
    for wire in wires:
        domain = kind()
        domain._connection = connection
        domain._wire = wire
        append(domain)
    return domains
