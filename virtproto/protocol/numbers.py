"""The numbers of the RPC header and of keepalive, until the generated modules carry them."""

from __future__ import annotations

CALL = 0
REPLY = 1
MESSAGE = 2
STREAM = 3
CALL_WITH_FDS = 4
REPLY_WITH_FDS = 5
STREAM_HOLE = 6

OK = 0
ERROR = 1
CONTINUE = 2

KEEPALIVE_PROGRAM = 0x6B656570
KEEPALIVE_VERSION = 1
PING = 1
PONG = 2
