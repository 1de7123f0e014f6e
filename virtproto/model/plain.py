"""Values of the protocol as people write them, and back.

Responsible for what JSON has no word for: bytes (hexadecimal, a UUID in its usual form, a char
array as the text that it mostly is). Walks the contract; whether values fit is the codec's
business.
"""

from __future__ import annotations

import json
from contextlib import suppress

from virtproto.errors import UsageError
from virtproto.model.refs import uuid_to_raw, uuid_to_text
from virtproto.xdr.contract import Member, Struct, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.contract import Contract

__all__ = ["BYTE_TYPES", "from_json", "read_bytes", "read_json", "to_json"]

# Arrays of these are bytes in Python.
BYTE_TYPES = ("opaque", "char", "unsigned char")
_UUID_SIZE = 16

# Before the digits of a char array that is no text: digits alone are text as well.
_HEX = "hex:"


def read_json(text: str) -> Any:
    """Return what JSON stands for; an object must not have a name twice.

    Raises UsageError for that, ValueError and RecursionError for what is not JSON.
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{twice} is given twice")
    return found


def to_json(contract: Contract, type_name: str, value: Any) -> Any:
    """Return a plain value as JSON can hold it: bytes become text."""
    return _walk(contract, Member("", type_name, "scalar", None), value, _shown)


def from_json(contract: Contract, type_name: str, value: Any) -> Any:
    """Return the plain value that JSON stands for: text becomes bytes where bytes are due.

    Raises UsageError, naming the field, for text that is neither a UUID nor hexadecimal. What is of
    the wrong kind altogether passes: the codec says so, and where.
    """
    return _walk(contract, Member("", type_name, "scalar", None), value, read_bytes)


def _walk(contract: Contract, member: Member, value: Any, turn: Any, path: str = "") -> Any:
    """Return ``value`` with ``turn`` applied to everything that is bytes by contract."""
    member = contract.resolve(member)
    if value is None:
        return None
    element = Member(member.name, member.type, "scalar", None)
    if member.shape == "optional":
        return _walk(contract, element, value, turn, path)
    if member.type in BYTE_TYPES and member.shape != "scalar":
        return turn(member, value, path)
    if member.shape in ("fixed", "variable") and isinstance(value, list):
        return [
            _walk(contract, element, item, turn, f"{path}[{index}]")
            for index, item in enumerate(value)
        ]
    if member.shape != "scalar" or member.type not in contract.types or not isinstance(value, dict):
        return value
    target = contract.type(member.type)
    if isinstance(target, Struct):
        fields = {field.name: field for field in target.members}
        return {
            name: _walk(contract, fields[name], item, turn, f"{path}.{name}" if path else name)
            if name in fields
            else item
            for name, item in value.items()
        }
    kind = value.get("type")
    arm = target.arms.get(kind) if isinstance(target, Union) and isinstance(kind, int) else None
    if arm is None or "value" not in value:
        return value
    return {**value, "value": _walk(contract, arm, value["value"], turn, f"{path}.{arm.name}")}


def _shown(member: Member, value: Any, path: str) -> Any:
    if not isinstance(value, bytes):
        return value
    if member.type == "char":
        return _shown_chars(member, value)
    is_uuid = member.type == "opaque" and member.shape == "fixed" and len(value) == _UUID_SIZE
    return uuid_to_text(value) if is_uuid else value.hex()


def _shown_chars(member: Member, raw: bytes) -> str:
    """Return a char array as text without the NUL that ends it (or the NULs that fill it up)."""
    kept = raw.rstrip(b"\0") if member.shape == "fixed" else raw.removesuffix(b"\0")
    try:
        text = kept.decode()
    except UnicodeDecodeError:
        return _HEX + raw.hex()
    return text if text.isprintable() and not text.startswith(_HEX) else _HEX + raw.hex()


def read_bytes(member: Member, value: Any, path: str) -> Any:
    """Return the bytes that text stands for where ``member``, which is resolved, is bytes.

    What is no text is returned as it is. Raises UsageError, naming ``path``, for text that is
    neither a UUID nor hexadecimal where it should be; the text is not shown, but for a UUID's.
    """
    if not isinstance(value, str):
        return value
    if member.type == "opaque" and member.shape == "fixed" and member.limit == _UUID_SIZE:
        return uuid_to_raw(path, value)
    if member.type == "char" and not value.startswith(_HEX):
        return _read_chars(member, value, path)
    try:
        return bytes.fromhex(value.removeprefix(_HEX) if member.type == "char" else value)
    except ValueError:
        raise UsageError(f"{path}: expected bytes in hexadecimal") from None


def _read_chars(member: Member, text: str, path: str) -> bytes:
    raw = None
    with suppress(UnicodeEncodeError):
        # What the command line has that is not UTF-8 arrives here as surrogates.
        raw = text.encode(errors="surrogateescape")
    if raw is None:
        # Not within a handler: the error of that holds the text.
        raise UsageError(f"{path}: expected text")
    return raw.ljust(member.limit or 0, b"\0") if member.shape == "fixed" else raw
