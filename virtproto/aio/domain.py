"""A domain: one virtual machine as the daemon knows it.

Responsible for what the class is made of: methods that are calls, and the handle that remembers
name, UUID and id (``virtproto.model.domain_handle``). Its twin of the other colour is the same.
"""

from __future__ import annotations

from virtproto.model.domain_handle import DomainHandle

from ._methods.of_domain import DomainMethods

__all__ = ["Domain"]


class Domain(DomainMethods, DomainHandle):
    """A handle on one domain of a connection; made by the connection's lookups and lists.

    Two handles are equal when they mean the same domain (UUID) on the same connection. The id is
    the one the daemon named when the handle was made, or this handle's own ``create`` and
    ``destroy`` brought about; a domain that others start or stop does not change it.

    Once the domain is gone, as a transient one is when it stops, every call on it raises
    NoDomainError.
    """

    __slots__ = ()
