"""Values of the protocol as people write them, and back.

Responsible for the two things JSON has no word for: bytes (hexadecimal, a UUID in its usual form, a
char array as the text that it mostly is) and fields given one by one as text. Walks the contract;
whether values fit is the codec's business.
"""

from __future__ import annotations

import json

from virtproto.errors import UsageError
from virtproto.model.refs import uuid_to_raw, uuid_to_text
from virtproto.xdr.contract import Enum, Member, Struct, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.contract import Contract

__all__ = ["from_json", "from_text", "read_json", "to_json"]

_BYTE_TYPES = ("opaque", "char", "unsigned char")
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
    return _walk(contract, Member("", type_name, "scalar", None), value, _read)


def from_text(
    contract: Contract, type_name: str, into: dict[str, Any], path: str, text: str
) -> None:
    """Set one field of ``into`` from text; ``path`` is "name" or "dom.name".

    Numbers are taken in any of Python's notations, texts as they are, lists and whole structs as
    JSON. Raises UsageError, naming the field; also for one that ``into`` has already.
    """
    member = Member("", type_name, "scalar", None)
    target = into
    names = path.split(".")
    for index, name in enumerate(names):
        member = _field(contract, member, names[:index], name)
        if index == len(names) - 1:
            if name in target:
                raise UsageError(f"{path} is given twice")
            target[name] = _from_word(contract, member, path, text)
        else:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise UsageError(f"{path}: {'.'.join(names[: index + 1])} is already given whole")


def _field(contract: Contract, member: Member, above: list[str], name: str) -> Member:
    struct = _target(contract, member)
    where = ".".join(above)
    if not isinstance(struct, Struct):
        raise UsageError(f"{where}: it has no fields; give it as JSON")
    for field in struct.members:
        if field.name == name:
            return field
    known = ", ".join(field.name for field in struct.members)
    raise UsageError(f"{where or 'the arguments'}: no field {name!r}; there are {known}")


def _target(contract: Contract, member: Member) -> Struct | Union | Enum | Member | None:
    """Return the type behind a declaration, None for a basic one."""
    member = contract.resolve(member)
    if member.shape in ("fixed", "variable") or member.type not in contract.types:
        return None
    if member.shape == "optional":
        return _target(contract, Member(member.name, member.type, "scalar", None))
    return contract.type(member.type)


def _from_word(contract: Contract, member: Member, path: str, text: str) -> Any:
    resolved = contract.resolve(member)
    if resolved.shape == "optional":
        inner = Member(resolved.name, resolved.type, "scalar", None)
        return _from_word(contract, inner, path, text)
    if resolved.type == "string" and resolved.shape != "fixed":
        return text
    if resolved.type in _BYTE_TYPES and resolved.shape != "scalar":
        return _read(resolved, text, path)
    if resolved.shape == "scalar" and not isinstance(_target(contract, resolved), Struct | Union):
        return _number(resolved, path, text)
    try:
        value = read_json(text)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        # Not shown: among typed parameters there may be secret ones.
        raise UsageError(f"{path}: expected {resolved.spelling} as JSON") from None
    return _walk(contract, resolved, value, _read, path)


def _number(member: Member, path: str, text: str) -> int | float:
    try:
        return float(text) if member.type == "double" else int(text, 0)
    except ValueError:
        raise UsageError(f"{path}: expected a number ({member.type}), not {text!r}") from None


def _walk(contract: Contract, member: Member, value: Any, turn: Any, path: str = "") -> Any:
    """Return ``value`` with ``turn`` applied to everything that is bytes by contract."""
    member = contract.resolve(member)
    if value is None:
        return None
    element = Member(member.name, member.type, "scalar", None)
    if member.shape == "optional":
        return _walk(contract, element, value, turn, path)
    if member.type in _BYTE_TYPES and member.shape != "scalar":
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


def _read(member: Member, value: Any, path: str) -> Any:
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
    try:
        # What the command line has that is not UTF-8 arrives here as surrogates.
        raw = text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise UsageError(f"{path}: expected text") from None
    return raw.ljust(member.limit or 0, b"\0") if member.shape == "fixed" else raw
