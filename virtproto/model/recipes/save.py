"""Saving a domain to a file: which of the calls it takes, and what goes into its parameters.

Must not know what the handle makes of the domain having stopped.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.parameters import KNOWN
from virtproto.model.typedvalues import to_params
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

__all__ = ["save", "to_save_params"]

# What the file and the definition are called among the parameters (VIR_DOMAIN_SAVE_PARAM_...).
_FILE = "file"
_DXML = "dxml"


def save(
    domain: NonnullDomain,
    *,
    file: str,
    dxml: str | None,
    params: Mapping[str, ParamInput] | None,
    flags: int,
) -> Recipe[None]:
    """Save a domain by the oldest call that can say all of it.

    Daemons before 8.4.0 know no parameters. Source: virDomainSave, virDomainSaveFlags,
    virDomainSaveParams.
    """
    if params is not None:
        typed = to_save_params(file, dxml, params)
        args = wire.DomainSaveParamsArgs(dom=domain, params=typed, flags=flags)
        yield wire.DOMAIN_SAVE_PARAMS, args
    elif dxml is not None or flags:
        yield (
            wire.DOMAIN_SAVE_FLAGS,
            wire.DomainSaveFlagsArgs(dom=domain, to=file, dxml=dxml, flags=flags),
        )
    else:
        yield wire.DOMAIN_SAVE, wire.DomainSaveArgs(dom=domain, to=file)


def to_save_params(file: str, dxml: str | None, params: Mapping[str, ParamInput]) -> TypedParams:
    """Return parameters of saving or restoring, together with the two that callers give apart."""
    own: dict[str, ParamInput] = {_FILE: file}
    if dxml is not None:
        own[_DXML] = dxml
    for name in own:
        if name in params:
            raise UsageError(f"params[{name!r}]: {name} is a parameter of its own")
    return to_params("params", {**own, **params}, KNOWN["SAVE"], wire.DOMAIN_SAVE_PARAMS_MAX)
