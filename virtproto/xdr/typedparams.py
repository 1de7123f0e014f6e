"""Typed parameters: named values of seven types, in which the daemon says what varies by release.

Responsible for: the record type ``TypedParams`` that generated messages hold, and its XDR.
Must not know: which parameters exist, or which message a list belongs to. The names whose values
must not be shown come through ``set_secret_parameters``, which the generated package calls.

A list on the wire is a count and that many {string field; int type; value}. How it is read fast is
the business of virtproto.xdr.paramshapes.
"""

from __future__ import annotations

# Where collections.abc has it from, and what Python loads at its start anyway: the package itself
# would add to the start of every blocking program what a dozen calls take.
from _collections_abc import Sequence
from struct import Struct
from struct import error as StructError

from virtproto.errors import DecodeError, EncodeError
from virtproto.xdr.paramshapes import (
    BOOLEAN,
    DOUBLE,
    EMPTY,
    INT,
    LLONG,
    SMALLEST,
    STRING,
    STRING_MAX,
    TYPE_NAMES,
    UINT,
    ULLONG,
    VALUE_CODES,
    Heading,
    decode,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, overload

    Value = int | float | str

__all__ = [
    "BOOLEAN",
    "DOUBLE",
    "INT",
    "LLONG",
    "STRING",
    "UINT",
    "ULLONG",
    "TypedParam",
    "TypedParams",
    "is_secret",
    "set_secret_parameters",
    "unpack_typed_params",
]

_word = Struct(">I")
_value = {kind: Struct(f">i{code}") for kind, code in VALUE_CODES.items()}
_RANGES = {
    INT: (-(2**31), 2**31 - 1),
    UINT: (0, 2**32 - 1),
    LLONG: (-(2**63), 2**63 - 1),
    ULLONG: (0, 2**64 - 1),
    BOOLEAN: (-(2**31), 2**31 - 1),
}


_secret_names: frozenset[str] | None = None


def set_secret_parameters(names: Iterable[str] | None) -> None:
    """Register the names of parameters whose values no repr shows; without names none is shown."""
    global _secret_names
    _secret_names = None if names is None else frozenset(names)


def is_secret(name: object) -> bool:
    """Tell whether the value of the parameter of this name must not be shown.

    It must not as long as nobody has registered which are secret.
    """
    return _secret_names is None or (isinstance(name, str) and name in _secret_names)


class TypedParam(tuple[str, int, "Value"]):
    """One parameter: (field, type, value), the value as it is on the wire (BOOLEAN an int)."""

    __slots__ = ()

    @property
    def field(self) -> str:
        """The name."""
        return self[0]

    @property
    def type(self) -> int:
        """The number of the type, INT to STRING."""
        return self[1]

    @property
    def value(self) -> Value:
        """The value, of the Python type that belongs to ``type``."""
        return self[2]

    def __repr__(self) -> str:
        value = "<secret>" if is_secret(self[0]) else repr(self[2])
        return f"TypedParam(field={self[0]!r}, type={self[1]!r}, value={value})"


class TypedParams(Sequence[TypedParam]):
    """A list of typed parameters, not to be changed: one tuple of values, names and types shared.

    Values are int, float or str as the type says; a BOOLEAN is the int of the wire, so that packing
    gives back what was unpacked. ``to_dict`` and ``items`` turn it to bool.
    """

    __slots__ = ("_heading", "values")

    _heading: Heading
    values: tuple[Value, ...]

    def __init__(self) -> None:
        self._heading = EMPTY
        self.values = ()

    @classmethod
    def from_items(cls, items: Iterable[tuple[str, int, Value]]) -> TypedParams:
        """Return the list of these (name, type, value) triples, in their order.

        Raise EncodeError, naming the parameter, if a type does not exist or cannot hold the value.
        """
        names: list[str] = []
        types: list[int] = []
        values: list[Value] = []
        for position, item in enumerate(items):
            path = f"[{position}]"
            if not isinstance(item, tuple | list) or len(item) != 3:
                raise EncodeError("a (name, type, value) triple is wanted", path=path)
            name, kind, value = item
            _check_string(name, f"{path}.field")
            values.append(_checked(kind, value, f"{path} {name!r}"))
            names.append(name)
            types.append(int(kind))
        return _record(Heading(tuple(names), tuple(types)), tuple(values))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the wire; one may occur more than once."""
        return self._heading.names

    @property
    def types(self) -> tuple[int, ...]:
        """The types, INT to STRING, in the order of the wire."""
        return self._heading.types

    def to_dict(self) -> dict[str, Value]:
        """Return values by name, BOOLEAN as bool; of a name that occurs again the last counts."""
        heading = self._heading
        if not heading.blank:
            heading.blank = dict.fromkeys(heading.names, 0)
        # A copy has its final size, so that filling it moves nothing. Names and values are always
        # as many; "strict" would cost time for each.
        result = heading.blank.copy()
        result.update(zip(heading.names, self.values))  # noqa: B905
        for name in heading.boolean_names:
            result[name] = bool(result[name])
        return result

    def to_multidict(self) -> dict[str, list[Value]]:
        """Return all values by name, BOOLEAN as bool; names in order of first occurrence."""
        result: dict[str, list[Value]] = {}
        for name, value in self.items():
            result.setdefault(name, []).append(value)
        return result

    def items(self) -> list[tuple[str, Value]]:
        """Return every (name, value) in the order of the wire, BOOLEAN as bool."""
        return list(zip(self._heading.names, self._meant(), strict=True))

    def _meant(self) -> list[Value]:
        values = list(self.values)
        for position in self._heading.booleans:
            values[position] = bool(values[position])
        return values

    def __len__(self) -> int:
        return len(self.values)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> TypedParam: ...
        @overload
        def __getitem__(self, index: slice) -> TypedParams: ...

    def __getitem__(self, index: int | slice) -> TypedParam | TypedParams:
        heading = self._heading
        if isinstance(index, slice):
            return _record(Heading(heading.names[index], heading.types[index]), self.values[index])
        return TypedParam((heading.names[index], heading.types[index], self.values[index]))

    def __iter__(self) -> Iterator[TypedParam]:
        heading = self._heading
        return map(TypedParam, zip(heading.names, heading.types, self.values, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TypedParams):
            return NotImplemented
        return (
            self.values == other.values
            and self._heading.types == other._heading.types
            and self._heading.names == other._heading.names
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [
            f"{name!r}: <secret>" if is_secret(name) else f"{name!r}: {value!r:.64}"
            for name, value in self[:4].items()
        ]
        if len(self) > 4:
            shown.append(f"... {len(self) - 4} more")
        return f"TypedParams({{{', '.join(shown)}}})"

    def _pack(self, limit: int | None = None, string_limit: int = STRING_MAX) -> bytes:
        """Return the XDR of the list and its count; EncodeError if it is longer than ``limit``."""
        # A message calls this unbound, with whatever its field holds.
        if not isinstance(self, TypedParams):
            raise EncodeError(f"TypedParams are wanted, got {type(self).__name__}")
        values = self.values
        heading = self._heading
        if limit is not None and len(values) > limit:
            raise EncodeError(f"{len(values)} parameters, {limit} are allowed")
        parts = [_word.pack(len(values))]
        for name, kind, value in zip(heading.names, heading.types, values, strict=True):
            parts.append(_packed_string(name, string_limit))
            if kind == STRING:
                parts.append(_word.pack(STRING))
                parts.append(_packed_string(value, string_limit))
            else:
                parts.append(_value[kind].pack(kind, value))
        return b"".join(parts)


_new = object.__new__


def _record(heading: Heading, values: tuple[Value, ...]) -> TypedParams:
    record = _new(TypedParams)
    record._heading = heading
    record.values = values
    return record


def unpack_typed_params(data: bytes, pos: int, limit: int | None = None) -> tuple[TypedParams, int]:
    """Return the list whose count is at ``pos``, and the position after it.

    Raise DecodeError, with the offset, if there are more than ``limit``, if a type is unknown, or
    if the bytes run out.
    """
    try:
        (count,) = _word.unpack_from(data, pos)
    except StructError:
        raise DecodeError("the count of parameters is cut off", offset=pos) from None
    if limit is not None and count > limit:
        raise DecodeError(f"{count} parameters, {limit} are allowed", offset=pos)
    if count * SMALLEST > len(data) - pos - 4:
        left = len(data) - pos - 4
        raise DecodeError(f"{count} parameters cannot be in {left} bytes", offset=pos)
    record = _new(TypedParams)
    record._heading, record.values, end = decode(data, pos + 4, count)
    return record, end


def _packed_string(value: Any, limit: int) -> bytes:
    raw: bytes = value.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise EncodeError("a string cannot hold a NUL byte")
    if len(raw) > limit:
        raise EncodeError(f"a string of {len(raw)} bytes, {limit} are allowed")
    return _word.pack(len(raw)) + raw + bytes(-len(raw) & 3)


def _checked(kind: int, value: Any, path: str) -> Value:
    """Return the value as the type holds it; raise EncodeError if it cannot."""
    if kind == STRING:
        return _check_string(value, path)
    if kind == DOUBLE:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise EncodeError(f"a double is wanted, got {type(value).__name__}", path=path)
        try:
            return float(value)
        except OverflowError:
            raise EncodeError("the number is too large for a double", path=path) from None
    if not isinstance(kind, int):
        # Not shown: who confuses type and value has put the value here.
        reason = f"the type of a parameter is a number, got {type(kind).__name__}"
        raise EncodeError(reason, path=path)
    if kind not in _RANGES:
        raise EncodeError(f"there is no parameter type {kind}", path=path)
    if not isinstance(value, int):
        raise EncodeError(f"{TYPE_NAMES[kind]} is wanted, got {type(value).__name__}", path=path)
    low, high = _RANGES[kind]
    if not low <= value <= high:
        raise EncodeError(f"the value is outside {TYPE_NAMES[kind]} {low}..{high}", path=path)
    return int(value)


def _check_string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise EncodeError(f"a string is wanted, got {type(value).__name__}", path=path)
    if not _has_utf8_form(value):
        raise EncodeError("the string has no UTF-8 form", path=path)
    if "\0" in value:
        raise EncodeError("a string cannot hold a NUL byte", path=path)
    return value


def _has_utf8_form(value: str) -> bool:
    # Whoever raises does so outside of this: UnicodeEncodeError holds the string, which may be
    # secret, and would stay within reach as the new error's context.
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
