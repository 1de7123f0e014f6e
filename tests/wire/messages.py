"""Finds every generated class, and builds messages from plain trees.

A plain tree is what ``Message.to_plain`` returns and the reference codec takes: dicts by the names
of the contract, lists and scalars.
"""

from __future__ import annotations

import keyword
import pkgutil
from importlib import import_module
from typing import Any

from virtproto import wire
from virtproto.xdr.contract import Contract, Member, Struct, Union
from virtproto.xdr.message import Message
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import TypedParams

CONTRACT: Contract = wire.load_contract()
REFERENCE = ReferenceCodec(CONTRACT)
TYPED_PARAMS = ("remote_typed_param", "admin_typed_param")


def modules() -> list[str]:
    """Return the names of all modules below virtproto.wire."""
    found = pkgutil.walk_packages(wire.__path__, f"{wire.__name__}.")
    return [module.name for module in found]


def _classes() -> dict[str, type[Message]]:
    classes: dict[str, type[Message]] = {}
    for name in modules():
        module = import_module(name)
        own = [v for v in vars(module).values() if getattr(v, "__module__", None) == name]
        for value in own:
            if isinstance(value, type) and issubclass(value, Message):
                assert value.XDR_NAME not in classes
                classes[value.XDR_NAME] = value
    return classes


CLASSES = _classes()
NAMES = sorted(CLASSES)


def attribute(field: str) -> str:
    """Return the attribute of a field."""
    return f"{field}_" if keyword.iskeyword(field) else field


def build(name: str, plain: dict[str, Any]) -> Message:
    """Return the message of a plain tree, made by the constructors of the classes."""
    kind = CONTRACT.type(name)
    if isinstance(kind, Union):
        arm = kind.arms[plain["type"]]
        return CLASSES[name](plain["type"], _value(arm, plain["value"]))  # type: ignore[call-arg]
    assert isinstance(kind, Struct)
    values = {attribute(m.name): _value(m, plain[m.name]) for m in kind.members}
    return CLASSES[name](**values)


def _value(member: Member, plain: Any) -> Any:
    member = CONTRACT.resolve(member)
    if plain is None or not isinstance(plain, dict | list):
        return plain
    if member.shape == "variable" and member.type in TYPED_PARAMS:
        return TypedParams.from_items(
            (item["field"], item["value"]["type"], item["value"]["value"]) for item in plain
        )
    if member.shape == "variable":
        element = Member("", member.type, "scalar", None)
        return [_value(element, item) for item in plain]
    if member.shape == "optional":
        return _value(Member("", member.type, "scalar", None), plain)
    assert isinstance(plain, dict)
    return build(member.type, plain)
