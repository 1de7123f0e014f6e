"""The front end for asyncio: ``open``, Connection, Domain; same names as in ``virtproto.sync``.

Connections belong to the event loop that opened them; in another their calls raise UsageError and
send nothing. Must not load the other front end. What is no connection or its opening is loaded when
it is first used.
"""

from __future__ import annotations

from collections.abc import Coroutine

from virtproto.aio.connection import Connection, open_connection_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from logging import Logger
    from types import TracebackType
    from typing import Any, TypeVar

    from virtproto.aio.calls import ConnectionCalls
    from virtproto.aio.connecting import AnyCredentials, AnySocket
    from virtproto.aio.domain import Domain as Domain
    from virtproto.aio.domain_checkpoint import DomainCheckpoint as DomainCheckpoint
    from virtproto.aio.domain_snapshot import DomainSnapshot as DomainSnapshot
    from virtproto.aio.fleet import Fleet as Fleet
    from virtproto.aio.interface import Interface as Interface
    from virtproto.aio.network import Network as Network
    from virtproto.aio.network_port import NetworkPort as NetworkPort
    from virtproto.aio.node_device import NodeDevice as NodeDevice
    from virtproto.aio.nwfilter import NWFilter as NWFilter
    from virtproto.aio.nwfilter_binding import NWFilterBinding as NWFilterBinding
    from virtproto.aio.secret import Secret as Secret
    from virtproto.aio.storage_pool import StoragePool as StoragePool
    from virtproto.aio.storage_vol import StorageVol as StorageVol
    from virtproto.aio.stream import Stream as Stream
    from virtproto.model.fleet import Outcome as Outcome
    from virtproto.model.reconnecting import Reconnect as Reconnect
    from virtproto.model.records.domain_info import DomainInfo as DomainInfo
    from virtproto.model.records.domain_info import DomainStateInfo as DomainStateInfo
    from virtproto.trace.tracers import Tracer

    C = TypeVar("C", bound=ConnectionCalls)

# Module of each name that is loaded when it is first used.
_HOMES = {
    "Domain": "virtproto.aio.domain",
    "DomainCheckpoint": "virtproto.aio.domain_checkpoint",
    "DomainSnapshot": "virtproto.aio.domain_snapshot",
    "Fleet": "virtproto.aio.fleet",
    "Interface": "virtproto.aio.interface",
    "NWFilter": "virtproto.aio.nwfilter",
    "NWFilterBinding": "virtproto.aio.nwfilter_binding",
    "Network": "virtproto.aio.network",
    "NetworkPort": "virtproto.aio.network_port",
    "NodeDevice": "virtproto.aio.node_device",
    "Outcome": "virtproto.model.fleet",
    "Reconnect": "virtproto.model.reconnecting",
    "Secret": "virtproto.aio.secret",
    "StoragePool": "virtproto.aio.storage_pool",
    "StorageVol": "virtproto.aio.storage_vol",
    "Stream": "virtproto.aio.stream",
    "DomainInfo": "virtproto.model.records.domain_info",
    "DomainStateInfo": "virtproto.model.records.domain_info",
}

__all__ = [
    "Connection",
    "Domain",
    "DomainCheckpoint",
    "DomainInfo",
    "DomainSnapshot",
    "DomainStateInfo",
    "Fleet",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "Outcome",
    "Reconnect",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
    "open",
]


class Opening(Coroutine["Any", "Any", "C"]):
    """A connection that is being opened: to be awaited, or entered with ``async with``.

    ``opening`` is the coroutine that opens it.
    """

    __slots__ = ("_connection", "_opening")

    def __init__(self, opening: Coroutine[Any, Any, C]) -> None:
        self._opening = opening
        self._connection: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._opening.__await__()

    def send(self, value: Any, /) -> Any:
        """Go on with opening; the event loop does that."""
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with opening by raising an exception where it waits."""
        return self._opening.throw(*error)

    def close(self) -> None:
        """Give up opening; a connection that is open is closed by its own ``close``."""
        self._opening.close()

    async def __aenter__(self) -> C:
        self._connection = await self
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()


class open(Opening["Connection"]):
    """Open a connection: ``conn = await open(uri)``, or ``async with open(uri) as conn``.

    What it returns is a coroutine, also for ``asyncio.create_task``, ``gather`` and ``wait_for``.

    ``uri`` is a libvirt connection URI ("qemu:///system", "test:///default?socket=/path"); None
    means ``LIBVIRT_DEFAULT_URI``, then ``uri_default`` of ``libvirt.conf``, then the daemon's own
    choice. ``test:///default`` is the test driver of the system daemon, since this client has none
    in its own process. ``readonly`` asks for a connection that can change nothing. ``timeout_s``
    bounds each step of opening, in seconds above 0; None waits for ever. Only where polkit has a
    person asked for a password that step may take 300 s all the same. ``call_timeout_s`` is how
    many seconds each call may take from then on, as of the connection's attribute of that name;
    None is no limit.

    ``keepalive`` is an interval in seconds and a count. A daemon of which nothing was heard for
    that long is asked for a sign of life; after so many questions without an answer, and one more
    interval, the connection counts as lost. With None it is never asked.

    ``long_calls`` is how many calls of the kind that may take long the daemon is given at a time.
    More wait here, so that short ones get through: with five calls of a connection under way, a
    daemon does not even read its pings. One more may be under way if it is urgent (what watches or
    ends a job, resumes a guest, or ends a migration); further urgent ones wait for their turn, but
    before the rest. Should that one last as well, keepalive may take the daemon for lost. None is
    no limit.

    ``reconnect`` has a connection that was lost opened anew by itself: True, or a ``Reconnect``
    that says how often; what that means for calls and events is told there.

    ``credentials`` are a user's name and password (``Credentials``); what they leave out is read
    from ``auth.conf``. Or it is a function, which is asked for what is not there either: it gets a
    list of ``CredentialRequest`` and returns a list of answers, or None to give up. ``sock`` is a
    stream socket of any family that is connected to the daemon already, or a function that returns
    one, as it takes with ``reconnect``. The URI then tells what to open and how to be let in, and
    for transport tls whose certificate to expect; the socket is the connection's from then on, and
    closed with it. In asyncio both may be coroutine functions, and ``timeout_s`` bounds such a
    ``sock``; a plain one has to come back by itself. ``autostart`` has a user's own daemon started
    where none runs. Without ``aliases``, a URI is never an alias of ``libvirt.conf``.

    ``trace`` has each message told as it leaves or comes, in the lines of ``virtproto trace``, with
    secrets elided: True for the logger ``virtproto.trace``, at level DEBUG, and for stderr where
    logging has no handler for that; or a ``logging.Logger``; or a function that takes a
    ``virtproto.trace.message.TracedMessage``, which holds passwords and all else that travels. It
    is called by whichever thread sends or reads (in asyncio by the loop), so it should be quick,
    and it cannot wait for an answer on that connection. What it raises is reported once, as of a
    callback for events, and harms nothing. None means True where the environment has
    ``VIRTPROTO_TRACE=1``, and otherwise False: then it costs nothing.

    Raises UsageError, URIError, ConfigFileError, ConnectError (SocketMissingError,
    SocketPermissionError, SocketRefusedError, HostNotFoundError, TLSError, CertificateError,
    SSHConnectError, HostKeyError), DeadlineError, AuthenticationError, LibvirtError (the driver
    refused), and ProtocolError or ConnectionLostError where the peer is no libvirt daemon. Source:
    virConnectOpenAuth.
    """

    __slots__ = ()
    __name__ = "open"  # asyncio shows it in a task's repr

    def __init__(
        self,
        uri: str | None = None,
        *,
        readonly: bool = False,
        timeout_s: float | None = 10.0,
        call_timeout_s: float | None = None,
        keepalive: tuple[float, int] | None = (5.0, 5),
        long_calls: int | None = 4,
        reconnect: bool | Reconnect = False,
        credentials: AnyCredentials | None = None,
        sock: AnySocket | None = None,
        autostart: bool = False,
        aliases: bool = True,
        trace: bool | Logger | Tracer | None = None,
    ) -> None:
        super().__init__(
            open_connection_to(
                uri,
                readonly=readonly,
                timeout_s=timeout_s,
                call_timeout_s=call_timeout_s,
                keepalive=keepalive,
                long_calls=long_calls,
                reconnect=reconnect,
                credentials=credentials,
                sock=sock,
                autostart=autostart,
                aliases=aliases,
                trace=trace,
            )
        )

    # For who calls it with what it does not take.
    __init__.__qualname__ = "open"


def __getattr__(name: str) -> object:
    try:
        module = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(__import__(module, fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
