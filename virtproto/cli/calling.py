"""``virtproto call``: any procedure, by name, from the command line.

Responsible for what is written on a command line: which procedure is meant, arguments from text.
Arguments are packed by the reference codec, which says which field is at fault.
"""

from __future__ import annotations

import json

from virtproto.cli.opening import open_connection
from virtproto.cli.procedures import split_enumerator
from virtproto.errors import UsageError
from virtproto.model.calls import check_plain_call
from virtproto.model.plain import from_json, from_text, read_json, to_json
from virtproto.wire import PROGRAMS, find_procedure, load_contract
from virtproto.xdr.reference import ReferenceCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.contract import Contract
    from virtproto.xdr.procedure import Procedure

__all__ = ["print_call"]

# Programs that a connection to a daemon's main socket has.
_CALLABLE = ("remote", "qemu", "lxc")


def print_call(uri: str | None, proc: str, words: tuple[str, ...]) -> None:
    """Make one call and print its result as a JSON object, nothing where it has none.

    Raises UsageError and EncodeError before anything is sent, VirtprotoError.
    """
    program, procedure = _find(proc)
    check_plain_call(procedure)
    contract = load_contract()
    codec = ReferenceCodec(contract)
    declared = contract.procedure(program, procedure.number)
    packed = b""
    if declared.args is not None:
        packed = codec.encode(declared.args, _arguments(contract, declared.args, words))
    elif words:
        raise UsageError(f"{procedure.name} takes no arguments")
    with open_connection(uri) as connection:
        payload = connection.call_packed(procedure, packed)
    if declared.ret is not None:
        plain = to_json(contract, declared.ret, codec.decode(declared.ret, payload))
        print(json.dumps(plain, indent=2))


def _find(text: str) -> tuple[str, Procedure[Any, Any]]:
    given, colon, name = text.rpartition(":")
    program = given.lower() if colon else "remote"
    prefix, rest = split_enumerator(name)
    if prefix is not None and (not colon or prefix == program):
        program, name = prefix, rest
    key = int(name) if name.isdecimal() else name
    if program in ("admin", "keepalive"):
        raise UsageError(f"program {program} is not spoken on a connection to a hypervisor")
    if program not in PROGRAMS:
        raise UsageError(f"there is no program {program!r}; there are {', '.join(_CALLABLE)}")
    return program, find_procedure(program, key)


def _arguments(contract: Contract, type_name: str, words: tuple[str, ...]) -> Any:
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            given = read_json(words[0])
        except UsageError as error:
            raise UsageError(f"the arguments: {error}") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the arguments are not JSON: {error}") from None
        return from_json(contract, type_name, given)
    plain: dict[str, Any] = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals or not path:
            raise UsageError(f"{word!r}: expected name=value, or one JSON object")
        from_text(contract, type_name, plain, path, text)
    return plain
