"""Limits on what a domain's disks and network interfaces may do.

Responsible for these sets of typed parameters, each with a getter of two calls and a setter that
may have to ask first. How that is done is in ``parameters``.
"""

from __future__ import annotations

from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import (
    STRING_OKAY,
    get_parameters,
    read_parameters,
    set_parameters,
)
from virtproto.wire.remote import domain_block as block
from virtproto.wire.remote import domain_tune as tune

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

__all__ = [
    "get_blkio_parameters",
    "get_block_iotune",
    "get_interface_parameters",
    "set_blkio_parameters",
    "set_block_iotune",
    "set_interface_parameters",
]

# How many parameters one call may carry (REMOTE_DOMAIN_BLKIO_PARAMETERS_MAX,
# REMOTE_DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX, REMOTE_DOMAIN_INTERFACE_PARAMETERS_MAX).
_BLKIO_MAX = 16
_IOTUNE_MAX = 32
_INTERFACE_MAX = 16


def get_blkio_parameters(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return the domain's share of the host's disks. Source: virDomainGetBlkioParameters."""
    return get_parameters(tune.DOMAIN_GET_BLKIO_PARAMETERS, _blkio(domain, flags))


def set_blkio_parameters(
    domain: NonnullDomain, *, params: Mapping[str, ParamValue], flags: int
) -> Recipe[None]:
    """Change the domain's share of the host's disks. Source: virDomainSetBlkioParameters."""

    def build(sent: TypedParams) -> tune.DomainSetBlkioParametersArgs:
        return tune.DomainSetBlkioParametersArgs(dom=domain, params=sent, flags=flags)

    yield from set_parameters(
        tune.DOMAIN_SET_BLKIO_PARAMETERS,
        build,
        values=params,
        known=KNOWN["BLKIO"],
        limit=_BLKIO_MAX,
        current=lambda: read_parameters(tune.DOMAIN_GET_BLKIO_PARAMETERS, _blkio(domain, flags)),
    )


def _blkio(domain: NonnullDomain, flags: int) -> Callable[[int], Any]:
    return lambda count: tune.DomainGetBlkioParametersArgs(
        dom=domain, nparams=count, flags=flags | STRING_OKAY
    )


def get_block_iotune(
    domain: NonnullDomain, *, disk: str, flags: int
) -> Recipe[dict[str, ParamValue]]:
    """Return the throttling of a disk. Source: virDomainGetBlockIoTune."""
    return get_parameters(block.DOMAIN_GET_BLOCK_IO_TUNE, _iotune(domain, disk, flags))


def set_block_iotune(
    domain: NonnullDomain, *, disk: str, params: Mapping[str, ParamValue], flags: int
) -> Recipe[None]:
    """Change the throttling of a disk. Source: virDomainSetBlockIoTune."""

    def build(sent: TypedParams) -> block.DomainSetBlockIoTuneArgs:
        return block.DomainSetBlockIoTuneArgs(dom=domain, disk=disk, params=sent, flags=flags)

    yield from set_parameters(
        block.DOMAIN_SET_BLOCK_IO_TUNE,
        build,
        values=params,
        known=KNOWN["BLOCK_IOTUNE"],
        limit=_IOTUNE_MAX,
        current=lambda: read_parameters(
            block.DOMAIN_GET_BLOCK_IO_TUNE, _iotune(domain, disk, flags)
        ),
    )


def _iotune(domain: NonnullDomain, disk: str, flags: int) -> Callable[[int], Any]:
    return lambda count: block.DomainGetBlockIoTuneArgs(
        dom=domain, disk=disk, nparams=count, flags=flags | STRING_OKAY
    )


def get_interface_parameters(
    domain: NonnullDomain, *, intf: str, flags: int
) -> Recipe[dict[str, ParamValue]]:
    """Return an interface's bandwidth. Source: virDomainGetInterfaceParameters."""
    return get_parameters(tune.DOMAIN_GET_INTERFACE_PARAMETERS, _bandwidth(domain, intf, flags))


def set_interface_parameters(
    domain: NonnullDomain, *, intf: str, params: Mapping[str, ParamValue], flags: int
) -> Recipe[None]:
    """Change an interface's bandwidth. Source: virDomainSetInterfaceParameters."""

    def build(sent: TypedParams) -> tune.DomainSetInterfaceParametersArgs:
        return tune.DomainSetInterfaceParametersArgs(
            dom=domain, device=intf, params=sent, flags=flags
        )

    yield from set_parameters(
        tune.DOMAIN_SET_INTERFACE_PARAMETERS,
        build,
        values=params,
        known=KNOWN["BANDWIDTH"],
        limit=_INTERFACE_MAX,
        current=lambda: read_parameters(
            tune.DOMAIN_GET_INTERFACE_PARAMETERS, _bandwidth(domain, intf, flags)
        ),
    )


def _bandwidth(domain: NonnullDomain, intf: str, flags: int) -> Callable[[int], Any]:
    return lambda count: tune.DomainGetInterfaceParametersArgs(
        dom=domain, device=intf, nparams=count, flags=flags | STRING_OKAY
    )
