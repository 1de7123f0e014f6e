"""Tests of finding a contract: facts, one file, a folder, a source tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from xdrgen.convention import FILE_ORDER
from xdrgen.errors import ContractError, XdrSyntaxError
from xdrgen.load import PROTOCOL_DEFS, is_source_tree, load_contract

FIXTURES = Path(__file__).parent / "fixtures"


def test_the_contract_of_the_project() -> None:
    contract = load_contract(PROTOCOL_DEFS)
    assert tuple(contract.files) == FILE_ORDER
    counts = {name: len(source.procedures) for name, source in contract.files.items()}
    assert counts == {
        "virnetprotocol.x": 0,
        "virkeepaliveprotocol.x": 2,
        "remote_protocol.x": 456,
        "qemu_protocol.x": 7,
        "lxc_protocol.x": 1,
        "admin_protocol.x": 20,
    }
    assert len(contract.files["remote_protocol.x"].structs) == 704
    assert contract.externals["VIR_SECURITY_LABEL_BUFLEN"] == 4097
    assert contract.externals["VIR_TYPED_PARAM_STRING"] == 7


def test_source_tree() -> None:
    """A tree holds the files of the contract in several folders, and others beside them."""
    tree = FIXTURES / "tree"
    assert is_source_tree(tree)
    assert not is_source_tree(PROTOCOL_DEFS)
    contract = load_contract(tree)
    assert tuple(contract.files) == FILE_ORDER
    procedures = {p.name: p for p in contract.files["remote_protocol.x"].procedures}
    upload = procedures["REMOTE_PROC_STORAGE_VOL_UPLOAD"]
    assert upload.args == "remote_storage_vol_upload_args"
    assert upload.annotations["writestream"] == ("1",)
    restore = contract.files["remote_protocol.x"].structs["remote_domain_restore_args"]
    assert restore.members[0].name == "from"


def test_incomplete_source_tree(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "tree", tmp_path / "tree")
    (tmp_path / "tree/src/admin/admin_protocol.x").unlink()
    with pytest.raises(ContractError, match=r"admin_protocol\.x: expected a part of the contract"):
        load_contract(tmp_path / "tree")


def test_single_file_may_use_the_types_of_others() -> None:
    contract = load_contract(PROTOCOL_DEFS / "qemu_protocol.x")
    assert list(contract.files) == ["qemu_protocol.x"]


def test_folder_must_be_complete(tmp_path: Path) -> None:
    shutil.copy(PROTOCOL_DEFS / "qemu_protocol.x", tmp_path)
    message = r"qemu_protocol\.x:\d+: expected a type that is declared, found 'remote_nonnull_"
    with pytest.raises(ContractError, match=message):
        load_contract(tmp_path)


def test_folder_with_externals_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "externals.x").write_text("const OWN = 9; const ALSO = OWN;")
    (tmp_path / "a.x").write_text("struct s { int a<ALSO>; };")
    assert load_contract(tmp_path).externals == {"OWN": 9, "ALSO": 9}


def test_errors_name_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.x"
    path.write_text("\n\nconst A;")
    with pytest.raises(XdrSyntaxError) as caught:
        load_contract(path)
    assert str(caught.value) == f"{path}:3: expected '=', found ';'"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "expected a file or folder, found nothing"),
        ("text.txt", r"expected a \.x file, a facts file \(\.json\) or a folder"),
        ("empty", r"expected \.x files or a libvirt source tree, found neither"),
    ],
)
def test_paths_that_hold_no_contract(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "text.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContractError, match=message):
        load_contract(tmp_path / name)


def test_bytes_that_are_not_utf8_may_stand_in_comments(tmp_path: Path) -> None:
    path = tmp_path / "a.x"
    path.write_bytes(b"/* \xe9 */ const A = 1;")
    assert load_contract(path).files["a.x"].constants["A"].value == 1
