"""Reading and writing typed parameters where that is more than one call.

Responsible for: asking for the count before the values, as most getters want it; learning from
the daemon's own values which type a number has to be sent as; and the pair of calls that most sets
of parameters have. Must not know: which sets there are, or which parameters.
"""

from __future__ import annotations

from virtproto.model.typedvalues import from_params, to_params, unknown_numbers
from virtproto.xdr.typedparams import TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput, ParamValue
    from virtproto.xdr.procedure import Procedure

__all__ = ["STRING_OKAY", "ParameterSet", "get_parameters", "read_parameters", "set_parameters"]

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
    values: Mapping[str, ParamInput],
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


class ParameterSet:
    """A set of parameters that one call reads, count first, and another changes.

    ``known`` has the types of its documented names, ``limit`` is how many one call may carry. The
    keywords of its methods but ``params`` and ``flags`` are the members of both procedures'
    arguments that say whose parameters these are.
    """

    __slots__ = ("_change", "_known", "_limit", "_read")

    def __init__(
        self,
        read: Procedure[Any, Any],
        change: Procedure[Any, None],
        *,
        known: Mapping[str, int],
        limit: int,
    ) -> None:
        self._read = read
        self._change = change
        self._known = known
        self._limit = limit

    def get(self, *, flags: int, **whose: Any) -> Recipe[dict[str, ParamValue]]:
        """Return the parameters by name."""
        return from_params((yield from self._current(flags, whose)))

    def set(self, *, params: Mapping[str, ParamInput], flags: int, **whose: Any) -> Recipe[None]:
        """Change the parameters that are given, each sent as the type it has to have."""
        message = self._change.args
        assert message is not None
        return set_parameters(
            self._change,
            lambda typed: message(**whose, params=typed, flags=flags),
            values=params,
            known=self._known,
            limit=self._limit,
            current=lambda: self._current(flags, whose),
        )

    def _current(self, flags: int, whose: Mapping[str, Any]) -> Recipe[TypedParams]:
        message = self._read.args
        assert message is not None
        return read_parameters(
            self._read,
            lambda count: message(**whose, nparams=count, flags=flags | STRING_OKAY),
        )


def _types_of(current: Callable[[], Recipe[TypedParams]]) -> Recipe[dict[str, int]]:
    from virtproto.errors import LibvirtError

    try:
        params = yield from current()
    except LibvirtError:
        # The daemon's word on the parameters themselves is the better one to hand on.
        return {}
    return dict(zip(params.names, params.types, strict=True))
