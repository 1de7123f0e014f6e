"""UUIDs between their two forms, and limits of time: checks that name the parameter.

Everything here happens before a byte is sent, so a refused argument costs no call. Knows nothing of
messages. What other arguments become is in ``virtproto.model.arguments``.
"""

from __future__ import annotations

from sys import modules

from virtproto.errors import ArgumentTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from uuid import UUID

# How much of a text that is no UUID an error shows, in characters.
_SHOWN = 64

__all__ = ["check_timeout", "shown_seconds", "shown_within", "uuid_to_raw", "uuid_to_text"]


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
        raise ArgumentTypeError(f"{parameter}: expected 16 bytes, text or a uuid.UUID, not {kind}")
    digits = value.replace("-", "").replace(" ", "")
    # bytes.fromhex() overlooks white space of all kinds; a UUID holds none but what was taken out.
    if len(digits) == 32 and digits.isalnum():
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    shown = repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."
    raise UsageError(f"{parameter}: {shown} is not a UUID (32 hexadecimal digits)")


def shown_seconds(seconds: float) -> str:
    """Return a time limit for who reads it: what is left of one has digits that mean nothing."""
    return f"{seconds:.3g}" if seconds < 1000 else f"{seconds:.0f}"


def shown_within(limit_s: float | None) -> str:
    """Return " within 5 s" for a time limit that is up, nothing for none, or for one long over."""
    return f" within {shown_seconds(limit_s)} s" if limit_s is not None and limit_s > 0 else ""


def check_timeout(parameter: str, value: float | None) -> None:
    """Raise UsageError unless ``value`` is a number of seconds above 0, or None for no limit.

    In no time at all nothing is answered; whether a call is even sent would be a matter of luck.
    """
    if value is None:
        return
    if not isinstance(value, int | float):
        raise ArgumentTypeError(
            f"{parameter}: expected seconds or None, not {type(value).__name__}"
        )
    try:
        seconds = float(value)
    except OverflowError:
        raise UsageError(f"{parameter}: too large for a number of seconds") from None
    # Written so that NaN is refused too.
    if not seconds > 0:
        raise UsageError(f"{parameter}: {seconds:g} is no limit above 0 seconds; None is no limit")
