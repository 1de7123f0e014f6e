"""Records that events carry."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import DomainEventGraphicsAddressType

__all__ = ["GraphicsAddress", "GraphicsIdentity"]


class GraphicsAddress(NamedTuple):
    """One end of a connection to a domain's graphics.

    ``family`` is a DomainEventGraphicsAddressType; ``node`` the address, ``service`` the port, or
    for a unix socket its path and nothing.
    """

    family: DomainEventGraphicsAddressType | int
    node: str
    service: str


class GraphicsIdentity(NamedTuple):
    """What a client of a domain's graphics proved to be: ``type`` ("x509dname") and ``name``."""

    type: str
    name: str
