"""Holds protocol_defs against what four libvirt releases declare.

release_facts.json lists every declaration of the six .x files once: under "always" if it is the
same in all four releases, else under "sometimes" with those in which it holds. A declaration is
[type, name], [type, name, "fixed" or "variable", limit] or [type, name, "optional"], in a typedef
without the name; a union is its discriminant followed by [label, declaration...]; a procedure is
[number, the roles of its messages, annotations].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gen_xdr
from xdrgen.convention import short_name
from xdrgen.load import PROTOCOL_DEFS
from xdrgen.since import read_since

MERGED: dict[str, Any] = json.loads(Path(__file__).with_name("release_facts.json").read_text())
RELEASES: list[str] = MERGED["releases"]
LEVEL = RELEASES[-1]
SECTIONS = ("constants", "enums", "typedefs", "structs", "unions", "procedures")

Tables = dict[str, dict[str, dict[str, Any]]]


def tables(release: str) -> Tables:
    """Return file -> section -> name -> value, as one release has it."""
    found: Tables = {
        file: {section: dict(sections[section]) for section in SECTIONS}
        for file, sections in MERGED["always"].items()
    }
    for releases, file, section, name, value in MERGED["sometimes"]:
        if release in releases:
            found[file][section][name] = value
    return found


def declaration(row: list[Any], named: bool = True) -> dict[str, Any]:
    kind, *rest = row
    entry = {"type": kind, "name": rest.pop(0)} if named else {"type": kind}
    if rest == ["optional"]:
        return {**entry, "optional": True}
    return {**entry, "array": rest[0], "limit": rest[1]} if rest else entry


def facts(release: str) -> dict[str, Any]:
    """Return the facts file of one release."""
    return {file: file_facts(sections) for file, sections in tables(release).items()}


def file_facts(sections: dict[str, dict[str, Any]]) -> dict[str, Any]:
    procedures = []
    enums = dict(sections["enums"])
    for name, (number, roles, annotated) in sections["procedures"].items():
        program, _, short = name.partition("_PROC_")
        entry = {"name": name, "number": number, "annotations": annotated}
        for role in roles.split():
            entry[role] = f"{program}_{short}_{role}".lower()
        procedures.append(entry)
        enums.setdefault(f"{program}_procedure".lower(), {})[name] = number
    return {
        "constants": sections["constants"],
        "enums": enums,
        "typedefs": {n: declaration(row, False) for n, row in sections["typedefs"].items()},
        "structs": {n: [declaration(r) for r in rows] for n, rows in sections["structs"].items()},
        "unions": {
            name: {"on": declaration(on), "arms": [[arm[0], declaration(arm[1:])] for arm in arms]}
            for name, (on, *arms) in sections["unions"].items()
        },
        "procedures": procedures,
    }


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def path(release: str, tmp_path: Path) -> Path:
    path = tmp_path / f"{release}.json"
    path.write_text(json.dumps(facts(release)))
    return path


def lines(capsys: pytest.CaptureFixture[str], old: Path, new: Path) -> tuple[int, list[list[str]]]:
    """Run diff; return its status and per line verdict, change, kind and name."""
    capsys.readouterr()
    status = gen_xdr.main(["diff", str(old), str(new)])
    *found, _ = capsys.readouterr().out.splitlines()
    return status, [line.replace(":", " ").split()[:4] for line in found]


def expected_additions(release: str) -> set[tuple[str, str]]:
    """Return kind and name of what the newest release declares and the given one does not."""
    kinds = {"constants": "constant", "structs": "struct", "procedures": "procedure"}
    old, new = tables(release), tables(LEVEL)
    return {
        (kinds[section], name)
        for file in new
        for section in SECTIONS
        for name in new[file][section]
        if name not in old[file][section]
    }


def expected_changes(release: str) -> set[str]:
    """Return the procedures that are annotated otherwise; nothing else ever changed."""
    old, new = tables(release), tables(LEVEL)
    changed = {
        (section, name)
        for file in old
        for section in SECTIONS
        for name, value in old[file][section].items()
        if new[file][section][name] != value
    }
    assert {section for section, _ in changed} <= {"procedures"}
    return {name for _, name in changed}


def test_counts() -> None:
    """The merged file holds whole releases."""
    remote = {release: tables(release)["remote_protocol.x"] for release in RELEASES}
    assert [len(remote[r]["procedures"]) for r in RELEASES] == [425, 443, 453, 456]
    assert [len(remote[r]["structs"]) for r in RELEASES] == [663, 689, 701, 704]
    assert [len(remote[r]["constants"]) for r in RELEASES] == [69, 72, 72, 73]


def test_nothing_was_ever_removed(release: str) -> None:
    old, new = tables(release), tables(LEVEL)
    for file in old:
        for section in SECTIONS:
            assert old[file][section].keys() <= new[file][section].keys()


def test_release_to_protocol_defs(
    release: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen from a release, protocol_defs adds what came later, and breaks nothing."""
    status, found = lines(capsys, path, PROTOCOL_DEFS)
    assert status == 0
    added = [(kind, name) for _, change, kind, name in found if change == "added"]
    changed = {name for _, change, kind, name in found if change == "changed"}
    assert len(added) == len(set(added))
    assert set(added) == expected_additions(release)
    assert changed == expected_changes(release)
    assert {line[0] for line in found} <= {"compatible"}
    assert {line[1] for line in found} <= {"added", "changed"}


def test_protocol_defs_to_release(
    release: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen from protocol_defs, an older release lacks the same, and has nothing more."""
    status, found = lines(capsys, PROTOCOL_DEFS, path)
    removed = {(kind, name) for _, change, kind, name in found if change == "removed"}
    assert removed == expected_additions(release)
    assert not [line for line in found if line[1] == "added"]
    assert status == (1 if removed else 0)


def test_level_is_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "level.json"
    path.write_text(json.dumps(facts(LEVEL)))
    for pair in ((path, PROTOCOL_DEFS), (PROTOCOL_DEFS, path)):
        assert gen_xdr.main(["diff", *map(str, pair)]) == 0
        assert capsys.readouterr().out == "no difference\n"


def test_new_procedures_have_the_highest_numbers(release: str) -> None:
    """Releases append: what is missing from one are the numbers above its own."""
    for file, sections in tables(LEVEL).items():
        old = tables(release)[file]["procedures"]
        numbers = sorted(row[0] for row in old.values())
        assert numbers == list(range(1, len(numbers) + 1))
        newer = sorted(row[0] for n, row in sections["procedures"].items() if n not in old)
        assert newer == list(range(len(numbers) + 1, len(sections["procedures"]) + 1))


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_since_agrees(release: str) -> None:
    """A release has a procedure if and, for exact entries, only if since.toml says so."""
    programs = read_since(PROTOCOL_DEFS / "since.toml").programs
    known = {f"{program}_protocol.x": table for program, table in programs.items()}
    for file, sections in tables(LEVEL).items():
        present = tables(release)[file]["procedures"]
        for name in sections["procedures"] if file in known else ():
            since = known[file][short_name(name)]
            reached = version(since.removeprefix("<=")) <= version(release)
            assert (name in present) == reached, (name, since, release)
