"""What a connection to a daemon's administration does in order to make a call.

Responsible for what differs from a connection that manages guests: its goodbye, which
is the same in both colours.
"""

from __future__ import annotations

from virtproto.wire.admin import CONNECT_CLOSE

from .calls import ConnectionCalls

__all__ = ["AdminCalls"]


class AdminCalls(ConnectionCalls):
    """An administrator's ways to make a call."""

    _goodbye = CONNECT_CLOSE
