"""Typed parameters as Python values: a mapping on its way in, a dict on its way out.

Responsible for: which of the seven types of the wire a value goes out as, and refusing what does
not fit before anything is sent. Must not know: which parameters a method takes (that is a table of
``virtproto.model.parameters``), or how a type that no table knows is learned from the daemon.

A name may stand for several values on the way in: a list of texts is sent as one parameter each.
"""

from __future__ import annotations

from _collections_abc import Mapping, Sequence

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import (
    shown_number,
    to_int,
    to_long,
    to_text,
    to_uint,
    to_ulong,
    utf8_size,
)
from virtproto.xdr.typedparams import (
    BOOLEAN,
    DOUBLE,
    INT,
    LLONG,
    STRING,
    UINT,
    ULLONG,
    TypedParams,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

    Entry = tuple[str, int, int | float | str]

# What a typed parameter may be in Python.
ParamValue = int | float | bool | str
# The same on its way in, where a name may stand for several texts.
ParamInput = ParamValue | Sequence[str]

__all__ = ["ParamInput", "ParamValue", "from_params", "to_params", "unknown_numbers"]

# What a name may have, in bytes (VIR_TYPED_PARAM_FIELD_LENGTH without its NUL).
_NAME_MAX = 79

# What refuses a whole number that does not fit, by its type on the wire.
_WHOLE = {INT: to_int, UINT: to_uint, LLONG: to_long, ULLONG: to_ulong}


def from_params(params: TypedParams) -> dict[str, ParamValue]:
    """Return values by name; of a name that occurs again the last counts."""
    values: dict[str, ParamValue] = params.to_dict()
    return values


def to_params(
    parameter: str,
    values: Mapping[str, ParamInput],
    known: Mapping[str, int],
    limit: int,
) -> TypedParams:
    """Return values by name as typed parameters, at most ``limit`` of them, in their order.

    ``known`` says which type a name has. Of a name that it lacks, text, truth values and floats go
    out as what they are, a whole number as the unsigned long one, or the signed one below 0: the
    type that most parameters have. Raises ArgumentTypeError or UsageError, which name the
    parameter at fault and never show a text.
    """
    if not isinstance(values, Mapping):
        raise ArgumentTypeError(
            f"{parameter}: expected a mapping of values by name, not {type(values).__name__}"
        )
    entries: list[Entry] = []
    for name, value in values.items():
        place = _checked_place(parameter, name)
        kind = known.get(name)
        if _is_several(value) and kind in (None, STRING):
            entries += [
                (name, STRING, to_text(f"{place}[{number}]", text))
                for number, text in enumerate(value)
            ]
        else:
            entries.append(
                _entry(place, name, _kind_of(place, value) if kind is None else kind, value)
            )
        if len(entries) > limit:
            raise UsageError(f"{parameter}: more than the {limit} allowed")
    return TypedParams.from_items(entries)


def unknown_numbers(values: Mapping[str, object], known: Mapping[str, int]) -> list[str]:
    """Return the names of whole numbers whose type on the wire has to be guessed or learned."""
    return [
        name
        for name, value in values.items()
        if name not in known and isinstance(value, int) and not isinstance(value, bool)
    ]


def _checked_place(parameter: str, name: str) -> str:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"{parameter}: a name is text, not {type(name).__name__}")
    place = f"{parameter}[{name!r:.100}]"
    if "\0" in name:
        raise UsageError(f"{place}: a NUL character may not stand in a name")
    size = utf8_size(name)
    if size is None:
        raise UsageError(f"{place}: the name has no UTF-8 form")
    if size > _NAME_MAX:
        raise UsageError(f"{place}: the name is longer than {_NAME_MAX} bytes")
    return place


def _is_several(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, Sequence) and not isinstance(
        value, str | bytes | bytearray | memoryview
    )


def _kind_of(place: str, value: object) -> int:
    """Return the type that a value of an unknown name goes out as."""
    # A truth value is a whole number too, so it comes first.
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return STRING
    if isinstance(value, float):
        return DOUBLE
    if isinstance(value, int):
        return LLONG if value < 0 else ULLONG
    raise ArgumentTypeError(
        f"{place}: expected a number, a truth value or text, not {type(value).__name__}"
    )


def _entry(place: str, name: str, kind: int, value: object) -> Entry:
    """Return one parameter of the type it has to have."""
    if kind == STRING:
        return name, STRING, to_text(place, value)  # type: ignore[arg-type]
    if kind == DOUBLE:
        return name, DOUBLE, _float(place, value)
    if not isinstance(value, int):
        raise ArgumentTypeError(
            f"{place}: expected {'a truth value' if kind == BOOLEAN else 'a whole number'}, "
            f"not {type(value).__name__}"
        )
    if kind != BOOLEAN:
        return name, kind, int(_WHOLE[kind](place, value))
    if value not in (0, 1):
        raise UsageError(f"{place}: expected True or False, not {shown_number(value)}")
    return name, BOOLEAN, int(value)


def _float(place: str, value: object) -> float:
    if not isinstance(value, int | float):
        raise ArgumentTypeError(f"{place}: expected a number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{place}: larger than a float can be") from None
