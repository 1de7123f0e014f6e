"""A small contract with every construct, and messages written by hand for two of its structs."""

from __future__ import annotations

from struct import Struct
from typing import Any

from virtproto.errors import EncodeError
from virtproto.xdr.contract import Contract
from virtproto.xdr.message import Message
from virtproto.xdr.typedparams import TypedParams, unpack_typed_params

CONSTANTS = {"NAME_MAX": 20, "KIND_INT": 1, "KIND_STRING": 7, "SAMPLE_PARAMS_MAX": 3000}

_SCALARS = (
    "char",
    "unsigned char",
    "short",
    "unsigned short",
    "int",
    "unsigned int",
    "hyper",
    "unsigned hyper",
    "double",
)

TYPES: dict[str, tuple[Any, ...]] = {
    "name": ("typedef", "string", "variable", 20),
    "maybe_name": ("typedef", "name", "optional", None),
    "uuid": ("typedef", "opaque", "fixed", 16),
    "color": ("enum", {"RED": 0, "GREEN": 1}),
    "scalars": (
        "struct",
        tuple((kind.replace(" ", "_"), kind, "scalar", None) for kind in _SCALARS),
    ),
    "machine": (
        "struct",
        (
            ("name", "name", "scalar", None),
            ("uuid", "uuid", "scalar", None),
            ("id", "int", "scalar", None),
        ),
    ),
    "machine_ptr": ("typedef", "machine", "optional", None),
    "login": (
        "struct",
        (
            ("user", "name", "scalar", None),
            ("password", "name", "scalar", None),
            ("pin", "unsigned int", "scalar", None),
            ("key", "char", "variable", 64),
        ),
    ),
    "everything": (
        "struct",
        (
            ("from", "maybe_name", "scalar", None),
            ("color", "color", "scalar", None),
            ("blob", "opaque", "variable", 10),
            ("label", "char", "variable", 8),
            ("model", "char", "fixed", 4),
            ("octets", "unsigned char", "fixed", 2),
            ("numbers", "hyper", "variable", 5),
            ("pair", "int", "fixed", 2),
            ("machines", "machine", "variable", 3),
            ("one", "machine_ptr", "scalar", None),
            ("names", "name", "variable", 4),
        ),
    ),
    "value": (
        "union",
        ("type", "int"),
        (
            ("KIND_INT", "i", "int", "scalar", None),
            (2, "ui", "unsigned int", "scalar", None),
            (3, "l", "hyper", "scalar", None),
            (4, "ul", "unsigned hyper", "scalar", None),
            (5, "d", "double", "scalar", None),
            (6, "b", "int", "scalar", None),
            ("KIND_STRING", "s", "long_name", "scalar", None),
        ),
    ),
    "long_name": ("typedef", "string", "variable", 4194304),
    "param": (
        "struct",
        (("field", "long_name", "scalar", None), ("value", "value", "scalar", None)),
    ),
    "param_list": ("struct", (("params", "param", "variable", 3000),)),
    "stats": (
        "struct",
        (("machine", "machine", "scalar", None), ("params", "param", "variable", 3000)),
    ),
    "link": ("struct", (("next", "link", "optional", None),)),
    "big": ("struct", (("machines", "machine", "variable", 16384),)),
}

PROGRAMS: dict[str, tuple[Any, ...]] = {
    "sample": (
        0x123,
        1,
        (
            (1, "GET_MACHINE", "login", "machine", None, {"priority": ("high",)}),
            (2, "MACHINE_EVENT", None, None, "stats", {}),
        ),
    ),
}

SECRETS = {"login": ("password", "pin", "key")}
SECRET_PARAMETERS = ("pass",)


class Tables:
    """The tables as the generated module holds them."""

    CONSTANTS = CONSTANTS
    TYPES = TYPES
    PROGRAMS = PROGRAMS
    SECRETS = SECRETS
    SECRET_PARAMETERS = SECRET_PARAMETERS


CONTRACT = Contract.from_tables(Tables)

_I = Struct(">I")
_16si = Struct(">16si")


def _pack_name(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) > 20 or b"\0" in raw:
        raise EncodeError("not a name")
    return _I.pack(len(raw)) + raw + bytes(-len(raw) % 4)


def _unpack_name(data: bytes, pos: int) -> tuple[str, int]:
    (size,) = _I.unpack_from(data, pos)
    if size > 20:
        raise ValueError("too long")
    pos += 4
    return data[pos : pos + size].decode("utf-8", "surrogateescape"), pos + (size + 3 & -4)


class Machine(Message):
    """machine."""

    __slots__ = ("name", "uuid", "id")  # noqa: RUF023
    XDR_NAME = "machine"

    def __init__(self, name: str, uuid: bytes, id: int) -> None:
        self.name = name
        self.uuid = uuid
        self.id = id

    def _pack(self) -> bytes:
        if len(self.uuid) != 16:
            raise EncodeError("not a UUID")
        return _pack_name(self.name) + _16si.pack(self.uuid, self.id)

    @classmethod
    def _unpack(cls, data: bytes, pos: int) -> tuple[Machine, int]:
        self = cls.__new__(cls)
        self.name, pos = _unpack_name(data, pos)
        self.uuid, self.id = _16si.unpack_from(data, pos)
        return self, pos + 20


class Login(Message):
    """login; all but the user is secret."""

    __slots__ = ("user", "password", "pin", "key")  # noqa: RUF023
    XDR_NAME = "login"
    SECRET_FIELDS = ("password", "pin", "key")

    def __init__(self, user: str, password: str, pin: int, key: bytes) -> None:
        self.user = user
        self.password = password
        self.pin = pin
        self.key = key

    def _pack(self) -> bytes:
        head = _pack_name(self.user) + _pack_name(self.password) + _I.pack(self.pin)
        if len(self.key) > 64:
            raise EncodeError("the key is too long")
        words = [byte if byte < 128 else byte + 0xFFFFFF00 for byte in self.key]
        return head + b"".join(_I.pack(word) for word in [len(words), *words])

    @classmethod
    def _unpack(cls, data: bytes, pos: int) -> tuple[Login, int]:
        self = cls.__new__(cls)
        self.user, pos = _unpack_name(data, pos)
        self.password, pos = _unpack_name(data, pos)
        (self.pin, count) = Struct(">II").unpack_from(data, pos)
        words = Struct(f">{count}I").unpack_from(data, pos + 8)
        self.key = bytes(word & 0xFF for word in words)
        return self, pos + 8 + 4 * count


class Stats(Message):
    """stats."""

    __slots__ = ("machine", "params")
    XDR_NAME = "stats"

    def __init__(self, machine: Machine, params: TypedParams) -> None:
        self.machine = machine
        self.params = params

    def _pack(self) -> bytes:
        return Machine._pack(self.machine) + TypedParams._pack(self.params, 3000)

    @classmethod
    def _unpack(cls, data: bytes, pos: int) -> tuple[Stats, int]:
        self = cls.__new__(cls)
        self.machine, pos = Machine._unpack(data, pos)
        self.params, pos = unpack_typed_params(data, pos, 3000)
        return self, pos
