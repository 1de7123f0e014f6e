"""Tests of secrets.toml: its form and its fit to the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.secrecy import Secrets, check_secrets, read_secrets


def test_the_list_of_the_project() -> None:
    secrets = read_secrets(PROTOCOL_DEFS / "secrets.toml")
    contract = load_contract(PROTOCOL_DEFS)
    check_secrets(secrets, contract)
    assert secrets.fields["remote_domain_set_user_password_args"] == ("password",)
    assert "sev-secret" in secrets.typed_parameters
    sasl = {name for name in secrets.fields if name.startswith("remote_auth_sasl_")}
    carry_data = {
        struct.name
        for struct in contract.files["remote_protocol.x"].structs.values()
        if struct.name.startswith("remote_auth_sasl_")
        and any(member.name == "data" for member in struct.members)
    }
    assert sasl == carry_data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other = 1", "expected typed_parameters and [fields], found 'other'"),
        ("fields = 1", "expected [fields] to be a table, found 1"),
        ('[fields]\na = "b"', "expected a list of names for a, found 'b'"),
        ("typed_parameters = [1]", "expected a list of names for typed_parameters, found [1]"),
        ("[", "secrets.toml: "),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=re.escape(message)):
        read_secrets(path)


@pytest.mark.parametrize(
    ("struct", "member", "message"),
    [
        ("remote_nothing", "a", "secrets.toml: expected a struct, found 'remote_nothing'"),
        (
            "remote_secret_get_value_ret",
            "valve",
            "secrets.toml: expected a field of remote_secret_get_value_ret, found 'valve'",
        ),
    ],
)
def test_names_that_the_contract_has_not(struct: str, member: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_secrets(Secrets({struct: (member,)}, ()), load_contract(PROTOCOL_DEFS))
    assert str(caught.value) == message
