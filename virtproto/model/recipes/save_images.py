"""Restoring a saved domain from a file.

Responsible for which of three calls is made; what goes into the parameters of the third is as in
saving.
"""

from __future__ import annotations

from virtproto.model.recipes.save import to_save_params
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput

__all__ = ["restore_domain"]


def restore_domain(
    *,
    file: str,
    dxml: str | None,
    params: Mapping[str, ParamInput] | None,
    flags: int,
) -> Recipe[None]:
    """Let a saved domain run on; ``file`` is absolute already.

    Sources: virDomainRestore, virDomainRestoreFlags, virDomainRestoreParams.
    """
    if params is not None:
        typed = to_save_params(file, dxml, params)
        yield wire.DOMAIN_RESTORE_PARAMS, wire.DomainRestoreParamsArgs(params=typed, flags=flags)
    elif dxml is not None or flags:
        yield (
            wire.DOMAIN_RESTORE_FLAGS,
            wire.DomainRestoreFlagsArgs(from_=file, dxml=dxml, flags=flags),
        )
    else:
        yield wire.DOMAIN_RESTORE, wire.DomainRestoreArgs(from_=file)
