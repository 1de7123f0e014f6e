"""Records that events carry."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import ConnectCloseReason, DomainEventGraphicsAddressType

__all__ = ["Gap", "GraphicsAddress", "GraphicsIdentity"]


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


class Gap(NamedTuple):
    """The connection was lost and is back: events of the time between were not heard.

    It stands in every iterator of events before the first event of the new connection, whatever
    kinds of events were asked for. ``reason`` is a ConnectCloseReason, ``why`` the same in words;
    ``lasted_s`` is how long there was no connection, in seconds.
    """

    reason: ConnectCloseReason | int
    why: str
    lasted_s: float
