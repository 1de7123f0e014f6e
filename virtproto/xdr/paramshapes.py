"""How lists of typed parameters are read fast: what repeats is learned.

Responsible for: decoding the parameters of one list into a heading (names and types, shared by all
lists that agree in them) and their values, and the bounded memory of what was learned.
Must not know: the record type offered to users, or limits of particular messages.

Three ways, from the general to the fast, with the same result for every input:

* ``_read_one`` reads a parameter field by field, checks everything and raises DecodeError;
* by key: the bytes of [length, name, padding, type] are looked up as a whole and tell the name and
  how to read the value together with the next length word;
* by shape: a list that was seen twice becomes a shape, a few ``Struct`` formats that read all keys
  and values at once. A string value ends a format, since what follows has no fixed place. The keys
  are compared with those of the shape; where they differ, the other ways are taken.

Running out of bytes in a fast way, or any doubt, ends in the careful way, which finds the offset.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from sys import intern

from virtproto.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Value = int | float | str
    Segment = tuple[Callable[[bytes, int], tuple[Any, ...]], tuple[bytes, ...], int, bool]

__all__ = ["EMPTY", "STRING_MAX", "TYPE_NAMES", "VALUE_CODES", "Heading", "decode"]

# Numbers of virTypedParameterType (libvirt-common.h); they are the union's case labels.
INT, UINT, LLONG, ULLONG, DOUBLE, BOOLEAN, STRING = range(1, 8)
TYPE_NAMES = {
    INT: "int",
    UINT: "unsigned int",
    LLONG: "hyper",
    ULLONG: "unsigned hyper",
    DOUBLE: "double",
    BOOLEAN: "int",
    STRING: "string",
}
# Format codes of the values that have a fixed size.
VALUE_CODES = {INT: "i", UINT: "I", LLONG: "q", ULLONG: "Q", DOUBLE: "d", BOOLEAN: "i"}

# Longest name and longest string value: REMOTE_STRING_MAX and ADMIN_STRING_MAX, which are equal.
STRING_MAX = 4194304
# Smallest parameter: empty name, type, one word of value.
SMALLEST = 12

# What is remembered, all of it forgotten together when a bound is passed. A daemon's own names
# are a few hundred; only a peer that invents names without end reaches these.
_MAX_KEYS = 4096
_MAX_KEY_SIZE = 128
_MAX_LEARNED_PARAMS = 32768
_MAX_HEADING = 4096
# Lists shorter than this gain nothing from a shape.
_MIN_SHAPE = 8
# Shapes of one count that are tried, and how many of those may fail after their probe agreed.
_MAX_RIVALS = 16
_MAX_FAILURES = 2

_word = Struct(">I").unpack_from
_value_and_next = {kind: Struct(f">{code}I").unpack_from for kind, code in VALUE_CODES.items()}
_value_alone = {kind: Struct(f">{code}").unpack_from for kind, code in VALUE_CODES.items()}
_value_size = {kind: Struct(f">{code}").size for kind, code in VALUE_CODES.items()}


class _Key:
    """What the bytes from one name's length word to its type say."""

    __slots__ = ("kind", "name", "raw", "size", "unpack")

    def __init__(self, raw: bytes, name: str, kind: int) -> None:
        self.raw = raw
        self.name = name
        self.kind = kind
        # None for a string, which has no fixed size.
        self.unpack = _value_and_next.get(kind)
        self.size = _value_size.get(kind, 0)


class Heading:
    """The names and types of a list, shared by all lists that agree in them.

    ``booleans`` are the positions whose values mean truth. ``segments`` is the shape, once learned;
    ``probe`` at ``probe_offset`` is a key that tells the shape from others at little cost.
    """

    __slots__ = ("booleans", "flat", "names", "probe", "probe_offset", "segments", "types")

    def __init__(self, names: tuple[str, ...], types: tuple[int, ...]) -> None:
        self.names = names
        self.types = types
        self.booleans = tuple(i for i, kind in enumerate(types) if kind == BOOLEAN)
        self.segments: tuple[Segment, ...] = ()
        self.flat: Segment | None = None
        self.probe = b""
        self.probe_offset = 0


EMPTY = Heading((), ())

_keys: dict[bytes, _Key] = {}
_headings: dict[tuple[_Key, ...], Heading] = {}
_shapes: dict[int, list[Heading]] = {}
_learned_params = 0


def forget() -> None:
    """Forget all that was learned; the next lists are read as the first were."""
    global _learned_params
    _keys.clear()
    _headings.clear()
    _shapes.clear()
    _learned_params = 0


def decode(data: bytes, pos: int, count: int) -> tuple[Heading, tuple[Value, ...], int]:
    """Return heading, values and the position after ``count`` parameters at ``pos``.

    Raise DecodeError if there are not as many, or one is of an unknown type.
    """
    rivals = _shapes.get(count)
    if rivals is not None:
        found = _decode_by_shape(rivals, data, pos)
        if found is not None:
            return found
    if count == 0:
        return EMPTY, (), pos
    try:
        keys, values, end = _decode_by_key(data, pos, count)
    except StructError:
        keys, values, end = _decode_carefully(data, pos, count)
    return _heading(tuple(keys)), tuple(values), end


def _decode_by_shape(
    rivals: list[Heading], data: bytes, pos: int
) -> tuple[Heading, tuple[Value, ...], int] | None:
    """Return what the first shape that fits reads, or None."""
    failures = 0
    for heading in rivals:
        if not data.startswith(heading.probe, pos + heading.probe_offset):
            continue
        if heading.flat is not None:
            unpack, keys, size, _ = heading.flat
            try:
                record = unpack(data, pos)
            except StructError:
                return None
            if record[::2] == keys:
                if heading is not rivals[0]:
                    _prefer(rivals, heading)
                return heading, record[1::2], pos + size
        else:
            found = _read_segments(heading, data, pos)
            if found is not None:
                if heading is not rivals[0]:
                    _prefer(rivals, heading)
                return found
        failures += 1
        if failures == _MAX_FAILURES:
            break
    return None


def _read_segments(
    heading: Heading, data: bytes, pos: int
) -> tuple[Heading, tuple[Value, ...], int] | None:
    values: list[Value] = []
    try:
        for unpack, keys, size, ends_in_string in heading.segments:
            record = unpack(data, pos)
            if record[::2] != keys:
                return None
            values += record[1::2]
            pos += size
            if ends_in_string:
                length = record[-1]
                if length > STRING_MAX:
                    return None
                raw = data[pos : pos + length]
                try:
                    values[-1] = raw.decode()
                except UnicodeDecodeError:
                    values[-1] = raw.decode("utf-8", "surrogateescape")
                pos += length + 3 & -4
    except StructError:
        return None
    if pos > len(data):
        return None
    return heading, tuple(values), pos


def _prefer(rivals: list[Heading], heading: Heading) -> None:
    """Move a shape to the front, where the next list looks first."""
    # Another thread may have moved or dropped it meanwhile; then the order is merely not the best.
    if heading in rivals:
        rivals.remove(heading)
        rivals.insert(0, heading)


def _decode_by_key(data: bytes, pos: int, count: int) -> tuple[list[_Key], list[Value], int]:
    """Read by key; StructError where the bytes run out before the last parameter."""
    keys: list[_Key] = []
    values: list[Value] = []
    value: Value
    get = _keys.get
    (length,) = _word(data, pos)
    for _ in range(count - 1):
        end = pos + (length + 11 & -4)
        key = get(data[pos:end])
        if key is None:
            key = _learn_key(data, pos)
        unpack = key.unpack
        if unpack is not None:
            value, length = unpack(data, end)
            pos = end + key.size
        else:
            (length,) = _word(data, end)
            end += 4
            if length > STRING_MAX:
                raise StructError
            raw = data[end : end + length]
            try:
                value = raw.decode()
            except UnicodeDecodeError:
                value = raw.decode("utf-8", "surrogateescape")
            pos = end + (length + 3 & -4)
            (length,) = _word(data, pos)
        keys.append(key)
        values.append(value)
    # The last one has no length word after it.
    key, value, pos = _read_one(data, pos)
    keys.append(key)
    values.append(value)
    return keys, values, pos


def _decode_carefully(data: bytes, pos: int, count: int) -> tuple[list[_Key], list[Value], int]:
    keys: list[_Key] = []
    values: list[Value] = []
    for _ in range(count):
        key, value, pos = _read_one(data, pos)
        keys.append(key)
        values.append(value)
    return keys, values, pos


def _read_one(data: bytes, pos: int) -> tuple[_Key, Value, int]:
    """Read one parameter with every check; raise DecodeError with the offset of what is wrong."""
    key = _learn_key(data, pos)
    pos += len(key.raw)
    if key.unpack is None:
        raw, pos = _read_string(data, pos, "string value")
        return key, raw.decode("utf-8", "surrogateescape"), pos
    if pos + key.size > len(data):
        raise DecodeError(
            f"the value needs {key.size} bytes, {len(data) - pos} are left", offset=pos
        )
    (value,) = _value_alone[key.kind](data, pos)
    return key, value, pos + key.size


def _read_string(data: bytes, pos: int, what: str) -> tuple[bytes, int]:
    if pos + 4 > len(data):
        raise DecodeError(f"the length of the {what} is cut off", offset=pos)
    (length,) = _word(data, pos)
    if length > STRING_MAX:
        raise DecodeError(f"the {what} has {length} bytes, {STRING_MAX} are allowed", offset=pos)
    start = pos + 4
    end = start + (length + 3 & -4)
    if end > len(data):
        raise DecodeError(
            f"the {what} needs {end - start} bytes, {len(data) - start} are left", offset=pos
        )
    return data[start : start + length], end


def _learn_key(data: bytes, pos: int) -> _Key:
    """Read name and type at ``pos``; remember them unless they are too long to be a daemon's."""
    raw, end = _read_string(data, pos, "name")
    if end + 4 > len(data):
        raise DecodeError("the type is cut off", offset=end)
    (kind,) = _word(data, end)
    if kind not in TYPE_NAMES:
        raise DecodeError(f"there is no parameter type {kind}", offset=end)
    whole = data[pos : end + 4]
    key = _keys.get(whole)
    if key is None:
        name = raw.decode("utf-8", "surrogateescape")
        if len(whole) > _MAX_KEY_SIZE:
            return _Key(whole, name, kind)
        if len(_keys) >= _MAX_KEYS:
            forget()
        key = _keys[whole] = _Key(whole, intern(name), kind)
    return key


def _heading(keys: tuple[_Key, ...]) -> Heading:
    """Return the heading of these keys; on the second sight of a long one, learn its shape."""
    global _learned_params
    heading = _headings.get(keys)
    if heading is None:
        heading = Heading(tuple([key.name for key in keys]), tuple([key.kind for key in keys]))
        if len(keys) <= _MAX_HEADING and all(len(key.raw) <= _MAX_KEY_SIZE for key in keys):
            if _learned_params > _MAX_LEARNED_PARAMS:
                forget()
            _learned_params += len(keys)
            _headings[keys] = heading
    elif len(keys) >= _MIN_SHAPE:
        if not heading.segments:
            _learn_shape(heading, keys)
        rivals = _shapes.setdefault(len(keys), [])
        if heading not in rivals:
            rivals.insert(0, heading)
            del rivals[min(_MAX_RIVALS, len(keys) // 4) :]
    return heading


def _learn_shape(heading: Heading, keys: tuple[_Key, ...]) -> None:
    segments: list[Segment] = []
    codes: list[str] = []
    consts: list[bytes] = []
    for position, key in enumerate(keys, 1):
        codes.append(f"{len(key.raw)}s{VALUE_CODES.get(key.kind, 'I')}")
        consts.append(key.raw)
        if key.kind == STRING or position == len(keys):
            layout = Struct(">" + "".join(codes))
            segments.append((layout.unpack_from, tuple(consts), layout.size, key.kind == STRING))
            codes.clear()
            consts.clear()
    first = segments[0]
    heading.probe = first[1][-1]
    tail = keys[len(first[1]) - 1]
    heading.probe_offset = first[2] - len(tail.raw) - (tail.size or 4)
    if len(segments) == 1 and not first[3]:
        heading.flat = first
    heading.segments = tuple(segments)
