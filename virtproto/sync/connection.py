"""A connection to a daemon, and the methods that belong to it rather than to one domain.

Responsible for opening, the typed door ``call``, lookups and lists; what costs no call is in
``virtproto.model.connection_handle``. Its twin of the other colour differs in ``async`` and
``await`` only.
"""

from __future__ import annotations

from virtproto.model.object_handle import handle, handles
from virtproto.model.recipes.opening import open_connection
from virtproto.model.refs import (
    check_signed,
    check_text,
    check_timeout,
    check_unsigned,
    uuid_to_raw,
)
from virtproto.transport.resolve import resolve
from virtproto.wire.remote.connect import (
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    CONNECT_GET_TYPE,
    CONNECT_GET_VERSION,
)
from virtproto.wire.remote.connect_list import (
    CONNECT_LIST_ALL_DOMAINS,
    ConnectListAllDomainsArgs,
)
from virtproto.wire.remote.domain import (
    DOMAIN_CREATE_XML,
    DOMAIN_DEFINE_XML,
    DOMAIN_DEFINE_XML_FLAGS,
    DOMAIN_LOOKUP_BY_ID,
    DOMAIN_LOOKUP_BY_NAME,
    DOMAIN_LOOKUP_BY_UUID,
    DomainCreateXmlArgs,
    DomainDefineXmlArgs,
    DomainDefineXmlFlagsArgs,
    DomainLookupByIdArgs,
    DomainLookupByNameArgs,
    DomainLookupByUuidArgs,
)

from .calls import ConnectionCalls, run_recipe
from .channel import Channel
from .domain import Domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from uuid import UUID

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


class Connection(ConnectionCalls):
    """An open connection to a daemon; made by ``open``.

    It is a context manager that closes the connection at its end. One that is neither closed nor
    used any more is closed with a ResourceWarning. A forked process cannot use its parent's.
    """

    def get_library_version(self) -> int:
        """Return the daemon's libvirt release as major * 1000000 + minor * 1000 + patch.

        Procedure: CONNECT_GET_LIB_VERSION.
        """
        return (self.call(CONNECT_GET_LIB_VERSION, None)).lib_ver

    def get_version(self) -> int:
        """Return the hypervisor's version as major * 1000000 + minor * 1000 + patch; 0 if unknown.

        Procedure: CONNECT_GET_VERSION.
        """
        return (self.call(CONNECT_GET_VERSION, None)).hv_ver

    def get_hostname(self) -> str:
        """Return the name of the daemon's host. Procedure: CONNECT_GET_HOSTNAME."""
        return (self.call(CONNECT_GET_HOSTNAME, None)).hostname

    def get_type(self) -> str:
        """Return the hypervisor driver's name ("QEMU", "TEST"); asked once, then remembered.

        Procedure: CONNECT_GET_TYPE.
        """
        if self._type is None:
            self._type = (self.call(CONNECT_GET_TYPE, None)).type
        return self._type

    def list_all_domains(self, flags: int = 0) -> list[Domain]:
        """Return all domains, running or not, in the daemon's order.

        ``flags`` (virConnectListAllDomainsFlags) filter: 1 active, 2 inactive, 4 persistent, 8
        transient, 16 running, 32 paused, 64 shut off ... Procedure: CONNECT_LIST_ALL_DOMAINS.
        """
        check_unsigned("flags", flags)
        ret = self.call(
            CONNECT_LIST_ALL_DOMAINS, ConnectListAllDomainsArgs(need_results=1, flags=flags)
        )
        return handles(Domain, self, ret.domains)

    def get_domain_by_name(self, name: str) -> Domain:
        """Return the domain of that name.

        Raises NoDomainError. Procedure: DOMAIN_LOOKUP_BY_NAME.
        """
        check_text("name", name)
        ret = self.call(DOMAIN_LOOKUP_BY_NAME, DomainLookupByNameArgs(name=name))
        return handle(Domain, self, ret.dom)

    def get_domain_by_id(self, domain_id: int) -> Domain:
        """Return the running domain of that id.

        Raises NoDomainError. Procedure: DOMAIN_LOOKUP_BY_ID.
        """
        check_signed("domain_id", domain_id)
        ret = self.call(DOMAIN_LOOKUP_BY_ID, DomainLookupByIdArgs(id=domain_id))
        return handle(Domain, self, ret.dom)

    def get_domain_by_uuid(self, uuid: bytes | str | UUID) -> Domain:
        """Return the domain of that UUID.

        ``uuid`` is 16 raw bytes, text of 32 digits with hyphens or without, or a ``uuid.UUID``.
        Raises NoDomainError, and UsageError for what is no UUID. Procedure: DOMAIN_LOOKUP_BY_UUID.
        """
        raw = uuid_to_raw("uuid", uuid)
        ret = self.call(DOMAIN_LOOKUP_BY_UUID, DomainLookupByUuidArgs(uuid=raw))
        return handle(Domain, self, ret.dom)

    def define_domain(self, xml: str, flags: int = 0) -> Domain:
        """Store a domain's definition without starting it, and return the domain.

        ``flags`` (virDomainDefineFlags): 1 checks the XML against its schema. Raises LibvirtError
        for XML that the driver does not take. Procedures: DOMAIN_DEFINE_XML,
        DOMAIN_DEFINE_XML_FLAGS.
        """
        check_text("xml", xml)
        check_unsigned("flags", flags)
        if flags:
            stored = self.call(
                DOMAIN_DEFINE_XML_FLAGS, DomainDefineXmlFlagsArgs(xml=xml, flags=flags)
            )
            return handle(Domain, self, stored.dom)
        ret = self.call(DOMAIN_DEFINE_XML, DomainDefineXmlArgs(xml=xml))
        return handle(Domain, self, ret.dom)

    def create_domain(self, xml: str, flags: int = 0) -> Domain:
        """Start a domain from XML; unless defined, it is gone once it stops.

        ``flags`` (virDomainCreateFlags): 1 starts it paused, 2 destroys it when this connection
        closes. Raises LibvirtError. Procedure: DOMAIN_CREATE_XML.
        """
        check_text("xml", xml)
        check_unsigned("flags", flags)
        ret = self.call(DOMAIN_CREATE_XML, DomainCreateXmlArgs(xml_desc=xml, flags=flags))
        return handle(Domain, self, ret.dom)
