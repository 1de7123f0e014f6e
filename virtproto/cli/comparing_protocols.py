"""``virtproto diff-protocol``: which procedures one release or daemon has and another lacks.

Responsible for the two sides: what they were called, what each has, and how that is shown. What a
daemon has is asked of it so that nothing is run; ``virtproto.model.protocol_levels`` says how.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager

from virtproto.cli.colouring import print_table
from virtproto.cli.opening import open_connection
from virtproto.cli.table import visible
from virtproto.errors import (
    VIR_ERR_RPC,
    LibvirtError,
    ProtocolError,
    UnknownProcedureError,
    UsageError,
)
from virtproto.model.protocol_levels import (
    PROGRAMS,
    had_by,
    inferred,
    newest,
    probed,
    release_number,
    release_text,
)
from virtproto.model.uri import shown
from virtproto.wire import load_contract
from virtproto.wire.since import SINCE
from virtproto.xdr.procedure import Procedure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from virtproto.model.protocol_levels import Known
    from virtproto.sync import Connection
    from virtproto.sync.admin import AdminConnection
    from virtproto.xdr.contract import Contract

__all__ = ["Side", "compare", "look_at"]

# Number 0 is no procedure in any release.
_NONE = 0
_ADMIN = re.compile(r"(libvirtd|virt\w+d):")
# What a connection to a hypervisor speaks, and one to a daemon's administration.
_SPOKEN = {False: ("remote", "qemu", "lxc"), True: ("admin",)}
_CELLS = {True: "yes", False: "no", None: "?"}


class Side:
    """One of the two: what it is called and what it has, by program.

    ``release`` is libvirt's number, ``kind`` "release" or "daemon".
    """

    def __init__(self, name: str, kind: str, release: int, programs: dict[str, Known]) -> None:
        self.name = name
        self.kind = kind
        self.release = release
        self.programs = programs

    @property
    def title(self) -> str:
        """The name as it is told, a daemon's with its release."""
        told = release_text(self.release)
        return f"libvirt {told}" if self.kind == "release" else f"{self.name} (libvirt {told})"

    @property
    def remark(self) -> str | None:
        """What limits what is said of this side."""
        if self.kind == "daemon" and self.release > newest():
            return (
                f"it is newer than {release_text(newest())}, up to which virtproto knows the "
                "protocol: what came later is not seen"
            )
        return None

    def as_json(self) -> dict[str, Any]:
        """Return the side as JSON shows it."""
        counted = {
            program: sum(value is True for value in known.values())
            for program, known in self.programs.items()
        }
        return {
            "given": self.name,
            "kind": self.kind,
            "release": release_text(self.release),
            "procedures": counted,
            "remark": self.remark,
        }


def look_at(text: str) -> Side:
    """Return what the release or the daemon that ``text`` means has.

    Raises UsageError for a release that is not known, what opening raises for a URI, and
    ProtocolError for a daemon whose answers make no sense.
    """
    release = release_number(text)
    if release is not None:
        return Side(release_text(release), "release", release, had_by(release))
    if text.replace(".", "").isdecimal():
        raise UsageError(f"{visible(text)}: expected a release such as 9.0.0, or a URI")
    contract = load_contract()
    administers = _ADMIN.match(text) is not None
    with _opened(text, administers) as connection:
        release = connection.get_library_version()
        programs = {
            program: _programs_procedures(connection, contract, program, release)
            for program in _SPOKEN[administers]
        }
    return Side(shown(text), "daemon", release, programs)


@contextmanager
def _opened(text: str, administers: bool) -> Iterator[Connection | AdminConnection]:
    if administers:
        # For who compares that program.
        from virtproto.sync.admin import open as open_admin

        with open_admin(text) as admin:
            yield admin
    else:
        with open_connection(text) as connection:
            yield connection


def _programs_procedures(
    connection: Connection | AdminConnection, contract: Contract, program: str, release: int
) -> Known:
    number, version, _rows = contract.programs[program]
    unknown = _refusal(connection, Procedure(number, version, _NONE, "NONE"))
    answers = {
        each: _refusal(connection, Procedure(number, version, each, "PROBED")) != unknown
        for each in probed(contract, program)
    }
    return inferred(contract, program, answers, release)


def _refusal(connection: Connection | AdminConnection, procedure: Procedure[Any, Any]) -> str:
    """Return how the daemon refuses a call without arguments, in its words but without numbers.

    It may speak any language: what it says of a procedure that there is in no release tells what it
    says of unknown ones. Of a program that it lacks it says the same whatever is called.
    """
    try:
        connection._exchange(procedure, b"")
    except UnknownProcedureError:
        return "unknown"
    except LibvirtError as error:
        if error.code == VIR_ERR_RPC:
            return re.sub(r"\d+", "#", str(error))
        raise
    raise ProtocolError(f"the daemon answered procedure {procedure.number} without its arguments")


def compare(given: str, other: str, *, as_json: bool) -> bool:
    """Print which procedures only one of the two has; return whether they have the same.

    What cannot be told of one of them is told apart, and counts as no difference. A program that
    only one was looked at for is left out. Raises as ``look_at``.
    """
    first, second = look_at(given), look_at(other)
    shared = [each for each in PROGRAMS if each in first.programs and each in second.programs]
    if not shared:
        raise UsageError(
            "there is nothing to compare: one side is a connection to a hypervisor, the other one "
            "to a daemon's administration"
        )
    different, open_ = _rows(first, second, shared)
    if as_json:
        print(json.dumps(_as_json(first, second, shared, different, open_), indent=2))
    else:
        _print(first, second, shared, different, open_)
    return not different


def _rows(
    first: Side, second: Side, shared: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    contract = load_contract()
    different, open_ = [], []
    for program in shared:
        a, b = first.programs[program], second.programs[program]
        for number, name, _args, _ret, _msg, _remarks in contract.programs[program][2]:
            row = {
                "program": program,
                "number": number,
                "name": name,
                "since": SINCE[program][number],
                "a": a[number],
                "b": b[number],
            }
            if None in (a[number], b[number]):
                open_.append(row)
            elif a[number] != b[number]:
                different.append(row)
    return different, open_


def _as_json(
    first: Side,
    second: Side,
    shared: list[str],
    different: list[dict[str, Any]],
    open_: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "a": first.as_json(),
        "b": second.as_json(),
        "compared": shared,
        "same": not different,
        "differences": different,
        "unknown": open_,
    }


def _print(
    first: Side,
    second: Side,
    shared: list[str],
    different: list[dict[str, Any]],
    open_: list[dict[str, Any]],
) -> None:
    for letter, side in (("A", first), ("B", second)):
        remark = f"; {side.remark}" if side.remark else ""
        print(f"{letter}: {visible(side.title)}{remark}")
    if different or open_:
        print()
        head = ["Program", "Number", "Name", "Since", "A", "B"]
        rows = sorted(
            [*different, *open_], key=lambda row: (PROGRAMS.index(row["program"]), row["number"])
        )
        cells = [
            [
                row["program"],
                str(row["number"]),
                row["name"],
                row["since"],
                _CELLS[row["a"]],
                _CELLS[row["b"]],
            ]
            for row in rows
        ]
        print_table(head, cells)
    print()
    for program in shared:
        print(_counted(program, first.programs[program], second.programs[program]))
    for program in PROGRAMS:
        if program not in shared and (program in first.programs or program in second.programs):
            print(f"{program}: not compared, for it is spoken on another socket")


def _counted(program: str, a: Known, b: Known) -> str:
    pairs = [(a[number], b[number]) for number in a]
    if not any(value for pair in pairs for value in pair):
        return f"{program}: neither has it"
    parts = [f"{pairs.count((True, True))} in both"]
    for name, pair in (("only in A", (True, False)), ("only in B", (False, True))):
        if pairs.count(pair):
            parts.append(f"{pairs.count(pair)} {name}")
    untold = sum(None in pair for pair in pairs)
    if untold:
        parts.append(f"{untold} of which it cannot be told")
    return f"{program}: {', '.join(parts)}"
