"""Keeps since.toml: the libvirt release that brought each procedure.

::

    level = "12.8.0"                 the release whose contract protocol_defs holds
    [remote]
    DOMAIN_GET_INFO = "0.0.3"        or "<=7.0.0", where only that much is known

Knows the file and what may be concluded from a release number; asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xdrgen.convention import is_procedure_enum, program_name, short_name
from xdrgen.model import Contract, SourceFile
from xdrgen.reading import TomlFile, read_toml

__all__ = ["SinceTable", "program_of", "read_since", "release_of_tree", "write_since"]

_RELEASE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_ENTRY = re.compile(rf"(<=)?{_RELEASE.pattern}")

# Programs without an entry here answer no calls of a user's: the keepalive.
_WITHOUT = frozenset({"keepalive"})

_HEADER = """\
# The libvirt release that brought each procedure, by program, in order of number.
#
# "1.2.3"    the release that brought the C function which the procedure carries, as libvirt's API
#            reference states it. The function's name without "vir" and the procedure's name without
#            underscores are the same but for case (and but for "Qemu" or "Lxc" in it). No daemon
#            before that release has the procedure; the remote program may have got it later.
# "<=7.0.0"  no C function stands for it (events, authentication, the steps of a migration, the
#            admin program): the oldest of the releases 7.0.0, 9.0.0, 11.3.0 and 12.8.0 that has it,
#            so that it came with that one or before.
#
# gen_xdr.py import adds what a newer source tree brings and keeps what is here; a bound may be
# replaced by hand once the release is known.
"""


@dataclass(frozen=True)
class SinceTable:
    """Per program the release of each procedure by its short name, and the level as a whole.

    ``file`` is where it was read, for errors.
    """

    level: str = ""
    programs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    file: TomlFile = field(default_factory=lambda: TomlFile(Path("since.toml"), {}), compare=False)

    def numbers(self, contract: Contract) -> dict[str, dict[int, str]]:
        """Return the releases by procedure number.

        Raise ContractError unless the procedures here are those of the contract, all of them.
        """
        found: dict[str, dict[int, str]] = {}
        for source in contract.files.values():
            program = program_of(source)
            if program is None:
                continue
            table = self.programs.get(program, {})
            shorts = {short_name(p.name): p.number for p in source.procedures}
            for name in shorts:
                if name not in table:
                    expected = f"expected {program} procedure {name} of {source.name}, found none"
                    raise self.file.error(expected, program)
            for name in table:
                if name not in shorts:
                    expected = f"expected a procedure of {source.name}, found '{name}'"
                    raise self.file.error(expected, program, name)
            found[program] = {number: table[name] for name, number in shorts.items()}
        for program in self.programs:
            if program not in found:
                expected = "expected a program that a .x file declares"
                raise self.file.error(f"{expected}, found '{program}'", program)
        return found

    def extended(
        self, contract: Contract, release: str | None
    ) -> tuple[SinceTable, list[tuple[str, str, str]]]:
        """Return a table for a newer contract, and what had to be added: program, name, release.

        ``release`` is that of the contract, None if unknown. It is exact for what is new only if no
        other release can lie between it and the level before.
        """
        bound = ""
        if release is not None:
            bound = release if _follows(self.level, release) else f"<={release}"
        added: list[tuple[str, str, str]] = []
        programs: dict[str, dict[str, str]] = {}
        for source in contract.files.values():
            program = program_of(source)
            if program is None:
                continue
            known = self.programs.get(program, {})
            table = programs[program] = {}
            for procedure in sorted(source.procedures, key=lambda p: p.number):
                name = short_name(procedure.name)
                if name in known:
                    table[name] = known[name]
                else:
                    added.append((program, name, bound))
                    if bound:
                        table[name] = bound
        return SinceTable(release or self.level, programs, self.file), added


def program_of(source: SourceFile) -> str | None:
    """Return the program of a file whose procedures have an entry, None for other files."""
    for enum in source.enums.values():
        if is_procedure_enum(enum.name) and program_name(enum.name) not in _WITHOUT:
            return program_name(enum.name)
    return None


def read_since(path: Path) -> SinceTable:
    """Return the table of a since.toml; raise ContractError for one that is not."""
    file = read_toml(path)
    data = dict(file.data)
    level = data.pop("level", "")
    if level != "" and not (isinstance(level, str) and _RELEASE.fullmatch(level)):
        raise file.error(f"expected level to be a release, found {level!r}", "", "level")
    for program, table in data.items():
        if not isinstance(table, dict):
            raise file.error(f"expected [{program}] to be a table, found {table!r}", "", program)
        for name, since in table.items():
            if not isinstance(since, str) or not _ENTRY.fullmatch(since):
                expected = f'expected "1.2.3" or "<=1.2.3" for {name}'
                raise file.error(f"{expected}, found {since!r}", program, name)
    return SinceTable(level, data, file)


def write_since(table: SinceTable) -> str:
    """Return the text of since.toml."""
    lines = [_HEADER, f'level = "{table.level}"' if table.level else "# level unknown"]
    for program, procedures in table.programs.items():
        lines += ["", f"[{program}]"]
        lines += [f'{name} = "{since}"' for name, since in procedures.items()]
    return "\n".join(lines) + "\n"


def release_of_tree(tree: Path) -> str | None:
    """Return the release that a source tree's meson.build states, None if it states none."""
    build = tree / "meson.build"
    if not build.is_file():
        return None
    text = build.read_text(encoding="utf-8", errors="replace")
    match = re.search(rf"^\s*version\s*:\s*'({_RELEASE.pattern})'", text, re.MULTILINE)
    return match.group(1) if match else None


def _follows(level: str, release: str) -> bool:
    """Tell whether one release is the next after another, as far as their numbers tell."""
    if not level:
        return False
    old, new = ([int(part) for part in text.split(".")] for text in (level, release))
    return new == [old[0], old[1] + 1, 0]
