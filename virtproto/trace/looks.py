"""What bytes look like that are not libvirt's, so that whoever reads a trace knows what came.

Responsible for a guess from the first bytes alone. Must not know conversations, and never shows a
byte of what it is given: there may be passwords among them.
"""

from __future__ import annotations

__all__ = ["is_protected", "looks_like"]

_TLS_RECORDS = {20: "a cipher change", 21: "an alert", 22: "a handshake", 23: "data"}
_BEGINNINGS = (
    (b"SSH-", "SSH"),
    (b"GET ", "HTTP"),
    (b"POST ", "HTTP"),
    (b"HTTP/", "HTTP"),
    (b"PRI * HTTP/2", "HTTP/2"),
    (b"RFB 0", "VNC"),
    (b"REDQ", "SPICE"),
    (b'{"QMP"', "QEMU's monitor"),
    (b"NBDMAGIC", "NBD"),
    (b"QEVM", "a migration of QEMU's"),
    (b"AUTH ", "D-Bus"),
    (b"\0AUTH ", "D-Bus"),
)


def is_protected(data: bytes) -> bool:
    """Tell whether ``data`` begins as a record of TLS does."""
    return len(data) >= 3 and data[0] in _TLS_RECORDS and data[1] == 3 and data[2] <= 4


def looks_like(data: bytes) -> str:
    """Return a clause that says what ``data`` looks like, with its comma; empty if nothing known.

    A lone byte 1 is how a daemon says after a TLS handshake that it accepts the client.
    """
    if is_protected(data):
        return f", but look like TLS ({_TLS_RECORDS[data[0]]})"
    for beginning, name in _BEGINNINGS:
        if data.startswith(beginning):
            return f", but look like {name}"
    if len(data) > 4 and data[:4] == (len(data) - 4).to_bytes(4, "big"):
        # What a SASL security layer wraps, or a packet without its header in libvirt's count.
        return ", but look like what a SASL layer protects"
    return ""
