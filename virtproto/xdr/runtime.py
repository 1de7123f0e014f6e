"""What generated messages call: shared layouts, checked lengths, and the parts of variable size.

Responsible for: the pieces of XDR that straight-line code cannot hold by itself, fast.
Must not know: any message, the contract, or where in a message its work happens.

Every number is big-endian; every item is padded with zeros to a multiple of four bytes (RFC 4506).
"""

from __future__ import annotations

from itertools import repeat
from struct import Struct, unpack_from
from struct import pack as pack_struct

from virtproto.errors import DecodeError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = [
    "ABSENT",
    "PRESENT",
    "RecordLayouts",
    "blank",
    "check_count",
    "exactly",
    "layout",
    "lazy_enum",
    "over_limit",
    "pack_char_array",
    "pack_chars",
    "pack_fixed_list",
    "pack_list",
    "pack_numbers",
    "pack_opaque",
    "pack_optional",
    "pack_string",
    "pack_unsigned_char_array",
    "pack_unsigned_chars",
    "signed_char",
    "signed_short",
    "unknown_arm",
    "unknown_arm_to_pack",
    "unpack_messages",
    "unpack_numbers",
    "unpack_strings",
]

# The word before an optional value (RFC 4506, 4.19).
ABSENT = b"\0\0\0\0"
PRESENT = b"\0\0\0\1"

# Strings up to this length get a layout of their own that is kept: names of domains and the like.
_KEPT_LENGTH = 256

_WORD = Struct(">I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

# For each byte, the byte that fills the word in front of it when it is a C char: its sign.
_SIGNS = bytes(128) + b"\xff" * 128

_layouts: dict[str, Struct] = {}
_string_layouts: dict[int, Struct] = {}


def layout(format: str) -> Struct:
    """Return the Struct of a format without byte order ("16si"); messages share equal ones."""
    found = _layouts.get(format)
    if found is None:
        found = _layouts[format] = Struct(">" + format)
    return found


# Reading.


def over_limit(value: int, limit: int, name: str, offset: int | None = None) -> DecodeError:
    """Return the error for a count or length over its limit; ``name`` is the limit's constant."""
    return DecodeError(f"{value} is over the limit of {_limit_text(limit, name)}", offset=offset)


def _limit_text(limit: int, name: str) -> str:
    return f"{limit} ({name})" if name else str(limit)


def check_count(count: int, limit: int, name: str, size: int, data: bytes, pos: int) -> None:
    """Raise DecodeError if ``count`` elements of at least ``size`` bytes cannot be at ``pos``."""
    if count > limit:
        raise over_limit(count, limit, name, pos - 4)
    if count * size > len(data) - pos:
        raise DecodeError(
            f"{count} elements of at least {size} bytes each do not fit in the "
            f"{max(len(data) - pos, 0)} bytes left",
            offset=pos - 4,
        )


def unknown_arm(value: int, union: str, offset: int) -> DecodeError:
    """Return the error for a discriminant on the wire that selects nothing."""
    return DecodeError(f"{union} has no arm {value}", offset=offset)


def unpack_numbers(data: bytes, pos: int, count: int, code: str) -> list[Any]:
    """Return ``count`` numbers of a struct code; the caller has checked that they are there."""
    return list(unpack_from(f">{count}{code}", data, pos))


def unpack_strings(
    data: bytes, pos: int, count: int, limit: int, name: str
) -> tuple[list[str], int]:
    """Return ``count`` strings of up to ``limit`` bytes and the position after them."""
    items = []
    word = _WORD.unpack_from
    for _ in range(count):
        (length,) = word(data, pos)
        if length > limit:
            raise over_limit(length, limit, name, pos)
        pos += 4
        items.append(data[pos : pos + length].decode("utf-8", "surrogateescape"))
        pos += (length + 3) & ~3
    return items, pos


def unpack_messages(
    unpack: Callable[[bytes, int], tuple[T, int]], data: bytes, pos: int, count: int
) -> tuple[list[T], int]:
    """Return ``count`` messages that ``unpack`` reads one by one, and the position after them."""
    items = []
    for _ in range(count):
        item, pos = unpack(data, pos)
        items.append(item)
    return items, pos


def blank(cls: type[T], count: int) -> list[T]:
    """Return new objects whose fields are still to be set; made in bulk this is twice as fast."""
    return list(map(object.__new__, repeat(cls, count)))


class RecordLayouts(dict[int, "tuple[Callable[[bytes, int], tuple[Any, ...]], int]"]):
    """Layouts of records that are a string and a fixed ``tail``, by the string's length.

    Each gives the record after its length word, together with the length word of the next record,
    in one call: (unpack_from, size). Only those of short strings are kept, so that there are never
    more than 257.
    """

    __slots__ = ("limit", "name", "tail")

    def __init__(self, tail: str, limit: int, name: str) -> None:
        super().__init__()
        self.tail = tail
        self.limit = limit
        self.name = name

    def __missing__(self, length: int) -> tuple[Callable[[bytes, int], tuple[Any, ...]], int]:
        if length > self.limit:
            raise over_limit(length, self.limit, self.name)
        record = Struct(f">{length}s{-length % 4}x{self.tail}I")
        made = (record.unpack_from, record.size)
        if length <= _KEPT_LENGTH:
            self[length] = made
        return made


# Writing.


def _over_limit_to_pack(value: int, limit: int, name: str) -> EncodeError:
    return EncodeError(f"{value} is over the limit of {_limit_text(limit, name)}")


def unknown_arm_to_pack(value: object, union: str) -> EncodeError:
    """Return the error for a discriminant given by the caller that selects nothing."""
    # Not shown: who confuses type and value has put the value here.
    shown = value if isinstance(value, int) else f"of type {type(value).__name__}"
    return EncodeError(f"{union} has no arm {shown}")


def signed_char(value: int) -> int:
    """Return a C char to be written as a word; raise EncodeError if it is none."""
    if not -128 <= value <= 127:
        raise EncodeError(f"{value} is not in the range of a char, -128 to 127")
    return value


def signed_short(value: int) -> int:
    """Return a C short to be written as a word; raise EncodeError if it is none."""
    if not -32768 <= value <= 32767:
        raise EncodeError(f"{value} is not in the range of a short, -32768 to 32767")
    return value


def exactly(value: bytes, count: int) -> bytes:
    """Return a value of fixed length; raise EncodeError if it has another."""
    if len(value) != count:
        raise EncodeError(f"{len(value)} bytes where there must be {count}")
    return value


def pack_string(value: str, limit: int, name: str) -> bytes:
    """Return a string as length, UTF-8 and padding.

    Raise EncodeError if it is over the limit, or has a NUL: libvirt's peers would cut it there.
    """
    if "\0" in value:
        raise EncodeError("a string must not have a NUL character")
    raw = value.encode("utf-8", "surrogateescape")
    length = len(raw)
    found = _string_layouts.get(length)
    if found is None:
        if length > limit:
            raise _over_limit_to_pack(length, limit, name)
        found = Struct(f">I{length}s{-length % 4}x")
        if length <= _KEPT_LENGTH:
            _string_layouts[length] = found
    elif length > limit:
        raise _over_limit_to_pack(length, limit, name)
    return found.pack(length, raw)


def pack_opaque(value: bytes, limit: int, name: str) -> bytes:
    """Return bytes as length, content and padding."""
    raw = _as_bytes(value)
    length = len(raw)
    if length > limit:
        raise _over_limit_to_pack(length, limit, name)
    return _WORD.pack(length) + raw + _PADDING[length & 3]


def pack_chars(value: bytes, limit: int, name: str) -> bytes:
    """Return bytes as an array of C chars: a count, and one word with its sign for each."""
    raw = _as_bytes(value)
    if len(raw) > limit:
        raise _over_limit_to_pack(len(raw), limit, name)
    return _WORD.pack(len(raw)) + _char_words(raw)


def pack_unsigned_chars(value: bytes, limit: int, name: str) -> bytes:
    """Return bytes as an array of C unsigned chars: a count, and one word for each."""
    raw = _as_bytes(value)
    if len(raw) > limit:
        raise _over_limit_to_pack(len(raw), limit, name)
    return pack_struct(f">{len(raw) + 1}I", len(raw), *raw)


def pack_unsigned_char_array(value: bytes, count: int) -> bytes:
    """Return ``count`` bytes as C unsigned chars without a count."""
    return pack_struct(f">{count}I", *exactly(_as_bytes(value), count))


def pack_char_array(value: bytes, count: int) -> bytes:
    """Return ``count`` bytes as C chars without a count."""
    return _char_words(exactly(_as_bytes(value), count))


def _char_words(raw: bytes) -> bytes:
    words = bytearray(4 * len(raw))
    words[0::4] = words[1::4] = words[2::4] = raw.translate(_SIGNS)
    words[3::4] = raw
    return bytes(words)


def _as_bytes(value: object) -> bytes:
    """Return a buffer's bytes; refuse what ``bytes()`` would take for a size."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise EncodeError(f"bytes are needed, not {type(value).__name__}")


def _check_list(value: object) -> None:
    """Refuse what has a length and elements but is no list: a string's would be its characters."""
    if not isinstance(value, list | tuple):
        raise EncodeError(f"a list is needed, not {type(value).__name__}")


def pack_numbers(code: str, values: list[Any], limit: int, name: str) -> bytes:
    """Return a count and the numbers, each of a struct code."""
    if type(values) is not list:
        _check_list(values)
    count = len(values)
    if count > limit:
        raise _over_limit_to_pack(count, limit, name)
    return pack_struct(f">I{count}{code}", count, *values)


def pack_optional(value: T | None, pack: Callable[[T], bytes]) -> bytes:
    """Return a word that tells whether there is a value, and the value."""
    return ABSENT if value is None else PRESENT + pack(value)


def pack_list(values: list[T], pack: Callable[[T], bytes], limit: int, name: str) -> bytes:
    """Return a count and each value as ``pack`` writes it."""
    if type(values) is not list:
        _check_list(values)
    count = len(values)
    if count > limit:
        raise _over_limit_to_pack(count, limit, name)
    return _WORD.pack(count) + b"".join([pack(value) for value in values])


def pack_fixed_list(values: list[T], pack: Callable[[T], bytes], count: int) -> bytes:
    """Return ``count`` values as ``pack`` writes them, without a count."""
    if type(values) is not list:
        _check_list(values)
    if len(values) != count:
        raise EncodeError(f"{len(values)} elements where there must be {count}")
    return b"".join([pack(value) for value in values])


# Numbers with names.


def lazy_enum(module: dict[str, Any], name: str, members: dict[str, int]) -> Any:
    """Return a new IntEnum and keep it in its module; the enum machinery loads only for this."""
    from enum import IntEnum

    made = IntEnum(name, members, module=module["__name__"])  # type: ignore[misc]
    module[name] = made
    return made
