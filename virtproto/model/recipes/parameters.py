"""Reading and writing typed parameters where that is more than one call.

Responsible for: asking for the count before the values, as most getters want it; and learning from
the daemon's own values which type a number has to be sent as. Must not know: which parameters
there are.
"""

from __future__ import annotations

from virtproto.model.typedvalues import from_params, to_params, unknown_numbers
from virtproto.xdr.typedparams import TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue
    from virtproto.xdr.procedure import Procedure

__all__ = ["STRING_OKAY", "get_parameters", "read_parameters", "set_parameters"]

# Tells a daemon that this side understands texts among parameters; without it they are left out.
# Never a caller's business (VIR_TYPED_PARAM_STRING_OKAY).
STRING_OKAY = 4


def read_parameters(
    procedure: Procedure[Any, Any], build: Callable[[int], Any]
) -> Recipe[TypedParams]:
    """Ask how many parameters there are, then for that many of them.

    ``build(count)`` returns the message of arguments that asks for ``count``; with 0 the reply
    holds the count and no values.
    """
    counted = yield procedure, build(0)
    if not counted.nparams:
        return TypedParams()
    read = yield procedure, build(counted.nparams)
    params: TypedParams = read.params
    return params


def get_parameters(
    procedure: Procedure[Any, Any], build: Callable[[int], Any]
) -> Recipe[dict[str, ParamValue]]:
    """Return what ``read_parameters`` reads as values by name."""
    return from_params((yield from read_parameters(procedure, build)))


def set_parameters(
    procedure: Procedure[Any, Any],
    build: Callable[[TypedParams], Any],
    *,
    values: Mapping[str, ParamValue],
    known: Mapping[str, int],
    limit: int,
    current: Callable[[], Recipe[TypedParams]] | None = None,
    parameter: str = "params",
) -> Recipe[Any]:
    """Send parameters, each as the type it has to have; return the reply.

    ``build(params)`` returns the message of arguments. A number whose name is not in ``known`` is
    sent as the type that the daemon's own value has, which ``current()`` reads. Values that no
    type could carry are refused before anything is sent, ``parameter`` naming the argument.
    """
    params = to_params(parameter, values, known, limit)
    if current is not None and unknown_numbers(values, known):
        types = yield from _types_of(current)
        params = to_params(parameter, values, {**types, **known}, limit)
    return (yield procedure, build(params))


def _types_of(current: Callable[[], Recipe[TypedParams]]) -> Recipe[dict[str, int]]:
    from virtproto.errors import LibvirtError

    try:
        params = yield from current()
    except LibvirtError:
        # The daemon's word on the parameters themselves is the better one to hand on.
        return {}
    return dict(zip(params.names, params.types, strict=True))
