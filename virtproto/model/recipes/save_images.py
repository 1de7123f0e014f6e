"""Restoring a saved domain from a file.

Responsible for which of three calls is made, and for what goes into the parameters of the third.
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
    from virtproto.model.typedvalues import ParamValue

__all__ = ["restore_domain"]

# What the file and the definition are called among the parameters (VIR_DOMAIN_SAVE_PARAM_...).
_FILE = "file"
_DXML = "dxml"


def restore_domain(
    *,
    file: str,
    dxml: str | None,
    params: Mapping[str, ParamValue] | None,
    flags: int,
) -> Recipe[None]:
    """Let a saved domain run on; ``file`` is absolute already.

    Sources: virDomainRestore, virDomainRestoreFlags, virDomainRestoreParams.
    """
    if params is not None:
        own = {_FILE: file} if dxml is None else {_FILE: file, _DXML: dxml}
        for name in own:
            if name in params:
                raise UsageError(f"params[{name!r}]: {name} is a parameter of its own")
        typed = to_params("params", {**own, **params}, KNOWN["SAVE"], wire.DOMAIN_SAVE_PARAMS_MAX)
        yield wire.DOMAIN_RESTORE_PARAMS, wire.DomainRestoreParamsArgs(params=typed, flags=flags)
    elif dxml is not None or flags:
        yield (
            wire.DOMAIN_RESTORE_FLAGS,
            wire.DomainRestoreFlagsArgs(from_=file, dxml=dxml, flags=flags),
        )
    else:
        yield wire.DOMAIN_RESTORE, wire.DomainRestoreArgs(from_=file)
