"""Limits on what a domain's disks and network interfaces may do.

Responsible for naming these sets of typed parameters: their calls, their names and how many one
call may carry. How they are read and changed is in ``parameters``.
"""

from __future__ import annotations

from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import ParameterSet
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput, ParamValue
    from virtproto.wire.remote.types import NonnullDomain

__all__ = [
    "get_blkio_parameters",
    "get_block_iotune",
    "get_interface_parameters",
    "set_blkio_parameters",
    "set_block_iotune",
    "set_interface_parameters",
]

_BLKIO = ParameterSet(
    wire.DOMAIN_GET_BLKIO_PARAMETERS,
    wire.DOMAIN_SET_BLKIO_PARAMETERS,
    known=KNOWN["BLKIO"],
    limit=wire.DOMAIN_BLKIO_PARAMETERS_MAX,
)
_IOTUNE = ParameterSet(
    wire.DOMAIN_GET_BLOCK_IO_TUNE,
    wire.DOMAIN_SET_BLOCK_IO_TUNE,
    known=KNOWN["BLOCK_IOTUNE"],
    limit=wire.DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX,
)
_BANDWIDTH = ParameterSet(
    wire.DOMAIN_GET_INTERFACE_PARAMETERS,
    wire.DOMAIN_SET_INTERFACE_PARAMETERS,
    known=KNOWN["BANDWIDTH"],
    limit=wire.DOMAIN_INTERFACE_PARAMETERS_MAX,
)


def get_blkio_parameters(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return the domain's share of the host's disks. Source: virDomainGetBlkioParameters."""
    return _BLKIO.get(dom=domain, flags=flags)


def set_blkio_parameters(
    domain: NonnullDomain, *, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Change the domain's share of the host's disks. Source: virDomainSetBlkioParameters."""
    return _BLKIO.set(dom=domain, params=params, flags=flags)


def get_block_iotune(
    domain: NonnullDomain, *, disk: str, flags: int
) -> Recipe[dict[str, ParamValue]]:
    """Return the throttling of a disk. Source: virDomainGetBlockIoTune."""
    return _IOTUNE.get(dom=domain, disk=disk, flags=flags)


def set_block_iotune(
    domain: NonnullDomain, *, disk: str, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Change the throttling of a disk. Source: virDomainSetBlockIoTune."""
    return _IOTUNE.set(dom=domain, disk=disk, params=params, flags=flags)


def get_interface_parameters(
    domain: NonnullDomain, *, intf: str, flags: int
) -> Recipe[dict[str, ParamValue]]:
    """Return an interface's bandwidth. Source: virDomainGetInterfaceParameters."""
    return _BANDWIDTH.get(dom=domain, device=intf, flags=flags)


def set_interface_parameters(
    domain: NonnullDomain, *, intf: str, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Change an interface's bandwidth. Source: virDomainSetInterfaceParameters."""
    return _BANDWIDTH.set(dom=domain, device=intf, params=params, flags=flags)
