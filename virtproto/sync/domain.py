"""A domain: one virtual machine as the daemon knows it.

Responsible for what the class is made of: methods that are calls, and the handle that remembers
name, UUID and id (``virtproto.model.domain_handle``). Its twin of the other colour is the same.
"""

from __future__ import annotations

from virtproto.model.domain_handle import DomainHandle

from ._methods.domain_block_job import DomainBlockJobMethods
from ._methods.domain_console import DomainConsoleMethods
from ._methods.domain_definition import DomainDefinitionMethods
from ._methods.domain_device import DomainDeviceMethods
from ._methods.domain_guest import DomainGuestMethods
from ._methods.domain_identity import DomainIdentityMethods
from ._methods.domain_job import DomainJobMethods
from ._methods.domain_lifecycle import DomainLifecycleMethods
from ._methods.domain_lxc import DomainLxcMethods
from ._methods.domain_memory import DomainMemoryMethods
from ._methods.domain_qemu import DomainQemuMethods
from ._methods.domain_save import DomainSaveMethods
from ._methods.domain_security import DomainSecurityMethods
from ._methods.domain_snapshot import DomainSnapshotListMethods
from ._methods.domain_state import DomainStateMethods
from ._methods.domain_vcpu import DomainVcpuMethods

__all__ = ["Domain"]


class Domain(
    DomainIdentityMethods,
    DomainStateMethods,
    DomainDefinitionMethods,
    DomainLifecycleMethods,
    DomainSaveMethods,
    DomainMemoryMethods,
    DomainVcpuMethods,
    DomainDeviceMethods,
    DomainBlockJobMethods,
    DomainJobMethods,
    DomainConsoleMethods,
    DomainSnapshotListMethods,
    DomainGuestMethods,
    DomainSecurityMethods,
    DomainQemuMethods,
    DomainLxcMethods,
    DomainHandle,
):
    """A handle on one domain of a connection; made by the connection's lookups and lists.

    Two handles are equal when they mean the same domain (UUID) on the same connection. The id is
    the one the daemon named when the handle was made, or this handle's own ``create`` and
    ``destroy`` brought about; a domain that others start or stop does not change it.
    """

    __slots__ = ()
