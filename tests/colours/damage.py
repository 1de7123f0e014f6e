"""What a daemon may write that no daemon writes, and the error that each ends a connection with."""

from __future__ import annotations

from virtproto.errors import FramingError, SequenceError

DAMAGE = [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", FramingError),
    ((3).to_bytes(4, "big"), FramingError),
    ((27).to_bytes(4, "big"), FramingError),
    ((2**31).to_bytes(4, "big"), FramingError),
    ((2**32 - 1).to_bytes(4, "big"), FramingError),
    (
        bytes.fromhex("0000001c 20008086 00000001 0000009d 00000001 00000063 00000000"),
        SequenceError,
    ),
    (bytes.fromhex("0000001c 20008086 00000001 0000009d 00000009 00000000 00000000"), FramingError),
]
