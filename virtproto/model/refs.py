"""Arguments on their way in: UUIDs between their two forms, and checks that name the parameter.

Everything here happens before a byte is sent, so a refused argument costs no call. Knows nothing of
messages: the values that leave here fit their XDR types.
"""

from __future__ import annotations

from sys import modules

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "uuid_to_text",
    "uuid_to_raw",
    "check_text",
    "check_unsigned",
    "check_signed",
    "check_timeout",
    "pack_flags",
]


def uuid_to_text(raw: bytes) -> str:
    """Return the 36-character text form of 16 raw bytes."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid_to_raw(parameter: str, value: bytes | str | UUID) -> bytes:
    """Return a UUID as 16 raw bytes; text may be in either case, hyphens and spaces do not count.

    A ``uuid.UUID`` is as good. Raises UsageError, naming ``parameter``, for anything that is not a
    UUID. Source: virUUIDParse.
    """
    if isinstance(value, bytes):
        if len(value) != 16:
            raise UsageError(f"{parameter}: a raw UUID has 16 bytes, not {len(value)}")
        return value
    if not isinstance(value, str):
        # Importing uuid costs more than a call; a caller who has a UUID has imported it already.
        if isinstance(value, getattr(modules.get("uuid"), "UUID", ())):
            raw: bytes = value.bytes
            return raw
        kind = type(value).__name__
        raise UsageError(f"{parameter}: expected 16 bytes, text or a uuid.UUID, not {kind}")
    digits = value.replace("-", "").replace(" ", "")
    # bytes.fromhex() overlooks white space of all kinds; a UUID holds none but what was taken out.
    if len(digits) == 32 and digits.isalnum():
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    raise UsageError(f"{parameter}: {value!r} is not a UUID (32 hexadecimal digits)")


def check_text(parameter: str, value: str) -> None:
    """Raise UsageError unless ``value`` is text that the wire can carry whole."""
    if not isinstance(value, str):
        if value is None:
            raise UsageError(f"{parameter}: a text is required, not None")
        raise UsageError(f"{parameter}: expected text, not {type(value).__name__}")
    if "\0" in value:
        raise UsageError(f"{parameter}: a NUL character may not stand in it")


def check_unsigned(parameter: str, value: int) -> None:
    """Raise UsageError unless ``value`` is a whole number from 0 to 2**32 - 1."""
    if not isinstance(value, int):
        raise UsageError(f"{parameter}: expected a whole number, not {type(value).__name__}")
    if not 0 <= value <= 0xFFFFFFFF:
        raise UsageError(f"{parameter}: {value} is not within 0 to 4294967295")


def check_signed(parameter: str, value: int) -> None:
    """Raise UsageError unless ``value`` is a whole number from -2**31 to 2**31 - 1."""
    if not isinstance(value, int):
        raise UsageError(f"{parameter}: expected a whole number, not {type(value).__name__}")
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise UsageError(f"{parameter}: {value} is not within -2147483648 to 2147483647")


def check_timeout(parameter: str, value: float | None) -> None:
    """Raise UsageError unless ``value`` is a number of seconds above 0, or None for no limit.

    In no time at all nothing is answered; whether a call is even sent would be a matter of luck.
    """
    if value is None:
        return
    if not isinstance(value, int | float):
        raise UsageError(f"{parameter}: expected seconds or None, not {type(value).__name__}")
    try:
        seconds = float(value)
    except OverflowError:
        raise UsageError(f"{parameter}: too large for a number of seconds") from None
    # Written so that NaN is refused too.
    if not seconds > 0:
        raise UsageError(f"{parameter}: {seconds:g} is no limit above 0 seconds; None is no limit")


def pack_flags(flags: int) -> bytes:
    """Return ``flags`` as the XDR word that ends many procedures' arguments.

    Raises UsageError unless it is a whole number from 0 to 2**32 - 1.
    """
    check_unsigned("flags", flags)
    return int(flags).to_bytes(4, "big")
