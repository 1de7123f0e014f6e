"""Kinds of parameters and results: how each looks in a signature and which function converts it.

Responsible for the vocabulary of protocol_defs/api, and for the kind that a member of the contract
has by itself. Must not know: how a method is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdrgen.emit_nodes import (
    Bytes,
    FixedBytes,
    Maybe,
    Node,
    Number,
    Params,
    Ref,
    String,
    Vector,
)

__all__ = [
    "OBJECTS",
    "OWN",
    "PARAMETERS",
    "RECEIVED",
    "RESULTS",
    "ParameterKind",
    "kind_of",
    "limit_of",
    "object_of",
    "single_of",
]

# Class of every kind of object, and the module of a colour that has it.
OBJECTS: dict[str, tuple[str, str]] = {
    "connection": ("Connection", "connection"),
    "domain": ("Domain", "domain"),
    "domain_snapshot": ("DomainSnapshot", "domain_snapshot"),
    "domain_checkpoint": ("DomainCheckpoint", "domain_checkpoint"),
    "network": ("Network", "network"),
    "network_port": ("NetworkPort", "network_port"),
    "storage_pool": ("StoragePool", "storage_pool"),
    "storage_vol": ("StorageVol", "storage_vol"),
    "node_device": ("NodeDevice", "node_device"),
    "interface": ("Interface", "interface"),
    "secret": ("Secret", "secret"),
    "nwfilter": ("NWFilter", "nwfilter"),
    "nwfilter_binding": ("NWFilterBinding", "nwfilter_binding"),
    "stream": ("Stream", "stream"),
    "admin_connection": ("AdminConnection", "admin"),
    "admin_server": ("AdminServer", "admin"),
    "admin_client": ("AdminClient", "admin"),
}


@dataclass(frozen=True)
class ParameterKind:
    """What a parameter's value may be, and the function of ``virtproto.model`` that takes it in.

    ``limited`` says that the function wants the contract's limit, too.
    """

    annotation: str
    function: str
    home: str = "model.arguments"
    limited: bool = False


PARAMETERS: dict[str, ParameterKind] = {
    "text": ParameterKind("str", "to_text"),
    "optional_text": ParameterKind("str | None", "to_optional_text"),
    "path": ParameterKind("str", "to_path", "transport.local"),
    "bool": ParameterKind("bool", "to_bool"),
    "uint": ParameterKind("int", "to_uint"),
    "int": ParameterKind("int", "to_int"),
    "ulong": ParameterKind("int", "to_ulong"),
    "long": ParameterKind("int", "to_long"),
    "flags": ParameterKind("int", "to_flags"),
    "uuid": ParameterKind("bytes | str | UUID", "uuid_to_raw", "model.refs"),
    "texts": ParameterKind("Iterable[str]", "to_texts", limited=True),
    "uints": ParameterKind("Iterable[int]", "to_uints", limited=True),
    "bytes": ParameterKind("bytes | bytearray | memoryview", "to_bytes", limited=True),
    "cpumap": ParameterKind("Iterable[int]", "pack_cpumap", "model.bitmaps", limited=True),
    "page_counts": ParameterKind("Mapping[int, int]", "to_page_counts", "model.memory_pages", True),
    "params": ParameterKind(
        "Mapping[str, ParamInput]", "to_params", "model.typedvalues", limited=True
    ),
    "fd": ParameterKind("FileDescriptor", "to_fd", "transport.local"),
    "socket": ParameterKind("FileDescriptor", "to_socket", "transport.local"),
    "fds": ParameterKind("Iterable[FileDescriptor]", "to_fds", "transport.local"),
    # For recipes that know best what to make of it.
    "mapping": ParameterKind("Mapping[str, ParamInput]", "to_mapping"),
    "optional_mapping": ParameterKind("Mapping[str, ParamInput] | None", "to_optional_mapping"),
}

# What a result's member becomes: annotation, expression ({} is the member), module of the model
# that has the function.
RESULTS: dict[str, tuple[str, str, str]] = {
    "bool": ("bool", "bool({})", ""),
    "int": ("int", "{}", ""),
    "text": ("str", "{}", ""),
    "optional_text": ("str | None", "{}", ""),
    "bytes": ("bytes", "{}", ""),
    "texts": ("list[str]", "{}", ""),
    "ints": ("list[int]", "{}", ""),
    "params": ("dict[str, ParamValue]", "from_params({})", "model.typedvalues"),
    "uuid_text": ("str", "uuid_to_text({})", "model.refs"),
    "cpumap": ("frozenset[int]", "unpack_cpumap({})", "model.bitmaps"),
}

# Descriptors that come with the reply, and their annotation: no member of it.
RECEIVED = {"received_fd": "int", "received_fds": "list[int]"}

# The ``peer`` of a recipe whose other end is the connection's own.
OWN = "own"

_INTEGERS = {"i": "int", "I": "uint", "q": "long", "Q": "ulong", "3xB": "uint", "2xH": "uint"}
_UUID_SIZE = 16


def kind_of(node: Node) -> str:
    """Return the kind that a member of the contract has by itself, "" where it has none."""
    match node:
        case String():
            return "text"
        case Maybe(inner=String()):
            return "optional_text"
        case Number(pack=pack):
            return _INTEGERS.get(pack, "")
        case FixedBytes(count=count):
            return "uuid" if count == _UUID_SIZE else ""
        case Bytes():
            return "bytes"
        case Params():
            return "params"
        case Ref(name=name):
            return object_of(name)
        case Vector(inner=String()):
            return "texts"
        case Vector(inner=Number(pack=pack)):
            kind = _INTEGERS.get(pack, "")
            return f"{kind}s" if kind else ""
        case Vector(inner=Ref(name=name)):
            kind = object_of(name)
            return f"{kind}s" if kind else ""
    return ""


def object_of(struct: str) -> str:
    """Return the kind of object that a struct of the contract names, "" for another struct."""
    for prefix in ("remote_nonnull_", "admin_nonnull_"):
        if struct.startswith(prefix):
            word = struct.removeprefix(prefix)
            kind = f"admin_{word}" if prefix.startswith("admin") else word
            return kind if kind in OBJECTS else ""
    return ""


def single_of(kind: str) -> str:
    """Return the kind of object that a kind is one or several of, "" for another kind."""
    for single in (kind, kind.removesuffix("s")):
        if single in OBJECTS:
            return single
    return ""


def limit_of(node: Node) -> str:
    """Return the constant that limits a member, "" where nothing does."""
    return node.limit.name if isinstance(node, Bytes | Params | Vector) else ""
