"""Reads urgent.toml: which procedures go before long calls.

::

    remote = ["DOMAIN_ABORT_JOB"]

Knows the file and holds it against the contract; what waits for what is the protocol core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdrgen.convention import short_name
from xdrgen.model import Contract
from xdrgen.reading import read_toml
from xdrgen.since import program_of

__all__ = ["read_urgent"]


def read_urgent(path: Path, contract: Contract) -> Mapping[str, frozenset[str]]:
    """Return the urgent procedures' names by program.

    Raise ContractError unless each is a call of the contract's that it does not mark already.
    """
    file = read_toml(path)
    programs = {
        program_of(source): {short_name(p.name): p for p in source.procedures}
        for source in contract.files.values()
    }
    urgent: dict[str, frozenset[str]] = {}
    for program, names in file.data.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise file.error(f"expected a list of procedures, found {names!r}", "", program)
        for name in names:
            procedure = programs.get(program, {}).get(name)
            if procedure is None or procedure.msg is not None:
                raise file.error(f"expected a call of {program}, found '{name}'", "", program)
            if "high" in procedure.annotations.get("priority", ()):
                expected = f"expected a call that is not of high priority anyway, found '{name}'"
                raise file.error(expected, "", program)
        urgent[program] = frozenset(names)
    return urgent
