"""Numbers, constants and typed parameters as people write them, one value at a time.

Responsible for notations: 0x10, ACTIVE|INACTIVE, ``weight`` and ``weight:uint``. Every refusal
names the argument, and offers near names where it is a name that is wrong; a value that may be a
secret is not repeated. Must not know: which argument of which procedure a value is for.
"""

from __future__ import annotations

from difflib import get_close_matches

from virtproto.errors import UsageError
from virtproto.xdr.reference import INTEGER_RANGES
from virtproto.xdr.typedparams import BOOLEAN, DOUBLE, INT, LLONG, STRING, UINT, ULLONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = ["TYPE_NAMES", "near", "number_of", "parameter_types", "read_parameter", "unnamed"]

# What a typed parameter's type is called after its name.
TYPE_NAMES = {
    "int": INT,
    "uint": UINT,
    "llong": LLONG,
    "ullong": ULLONG,
    "double": DOUBLE,
    "boolean": BOOLEAN,
    "string": STRING,
}
_WHOLE = {INT: "int", UINT: "unsigned int", LLONG: "hyper", ULLONG: "unsigned hyper"}
_TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), 1),
    **dict.fromkeys(("false", "no", "off", "0"), 0),
}
_NEAR = 3


def near(given: str, names: Iterable[str]) -> str:
    """Return "; did you mean a or b?", or nothing where no name is near."""
    by_small = {name.casefold(): name for name in names}
    found = get_close_matches(given.casefold(), by_small, _NEAR)
    return f"; did you mean {' or '.join(by_small[each] for each in found)}?" if found else ""


def unnamed(value: object, hide: bool) -> str:
    """Return ", not 'x'" for an error, or nothing where ``x`` may be a secret."""
    return "" if hide else f", not {value!r:.80}"


def number_of(
    path: str,
    text: str,
    type_name: str,
    names: tuple[str, Mapping[str, int], bool] | None = None,
    *,
    hide: bool = False,
) -> int | float:
    """Return what text stands for: a number in Python's notations, or names of constants.

    ``names`` is what the set of constants is called, its members, and whether several may be joined
    by "|". They may be in any case, and in libvirt's spelling (VIR_DOMAIN_XML_SECURE). Raises
    UsageError naming ``path``; with ``hide`` it does not repeat ``text``.
    """
    try:
        return float(text) if type_name == "double" else int(text, 0)
    except ValueError:
        # Nothing is raised here: the text would go with it, as what it came of.
        pass
    if names is None or not text.strip():
        raise UsageError(f"{path}: expected a number ({type_name}){unnamed(text, hide)}")
    called, members, several = names
    parts = [part.strip() for part in text.replace(",", "|").split("|")]
    if len(parts) > 1 and not several:
        raise UsageError(f"{path}: expected one of {called}{unnamed(text, hide)}")
    total = 0
    for part in parts:
        total |= _constant(path, part, called, members, hide)
    return total if several else _constant(path, parts[0], called, members, hide)


def _constant(path: str, text: str, called: str, members: Mapping[str, int], hide: bool) -> int:
    try:
        return int(text, 0)
    except ValueError:
        pass
    wanted = text.upper()
    if wanted in members:
        return members[wanted]
    if wanted.startswith("VIR_"):
        # Libvirt's name ends with ours; of MIGRATE_PEER2PEER and PEER2PEER the longer is meant.
        fitting = [name for name in members if wanted.endswith(f"_{name}")]
        if fitting:
            return members[max(fitting, key=len)]
    there_are = near(text, members) or f"; there are {', '.join(members)}"
    shown = "such name" if hide else f"{text!r:.80}"
    raise UsageError(f"{path}: {called} has no {shown}{there_are}")


def parameter_types(known: Mapping[str, Mapping[str, int]], own: str | None) -> dict[str, int]:
    """Return the type of each typed parameter: those of the set ``own`` first, then all others."""
    types: dict[str, int] = dict(known[own]) if own is not None else {}
    for table in known.values():
        for name, kind in table.items():
            types.setdefault(name, kind)
    return types


def read_parameter(
    path: str, name: str, value: Any, known: Mapping[str, int], *, secret: frozenset[str]
) -> dict[str, Any]:
    """Return a typed parameter, in its plain form, from its name and a text or a JSON value.

    The type is that which follows the name (``weight:uint``), else the ``known`` one, else what
    JSON says itself: a text, a truth value or a fraction. Raises UsageError naming ``path``.
    """
    bare, colon, type_name = name.rpartition(":")
    if colon and type_name in TYPE_NAMES:
        kind = TYPE_NAMES[type_name]
    elif name in known:
        bare, kind = name, known[name]
    else:
        bare, kind = name, _kind_of_json(path, name, value, known)
    turned = _fitting(path, kind, value, hide=bare in secret)
    return {"field": bare, "value": {"type": kind, "value": turned}}


def _kind_of_json(path: str, name: str, value: object, known: Mapping[str, int]) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, float):
        return DOUBLE
    raise UsageError(
        f"{path}: no typed parameter of that name is known here{near(name, known) or '.'} To send "
        f"it all the same, say its type, as {name}:uint does ({', '.join(TYPE_NAMES)})"
    )


def _fitting(path: str, kind: int, value: Any, *, hide: bool) -> int | float | str:
    if kind == STRING:
        if not isinstance(value, str):
            raise UsageError(f"{path}: expected text{unnamed(value, hide)}")
        return value
    if kind == BOOLEAN:
        truth = _TRUTH.get(value.lower()) if isinstance(value, str) else value
        if truth is None or truth not in (0, 1):
            raise UsageError(f"{path}: expected true or false{unnamed(value, hide)}")
        return int(truth)
    if kind == DOUBLE:
        number = number_of(path, value, "double", hide=hide) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise UsageError(f"{path}: expected a number (double){unnamed(value, hide)}")
        return number
    type_name = _WHOLE[kind]
    number = number_of(path, value, type_name, hide=hide) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise UsageError(f"{path}: expected a number ({type_name}){unnamed(value, hide)}")
    low, high = INTEGER_RANGES[type_name]
    if not low <= number <= high:
        shown = "it" if hide or number.bit_length() > 128 else str(number)
        raise UsageError(f"{path}: {shown} is outside {type_name} {low}..{high}")
    return number
