"""One RPC call spelled by hand, so that the lab can ask a daemon something without virtproto.

Responsible for a single blocking question and answer. It knows the header's layout and a few
procedure numbers of remote_protocol.x, and nothing of the structs behind them.
"""

from __future__ import annotations

import socket
import struct

__all__ = ["AUTH_LIST", "CONNECT_GET_CAPABILITIES", "CONNECT_OPEN", "RawConnection", "xdr_string"]

CONNECT_OPEN = 1
CONNECT_GET_CAPABILITIES = 7
AUTH_LIST = 66

_REMOTE_PROGRAM = 0x20008086
_HEADER = struct.Struct(">IIIiiIi")


def xdr_string(text: str) -> bytes:
    """Return ``text`` as an XDR string."""
    data = text.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class RawConnection:
    """A connection to a daemon's unix socket on which one call at a time is made."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def call(self, procedure: int, args: bytes = b"") -> bytes:
        """Return the payload of the reply; OSError if the daemon goes away or answers an error."""
        header = _HEADER.pack(
            _HEADER.size + len(args), _REMOTE_PROGRAM, 1, procedure, 0, self._serial, 0
        )
        self._serial += 1
        return self.exchange(header + args, expect_status=0)[_HEADER.size :]

    def exchange(self, packet: bytes, *, expect_status: int | None = None) -> bytes:
        """Send one whole packet and return the whole packet that comes back."""
        self._socket.sendall(packet)
        start = self._receive(4)
        reply = start + self._receive(int.from_bytes(start, "big") - 4)
        status = _HEADER.unpack_from(reply)[-1]
        if expect_status is not None and status != expect_status:
            raise OSError(f"the daemon answered with status {status}: {reply[28:]!r}")
        return reply

    def at_end(self) -> bool:
        """Tell whether the daemon has closed its side (blocks until it says anything)."""
        return self._socket.recv(1) == b""

    def _receive(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise OSError("the daemon closed the connection")
            parts += part
        return bytes(parts)
