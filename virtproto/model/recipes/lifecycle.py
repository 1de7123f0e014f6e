"""Starting a domain, and learning the id that it got.

Responsible for which of the calls that start domains is made; must not know what the handle does
with the id.
"""

from __future__ import annotations

from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["create"]


def create(domain: NonnullDomain, *, flags: int) -> Recipe[int]:
    """Start a defined domain and return its id.

    Without flags these are two calls, the second to learn the id. Sources: virDomainCreate,
    virDomainCreateWithFlags.
    """
    if flags:
        started = yield (
            wire.DOMAIN_CREATE_WITH_FLAGS,
            wire.DomainCreateWithFlagsArgs(dom=domain, flags=flags),
        )
    else:
        yield wire.DOMAIN_CREATE, wire.DomainCreateArgs(dom=domain)
        started = yield (
            wire.DOMAIN_LOOKUP_BY_UUID,
            wire.DomainLookupByUuidArgs(uuid=domain.uuid),
        )
    running: NonnullDomain = started.dom
    return running.id
