"""How lists of typed parameters are read fast: what repeats is learned.

Responsible for: decoding the parameters of one list into a heading (names and types, shared by all
lists that agree in them) and their values, and the bounded memory of what was learned.
Must not know: the record type offered to users, or limits of particular messages.

Four ways, from the general to the fast, with the same result for every input:

* ``_read_one`` reads a parameter field by field, checks everything and raises DecodeError;
* by key: the bytes of [length, name, padding, type] are looked up as a whole and tell the name and
  how to read the value together with the next length word;
* by shape: a list that was seen before becomes a shape, a few ``Struct`` formats that read all keys
  and values at once. A string value ends a format, since what follows has no fixed place. The keys
  are compared with those of the shape; where they differ, the other ways are taken;
* as a whole: where the sizes of a shape's strings keep coming too, one format reads all of the
  list. Lists in which they do not are hardly slowed down: formats that do not fit are not tried for
  a while, and learning others takes ever more lists.

Running out of bytes in a fast way, or any doubt, ends in the careful way, which finds the offset.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from sys import intern

from virtproto.errors import DecodeError
from virtproto.xdr.paramlayouts import (
    BOOLEAN,
    DOUBLE,
    EMPTY,
    INT,
    LLONG,
    STRING,
    TYPE_NAMES,
    UINT,
    ULLONG,
    VALUE_CODES,
    Heading,
    Key,
    Segment,
    Shapes,
    Whole,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Value = int | float | str
    Shape = TypeVar("Shape", "Segment", "Whole")
    Found = tuple["Heading", tuple[Value, ...], int]

__all__ = [
    "BOOLEAN",
    "DOUBLE",
    "EMPTY",
    "INT",
    "LLONG",
    "SMALLEST",
    "STRING",
    "STRING_MAX",
    "TYPE_NAMES",
    "UINT",
    "ULLONG",
    "VALUE_CODES",
    "Heading",
    "decode",
]

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
# Wholes that are kept for one count of parameters; how many misses in a row end in a pause, and for
# how many lists none is tried then. Learning one costs what half a dozen lists do, so that it takes
# this many lists of the size of the one before, and for each further one twice as many up to the
# maximum.
_MAX_WHOLES = 4
_MAX_MISSES = 8
_PAUSE = 256
_MIN_REPEATS = 4
_MAX_REPEATS = 256

# What a segment unpacks to: keys and values in turn.
_KEYS = slice(0, None, 2)
_VALUES = slice(1, None, 2)

_word = Struct(">I").unpack_from

_keys: dict[bytes, Key] = {}
_headings: dict[tuple[Key, ...], Heading] = {}
# By count of parameters.
_shapes: dict[int, Shapes] = {}
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
    shapes = _shapes.get(count)
    if shapes is not None:
        try:
            found = _decode_whole(shapes, data, pos) if shapes.wholes else None
            if found is not None:
                return found
            found = _decode_by_shape(shapes.segments, data, pos)
        except StructError:
            found = None
        if found is not None:
            if found[0].strings and not shapes.pause:
                _watch_size(shapes, found[0], data, pos, found[2])
            return found
    if count == 0:
        return EMPTY, (), pos
    unkept = _unkept_keys
    try:
        keys, values, pos = _decode_by_key(data, pos, count)
    except StructError:
        keys, values, pos = _decode_carefully(data, pos, count)
    return _heading(tuple(keys), unkept == _unkept_keys), tuple(values), pos


def _decode_whole(shapes: Shapes, data: bytes, pos: int) -> Found | None:
    """Return what the whole that fits reads, or None; StructError where the bytes run out."""
    if shapes.pause:
        shapes.pause -= 1
        return None
    wholes = shapes.wholes
    for whole in wholes:
        if data.startswith(whole.probe, pos + whole.probe_offset):
            record = whole.unpack(data, pos)
            if record[_KEYS] != whole.keys:
                shapes.misses += 1
                continue
            shapes.misses = 0
            if whole is not wholes[0]:
                _prefer(wholes, whole)
            values = list(record[_VALUES])
            for position in whole.heading.strings:
                try:
                    values[position] = values[position].decode()
                except UnicodeDecodeError:
                    values[position] = values[position].decode("utf-8", "surrogateescape")
            return whole.heading, tuple(values), pos + whole.size
    shapes.misses += 1
    if shapes.misses >= _MAX_MISSES:
        shapes.misses = 0
        shapes.pause = _PAUSE
    return None


def _decode_by_shape(segments: list[Segment], data: bytes, pos: int) -> Found | None:
    """Return what the shape that fits reads, or None; StructError where the bytes run out."""
    values: list[Value] = []
    while True:
        if len(segments) == 1:
            segment = segments[0]
            record = segment.unpack(data, pos)
            if record[_KEYS] != segment.keys:
                return None
        else:
            chosen = _choose(segments, data, pos)
            if chosen is None:
                return None
            segment, record = chosen
        pos += segment.size
        if not segment.ends_in_string:
            if segment.heading is None:
                return None
            if not values:
                return segment.heading, record[_VALUES], pos
            return segment.heading, (*values, *record[_VALUES]), pos
        values += record[_VALUES]
        length = record[-1]
        if length > STRING_MAX:
            return None
        try:
            values[-1] = data[pos : pos + length].decode()
        except UnicodeDecodeError:
            values[-1] = data[pos : pos + length].decode("utf-8", "surrogateescape")
        pos += length + 3 & -4
        if segment.heading is not None:
            # Behind any other string the next segment would have run out of bytes.
            return (segment.heading, tuple(values), pos) if pos <= len(data) else None
        segments = segment.following


def _choose(
    segments: list[Segment], data: bytes, pos: int
) -> tuple[Segment, tuple[Any, ...]] | None:
    """Return the segment that fits, and what it unpacks to."""
    failures = 0
    for segment in segments:
        if data.startswith(segment.probe, pos + segment.probe_offset):
            record = segment.unpack(data, pos)
            if record[_KEYS] == segment.keys:
                if segment is not segments[0]:
                    _prefer(segments, segment)
                return segment, record
            failures += 1
            if failures == _MAX_FAILURES:
                break
    return None


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


def _prefer(shapes: list[Shape], shape: Shape) -> None:
    """Move a segment or a whole to the front, where the next list looks first."""
    # Another thread may be moving some too. What is lost that way is learned anew, but no moment
    # must leave the list empty.
    shapes.insert(0, shape)
    try:
        del shapes[shapes.index(shape, 1)]
    except (ValueError, IndexError):
        return


def _decode_by_key(data: bytes, pos: int, count: int) -> tuple[list[Key], list[Value], int]:
    """Read by key; StructError where the bytes run out or a string is too long."""
    keys: list[Key] = []
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


def _decode_carefully(data: bytes, pos: int, count: int) -> tuple[list[Key], list[Value], int]:
    """Read field by field what the fast way could not, to find the offset where it goes wrong."""
    keys: list[Key] = []
    values: list[Value] = []
    for _ in range(count):
        key, value, pos = _read_one(data, pos)
        keys.append(key)
        values.append(value)
    return keys, values, pos


def _read_one(data: bytes, pos: int) -> tuple[Key, Value, int]:
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


def _learn_key(data: bytes, pos: int) -> Key:
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
            return Key(whole, name, kind)
        if len(_keys) >= _MAX_KEYS:
            forget()
        key = _keys[whole] = Key(whole, intern(name), kind)
    return key


def _heading(keys: tuple[Key, ...], keep: bool) -> Heading:
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


def _learn_shape(heading: Heading, keys: tuple[Key, ...]) -> None:
    """Put the segments of a list where the next such list looks for them."""
    rivals = max(2, min(_MAX_RIVALS, len(keys) // 4))
    segments = _shapes.setdefault(len(keys), Shapes(_MIN_REPEATS)).segments
    if not heading.path:
        heading.keys = keys
        heading.strings = tuple([i for i, key in enumerate(keys) if key.kind == STRING])
        heading.path = _segments(segments, keys)
        heading.path[-1].heading = heading
    for segment in heading.path:
        if segment not in segments:
            segments.insert(0, segment)
            del segments[rivals:]
        segments = segment.following


def _watch_size(shapes: Shapes, heading: Heading, data: bytes, start: int, end: int) -> None:
    """Note how long a list was that fitted no whole; of a size that keeps coming, learn one."""
    global _learned_params
    if end - start != heading.size:
        heading.size = end - start
        return
    shapes.repeats += 1
    if shapes.repeats >= shapes.wanted:
        shapes.repeats = 0
        shapes.wanted = min(2 * shapes.wanted, _MAX_REPEATS)
        shapes.misses = 0
        if _learned_params > _MAX_LEARNED_PARAMS:
            _forget_headings()
        _learned_params += len(heading.keys)
        shapes.wholes.insert(0, Whole(heading, data, start))
        del shapes.wholes[_MAX_WHOLES:]


def _segments(known: list[Segment], keys: tuple[Key, ...]) -> tuple[Segment, ...]:
    """Return the segments of a list, those that are known already and new ones."""
    path: list[Segment] = []
    start = 0
    for end, key in enumerate(keys, 1):
        if key.kind == STRING or end == len(keys):
            wanted = tuple([key.raw for key in keys[start:end]])
            for segment in known:
                if segment.keys == wanted:
                    break
            else:
                segment = Segment(keys[start:end])
            path.append(segment)
            known = segment.following
            start = end
    return tuple(path)
