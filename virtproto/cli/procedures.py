"""``virtproto procs``: what can be called, from the contract.

Responsible for the search, and for the two spellings that a procedure's name has. What is shown of
a single procedure is `procedure_page`'s.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

from virtproto.cli.colouring import print_table
from virtproto.cli.finding import did_you_mean
from virtproto.errors import UsageError
from virtproto.wire import load_contract
from virtproto.wire.since import SINCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from virtproto.xdr.contract import Contract

__all__ = ["print_procedures", "split_enumerator"]

# On a terminal: what calls stands out, and what is always the same steps back.
_LOOKS = {"Program": {"": "dim"}, "Number": {"": "dim"}, "Name": {"": "bold"}}
_LOOKS["Priority"] = {"low": "dim", "high": "cyan", "event": "magenta"}
# What `procs NAME` tells as well.
_SPARE = ("Result", "Arguments", "Stream")

# Keepalive is not among them: its two messages are nobody's to call.
_PROGRAMS = ("remote", "qemu", "lxc", "admin")


def split_enumerator(text: str) -> tuple[str | None, str]:
    """Return program and name of REMOTE_PROC_DOMAIN_GET_INFO and the like, in upper or lower case.

    So the .x files spell a procedure, and hence libvirt's documentation and Wireshark. The program
    is None for other text, which is returned as it is.
    """
    program, mark, name = text.upper().partition("_PROC_")
    if mark and name and program.lower() in _PROGRAMS:
        return program.lower(), name
    return None, text


def print_procedures(pattern: str, program: str | None, *, as_json: bool) -> None:
    """Print the procedures whose names match ``pattern``, in the order of their numbers.

    A whole name, or a number, is that procedure alone, with all that is known of it; in more than
    one program, all of them. Other patterns without * and ? match any part of a name, or the
    beginning of an enumerator's. Raises UsageError for a program that there is not, and for a
    pattern that matches nothing, with near names.
    """
    contract = load_contract()
    if program is not None and program.lower() not in _PROGRAMS:
        raise UsageError(f"there is no program {program!r}; there are {', '.join(_PROGRAMS)}")
    before, colon, rest = pattern.partition(":")
    prefix, name = split_enumerator(rest if colon else pattern)
    given = (program, before if colon else None, prefix)
    programs = [each.lower() for each in given if each is not None]
    there_are = [
        row for row in _procedures(contract) if all(each == row["program"] for each in programs)
    ]
    exact = [row for row in there_are if name.upper() == row["name"] or name == str(row["number"])]
    if exact:
        _print_pages(contract, exact, there_are, as_json=as_json)
        return
    wanted = name.upper()
    if not any(mark in wanted for mark in "*?["):
        wanted = f"*{wanted}*" if prefix is None else f"{wanted}*"
    rows = [row for row in there_are if fnmatchcase(row["name"], wanted)]
    if not rows:
        meant = did_you_mean(name, [row["name"] for row in there_are])
        raise UsageError(f"no procedure matches {pattern!r}{meant}")
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    head = ["Program", "Number", "Name", "Arguments", "Result", "Priority", "Stream", "Since"]
    print_table(head, [[_cell(value) for value in row.values()] for row in rows], _LOOKS, _SPARE)


def _print_pages(
    contract: Contract, rows: list[dict[str, Any]], others: list[dict[str, Any]], *, as_json: bool
) -> None:
    # For who asks for one procedure.
    from virtproto.cli.procedure_page import describe, page

    described = [describe(contract, row) for row in rows]
    if as_json:
        print(json.dumps(described, indent=2))
        return
    for index, each in enumerate(described):
        if index:
            print()
        for line in page(each):
            print(line)
    name = rows[0]["name"]
    alike = dict.fromkeys(row["name"] for row in others if name in row["name"] != name)
    if alike:
        print(f"\nAlso: {', '.join(alike)}")


def _procedures(contract: Contract) -> Iterator[dict[str, Any]]:
    for program in _PROGRAMS:
        _number, _version, rows = contract.programs[program]
        since = SINCE.get(program, {})
        for number, name, args, ret, msg, remarks in rows:
            yield {
                "program": program,
                "number": number,
                "name": name,
                "args": args,
                # What the daemon sends: an event has a message where a call has a result.
                "ret": msg or ret,
                "priority": "event" if msg else (remarks.get("priority") or ("low",))[0],
                "stream": _stream(remarks),
                "since": since.get(number),
            }


def _stream(remarks: dict[str, Any]) -> str | None:
    if "readstream" in remarks:
        return "read"
    return "write" if "writestream" in remarks else None


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
