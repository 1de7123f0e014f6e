"""Asking the agent inside a guest, where libvirt's own client refuses some of the questions.

Responsible for those refusals only; which calls the agent answers is in protocol_defs/api.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.wire.remote import domain_guest as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["authorized_ssh_keys_set"]

# virDomainAuthorizedSSHKeysSetFlags.
_APPEND = 1
_REMOVE = 2


def authorized_ssh_keys_set(
    domain: NonnullDomain, *, user: str, keys: list[str], flags: int
) -> Recipe[None]:
    """Write the keys that let in a user of the guest. Source: virDomainAuthorizedSSHKeysSet."""
    if flags & _APPEND and flags & _REMOVE:
        raise UsageError("flags: APPEND and REMOVE exclude each other")
    if flags & (_APPEND | _REMOVE) and not keys:
        raise UsageError("keys: at least one is required to append or remove")
    yield (
        wire.DOMAIN_AUTHORIZED_SSH_KEYS_SET,
        wire.DomainAuthorizedSshKeysSetArgs(dom=domain, user=user, keys=keys, flags=flags),
    )
