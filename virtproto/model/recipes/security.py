"""What a processor vouches for about a confidential guest.

Responsible for asking in the way that brings texts as well as numbers.
"""

from __future__ import annotations

from virtproto.model.recipes.parameters import STRING_OKAY
from virtproto.model.typedvalues import from_params
from virtproto.wire.remote import domain_security as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["get_launch_security_info"]


def get_launch_security_info(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return the measurement of a guest and the like. Source: virDomainGetLaunchSecurityInfo."""
    ret = yield (
        wire.DOMAIN_GET_LAUNCH_SECURITY_INFO,
        wire.DomainGetLaunchSecurityInfoArgs(dom=domain, flags=flags | STRING_OKAY),
    )
    return from_params(ret.params)
