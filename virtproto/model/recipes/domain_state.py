"""Questions about a domain's state that take more than one call.

Loaded with the first domain, so that what few programs ask loads nothing else.
"""

from __future__ import annotations

from virtproto.model.shapes.domain_condition import disk_errors
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.records.domain_condition import DomainDiskError
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["get_disk_errors"]


def get_disk_errors(domain: NonnullDomain, *, flags: int) -> Recipe[list[DomainDiskError]]:
    """Ask how many disks there are that may have errors, then for the errors.

    Source: virDomainGetDiskErrors.
    """
    counted = yield (
        wire.DOMAIN_GET_DISK_ERRORS,
        wire.DomainGetDiskErrorsArgs(dom=domain, maxerrors=0, flags=flags),
    )
    if counted.nerrors <= 0:
        return []
    found = yield (
        wire.DOMAIN_GET_DISK_ERRORS,
        wire.DomainGetDiskErrorsArgs(dom=domain, maxerrors=counted.nerrors, flags=flags),
    )
    return disk_errors(found.errors)
