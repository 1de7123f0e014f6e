"""Reading a domain's disks and their counters.

Responsible for which call has the counters on the daemon at hand, and for how much one call can
read. Limits on disks are in ``device_limits``.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, NoSupportError, UsageError
from virtproto.model.recipes.parameters import STRING_OKAY, get_parameters
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["block_peek", "block_stats"]

# What the older call names differently, and callers still ask for.
_OLD_NAMES = {"rd_operations": "rd_req", "wr_operations": "wr_req"}


def block_peek(
    domain: NonnullDomain, *, disk: str, offset: int, size: int, flags: int
) -> Recipe[bytes]:
    """Read part of a disk. Source: virDomainBlockPeek."""
    limit = wire.DOMAIN_BLOCK_PEEK_BUFFER_MAX
    if size > limit:
        raise UsageError(f"size: {size} bytes are more than the {limit} of one call")
    read = yield (
        wire.DOMAIN_BLOCK_PEEK,
        wire.DomainBlockPeekArgs(dom=domain, path=disk, offset=offset, size=size, flags=flags),
    )
    data: bytes = read.buffer
    if len(data) != size:
        raise DecodeError(f"{len(data)} bytes came, {size} were asked for", path="buffer")
    return data


def block_stats(domain: NonnullDomain, *, disk: str) -> Recipe[dict[str, ParamValue]]:
    """Return a disk's counters by name, of the newer call where the daemon or driver has it.

    The names of the older call are there in either case. Sources: virDomainBlockStatsFlags,
    virDomainBlockStats.
    """

    def build(count: int) -> wire.DomainBlockStatsFlagsArgs:
        return wire.DomainBlockStatsFlagsArgs(
            dom=domain, path=disk, nparams=count, flags=STRING_OKAY
        )

    try:
        stats = yield from get_parameters(wire.DOMAIN_BLOCK_STATS_FLAGS, build)
    except NoSupportError:
        stats = {}
    if not stats:
        return (yield from _plain_stats(domain, disk))
    for name, old_name in _OLD_NAMES.items():
        if name in stats:
            stats[old_name] = stats[name]
    return stats


def _plain_stats(domain: NonnullDomain, disk: str) -> Recipe[dict[str, ParamValue]]:
    ret = yield wire.DOMAIN_BLOCK_STATS, wire.DomainBlockStatsArgs(dom=domain, path=disk)
    return {
        "rd_req": ret.rd_req,
        "rd_bytes": ret.rd_bytes,
        "wr_req": ret.wr_req,
        "wr_bytes": ret.wr_bytes,
        "errs": ret.errs,
    }
