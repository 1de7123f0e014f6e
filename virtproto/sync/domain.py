"""A domain: one virtual machine as the daemon knows it.

Responsible for the calls of one domain; what its handle remembers (name, UUID, id) is in
``virtproto.model.domain_handle``. Its twin of the other colour differs in ``async`` and ``await``
only.
"""

from __future__ import annotations

from virtproto.model.domain_handle import NO_ID, DomainHandle
from virtproto.model.recipes.lifecycle import create
from virtproto.model.records.domain_info import DomainInfo, DomainStateInfo
from virtproto.model.refs import check_unsigned, pack_flags
from virtproto.wire.remote.domain import (
    DOMAIN_DESTROY,
    DOMAIN_DESTROY_FLAGS,
    DOMAIN_GET_INFO,
    DOMAIN_GET_STATE,
    DOMAIN_GET_XML_DESC,
    DOMAIN_IS_ACTIVE,
    DOMAIN_IS_PERSISTENT,
    DOMAIN_UNDEFINE,
    DOMAIN_UNDEFINE_FLAGS,
    DomainGetInfoRet,
    DomainGetStateRet,
    DomainGetXmlDescRet,
    DomainIsActiveRet,
    DomainIsPersistentRet,
)

from .objects import RemoteObject

__all__ = ["Domain"]


class Domain(RemoteObject, DomainHandle):
    """A handle on one domain of a connection; made by the connection's lookups and lists.

    Two handles are equal when they mean the same domain (UUID) on the same connection. The id is
    the one the daemon named when the handle was made, or this handle's own ``create`` and
    ``destroy`` brought about; a domain that others start or stop does not change it.
    """

    __slots__ = ()

    def is_active(self) -> bool:
        """Return whether the domain is running, paused included. Procedure: DOMAIN_IS_ACTIVE."""
        payload = self._connection._exchange(DOMAIN_IS_ACTIVE, self._reference())
        return bool(DomainIsActiveRet.unpack(payload).active)

    def is_persistent(self) -> bool:
        """Return whether a definition of the domain is stored. Procedure: DOMAIN_IS_PERSISTENT."""
        payload = self._connection._exchange(DOMAIN_IS_PERSISTENT, self._reference())
        return bool(DomainIsPersistentRet.unpack(payload).persistent)

    def get_info(self) -> DomainInfo:
        """Return state, memory (KiB), virtual CPUs and CPU time (ns).

        Raises NoDomainError for a domain that is gone. Procedure: DOMAIN_GET_INFO.
        """
        payload = self._connection._exchange(DOMAIN_GET_INFO, self._reference())
        ret = DomainGetInfoRet.unpack(payload)
        return DomainInfo(ret.state, ret.maxMem, ret.memory, ret.nrVirtCpu, ret.cpuTime)

    def get_state(self, flags: int = 0) -> DomainStateInfo:
        """Return the pair (state, reason), both numbers (virDomainState and its reasons).

        ``flags`` must be 0 with today's daemons. Procedure: DOMAIN_GET_STATE.
        """
        payload = self._connection._exchange(
            DOMAIN_GET_STATE, self._reference() + pack_flags(flags)
        )
        ret = DomainGetStateRet.unpack(payload)
        return DomainStateInfo(ret.state, ret.reason)

    def get_xml_description(self, flags: int = 0) -> str:
        """Return the domain's definition as XML.

        ``flags`` (virDomainXMLFlags): 1 with secrets, 2 the stored definition of a running domain,
        4 with CPU features expanded, 8 fit for migration. Raises LibvirtError for 1 and 8 on a
        read-only connection. Procedure: DOMAIN_GET_XML_DESC.
        """
        payload = self._connection._exchange(
            DOMAIN_GET_XML_DESC, self._reference() + pack_flags(flags)
        )
        return DomainGetXmlDescRet.unpack(payload).xml

    def create(self, flags: int = 0) -> None:
        """Start the domain and learn its id.

        ``flags`` (virDomainCreateFlags): 1 starts it paused, 2 destroys it when this connection
        closes, 4 without its managed save image. Raises LibvirtError (it runs already).
        Procedures: DOMAIN_CREATE and DOMAIN_LOOKUP_BY_UUID, or DOMAIN_CREATE_WITH_FLAGS.
        """
        check_unsigned("flags", flags)
        self._set_id(self._connection.run(create(self._wire, flags=flags)))

    def destroy(self, flags: int = 0) -> None:
        """Stop the domain at once, as pulling the plug does; its id becomes -1.

        ``flags`` (virDomainDestroyFlagsValues): 1 asks the hypervisor to end by itself and never
        kills it. Raises LibvirtError (it does not run). Procedures: DOMAIN_DESTROY,
        DOMAIN_DESTROY_FLAGS.
        """
        packed_flags = pack_flags(flags)
        if flags:
            self._connection._exchange(DOMAIN_DESTROY_FLAGS, self._reference() + packed_flags)
        else:
            self._connection._exchange(DOMAIN_DESTROY, self._reference())
        self._set_id(NO_ID)

    def undefine(self, flags: int = 0) -> None:
        """Drop the stored definition; a running domain goes on and is gone once it stops.

        ``flags`` (virDomainUndefineFlagsValues): 1 drops the managed save image too, 2 the
        snapshots' metadata, 4 the NVRAM file, 8 keeps the NVRAM file, 16 drops the checkpoints'
        metadata. Raises LibvirtError. Procedures: DOMAIN_UNDEFINE, DOMAIN_UNDEFINE_FLAGS.
        """
        packed_flags = pack_flags(flags)
        if flags:
            self._connection._exchange(DOMAIN_UNDEFINE_FLAGS, self._reference() + packed_flags)
        else:
            self._connection._exchange(DOMAIN_UNDEFINE, self._reference())
