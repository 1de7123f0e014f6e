"""What a connection to a daemon's administration does in order to make a call.

Responsible for what differs from a connection that manages guests: its goodbye. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.wire.admin import CONNECT_CLOSE

from .calls import ConnectionCalls

__all__ = ["AdminCalls"]


class AdminCalls(ConnectionCalls):
    """An administrator's ways to make a call."""

    def close(self) -> None:
        """Say goodbye to the daemon and close the connection; does nothing the second time.

        Waits briefly for the daemon's answer. Procedure: CONNECT_CLOSE.
        """
        self._channel.close(CONNECT_CLOSE)
