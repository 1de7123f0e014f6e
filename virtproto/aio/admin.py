"""The administration of a daemon, for asyncio: ``open``, and the same names as for threads.

Must not load the other front end.
"""

from __future__ import annotations

from virtproto.aio import Opening
from virtproto.aio.admin_objects import (
    AdminClient,
    AdminConnection,
    AdminServer,
    open_admin_connection,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from virtproto.trace.tracers import Tracer

__all__ = ["AdminClient", "AdminConnection", "AdminServer", "open"]


class open(Opening["AdminConnection"]):
    """Open a connection: ``adm = await open(uri)``, or ``async with open(uri) as adm``.

    What it returns is a coroutine, also for ``asyncio.create_task``, ``gather`` and ``wait_for``.

    ``uri`` is a URI like "libvirtd:///system", "virtqemud:///session" or
    "libvirtd:///system?socket=/path"; None means ``LIBVIRT_ADMIN_DEFAULT_URI``, then
    ``uri_default`` of ``libvirt-admin.conf``, then libvirtd, the system's for root and the user's
    own for others. The socket belongs to the daemon's user, and whoever may open it may do all.
    ``timeout_s`` bounds each step of opening, in seconds above 0; None waits for ever.

    ``keepalive`` is an interval in seconds and a count. A daemon of which nothing was heard for
    that long is asked for a sign of life; after so many questions without an answer, and one more
    interval, the connection counts as lost. With None it is never asked.

    ``trace`` has each message told as it leaves or comes, as ``virtproto.open`` describes it.

    Raises UsageError, URIError, ConfigFileError, ConnectError (SocketMissingError,
    SocketPermissionError, SocketRefusedError), DeadlineError, LibvirtError, and ProtocolError or
    ConnectionLostError where the peer is no libvirt daemon. Source: virAdmConnectOpen.
    """

    __slots__ = ()
    __name__ = "open"  # asyncio shows it in a task's repr

    def __init__(
        self,
        uri: str | None = None,
        *,
        timeout_s: float | None = 10.0,
        keepalive: tuple[float, int] | None = (5.0, 5),
        trace: bool | Logger | Tracer | None = None,
    ) -> None:
        super().__init__(
            open_admin_connection(uri, timeout_s=timeout_s, keepalive=keepalive, trace=trace)
        )

    # For who calls it with what it does not take.
    __init__.__qualname__ = "open"
