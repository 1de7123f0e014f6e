"""A connection to a daemon: opening one, and the class that all of its methods meet in.

Responsible for opening and for the few methods that need what the connection remembers or answer
with objects inside records; the others are generated, in ``_methods``. What costs no call is in
``virtproto.model.connection_handle``. Its twin of the other colour differs in ``async`` and
``await`` only.
"""

from __future__ import annotations

from os import environ

from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    ProtocolError,
)
from virtproto.model.arguments import to_flags, to_uint
from virtproto.model.calls import unpack_ret
from virtproto.model.endpoint import UnixEndpoint
from virtproto.model.opening_options import (
    check_keepalive,
    check_long_calls,
    check_reconnect,
)
from virtproto.model.recipes.opening import (
    Opened,
    be_let_in,
    keepalive_question,
    open_connection,
)
from virtproto.model.refs import check_timeout
from virtproto.model.replies import silent, unwelcome
from virtproto.transport.resolve import resolve
from virtproto.wire import remote as wire
from virtproto.wire.remote.auth import AUTH_TYPE_NONE

from ._methods.of_connection import ConnectionMethods
from .along import Along
from .calls import run_recipe
from .channel import Channel
from .connecting import connect
from .domain import Domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from virtproto.constants import ConnectGetAllDomainStatsFlags, DomainStatsTypes
    from virtproto.model.reconnecting import Reconnect
    from virtproto.model.uri import ConnectionURI
    from virtproto.records import DomainStats
    from virtproto.trace.tracers import Tracer

    from .connecting import AnyCredentials, AnySocket

__all__ = ["Connection", "open_connection_to"]


def open_connection_to(
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
) -> Connection:
    """Open a connection to the daemon that ``uri`` means.

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
    check_timeout("timeout_s", timeout_s)
    check_timeout("call_timeout_s", call_timeout_s)
    check_reconnect("reconnect", reconnect)
    entrance = Entrance(uri, readonly, timeout_s, keepalive, long_calls)
    entrance.note(credentials, sock, autostart, aliases, trace, lasting=bool(reconnect))
    kind = Channel
    if reconnect:
        from virtproto.model.reconnecting import to_policy

        from .reconnecting import LastingChannel, Line

        kind = LastingChannel
    where, channel = entrance.connect(timeout_s, kind)
    try:
        opened = entrance.enter(channel, where, timeout_s)
        connection = Connection(channel, opened, readonly=readonly, long_calls=long_calls)
        connection._call_timeout_s = call_timeout_s
        if reconnect:
            Line(connection, entrance, to_policy(reconnect))
        return connection
    except BaseException:
        channel.close()
        raise


# Who calls it with what it does not take is told so of the name that it has for him.
open_connection_to.__qualname__ = "open"
open_connection_to.__module__ = str(__package__)


class Entrance:
    """How a connection is opened, to do it again when it was lost."""

    __slots__ = (
        "_aliases",
        "_autostart",
        "_credentials",
        "_long_calls",
        "_readonly",
        "_sock",
        "_tracer",
        "_uri",
        "goes_far",
        "keepalive",
        "timeout_s",
    )

    def __init__(
        self,
        uri: str | None,
        readonly: bool,
        timeout_s: float | None,
        keepalive: tuple[float, int] | None,
        long_calls: int | None,
    ) -> None:
        check_keepalive("keepalive", keepalive)
        check_long_calls("long_calls", long_calls)
        self._uri = uri
        self._readonly = readonly
        self._long_calls = long_calls
        self.timeout_s = timeout_s
        # As it was asked for last.
        self.keepalive = keepalive
        self._credentials: AnyCredentials | None = None
        self._sock: AnySocket | None = None
        self._autostart = False
        self._aliases = True
        # Whether the road leads over more than a socket of this machine, as was found last.
        self.goes_far = False
        self._tracer: Tracer | None = None

    def note(
        self,
        credentials: AnyCredentials | None,
        sock: AnySocket | None,
        autostart: bool,
        aliases: bool,
        trace: bool | Logger | Tracer | None,
        *,
        lasting: bool,
    ) -> None:
        """Note what few connections are told; ``lasting`` ones are opened again. UsageError."""
        if credentials is not None:
            from virtproto.model.credentials import check_credentials

            check_credentials(credentials)
        if sock is not None:
            from virtproto.transport.given import check_given

            check_given(sock, lasting=lasting)
        self._credentials = credentials
        self._sock = sock
        self._autostart = bool(autostart)
        self._aliases = bool(aliases)
        if trace is not None or "VIRTPROTO_TRACE" in environ:
            from virtproto.model.opening_options import check_trace
            from virtproto.trace.tracers import tracer_of

            check_trace("trace", trace)
            self._tracer = tracer_of(trace, environ.get("VIRTPROTO_TRACE"))

    def connect(
        self, timeout_s: float | None, kind: type[Channel]
    ) -> tuple[ConnectionURI | None, Channel]:
        """Return what the URI means at this time, and a channel to there."""
        try:
            where, endpoint = resolve(self._uri, readonly=self._readonly, aliases=self._aliases)
            self.goes_far = not isinstance(endpoint, UnixEndpoint)
            road = connect(
                endpoint,
                timeout_s,
                sock=self._sock,
                credentials=self._credentials,
                autostart=self._autostart,
            )
        except BaseException:
            if self._sock is not None:
                from virtproto.transport.given import forsake

                forsake(self._sock)
            raise
        road.tracer = self._tracer
        return where, kind.over(road)

    def enter(
        self, channel: Channel, where: ConnectionURI | None, timeout_s: float | None
    ) -> Opened:
        """Make a connection of a channel; ``timeout_s`` bounds each call that it takes."""
        try:
            return self._enter(channel, where, timeout_s)
        except (ConnectionClosedError, ConnectionLostError, ProtocolError) as error:
            road = channel._road
            if road.carrier is not None:
                raise road.led_nowhere(error) from error
            if (told := unwelcome(road.name, error)) is None:
                raise
            raise told from error
        except DeadlineError as error:
            road = channel._road
            raise silent(road.name, error, road.words()) from error

    def _enter(
        self, channel: Channel, where: ConnectionURI | None, timeout_s: float | None
    ) -> Opened:
        if self._long_calls != channel.long_calls:
            channel.long_calls = self._long_calls
        kind = run_recipe(channel, be_let_in(where), timeout_s)
        if kind != AUTH_TYPE_NONE:
            from .authenticating import authenticate

            road, credentials = channel._road, self._credentials
            authenticate(channel, road, kind, where, credentials, timeout_s)
        question = None
        # Asking for keepalive is a promise to answer the daemon, too.
        if channel.answers_pings or self.keepalive is not None:
            question = Along(channel, *keepalive_question())
        recipe = open_connection(where, readonly=self._readonly)
        try:
            opened = Opened(run_recipe(channel, recipe, timeout_s), keepalive=False)
        except BaseException:
            if question is not None:
                question.forget()
            raise
        if question is not None:
            opened.keepalive = _is_supported(question, timeout_s)
        if self.keepalive is not None and opened.keepalive:
            channel.keep_alive(*self.keepalive)
        return opened


def _is_supported(question: Along, timeout_s: float | None) -> bool:
    """Return whether the daemon has the feature that it was asked for; an error means not."""
    try:
        payload = question.answer(timeout_s)
    except LibvirtError:
        return False
    return bool(unpack_ret(wire.CONNECT_SUPPORTS_FEATURE, payload).supported)


class Connection(ConnectionMethods):
    """An open connection to a daemon; made by ``open``.

    It is a context manager that closes the connection at its end. One that is neither closed nor
    used any more is closed with a ResourceWarning. A forked process cannot use its parent's.
    """

    def get_type(self) -> str:
        """Return the name of the hypervisor's driver, such as ``QEMU`` or ``TEST``.

        The daemon is asked once; then the connection remembers it.

        Procedure: CONNECT_GET_TYPE (libvirt 0.0.3).
        """
        if self._type is None:
            self._type = (self._ask(wire.CONNECT_GET_TYPE, b"")).type
        return self._type

    def is_secure(self) -> bool:
        """Return whether nobody can listen in or meddle between here and the hypervisor.

        Both ways have to be safe, the one from here to the daemon and the daemon's own to the
        hypervisor. A unix socket is safe, as it does not leave the machine; so are TLS, ssh, and
        what a SASL mechanism encrypts.

        Procedure: CONNECT_IS_SECURE (libvirt 0.7.3).
        """
        ret = self._ask(wire.CONNECT_IS_SECURE, b"")
        return self._channel._road.is_secure and bool(ret.secure)

    def is_encrypted(self) -> bool:
        """Return whether all that travels between here and the hypervisor is encrypted.

        What passes through a unix socket is not, though ``is_secure`` may well be true for it;
        what ssh encrypts is not counted, as with libvirt's own client.

        Procedure: CONNECT_IS_SECURE (libvirt 0.7.3).
        """
        ret = self._ask(wire.CONNECT_IS_SECURE, b"")
        return self._channel._road.is_encrypted and bool(ret.secure)

    def get_all_domain_stats(
        self,
        stats: DomainStatsTypes | int = 0,
        doms: Iterable[Domain] | None = None,
        flags: ConnectGetAllDomainStatsFlags | int = 0,
    ) -> list[DomainStats[Domain]]:
        """Return statistics of many domains at once, a record for each.

        This is one call for all of them, much cheaper than asking each domain. Which names a record
        holds depends on the domain, its state and the daemon's release: ``state.state``,
        ``cpu.time`` (nanoseconds), ``balloon.current`` (KiB), ``vcpu.0.time``,
        ``net.0.rx.bytes``, ``block.0.name`` and so on; a daemon leaves out what it does not have.

        Args:
            stats: Groups of statistics; 0 is all that the daemon has. See ``DomainStatsTypes``.
            doms: The domains, at least one; None for all that flags let through.
            flags: Which domains, where ``doms`` is None, and how to ask: without waiting for one
                that is busy, or with an error for groups that the daemon does not know. See
                ``ConnectGetAllDomainStatsFlags``.

        Raises:
            ArgumentUnsupportedError: Flags want an error for unknown groups, and there are some.
            NoDomainError: One of the domains is gone.

        Procedure: CONNECT_GET_ALL_DOMAIN_STATS (libvirt 1.2.8).
        """
        from virtproto.model.shapes.domain_stats import domain_stats, to_some_domains

        args = wire.ConnectGetAllDomainStatsArgs(
            doms=to_some_domains("doms", doms, Domain, self),
            stats=to_uint("stats", stats),
            flags=to_flags("flags", flags),
        )
        ret = self._call(wire.CONNECT_GET_ALL_DOMAIN_STATS, args)
        return domain_stats(Domain, self, ret)
