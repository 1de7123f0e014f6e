"""Tests of the command line: what each command prints, writes and returns."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gen_xdr
from xdrgen.convention import FILE_ORDER
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.since import read_since

TREE = Path(__file__).parent / "fixtures" / "tree"
SCRIPT = PROTOCOL_DEFS.parent / "tools" / "gen_xdr.py"
WIRE = PROTOCOL_DEFS.parent / "virtproto" / "wire"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def wire(tmp_path: Path) -> Path:
    """The generated modules, in a place where they may be spoiled."""
    assert gen_xdr.main(["generate", "--into", str(tmp_path / "into")]) == 0
    return tmp_path / "into" / "wire"


@pytest.fixture
def defs(tmp_path: Path) -> Path:
    """A protocol_defs at the level before that of the tree, without its newest procedure."""
    folder = tmp_path / "defs"
    folder.mkdir()
    (folder / "since.toml").write_text(
        'level = "12.8.0"\n[remote]\nCONNECT_OPEN = "0.0.3"\nNODE_GET_INFO = "0.1.0"\n'
        'DOMAIN_RESTORE = "0.0.3"\nDOMAIN_GET_PARAMETERS = "0.2.3"\n'
        'STORAGE_VOL_UPLOAD = "0.9.0"\nDOMAIN_EVENT_LIFECYCLE = "<=7.0.0"\n'
        '[qemu]\nDOMAIN_ATTACH = "0.9.4"\n[lxc]\nDOMAIN_OPEN_NAMESPACE = "1.0.2"\n'
        '[admin]\nCONNECT_OPEN = "<=7.0.0"\nCONNECT_GET_LIB_VERSION = "<=7.0.0"\n'
    )
    return folder


def line_of(path: Path, text: str) -> int:
    """Return the number of the first line that has the text."""
    return path.read_text().partition(text)[0].count("\n") + 1


def files_below(folder: Path) -> dict[str, bytes]:
    """Return what every file below a folder holds."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def misspelt(path: Path) -> tuple[Path, int]:
    """Spoil the first @priority of a file; return the file and the line."""
    text = path.read_text()
    path.write_text(text.replace("@priority", "@priorty", 1))
    return path, text[: text.index("@priority")].count("\n") + 1


# -- generate and check


def test_the_repository_has_not_drifted(capsys: Capture) -> None:
    assert gen_xdr.main(["check"]) == 0
    assert gen_xdr.main(["--check"]) == 0
    assert gen_xdr.main(["generate", "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_generate_twice_writes_nothing_new(wire: Path, capsys: Capture) -> None:
    capsys.readouterr()
    before = {path: path.read_bytes() for path in wire.rglob("*.py")}
    assert gen_xdr.main(["generate", "--into", str(wire.parent)]) == 0
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in wire.rglob("*.py")} == before


def test_generated_set_is_that_of_the_repository(wire: Path) -> None:
    def files(folder: Path) -> set[str]:
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}

    assert files(wire) == files(WIRE)


def test_check_lists_each_kind_of_drift(wire: Path, capsys: Capture) -> None:
    (wire / "rpc.py").unlink()
    (wire / "leftover.py").write_text("")
    with (wire / "since.py").open("a") as module:
        module.write("\n")
    capsys.readouterr()
    assert gen_xdr.main(["check", "--into", str(wire.parent)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "missing wire/rpc.py",
        "stale wire/leftover.py",
        "changed wire/since.py",
        f"{wire.parent} differs from {PROTOCOL_DEFS}: run gen_xdr.py generate",
    ]


def test_generate_mends_drift(wire: Path) -> None:
    (wire / "rpc.py").unlink()
    (wire / "remote" / "leftover.py").write_text("")
    (wire / "since.py").write_text("")
    assert gen_xdr.main(["generate", "--into", str(wire.parent)]) == 0
    assert not (wire / "remote" / "leftover.py").exists()
    assert gen_xdr.main(["check", "--into", str(wire.parent)]) == 0


def test_caches_are_no_drift(wire: Path) -> None:
    (wire / "__pycache__").mkdir()
    (wire / "__pycache__" / "rpc.pyc").write_bytes(b"")
    assert gen_xdr.main(["check", "--into", str(wire.parent)]) == 0


def test_a_changed_contract_is_drift(wire: Path, tmp_path: Path, capsys: Capture) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    path = changed / "lxc_protocol.x"
    path.write_text(path.read_text().replace("unsigned int flags;", "hyper flags;"))
    capsys.readouterr()
    assert gen_xdr.main(["check", "--defs", str(changed), "--into", str(wire.parent)]) == 1
    assert "changed wire/lxc.py" in capsys.readouterr().out


def test_generate_refuses_a_broken_contract(tmp_path: Path, capsys: Capture) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(PROTOCOL_DEFS, broken)
    path = broken / "lxc_protocol.x"
    text = path.read_text()
    path.write_text(text.replace("remote_nonnull_domain dom;", "remote_nonnull_doman dom;"))
    line = text[: text.index("remote_nonnull_domain dom;")].count("\n") + 1
    assert gen_xdr.main(["generate", "--defs", str(broken), "--into", str(tmp_path / "w")]) == 2
    message = f"{path}:{line}: expected a type that is declared, found 'remote_nonnull_doman'"
    assert capsys.readouterr().err == f"gen_xdr.py: {message}\n"
    assert not (tmp_path / "w").exists()


def test_generate_refuses_a_procedure_without_release(tmp_path: Path, capsys: Capture) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    path = changed / "since.toml"
    path.write_text(path.read_text().replace('DOMAIN_OPEN_NAMESPACE = "1.0.2"\n', ""))
    line = line_of(path, "[lxc]")
    assert gen_xdr.main(["check", "--defs", str(changed)]) == 2
    message = "expected lxc procedure DOMAIN_OPEN_NAMESPACE of lxc_protocol.x, found none"
    assert capsys.readouterr().err == f"gen_xdr.py: {path}:{line}: {message}\n"


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize("name", FILE_ORDER)
@pytest.mark.parametrize("text", [None, "", "/* nothing */\n"])
def test_no_file_of_the_contract_may_go(
    wire: Path, tmp_path: Path, capsys: Capture, command: str, name: str, text: str | None
) -> None:
    """A program that vanished would take its module with it, and no one would be told."""
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    (changed / name).unlink()
    if text is not None:
        (changed / name).write_text(text)
    before = files_below(wire)
    capsys.readouterr()
    assert gen_xdr.main([command, "--defs", str(changed), "--into", str(wire.parent)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("gen_xdr.py: ")
    assert "expected" in said.err
    assert said.out == ""
    assert files_below(wire) == before


def test_a_program_without_its_procedures_is_refused(tmp_path: Path, capsys: Capture) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    (changed / "lxc_protocol.x").write_text("const LXC_PROGRAM = 0x00068000;\n")
    line = line_of(changed / "since.toml", "[lxc]")
    assert gen_xdr.main(["check", "--defs", str(changed)]) == 2
    message = f"{changed / 'since.toml'}:{line}: expected a program that a .x file declares"
    assert capsys.readouterr().err == f"gen_xdr.py: {message}, found 'lxc'\n"


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize(
    "name", ["since.toml", "secrets.toml", "urgent.toml", "events.toml", "externals.x"]
)
def test_what_goes_with_the_contract_must_be_there(
    tmp_path: Path, capsys: Capture, command: str, name: str
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    (changed / name).unlink()
    arguments = [command, "--defs", str(changed), "--into", str(tmp_path / "w")]
    assert gen_xdr.main(arguments) == 2
    said = capsys.readouterr().err
    assert name in said
    assert "expected" in said
    assert "Errno" not in said
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("since.toml", "[lxc]", "[lxc", "Expected ']' at the end of a table declaration"),
        ("since.toml", 'DOMAIN_OPEN_NAMESPACE = "1.0.2"', "DOMAIN_OPEN_NAMESPACE = 1", "expected"),
        ("since.toml", "DOMAIN_OPEN_NAMESPACE =", "DOMAIN_NAMESPACE =", "expected"),
        ("secrets.toml", '["data"]', '["datum"]', "expected a field of remote_auth_sasl_start_"),
        ("secrets.toml", "qemu_domain_agent_command_ret", "qemu_nothing_ret", "expected a struct"),
        ("secrets.toml", "[fields]", "[field]", "expected typed_parameters and [fields]"),
    ],
)
def test_wrong_tables_are_named_with_their_line(
    tmp_path: Path, capsys: Capture, name: str, old: str, new: str, message: str
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    path = changed / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert gen_xdr.main(["check", "--defs", str(changed)]) == 2
    said = capsys.readouterr().err
    line = line_of(path, new) if "DOMAIN_NAMESPACE" not in new else line_of(path, "[lxc]")
    assert said.startswith(f"gen_xdr.py: {path}:{line}: {message}")


def test_a_file_that_may_not_be_read_is_named(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_text(path: Path, **_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)
    assert gen_xdr.main(["check"]) == 2
    said = capsys.readouterr().err
    assert said == f"gen_xdr.py: {PROTOCOL_DEFS / 'virnetprotocol.x'}: Permission denied\n"


def test_generate_refuses_an_annotation_that_is_not_known(tmp_path: Path, capsys: Capture) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(PROTOCOL_DEFS, changed)
    path, line = misspelt(changed / "lxc_protocol.x")
    for command in ("generate", "check"):
        arguments = [command, "--defs", str(changed), "--into", str(tmp_path / "w")]
        assert gen_xdr.main(arguments) == 2
        message = f"gen_xdr.py: {path}:{line}: unknown annotation '@priorty'\n"
        assert capsys.readouterr().err == message
    assert not (tmp_path / "w").exists()


# -- diff


def test_diff_of_the_same(capsys: Capture) -> None:
    assert gen_xdr.main(["diff", str(PROTOCOL_DEFS), str(PROTOCOL_DEFS)]) == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.parametrize(
    ("old", "new", "status", "last"),
    [
        ("int a;", "int a; /* remark */", 0, "no difference"),
        ("int a;", "int b;", 0, "1 difference, 0 incompatible"),
        ("int a;", "hyper a;", 1, "1 difference, 1 incompatible"),
        ("struct", "const NEW = 1; const NEWER = 2; struct", 0, "2 differences, 0 incompatible"),
    ],
)
def test_diff_status(
    tmp_path: Path, capsys: Capture, old: str, new: str, status: int, last: str
) -> None:
    text = "struct s { int a; };"
    for name, content in (("old.x", text), ("new.x", text.replace(old, new))):
        (tmp_path / name).write_text(content)
    assert gen_xdr.main(["diff", str(tmp_path / "old.x"), str(tmp_path / "new.x")]) == status
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_diff_of_one_file_and_a_folder(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "qemu_protocol.x"
    text = (PROTOCOL_DEFS / "qemu_protocol.x").read_text()
    path.write_text(text.replace("int timeout;", "hyper timeout;"))
    assert gen_xdr.main(["diff", str(PROTOCOL_DEFS), str(path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "incompatible changed struct qemu_domain_agent_command_args: "
        "'int timeout' became 'hyper timeout'",
        "1 difference, 1 incompatible",
    ]
    assert gen_xdr.main(["diff", str(path), str(PROTOCOL_DEFS / "qemu_protocol.x")]) == 1


def test_diff_of_a_file_that_the_other_side_has_not(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "more.x").write_text("const A = 1;")
    assert gen_xdr.main(["diff", str(tmp_path / "more.x"), str(PROTOCOL_DEFS)]) == 2
    assert "expected more.x among its files, found none" in capsys.readouterr().err


def test_diff_warns_of_annotations_that_are_not_known(tmp_path: Path, capsys: Capture) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(TREE, tree)
    path, line = misspelt(tree / "src" / "remote" / "remote_protocol.x")
    assert gen_xdr.main(["diff", str(TREE), str(tree)]) == 0
    said = capsys.readouterr()
    assert "priority" in said.out
    assert said.err == f"warning: {path}:{line}: unknown annotation '@priorty' is ignored\n"


def test_diff_of_a_tree_and_what_was_imported_from_it(defs: Path, capsys: Capture) -> None:
    assert gen_xdr.main(["import", str(TREE), "--defs", str(defs)]) == 0
    capsys.readouterr()
    assert gen_xdr.main(["diff", str(TREE), str(defs)]) == 0
    assert gen_xdr.main(["diff", str(defs), str(TREE)]) == 0
    assert capsys.readouterr().out == "no difference\nno difference\n"


# -- import


def test_import(defs: Path, capsys: Capture) -> None:
    """The files are rewritten, the newest procedure gets the release of the tree."""
    assert gen_xdr.main(["import", str(TREE), "--defs", str(defs)]) == 0
    assert load_contract(defs) == load_contract(TREE)
    assert sorted(path.name for path in defs.iterdir()) == [
        "admin_protocol.x",
        "externals.x",
        "lxc_protocol.x",
        "qemu_protocol.x",
        "remote_protocol.x",
        "since.toml",
        "virkeepaliveprotocol.x",
        "virnetprotocol.x",
    ]
    table = read_since(defs / "since.toml")
    assert table.level == "12.9.0"
    assert table.programs["remote"]["NEWEST_THING"] == "12.9.0"
    assert table.programs["remote"]["DOMAIN_EVENT_LIFECYCLE"] == "<=7.0.0"
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == 'since.toml had no remote procedure NEWEST_THING: added as "12.9.0"'


def test_import_warns_of_annotations_that_are_not_known(
    defs: Path, tmp_path: Path, capsys: Capture
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(TREE, tree)
    path, line = misspelt(tree / "src" / "remote" / "remote_protocol.x")
    assert gen_xdr.main(["import", str(tree), "--defs", str(defs)]) == 0
    message = f"warning: {path}:{line}: unknown annotation '@priorty' is ignored\n"
    assert capsys.readouterr().err == message
    assert "priorty" not in (defs / "remote_protocol.x").read_text()
    assert load_contract(defs) == load_contract(tree)


def test_import_keeps_nothing_of_the_upstream_text(defs: Path) -> None:
    assert gen_xdr.main(["import", str(TREE), "--defs", str(defs)]) == 0
    text = "".join(path.read_text() for path in defs.glob("*.x"))
    for trace in ("@generate", "%#", "insert@", "shaped like the real one", "-*- c -*-"):
        assert trace in "".join(path.read_text() for path in TREE.rglob("*.x"))
        assert trace not in text


def test_import_twice_changes_nothing(defs: Path, capsys: Capture) -> None:
    for _ in range(2):
        before = {path.name: path.read_bytes() for path in defs.iterdir()}
        capsys.readouterr()
        assert gen_xdr.main(["import", str(TREE), "--defs", str(defs)]) == 0
    assert {path.name: path.read_bytes() for path in defs.iterdir()} == before
    assert "since.toml had no" not in capsys.readouterr().out


def test_import_of_the_own_definitions_changes_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "defs"
    shutil.copytree(PROTOCOL_DEFS, copy)
    assert gen_xdr.main(["import", str(PROTOCOL_DEFS), "--defs", str(copy)]) == 0
    for path in filter(Path.is_file, PROTOCOL_DEFS.rglob("*")):
        assert (copy / path.relative_to(PROTOCOL_DEFS)).read_bytes() == path.read_bytes()


def test_import_without_a_known_release(defs: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(TREE, tmp_path / "tree")
    (tmp_path / "tree" / "meson.build").unlink()
    assert gen_xdr.main(["import", str(tmp_path / "tree"), "--defs", str(defs)]) == 0
    assert "NEWEST_THING: add it by hand" in capsys.readouterr().out
    assert "NEWEST_THING" not in (defs / "since.toml").read_text()


def test_import_of_a_broken_tree_writes_nothing(
    defs: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copytree(TREE, tmp_path / "tree")
    path = tmp_path / "tree" / "src" / "admin" / "admin_protocol.x"
    path.write_text(path.read_text().replace("const ADMIN_PROGRAM =", "const ADMIN_PROGRAM"))
    line = path.read_text()[: path.read_text().index("const ADMIN_PROGRAM")].count("\n") + 1
    assert gen_xdr.main(["import", str(tmp_path / "tree"), "--defs", str(defs)]) == 2
    message = f"gen_xdr.py: {path}:{line}: expected '=', found '0x06900690'\n"
    assert capsys.readouterr().err == message
    assert [path.name for path in defs.iterdir()] == ["since.toml"]


def test_import_wants_the_whole_contract(tmp_path: Path, capsys: Capture) -> None:
    path = PROTOCOL_DEFS / "qemu_protocol.x"
    assert gen_xdr.main(["import", str(path), "--defs", str(tmp_path / "new")]) == 2
    assert "expected virnetprotocol.x among its files" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


# -- the command line itself


@pytest.mark.parametrize(
    "arguments", [[], ["print"], ["diff", "one"], ["import"], ["diff", "/nowhere", "/nowhere"]]
)
def test_wrong_usage(arguments: list[str], capsys: Capture) -> None:
    try:
        status: object = gen_xdr.main(arguments)
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert capsys.readouterr().err


def test_as_a_script(tmp_path: Path) -> None:
    """It runs from any folder, with nothing but the standard library."""
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "diff", str(TREE), str(PROTOCOL_DEFS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].endswith("incompatible")
