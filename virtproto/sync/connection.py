"""A connection to a daemon: opening one, and the class that all of its methods meet in.

Responsible for opening and for the few methods that need what the connection remembers or answer
with objects inside records; the others are generated, in ``_methods``. What costs no call is in
``virtproto.model.connection_handle``. Its twin of the other colour differs in ``async`` and
``await`` only.
"""

from __future__ import annotations

from virtproto.model.arguments import to_flags, to_uint
from virtproto.model.recipes.opening import open_connection
from virtproto.model.refs import check_timeout
from virtproto.transport.resolve import resolve
from virtproto.wire import remote as wire

from ._methods.of_connection import ConnectionMethods
from .calls import run_recipe
from .channel import Channel
from .domain import Domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtproto.constants import ConnectGetAllDomainStatsFlags, DomainStatsTypes
    from virtproto.records import DomainStats

__all__ = ["Connection", "open_connection_to"]


def open_connection_to(
    uri: str | None = None, *, readonly: bool = False, timeout_s: float | None = 10.0
) -> Connection:
    """Open a connection to the daemon that ``uri`` means.

    ``uri`` is a libvirt connection URI ("qemu:///system", "test:///default?socket=/path"); None
    means ``LIBVIRT_DEFAULT_URI``, then the daemon's own choice. ``test:///default`` is the test
    driver of the system daemon, since this client has none in its own process. ``readonly`` asks
    for a connection that can change nothing. ``timeout_s`` bounds each step of opening, in seconds
    above 0; None waits for ever.

    Raises URIError, ConnectError (SocketMissingError, SocketPermissionError, SocketRefusedError),
    DeadlineError, AuthenticationError, LibvirtError (the driver refused), and ProtocolError or
    ConnectionLostError where the peer is no libvirt daemon. Source: virConnectOpen.
    """
    check_timeout("timeout_s", timeout_s)
    where, endpoint = resolve(uri, readonly=readonly)
    channel = Channel.connect(endpoint, timeout_s)
    try:
        recipe = open_connection(where, readonly=readonly, answers_pings=channel.answers_pings)
        opened = run_recipe(channel, recipe, timeout_s)
    except BaseException:
        channel.close()
        raise
    return Connection(channel, opened, readonly=readonly)


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
        hypervisor. A unix socket is safe, as it does not leave the machine.

        Procedure: CONNECT_IS_SECURE (libvirt 0.7.3).
        """
        ret = self._ask(wire.CONNECT_IS_SECURE, b"")
        return self._way_is_secure and bool(ret.secure)

    def is_encrypted(self) -> bool:
        """Return whether all that travels between here and the hypervisor is encrypted.

        What passes through a unix socket is not, though ``is_secure`` may well be true for it.

        Procedure: CONNECT_IS_SECURE (libvirt 0.7.3).
        """
        ret = self._ask(wire.CONNECT_IS_SECURE, b"")
        return self._way_is_encrypted and bool(ret.secure)

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
