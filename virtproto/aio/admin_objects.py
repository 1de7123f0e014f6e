"""The administration of a daemon: a connection to it, its servers and their clients.

Responsible for opening, and for putting together the calls, which are generated, and the handles.
Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from contextlib import suppress
from os import environ

from virtproto.errors import ConnectionLostError, DeadlineError
from virtproto.model.admin_client_handle import AdminClientHandle
from virtproto.model.admin_server_handle import AdminServerHandle
from virtproto.model.object_handle import handle
from virtproto.model.opening_options import check_keepalive
from virtproto.model.recipes.admin_opening import open_admin
from virtproto.model.refs import check_timeout
from virtproto.model.replies import silent
from virtproto.transport.resolve_admin import resolve_admin

from ._methods.admin_client import AdminClientMethods
from ._methods.admin_connection import AdminConnectionMethods
from ._methods.admin_server import AdminServerMethods
from .calls import run_recipe
from .channel import Channel
from .connecting import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from virtproto.constants import AdmConnectDaemonShutdownFlags
    from virtproto.trace.tracers import Tracer

__all__ = ["AdminClient", "AdminConnection", "AdminServer", "open_admin_connection"]


async def open_admin_connection(
    uri: str | None = None,
    *,
    timeout_s: float | None = 10.0,
    keepalive: tuple[float, int] | None = (5.0, 5),
    trace: bool | Logger | Tracer | None = None,
) -> AdminConnection:
    """Open a connection to the administration of the daemon that ``uri`` means.

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
    check_timeout("timeout_s", timeout_s)
    check_keepalive("keepalive", keepalive)
    tracer: Tracer | None = None
    if trace is not None or "VIRTPROTO_TRACE" in environ:
        from virtproto.model.opening_options import check_trace
        from virtproto.trace.tracers import tracer_of

        check_trace("trace", trace)
        tracer = tracer_of(trace, environ.get("VIRTPROTO_TRACE"))
    where, endpoint = resolve_admin(uri)
    road = await connect(endpoint, timeout_s)
    road.tracer = tracer
    channel = await Channel.over(road)
    try:
        opened = await run_recipe(channel, open_admin(where), timeout_s)
        if keepalive is not None:
            # There is no feature to ask for: every daemon answers, and asks nothing of its own.
            await channel.keep_alive(*keepalive)
    except BaseException as error:
        await channel.close()
        if isinstance(error, DeadlineError):
            raise silent(channel._road.name, error, None) from error
        raise
    return AdminConnection(channel, opened, readonly=False)


# Who calls it with what it does not take is told so of the name that it has for him.
open_admin_connection.__qualname__ = "open"
open_admin_connection.__module__ = f"{__package__}.admin"


class AdminConnection(AdminConnectionMethods):
    """A connection to a daemon's administration; made by ``open``.

    It is a context manager that closes the connection at its end. One that is neither closed nor
    used any more is closed with a ResourceWarning. A forked process cannot use its parent's.
    """

    async def daemon_shutdown(self, flags: AdmConnectDaemonShutdownFlags | int = 0) -> None:
        """Have the daemon end, as the signal TERM does; guests go on.

        The daemon closes all connections, this one included, most often before it answers: that
        is taken for the answer.

        Args:
            flags: ``PRESERVE`` first does for the guests what the daemon's configuration asks for
                at the host's shutdown. See ``AdmConnectDaemonShutdownFlags``.

        Raises:
            UnknownProcedureError: The daemon is older than that.

        Procedure: CONNECT_DAEMON_SHUTDOWN (libvirt 11.3.0 or older).
        """
        # Lost by this very call: one that was lost before is known to be closed.
        with suppress(ConnectionLostError):
            await super().daemon_shutdown(flags)


class AdminServer(AdminServerMethods, AdminServerHandle):
    """A daemon's server: a set of sockets, with worker threads and clients of its own.

    Two handles are equal when they mean the same server on the same connection.

    Once the daemon has no such server, every call on it raises NoServerError.
    """

    __slots__ = ()

    _connection: AdminConnection  # type: ignore[assignment]

    @property
    def connection(self) -> AdminConnection:  # type: ignore[override]
        """The connection that the server belongs to."""
        return self._connection


class AdminClient(AdminClientMethods, AdminClientHandle):
    """A client that is connected to a daemon's server.

    Two handles are equal when they mean the same client of the same server on the same connection.

    Once the client is gone, every call on it raises NoClientError.
    """

    __slots__ = ()

    _connection: AdminConnection  # type: ignore[assignment]

    @property
    def connection(self) -> AdminConnection:  # type: ignore[override]
        """The administrator's connection that the handle belongs to; not the client's own."""
        return self._connection

    def get_server(self) -> AdminServer:
        """Return the server that the client is connected to. No call is made."""
        return handle(AdminServer, self._connection, self._wire.srv)
