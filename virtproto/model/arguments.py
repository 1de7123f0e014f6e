"""Arguments on their way in: each ``to_*`` returns what the wire carries, or names the parameter.

Everything here happens before a byte is sent, so a refused argument costs no call. A value of the
wrong type is an ArgumentTypeError, one that does not fit a UsageError; what a caller's own iterable
or mapping raises while it is read passes as it is. Knows nothing of procedures: what leaves here
fits its XDR type.
"""

from __future__ import annotations

from _collections_abc import Mapping
from itertools import islice

from virtproto.errors import ArgumentTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol, TypeVar

    from virtproto.model.connection_handle import ConnectionHandle
    from virtproto.model.object_handle import ObjectHandle

    class OfConnection(Protocol):
        """What belongs to a connection, as streams do."""

        @property
        def connection(self) -> object:
            """The connection that it belongs to."""

    C = TypeVar("C", bound="ConnectionHandle")
    H = TypeVar("H", bound="ObjectHandle")
    S = TypeVar("S", bound="OfConnection")
    T = TypeVar("T")
    V = TypeVar("V")

__all__ = [
    "listed",
    "optional",
    "pack_flags",
    "shown_number",
    "to_bool",
    "to_bytes",
    "to_flags",
    "to_int",
    "to_long",
    "to_mapping",
    "to_object",
    "to_objects",
    "to_optional_mapping",
    "to_optional_text",
    "to_peer",
    "to_stream",
    "to_text",
    "to_texts",
    "to_uint",
    "to_uints",
    "to_ulong",
    "utf8_size",
]

# What a string may hold, in bytes (REMOTE_STRING_MAX).
_TEXT_MAX = 4194304

# Larger numbers are shown by their size: Python refuses to write out very large ones.
_SHOWN_BITS = 128


def to_text(parameter: str, value: str) -> str:
    """Return text that the wire can carry whole."""
    if not isinstance(value, str):
        if value is None:
            raise ArgumentTypeError(f"{parameter}: a text is required, not None")
        raise ArgumentTypeError(f"{parameter}: expected text, not {type(value).__name__}")
    if "\0" in value:
        raise UsageError(f"{parameter}: a NUL character may not stand in it")
    size = len(value) if value.isascii() else utf8_size(value)
    if size is None:
        raise UsageError(f"{parameter}: a character in it cannot be sent as UTF-8")
    if size > _TEXT_MAX:
        raise UsageError(f"{parameter}: longer than the {_TEXT_MAX} bytes that a text may have")
    return value


def utf8_size(value: str) -> int | None:
    """Return how many bytes a text has on the wire, None if it has no form there."""
    # Who raises does so outside of this: UnicodeEncodeError holds the text, which may be secret,
    # and would stay within reach as the new error's context.
    try:
        return len(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return None


def optional(convert: Callable[..., T], parameter: str, value: V | None, *rest: Any) -> T | None:
    """Return a value as ``convert`` takes it in, None where there is none."""
    return None if value is None else convert(parameter, value, *rest)


def to_optional_text(parameter: str, value: str | None) -> str | None:
    """Return text, or None where there is none."""
    return None if value is None else to_text(parameter, value)


def to_texts(parameter: str, values: Iterable[str], limit: int) -> list[str]:
    """Return a list of texts, at most ``limit`` of them."""
    if isinstance(values, str | bytes):
        # Each letter would pass for a text of its own.
        raise ArgumentTypeError(f"{parameter}: expected several texts, not one")
    texts = listed(parameter, values, "texts", limit)
    for number, text in enumerate(texts):
        to_text(f"{parameter}[{number}]", text)
    return texts


def to_bool(parameter: str, value: bool | int) -> int:
    """Return a truth value as the wire has it; 0 and 1 are as good as booleans."""
    if not isinstance(value, int):
        raise ArgumentTypeError(f"{parameter}: expected True or False, not {type(value).__name__}")
    if value not in (0, 1):
        raise UsageError(f"{parameter}: expected True or False, not {shown_number(value)}")
    return int(value)


def shown_number(value: int) -> str:
    """Return a number as an error shows it: digits, or its size if there are very many."""
    bits = value.bit_length()
    return f"a number of {bits} bits" if bits > _SHOWN_BITS else str(int(value))


def _whole(parameter: str, value: int, lowest: int, highest: int) -> int:
    if not isinstance(value, int):
        if value is None:
            raise ArgumentTypeError(f"{parameter}: a whole number is required, not None")
        raise ArgumentTypeError(f"{parameter}: expected a whole number, not {type(value).__name__}")
    if not lowest <= value <= highest:
        shown = shown_number(value)
        raise UsageError(f"{parameter}: {shown} is not within {lowest} to {highest}")
    return value


def to_uint(parameter: str, value: int) -> int:
    """Return a whole number of 32 bits from 0 on."""
    return _whole(parameter, value, 0, 0xFFFFFFFF)


# A set of flags is a number like others; the name tells a reader of the methods what it means.
to_flags = to_uint


def pack_flags(flags: int) -> bytes:
    """Return ``flags`` as the XDR word that ends many procedures' arguments."""
    return int(to_flags("flags", flags)).to_bytes(4, "big")


def to_int(parameter: str, value: int) -> int:
    """Return a whole number of 32 bits with a sign."""
    return _whole(parameter, value, -0x80000000, 0x7FFFFFFF)


def to_ulong(parameter: str, value: int) -> int:
    """Return a whole number of 64 bits from 0 on."""
    return _whole(parameter, value, 0, 0xFFFFFFFFFFFFFFFF)


def to_long(parameter: str, value: int) -> int:
    """Return a whole number of 64 bits with a sign."""
    return _whole(parameter, value, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF)


def to_uints(parameter: str, values: Iterable[int], limit: int) -> list[int]:
    """Return whole numbers of 32 bits from 0 on, at most ``limit`` of them."""
    numbers = listed(parameter, values, "whole numbers", limit)
    return [to_uint(f"{parameter}[{place}]", number) for place, number in enumerate(numbers)]


def to_bytes(parameter: str, value: bytes | bytearray | memoryview, limit: int) -> bytes:
    """Return bytes, at most ``limit`` of them; what they hold is never shown."""
    if isinstance(value, str | int) or value is None:
        raise ArgumentTypeError(f"{parameter}: expected bytes, not {type(value).__name__}")
    try:
        data = bytes(memoryview(value))
    except (TypeError, ValueError):
        # ValueError is what a view says that was released.
        raise ArgumentTypeError(
            f"{parameter}: expected bytes, not {type(value).__name__}"
        ) from None
    if len(data) > limit:
        raise UsageError(f"{parameter}: {len(data)} bytes are more than the {limit} allowed")
    return data


def _of_another_class(parameter: str, value: object, kind: type) -> ArgumentTypeError:
    wanted, found = kind.__name__, type(value).__name__
    if wanted == found:
        # An object of the other colour, or of a class that only looks the same.
        wanted, found = (
            f"{'.'.join(cls.__module__.split('.')[:2])} {cls.__name__}"
            for cls in (kind, type(value))
        )
        return ArgumentTypeError(f"{parameter}: expected a {wanted}, not a {found}")
    return ArgumentTypeError(f"{parameter}: expected a {wanted}, not {found}")


def to_object(parameter: str, value: H, kind: type[H], connection: object) -> Any:
    """Return the daemon's name for an object, which has to belong to the same connection."""
    if not isinstance(value, kind):
        raise _of_another_class(parameter, value, kind)
    if value._connection is not connection:
        raise UsageError(f"{parameter}: {value!r} belongs to another connection")
    return value._wire


def to_objects(
    parameter: str, values: Iterable[H], kind: type[H], connection: object, limit: int
) -> list[Any]:
    """Return the daemon's names for objects of the same connection, at most ``limit`` of them."""
    objects = listed(parameter, values, f"{kind.__name__} objects", limit)
    return [
        to_object(f"{parameter}[{place}]", value, kind, connection)
        for place, value in enumerate(objects)
    ]


def to_peer(parameter: str, value: C, kind: type[C]) -> C:
    """Return another connection of the same colour, which has to be usable."""
    if not isinstance(value, kind):
        raise _of_another_class(parameter, value, kind)
    if not value.is_alive():
        raise UsageError(f"{parameter}: {value!r} is of no use any more")
    return value


def to_stream(parameter: str, value: S, kind: type[S], connection: object) -> S:
    """Return a stream, which has to belong to the same connection."""
    if not isinstance(value, kind):
        raise _of_another_class(parameter, value, kind)
    if value.connection is not connection:
        raise UsageError(f"{parameter}: {value!r} belongs to another connection")
    return value


def to_mapping(parameter: str, value: Mapping[str, V]) -> dict[str, V]:
    """Return a mapping of texts to values as a dict of the callee's own."""
    # A list of pairs would do for dict(), and so would an empty list.
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(
            f"{parameter}: expected a mapping of values by name, not {type(value).__name__}"
        )
    found = dict(value)
    for name in found:
        to_text(f"{parameter}: a name", name)
    return found


def to_optional_mapping(parameter: str, value: Mapping[str, V] | None) -> dict[str, V] | None:
    """Return a mapping as ``to_mapping`` does, None where there is none."""
    return None if value is None else to_mapping(parameter, value)


def listed(parameter: str, values: Iterable[Any], what: str, limit: int) -> list[Any]:
    """Return an iterable's elements, at most ``limit`` of them; ``what`` they should be.

    No more is taken from it than it takes to see that there are too many.
    """
    # Bytes are numbers, letters texts, and a mapping's names either: all by accident.
    if isinstance(values, str | bytes | bytearray | memoryview | Mapping):
        raise _not_several(parameter, values, what)
    try:
        iterator = iter(values)
    except TypeError:
        raise _not_several(parameter, values, what) from None
    elements = list(islice(iterator, limit + 1))
    if len(elements) > limit:
        raise UsageError(f"{parameter}: more than the {limit} allowed")
    return elements


def _not_several(parameter: str, values: object, what: str) -> ArgumentTypeError:
    return ArgumentTypeError(f"{parameter}: expected several {what}, not {type(values).__name__}")
