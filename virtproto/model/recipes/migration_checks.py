"""What is refused before a migration begins, with the codes that libvirt's own client gives.

Responsible for flags that exclude each other and for what a daemon must be able to do. Must not
know how a migration goes on once it is allowed.
"""

from __future__ import annotations

from virtproto.errors import error_class
from virtproto.model.recipes.migration_steps import DESTINATION, SOURCE, ask_feature
from virtproto.model.uri import parse_uri, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.errors import LibvirtError
    from virtproto.model.recipes.migration_steps import Conversation

__all__ = [
    "ABORT_ON_ERROR",
    "AUTO_CONVERGE",
    "CHANGE_PROTECTION",
    "HAS_CHANGE_PROTECTION",
    "HAS_DIRECT",
    "HAS_OFFLINE",
    "HAS_PARAMETERS",
    "HAS_PEER_TO_PEER",
    "HAS_V1",
    "HAS_V2",
    "HAS_V3",
    "HAS_XML_MIGRATABLE",
    "OFFLINE",
    "PAUSED",
    "PEER_TO_PEER",
    "POSTCOPY",
    "POSTCOPY_RESUME",
    "argument_unsupported",
    "check_flags",
    "check_managed_flags",
    "check_not_local",
    "check_offline",
    "check_unprotected",
    "invalid_argument",
    "no_support",
    "refusal",
]

# Flags of a migration (virDomainMigrateFlags) that mean something to a client.
PEER_TO_PEER = 2
TUNNELLED = 4
PAUSED = 32
NON_SHARED_DISK = 64
NON_SHARED_INC = 128
CHANGE_PROTECTION = 256
OFFLINE = 1024
ABORT_ON_ERROR = 4096
AUTO_CONVERGE = 8192
POSTCOPY = 32768
PARALLEL = 131072
NON_SHARED_SYNCHRONOUS_WRITES = 262144
POSTCOPY_RESUME = 524288

# What a daemon can do (virDrvFeature).
HAS_V1 = 1
HAS_V2 = 3
HAS_PEER_TO_PEER = 4
HAS_DIRECT = 5
HAS_V3 = 6
HAS_CHANGE_PROTECTION = 7
HAS_XML_MIGRATABLE = 11
HAS_OFFLINE = 12
HAS_PARAMETERS = 13

# virErrorNumber and virErrorDomain of the refusals.
_NO_SUPPORT = 3
_INVALID_ARG = 8
_OPERATION_INVALID = 55
_ARGUMENT_UNSUPPORTED = 74
_FROM_DOMAIN = 20


def refusal(code: int, message: str) -> LibvirtError:
    """Return this side's own error, as libvirt's client would have it."""
    return error_class(code)(message, code=code, domain=_FROM_DOMAIN)


def argument_unsupported(message: str) -> LibvirtError:
    """Return the error for what a daemon is too old for."""
    return refusal(_ARGUMENT_UNSUPPORTED, message)


def invalid_argument(message: str) -> LibvirtError:
    """Return the error for arguments that cannot go together."""
    return refusal(_INVALID_ARG, message)


def no_support(message: str) -> LibvirtError:
    """Return the error for what a hypervisor driver does not do."""
    return refusal(_NO_SUPPORT, message)


def check_flags(flags: int) -> None:
    """Refuse flags that exclude or need each other, whichever way the migration goes."""
    disks = flags & (NON_SHARED_DISK | NON_SHARED_INC)
    if disks == NON_SHARED_DISK | NON_SHARED_INC:
        raise invalid_argument("flags: NON_SHARED_DISK and NON_SHARED_INC exclude each other")
    if flags & TUNNELLED and flags & PARALLEL:
        raise invalid_argument("flags: TUNNELLED and PARALLEL exclude each other")
    if flags & NON_SHARED_SYNCHRONOUS_WRITES and not disks:
        raise invalid_argument(
            "flags: NON_SHARED_SYNCHRONOUS_WRITES needs NON_SHARED_DISK or NON_SHARED_INC"
        )


def check_managed_flags(flags: int) -> None:
    """Refuse flags of a migration with parameters that this side cannot lead."""
    if flags & PEER_TO_PEER:
        raise invalid_argument(
            "flags: with params the daemons migrate by themselves (PEER2PEER) by migrate_to_uri"
        )
    if flags & TUNNELLED:
        raise invalid_argument("flags: TUNNELLED needs PEER2PEER, and migrate_to_uri with params")


def check_offline(flags: int, *, both: bool) -> Conversation[None]:
    """Refuse to move a stored definition where one end, or only the source, cannot do that."""
    if not flags & OFFLINE:
        return
    if not (yield from ask_feature(SOURCE, HAS_OFFLINE)):
        raise argument_unsupported("the source cannot migrate domains that do not run")
    if both and not (yield from ask_feature(DESTINATION, HAS_OFFLINE)):
        raise argument_unsupported("the destination cannot take domains that do not run")


def check_unprotected(flags: int) -> Conversation[int]:
    """Return the flags of a migration that this side leads.

    CHANGE_PROTECTION is taken out: only the source needs it, an old destination refuses it, and
    the protocols that know it put it in again.
    """
    if flags & CHANGE_PROTECTION and not (yield from ask_feature(SOURCE, HAS_CHANGE_PROTECTION)):
        raise argument_unsupported("the source cannot protect the domain from being changed")
    if flags & TUNNELLED:
        raise refusal(_OPERATION_INVALID, "flags: TUNNELLED needs PEER2PEER")
    return flags & ~CHANGE_PROTECTION


def check_not_local(uri: str) -> None:
    """Refuse a destination that the source daemon would take for itself.

    Raises URIError where it is no connection URI. Source: virDomainMigrateCheckNotLocal.
    """
    parsed = parse_uri(uri)
    if parsed.server is None:
        local = parsed.parameter("socket") is None
    else:
        local = parsed.server.startswith("localhost")
    if local:
        raise invalid_argument(
            f"the source daemon would reach itself, not another host, under {shown(uri)!r}"
        )
