"""A second codec, which walks the contract on xdrlib3 and shares no code with the generated one.

Responsible for: plain values (dicts, lists, scalars, as ``Message.to_plain`` gives) to bytes and
back, with an error that names field and offset. Tests hold the fast codec against it, and the fast
codec asks it where a failure is.
Must not know: message classes, or how the generated code works.

xdrlib3 reads what it is told to: it masks hypers without a range check, takes any length word, and
slices short. So every value, length and count is checked here before xdrlib3 sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import xdrlib3

from virtproto.errors import DecodeError, EncodeError
from virtproto.xdr.contract import BASIC_TYPES, MAX_DEPTH, Contract, Enum, Member, Struct, Union

if TYPE_CHECKING:
    from virtproto.xdr.annotate import Annotation

__all__ = ["Decoder", "ReferenceCodec"]

INTEGER_RANGES = {
    "char": (-(2**7), 2**7 - 1),
    "unsigned char": (0, 2**8 - 1),
    "short": (-(2**15), 2**15 - 1),
    "unsigned short": (0, 2**16 - 1),
    "int": (-(2**31), 2**31 - 1),
    "unsigned int": (0, 2**32 - 1),
    "hyper": (-(2**63), 2**63 - 1),
    "unsigned hyper": (0, 2**64 - 1),
}
# Arrays of these are bytes objects in Python and one word for each byte on the wire.
_BYTE_TYPES = ("char", "unsigned char")


class ReferenceCodec:
    """Encode and decode by the contract alone."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def encode(self, type_name: str, plain: Any) -> bytes:
        """Return the XDR of a plain value; raise EncodeError with the path of what does not fit."""
        encoder = _Encoder(self.contract)
        encoder.declaration(Member("", type_name, "scalar", None), plain)
        return encoder.packer.get_buffer()

    def decode(self, type_name: str, data: bytes, *, exact: bool = False) -> Any:
        """Return the plain value that ``data`` begins with.

        Raise DecodeError with offset and path; bytes after the value are an error if ``exact``.
        """
        decoder = Decoder(self.contract, data)
        value = decoder.declaration(Member("", type_name, "scalar", None))
        if exact and decoder.left:
            raise DecodeError(f"{decoder.left} bytes too many", offset=decoder.position)
        return value

    def check(self, type_name: str, data: bytes) -> int:
        """Return the size of the value that ``data`` begins with, keeping nothing of it.

        Raise DecodeError as ``decode`` does.
        """
        decoder = Decoder(self.contract, data, keep=False)
        decoder.declaration(Member("", type_name, "scalar", None))
        return decoder.position

    def annotate(self, type_name: str, data: bytes, *, show_secrets: bool = False) -> Annotation:
        """Return every field of ``data`` with its place, and what is wrong with them."""
        from virtproto.xdr.annotate import annotate

        return annotate(self.contract, type_name, data, show_secrets=show_secrets)


def _element(member: Member) -> Member:
    """Return the declaration of one element of an array, or of what an optional points to."""
    return Member(member.name, member.type, "scalar", None)


def _joined(path: list[str]) -> str:
    return "".join(path).lstrip(".")


class _Encoder:
    """One value on its way into a packer; ``path`` leads to the field at work."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.packer = xdrlib3.Packer()
        self.path: list[str] = []
        self.hidden = False
        self.depth = 0

    def fail(self, reason: str) -> NoReturn:
        raise EncodeError(reason, path=_joined(self.path) or None)

    def wrong_type(self, wanted: str, value: object) -> NoReturn:
        if value is None:
            self.fail("required, got None")
        self.fail(f"{wanted} is wanted, got {type(value).__name__}")

    def declaration(self, member: Member, value: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH}")
        member = self.contract.resolve(member)
        if member.shape == "optional":
            self.packer.pack_uint(0 if value is None else 1)
            if value is not None:
                self.declaration(_element(member), value)
        elif member.type == "string":
            self.string(member, value)
        elif member.shape == "scalar":
            self.scalar(member, value)
        elif member.type == "opaque" or member.type in _BYTE_TYPES:
            self.octets(member, value)
        else:
            self.items(member, value)
        self.depth -= 1

    def scalar(self, member: Member, value: Any) -> None:
        if member.type == "double":
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.wrong_type("a number", value)
            try:
                self.packer.pack_double(float(value))
            except OverflowError:
                self.fail("the number is too large for a double")
        elif member.type in BASIC_TYPES:
            self.integer(member.type, value)
        else:
            target = self.contract.type(member.type)
            if isinstance(target, Struct):
                self.struct(target, value)
            elif isinstance(target, Union):
                self.union(target, value)
            else:
                self.integer("int", value)

    def integer(self, type_name: str, value: Any) -> None:
        if not isinstance(value, int):
            self.wrong_type(f"{type_name}", value)
        low, high = INTEGER_RANGES[type_name]
        if not low <= value <= high:
            shown = "the value" if self.hidden else _short_number(value)
            self.fail(f"{shown} is outside {type_name} {low}..{high}")
        if type_name.endswith("hyper"):
            self.packer.pack_uhyper(value)
        elif low < 0:
            self.packer.pack_int(value)
        else:
            self.packer.pack_uint(value)

    def string(self, member: Member, value: Any) -> None:
        if not isinstance(value, str):
            self.wrong_type("a string", value)
        raw = _utf8(value)
        if raw is None:
            self.fail("the string has no UTF-8 form")
        if b"\0" in raw:
            self.fail("a string cannot hold a NUL byte")
        self.check_limit(member, len(raw), "bytes")
        self.packer.pack_string(raw)

    def octets(self, member: Member, value: Any) -> None:
        if not isinstance(value, bytes | bytearray | memoryview):
            self.wrong_type("bytes", value)
        try:
            raw = bytes(value)
        except ValueError:
            self.fail("a memoryview that was released")
        self.check_limit(member, len(raw), "bytes")
        if member.shape == "variable":
            self.packer.pack_uint(len(raw))
        if member.type == "opaque":
            self.packer.pack_fopaque(len(raw), raw)
        else:
            sign = 128 if member.type == "char" else 256
            for octet in raw:
                self.packer.pack_uint(octet if octet < sign else octet + 0xFFFFFF00)

    def items(self, member: Member, value: Any) -> None:
        if not isinstance(value, list | tuple):
            self.wrong_type("a list", value)
        self.check_limit(member, len(value), "elements")
        if member.shape == "variable":
            self.packer.pack_uint(len(value))
        for index, item in enumerate(value):
            self.path.append(f"[{index}]")
            self.declaration(_element(member), item)
            self.path.pop()

    def check_limit(self, member: Member, count: int, what: str) -> None:
        if member.shape == "fixed" and count != member.limit:
            self.fail(f"{count} {what}, {member.limit} are wanted")
        if count > (2**32 - 1 if member.limit is None else member.limit):
            self.fail(f"{count} {what}, {member.limit} are allowed")

    def struct(self, struct: Struct, value: Any) -> None:
        if not isinstance(value, Mapping):
            self.wrong_type(struct.name, value)
        for name in value:
            if not any(name == member.name for member in struct.members):
                self.fail(f"{struct.name} has no field {name!r:.80}")
        hidden = self.hidden
        for member in struct.members:
            self.path.append(f".{member.name}")
            if member.name not in value:
                self.fail("required, but missing")
            secret = self.contract.is_secret(struct, member.name, value.get("field"))
            self.hidden = hidden or secret
            self.declaration(member, value[member.name])
            self.path.pop()
        self.hidden = hidden

    def union(self, union: Union, value: Any) -> None:
        if not isinstance(value, Mapping) or set(value) != {"type", "value"}:
            self.wrong_type(f"{union.name} (type and value)", value)
        case = value["type"]
        arm = union.arms.get(case) if isinstance(case, int) else None
        if arm is None:
            # Not shown: who confuses type and value has put the value here.
            number = isinstance(case, int) and not self.hidden
            shown = _short_number(case) if number else f"of type {type(case).__name__}"
            self.fail(f"{union.name} has no arm {shown}")
        self.packer.pack_int(case)
        self.path.append(f".{arm.name}")
        self.declaration(arm, value["value"])
        self.path.pop()


def _short_number(value: int) -> str:
    """Return the digits of a number, unless they would fill pages (or be refused by ``str``)."""
    return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"


def _utf8(value: str) -> bytes | None:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


class Decoder:
    """One walk over a payload.

    A subclass may look on (``leaf``, ``remark``) and may let a ``flaw`` pass that does not hide
    where the next field begins; ``stop`` is for those that do. With ``keep`` false no value is
    built.
    """

    def __init__(self, contract: Contract, data: bytes, *, keep: bool = True) -> None:
        self.contract = contract
        self.data = data
        self.keep = keep
        self.path: list[str] = []
        self.hidden = False
        self.depth = 0
        self._unpacker = xdrlib3.Unpacker(data)

    @property
    def position(self) -> int:
        """The offset of the next byte to read."""
        position: int = self._unpacker.get_position()
        return position

    @property
    def left(self) -> int:
        """The number of bytes not yet read."""
        return len(self.data) - self.position

    def leaf(self, start: int, type_name: str, value: Any) -> None:
        """See a value that was read from ``start`` to ``position``."""

    def remark(self, start: int, reason: str) -> None:
        """See something odd that the rules of decoding let pass."""

    def flaw(self, start: int, reason: str) -> None:
        """Refuse a value whose extent is nevertheless clear."""
        self.stop(start, reason)

    def stop(self, start: int, reason: str) -> NoReturn:
        """Refuse to go on."""
        raise DecodeError(reason, offset=start, path=_joined(self.path) or None)

    def declaration(self, member: Member) -> Any:
        """Read one value and return its plain form."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.stop(self.position, f"nested deeper than {MAX_DEPTH}")
        member = self.contract.resolve(member)
        if member.shape == "optional":
            value = self._optional(member)
        elif member.type in ("string", "opaque"):
            value = self._octets(member)
        elif member.shape == "scalar":
            value = self._scalar(member)
        else:
            value = self._items(member)
        self.depth -= 1
        return value

    def _need(self, size: int, what: str) -> None:
        if size > self.left:
            self.stop(self.position, f"{what} needs {size} bytes, {self.left} are left")

    def _word(self, what: str) -> int:
        self._need(4, what)
        word: int = self._unpacker.unpack_uint()
        return word

    def _optional(self, member: Member) -> Any:
        start = self.position
        present = self._word("the optional flag")
        if present > 1:
            self.remark(start, f"the optional flag is {present}, not 0 or 1")
        self.leaf(start, "optional", present)
        return self.declaration(_element(member)) if present else None

    def _octets(self, member: Member) -> Any:
        start = self.position
        size = member.limit or 0
        if member.shape != "fixed":
            size = self._word("the length")
            if member.limit is not None and size > member.limit:
                self.flaw(start, f"{size} bytes, {member.limit} are allowed")
            if size > self.left:
                self.stop(start, f"the length is {size}, {self.left} bytes are left")
        padded = size + 3 & ~3
        self._need(padded, "with its padding it")
        end = self.position + size
        raw: bytes = self._unpacker.unpack_fopaque(size)
        padding = self.data[end : self.position]
        value = raw.decode("utf-8", "surrogateescape") if member.type == "string" else raw
        self.leaf(start, member.spelling, value)
        if any(padding):
            self.remark(end, f"the padding is {padding.hex()}, not zero")
        return value

    def _scalar(self, member: Member) -> Any:
        start = self.position
        if member.type == "double":
            self._need(8, "a double")
            number: float = self._unpacker.unpack_double()
            self.leaf(start, "double", number)
            return number
        if member.type in BASIC_TYPES:
            value = self._integer(member.type)
            self.leaf(start, member.type, value)
            return value
        target = self.contract.type(member.type)
        if isinstance(target, Struct):
            return self._struct(target)
        if isinstance(target, Union):
            return self._union(target)
        value = self._integer("int")
        self.leaf(start, f"enum {member.type}", value)
        if isinstance(target, Enum) and value not in target.members.values():
            self.remark(start, f"{value} is not in enum {target.name}")
        return value

    def _integer(self, type_name: str) -> int:
        value: int
        start = self.position
        low, high = INTEGER_RANGES[type_name]
        self._need(BASIC_TYPES[type_name], type_name)
        if type_name.endswith("hyper"):
            value = self._unpacker.unpack_hyper() if low else self._unpacker.unpack_uhyper()
            return value
        value = self._unpacker.unpack_int() if low else self._unpacker.unpack_uint()
        if low <= value <= high:
            return value
        # What is narrower than a word is cut out of it, as a C assignment does.
        self.remark(start, f"the word has bits beyond {type_name}")
        return (value - low) % (high - low + 1) + low

    def _items(self, member: Member) -> Any:
        element = _element(member)
        unit = max(1, self.contract.minimum_size(element))
        count = member.limit or 0
        if member.shape == "variable":
            start = self.position
            count = self._word("the count")
            self.leaf(start, "count", count)
            if member.limit is not None and count > member.limit:
                self.flaw(start, f"{count} elements, {member.limit} are allowed")
            if count * unit > self.left:
                self.flaw(start, f"{count} elements cannot be in {self.left} bytes")
        if element.type in _BYTE_TYPES:
            return self._narrow_bytes(member, count)
        values = []
        # One more than fits is enough to come to where the bytes run out.
        for index in range(min(count, self.left // unit + 1)):
            self.path.append(f"[{index}]")
            value = self.declaration(element)
            self.path.pop()
            if self.keep:
                values.append(value)
        return values

    def _narrow_bytes(self, member: Member, count: int) -> bytes:
        start = self.position
        self._need(count * 4, f"{member.type} times {count}")
        value = bytes(self._unpacker.unpack_uint() & 0xFF for _ in range(count))
        self.leaf(start, member.spelling, value)
        return value

    def _struct(self, struct: Struct) -> dict[str, Any]:
        values = {}
        hidden = self.hidden
        field = None
        for member in struct.members:
            self.path.append(f".{member.name}")
            self.hidden = hidden or self.contract.is_secret(struct, member.name, field)
            value = self.declaration(member)
            if member.name == "field":
                field = value
            self.path.pop()
            if self.keep:
                values[member.name] = value
        self.hidden = hidden
        return values

    def _union(self, union: Union) -> dict[str, Any]:
        start = self.position
        self._need(4, "the type")
        case: int = self._unpacker.unpack_int()
        self.leaf(start, "int", case)
        arm = union.arms.get(case)
        if arm is None:
            self.stop(start, f"{union.name} has no arm {case}")
        self.path.append(f".{arm.name}")
        value = self.declaration(arm)
        self.path.pop()
        return {"type": case, "value": value}
