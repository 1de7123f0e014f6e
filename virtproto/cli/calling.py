"""``virtproto call``: any procedure, by name, from the command line.

Responsible for which procedure is meant, for the order of things (all that can be refused is
refused before anything is sent; objects are looked up before the call is made), and for the result.
"""

from __future__ import annotations

import json
import sys

from virtproto.cli.opening import open_connection
from virtproto.cli.procedures import split_enumerator
from virtproto.errors import UsageError
from virtproto.model.call_arguments import CallArguments
from virtproto.model.calls import check_plain_call
from virtproto.model.plain import to_json
from virtproto.wire import PROGRAMS, find_procedure, load_contract
from virtproto.xdr.reference import ReferenceCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.procedure import Procedure

__all__ = ["find_callable", "print_call"]

# Programs that a connection to a daemon's main socket has.
_CALLABLE = ("remote", "qemu", "lxc")


def print_call(uri: str | None, proc: str, words: tuple[str, ...]) -> None:
    """Make one call and print its result as a JSON object, nothing where it has none.

    Raises UsageError and EncodeError before anything is sent, VirtprotoError.
    """
    program, procedure = find_callable(proc)
    check_plain_call(procedure)
    contract = load_contract()
    codec = ReferenceCodec(contract)
    declared = contract.procedure(program, procedure.number)
    arguments = None
    packed = b""
    if declared.args is not None:
        arguments = CallArguments(contract, program, procedure.number, declared.args)
        _read(arguments, words)
        packed = codec.encode(declared.args, arguments.whole())
    elif words:
        raise UsageError(f"{procedure.name} takes no arguments")
    with open_connection(uri) as connection:
        if arguments is not None and arguments.references:
            # For who names an object.
            from virtproto.cli.references import look_up

            for reference in arguments.references:
                look_up(connection, reference)
            packed = codec.encode(declared.args or "", arguments.whole())
        payload = connection.call_packed(procedure, packed)
    if declared.ret is not None:
        plain = to_json(contract, declared.ret, codec.decode(declared.ret, payload))
        print(json.dumps(plain, indent=2))


def find_callable(text: str) -> tuple[str, Procedure[Any, Any]]:
    """Return the procedure of a name or number in any of its spellings, and its program.

    Raises UsageError, with near names, if a connection to a hypervisor has none.
    """
    if text.lstrip().startswith("{"):
        raise UsageError("PROC comes first, and the JSON object of its arguments behind it")
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


def _read(arguments: CallArguments, words: tuple[str, ...]) -> None:
    """Take JSON objects (one of them may be the input) and single fields, in any order."""
    for place, word in enumerate(words, 1):
        if word == "-":
            arguments.add_json(_input())
        elif word.lstrip().startswith("{"):
            arguments.add_json(word)
        else:
            arguments.add_word(word, place)


def _input() -> str:
    if sys.stdin is None:
        return ""
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise UsageError("the input is not JSON: it is not UTF-8") from None
