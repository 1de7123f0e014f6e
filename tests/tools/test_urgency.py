"""Tests of urgent.toml: its form and its fit to the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.urgency import read_urgent


def test_the_list_of_the_project() -> None:
    urgent = read_urgent(PROTOCOL_DEFS / "urgent.toml", load_contract(PROTOCOL_DEFS))
    assert {"DOMAIN_ABORT_JOB", "DOMAIN_BLOCK_JOB_ABORT"} <= urgent["remote"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("remote = 1", ":1: expected a list of procedures, found 1"),
        ("remote = [1]", ":1: expected a list of procedures, found [1]"),
        ('remote = ["XYZZY"]', ":1: expected a call of remote, found 'XYZZY'"),
        ('nothing = ["XYZZY"]', ":1: expected a call of nothing, found 'XYZZY'"),
        ('remote = ["DOMAIN_EVENT_REBOOT"]', "expected a call of remote, found 'DOMAIN_EVENT_"),
        ('remote = ["CONNECT_CLOSE"]', "not of high priority anyway, found 'CONNECT_CLOSE'"),
        ("[", "urgent.toml: "),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "urgent.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=re.escape(message)):
        read_urgent(path, load_contract(PROTOCOL_DEFS))
