"""How lists of typed parameters are read fast: what repeats is learned.

Responsible for: decoding the parameters of one list into a heading (names and types, shared by all
lists that agree in them) and their values, and the bounded memory of what was learned.
Must not know: the record type offered to users, or limits of particular messages.

Three ways, from the general to the fast, with the same result for every input:

* ``_read_one`` reads a parameter field by field, checks everything and raises DecodeError;
* by key: the bytes of [length, name, padding, type] are looked up as a whole and tell the name and
  how to read the value together with the next length word;
* by shape: a list that was seen before becomes a shape, a few ``Struct`` formats that read all keys
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
    from collections.abc import Sequence

    Value = int | float | str
    Found = tuple["Heading", tuple[Value, ...], int]

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

# What is remembered is forgotten when a bound is passed. A daemon's own names are a few hundred;
# only a peer that invents names or lists without end reaches these.
_MAX_KEYS = 4096
_MAX_KEY_SIZE = 128
_MAX_LEARNED_PARAMS = 32768
_MAX_HEADING = 4096
# Lists shorter than this gain nothing from a shape.
_MIN_SHAPE = 3
# How often a list must come to be worth learning, which costs about as much as reading it by key.
_MIN_SEEN = 3
# Formats that are tried at one place, and how many of them may fail though their probe agreed.
_MAX_RIVALS = 16
_MAX_FAILURES = 2

# What a segment unpacks to: keys and values in turn.
_KEYS = slice(0, None, 2)
_VALUES = slice(1, None, 2)

_word = Struct(">I").unpack_from
_value_and_next = {kind: Struct(f">{code}I").unpack_from for kind, code in VALUE_CODES.items()}
_value_alone = {kind: Struct(f">{code}").unpack_from for kind, code in VALUE_CODES.items()}
_value_size = {kind: Struct(f">{code}").size for kind, code in VALUE_CODES.items()}


class _Key:
    """What the bytes from one name's length word to its type say.

    ``unpack`` gives the value and the next length word, ``alone`` the value; for a string, which
    has no fixed size, both are None. ``code`` is the format of key and value in a segment.
    """

    __slots__ = ("alone", "code", "kind", "name", "raw", "size", "unpack")

    def __init__(self, raw: bytes, name: str, kind: int) -> None:
        self.raw = raw
        self.name = name
        self.kind = kind
        self.unpack = _value_and_next.get(kind)
        self.alone = _value_alone.get(kind)
        self.size = _value_size.get(kind, 0)
        self.code = f"{len(raw)}s{VALUE_CODES.get(kind, 'I')}"


class _Segment:
    """A run of parameters with fixed places, at most the last of which is a string.

    ``unpack`` gives key, value, key, value...; of a string the length word. ``keys`` is what the
    keys must be, and ``probe`` the last of them: looking for it at ``probe_offset`` rules most
    others out at little cost. ``heading`` is set if a list ends here, ``following`` holds what was
    seen to follow; every segment ends a list or ends in a string.
    """

    __slots__ = (
        "ends_in_string",
        "following",
        "heading",
        "keys",
        "probe",
        "probe_offset",
        "size",
        "unpack",
    )

    def __init__(self, keys: Sequence[_Key]) -> None:
        last = keys[-1]
        layout = Struct(">" + "".join([key.code for key in keys]))
        self.unpack = layout.unpack_from
        self.size = layout.size
        self.keys = tuple([key.raw for key in keys])
        self.ends_in_string = last.kind == STRING
        self.probe = last.raw
        self.probe_offset = layout.size - (last.size or 4) - len(last.raw)
        self.following: list[_Segment] = []
        self.heading: Heading | None = None


class Heading:
    """The names and types of a list, shared by all lists that agree in them.

    ``booleans`` are the positions whose values mean truth, ``boolean_names`` the names of which the
    last occurrence is such a value; ``blank`` is a dict with the names, to be copied and filled,
    once one was asked for; ``seen`` counts the lists read by key, until ``path``, the shape, is
    learned.
    """

    __slots__ = ("blank", "boolean_names", "booleans", "names", "path", "seen", "types")

    def __init__(self, names: tuple[str, ...], types: tuple[int, ...]) -> None:
        self.names = names
        self.types = types
        self.booleans: tuple[int, ...] = ()
        self.boolean_names: tuple[str, ...] = ()
        if BOOLEAN in types:
            self.booleans = tuple([i for i, kind in enumerate(types) if kind == BOOLEAN])
            last = dict(zip(names, types, strict=True))
            self.boolean_names = tuple([name for name in last if last[name] == BOOLEAN])
        self.blank: dict[str, Value] = {}
        self.seen = 1
        self.path: tuple[_Segment, ...] = ()


EMPTY = Heading((), ())

_keys: dict[bytes, _Key] = {}
_headings: dict[tuple[_Key, ...], Heading] = {}
# By count of parameters, the first segments of the shapes learned, the latest used in front.
_shapes: dict[int, list[_Segment]] = {}
_learned_params = 0
# How many keys were too long to be kept; a list in which one occurs is not worth learning.
_unkept_keys = 0


def forget() -> None:
    """Forget all that was learned; the next lists are read as the first were."""
    _keys.clear()
    _forget_headings()


def _forget_headings() -> None:
    global _learned_params
    _headings.clear()
    _shapes.clear()
    _learned_params = 0


def decode(data: bytes, pos: int, count: int) -> Found:
    """Return heading, values and the position after ``count`` parameters at ``pos``.

    Raise DecodeError if there are not as many, or one is of an unknown type.
    """
    segments = _shapes.get(count)
    if segments is not None:
        try:
            found = _decode_by_shape(segments, data, pos)
        except StructError:
            found = None
        if found is not None:
            return found
    if count == 0:
        return EMPTY, (), pos
    unkept = _unkept_keys
    try:
        keys, values, pos = _decode_by_key(data, pos, count)
    except StructError:
        keys, values, pos = _decode_carefully(data, pos, count)
    return _heading(tuple(keys), unkept == _unkept_keys), tuple(values), pos


def _decode_by_shape(segments: list[_Segment], data: bytes, pos: int) -> Found | None:
    """Return what the shape that fits reads, or None; StructError where the bytes run out."""
    failures = 0
    values: list[Value] = []
    while True:
        lone = len(segments) == 1
        for segment in segments:
            if lone or data.startswith(segment.probe, pos + segment.probe_offset):
                record = segment.unpack(data, pos)
                if record[_KEYS] == segment.keys:
                    break
                failures += 1
                if failures == _MAX_FAILURES:
                    return None
        else:
            return None
        if not lone and segment is not segments[0]:
            _prefer(segments, segment)
        pos += segment.size
        heading = segment.heading
        if heading is not None and not segment.ends_in_string:
            if not values:
                return heading, record[_VALUES], pos
            return heading, (*values, *record[_VALUES]), pos
        values += record[_VALUES]
        length = record[-1]
        if length > STRING_MAX:
            return None
        try:
            values[-1] = data[pos : pos + length].decode()
        except UnicodeDecodeError:
            values[-1] = data[pos : pos + length].decode("utf-8", "surrogateescape")
        pos += length + 3 & -4
        if heading is not None:
            # Behind any other string the next segment would have run out of bytes.
            return (heading, tuple(values), pos) if pos <= len(data) else None
        segments = segment.following


def _string(data: bytes, pos: int, length: int) -> tuple[str, int]:
    """Return the string value of ``length`` at ``pos``; StructError if it is cut or too long."""
    end = pos + length
    padded = pos + (length + 3 & -4)
    if length > STRING_MAX or padded > len(data):
        raise StructError
    try:
        return data[pos:end].decode(), padded
    except UnicodeDecodeError:
        return data[pos:end].decode("utf-8", "surrogateescape"), padded


def _prefer(segments: list[_Segment], segment: _Segment) -> None:
    """Move a segment to the front, where the next list looks first."""
    # Another thread may be moving it too; a segment lost that way is learned anew.
    try:
        segments.remove(segment)
    except ValueError:
        return
    segments.insert(0, segment)


def _decode_by_key(data: bytes, pos: int, count: int) -> tuple[list[_Key], list[Value], int]:
    """Read by key; StructError where the bytes run out or a string is too long."""
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
        if key.unpack is not None:
            value, length = key.unpack(data, end)
            pos = end + key.size
        else:
            (length,) = _word(data, end)
            value, pos = _string(data, end + 4, length)
            (length,) = _word(data, pos)
        keys.append(key)
        values.append(value)
    # The last one has no length word after it.
    pos += length + 11 & -4
    key = get(data[pos - (length + 11 & -4) : pos])
    if key is None:
        pos -= length + 11 & -4
        key = _learn_key(data, pos)
        pos += len(key.raw)
    if key.alone is not None:
        (value,) = key.alone(data, pos)
        pos += key.size
    else:
        (length,) = _word(data, pos)
        value, pos = _string(data, pos + 4, length)
    keys.append(key)
    values.append(value)
    return keys, values, pos


def _decode_carefully(data: bytes, pos: int, count: int) -> tuple[list[_Key], list[Value], int]:
    """Read field by field what the fast way could not, to find the offset where it goes wrong."""
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
    if key.alone is None:
        raw, pos = _read_string(data, pos, "string value")
        return key, raw.decode("utf-8", "surrogateescape"), pos
    if pos + key.size > len(data):
        left = len(data) - pos
        raise DecodeError(f"the value needs {key.size} bytes, {left} are left", offset=pos)
    (value,) = key.alone(data, pos)
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
        reason = f"the {what} needs {end - start} bytes, {len(data) - start} are left"
        raise DecodeError(reason, offset=pos)
    return data[start : start + length], end


def _learn_key(data: bytes, pos: int) -> _Key:
    """Read name and type at ``pos``; remember them unless they are too long to be a daemon's."""
    global _unkept_keys
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
            _unkept_keys += 1
            return _Key(whole, name, kind)
        if len(_keys) >= _MAX_KEYS:
            forget()
        key = _keys[whole] = _Key(whole, intern(name), kind)
    return key


def _heading(keys: tuple[_Key, ...], keep: bool) -> Heading:
    """Return the heading of these keys; of a list that keeps coming, learn the shape."""
    global _learned_params
    heading = _headings.get(keys)
    if heading is None:
        heading = Heading(tuple([key.name for key in keys]), tuple([key.kind for key in keys]))
        if keep and len(keys) <= _MAX_HEADING:
            if _learned_params > _MAX_LEARNED_PARAMS:
                _forget_headings()
            _learned_params += len(keys)
            _headings[keys] = heading
    elif len(keys) >= _MIN_SHAPE:
        heading.seen += 1
        if heading.seen >= _MIN_SEEN:
            _learn_shape(heading, keys)
    return heading


def _learn_shape(heading: Heading, keys: tuple[_Key, ...]) -> None:
    """Put the segments of a list where the next such list looks for them."""
    rivals = max(2, min(_MAX_RIVALS, len(keys) // 4))
    segments = _shapes.setdefault(len(keys), [])
    if not heading.path:
        heading.path = _segments(segments, keys)
        heading.path[-1].heading = heading
    for segment in heading.path:
        if segment not in segments:
            segments.insert(0, segment)
            del segments[rivals:]
        segments = segment.following


def _segments(known: list[_Segment], keys: tuple[_Key, ...]) -> tuple[_Segment, ...]:
    """Return the segments of a list, those that are known already and new ones."""
    path: list[_Segment] = []
    start = 0
    for end, key in enumerate(keys, 1):
        if key.kind == STRING or end == len(keys):
            wanted = tuple([key.raw for key in keys[start:end]])
            for segment in known:
                if segment.keys == wanted:
                    break
            else:
                segment = _Segment(keys[start:end])
            path.append(segment)
            known = segment.following
            start = end
    return tuple(path)
