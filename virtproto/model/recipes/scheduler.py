"""A domain's share of its host's CPUs: reading and changing its scheduler's parameters."""

from __future__ import annotations

from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import STRING_OKAY, set_parameters
from virtproto.model.typedvalues import from_params
from virtproto.wire import remote as wire
from virtproto.xdr.typedparams import TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput, ParamValue
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.procedure import Procedure

__all__ = ["get_scheduler_parameters", "set_scheduler_parameters"]


def get_scheduler_parameters(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return a domain's share by name. Sources: virDomainGetSchedulerParameters,
    virDomainGetSchedulerParametersFlags.
    """
    return from_params((yield from _read(domain, flags)))


def _read(domain: NonnullDomain, flags: int) -> Recipe[TypedParams]:
    """Ask the scheduler how many parameters it has, then for their values."""
    scheduler = yield (
        wire.DOMAIN_GET_SCHEDULER_TYPE,
        wire.DomainGetSchedulerTypeArgs(dom=domain),
    )
    count = scheduler.nparams
    if count <= 0:
        # To ask for none is an error.
        return TypedParams()
    if flags:
        read = yield (
            wire.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
            wire.DomainGetSchedulerParametersFlagsArgs(
                dom=domain, nparams=count, flags=flags | STRING_OKAY
            ),
        )
    else:
        read = yield (
            wire.DOMAIN_GET_SCHEDULER_PARAMETERS,
            wire.DomainGetSchedulerParametersArgs(dom=domain, nparams=count),
        )
    params: TypedParams = read.params
    return params


def set_scheduler_parameters(
    domain: NonnullDomain, *, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Change a domain's share. Sources: virDomainSetSchedulerParameters,
    virDomainSetSchedulerParametersFlags.
    """

    def build(typed: TypedParams) -> Any:
        if flags:
            return wire.DomainSetSchedulerParametersFlagsArgs(dom=domain, params=typed, flags=flags)
        return wire.DomainSetSchedulerParametersArgs(dom=domain, params=typed)

    procedure: Procedure[Any, None] = wire.DOMAIN_SET_SCHEDULER_PARAMETERS
    if flags:
        procedure = wire.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS
    return set_parameters(
        procedure,
        build,
        values=params,
        known=KNOWN["SCHEDULER"],
        limit=wire.DOMAIN_SCHEDULER_PARAMETERS_MAX,
        current=lambda: _read(domain, flags),
    )
