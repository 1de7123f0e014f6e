"""The protocol core: libvirt's RPC without a socket, a clock or a thread.

Responsible for: framing, the call table, streams' and keepalive's states, for both ends of a
connection. Must not know how bytes travel, what time it is, or what payloads hold. Modules load
when first used: a client never loads the server's side.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.protocol.client import ClientSession as ClientSession
    from virtproto.protocol.framing import Packet as Packet
    from virtproto.protocol.framing import PacketReader as PacketReader
    from virtproto.protocol.framing import pack_packet as pack_packet
    from virtproto.protocol.server import ServerSession as ServerSession
    from virtproto.protocol.session import Session as Session

__all__ = ["ClientSession", "Packet", "PacketReader", "ServerSession", "Session", "pack_packet"]

_HOMES = {
    "ClientSession": "client",
    "Packet": "framing",
    "PacketReader": "framing",
    "ServerSession": "server",
    "Session": "session",
    "pack_packet": "framing",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
