"""Whether Wireshark's dissection of a message says what the reference codec says.

Responsible for walking both trees side by side, along the contract. It knows how the dissector of
libvirt-wireshark names and shows each kind of field, and nothing of conversations.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from tests.lab.capture import Field
from virtproto.xdr.contract import Contract, Enum, Member, Struct, Union

__all__ = ["Comparison"]


class Comparison:
    """Compares dissected fields with decoded values; counts the leaves it compared."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.leaves = 0

    def differences(self, seen: Field, type_name: str, plain: Any) -> list[str]:
        """Return what differs, as lines; ``plain`` is the reference codec's form of the message."""
        if seen.name != f"libvirt.{type_name}":
            return [f"Wireshark calls {type_name} {seen.name}"]
        return list(self._differ(seen, Member("", type_name, "scalar", None), plain, type_name))

    def _differ(self, seen: Field, member: Member, value: Any, path: str) -> Iterator[str]:
        member = self._contract.resolve(member)
        if member.shape == "optional":
            if value is not None:
                yield from self._differ(seen, _one(member), value, path)
            elif (seen.show, seen.label.endswith("(null)")) != ("", True):
                yield f"{path}: Wireshark shows {seen.label!r} where there is nothing"
        elif member.type not in ("opaque", "string") and member.shape in ("fixed", "variable"):
            yield from self._differ_items(seen, member, value, path)
        elif member.type in self._contract.types:
            yield from self._differ_type(seen, self._contract.type(member.type), value, path)
        elif member.type == "opaque" and member.shape == "variable":
            self.leaves += 1
            # Its size comes before it.
            shown = seen.value[4 : 4 + int.from_bytes(seen.value[:4], "big")]
            if shown != value:
                yield f"{path}: Wireshark sees {shown!r}, we {value!r}"
        else:
            yield from self._differ_leaf(seen, member.type, value, path)

    def _differ_items(self, seen: Field, member: Member, value: Any, path: str) -> Iterator[str]:
        if len(seen.fields) != len(value):
            yield f"{path}: Wireshark sees {len(seen.fields)} items, we {len(value)}"
            return
        for number, (field, item) in enumerate(zip(seen.fields, value, strict=True)):
            yield from self._differ(field, _one(member), item, f"{path}[{number}]")

    def _differ_type(self, seen: Field, kind: Any, value: Any, path: str) -> Iterator[str]:
        if isinstance(kind, Enum):
            yield from self._differ_leaf(seen, "int", value, path)
        elif isinstance(kind, Union):
            # The dissector shows the arm alone, under the arm's name.
            arm = kind.arms[value["type"]]
            yield from self._named(seen, arm.name, path)
            yield from self._differ(seen, arm, value["value"], path)
        elif isinstance(kind, Struct):
            names = [member.name for member in kind.members]
            if len(seen.fields) != len(names):
                yield f"{path}: Wireshark sees {[f.name for f in seen.fields]}, we {names}"
                return
            for field, member in zip(seen.fields, kind.members, strict=True):
                below = f"{path}.{member.name}"
                if not isinstance(self._kind(member), Union):
                    yield from self._named(field, member.name, below)
                yield from self._differ(field, member, value[member.name], below)

    def _kind(self, member: Member) -> Any:
        known = member.type in self._contract.types
        return self._contract.type(member.type) if known else None

    @staticmethod
    def _named(seen: Field, name: str, path: str) -> Iterator[str]:
        if seen.name.rpartition(".")[2] != name:
            yield f"{path}: Wireshark calls it {seen.name}"

    def _differ_leaf(self, seen: Field, type_name: str, value: Any, path: str) -> Iterator[str]:
        self.leaves += 1
        shown: Any
        if type_name == "string":
            shown = _string(seen)
        elif type_name == "opaque":
            shown = seen.value
        elif type_name == "double":
            (shown,) = struct.unpack(">d", seen.value)
        else:
            shown = int(seen.show, 0)
        if shown != value:
            yield f"{path}: Wireshark sees {shown!r}, we {value!r}"


def _one(member: Member) -> Member:
    """Return the declaration of what an array or optional holds."""
    return Member(member.name, member.type, "scalar", None)


def _string(seen: Field) -> str:
    """Return a string field's content: as it is shown, but for what XML does to line ends."""
    length = int.from_bytes(seen.value[:4], "big")
    text = seen.value[4 : 4 + length].decode("utf-8", "surrogateescape")
    return text if seen.show == re.sub(r"[\n\t\r]", " ", text) else seen.show
