"""What a caller tells of a user: kept, and not shown."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError
from virtproto.model.credentials import (
    Concealed,
    ConcealedBytes,
    CredentialRequest,
    Credentials,
    CredentialType,
    check_credentials,
    concealed_answers,
)


def test_each_question_has_its_answer() -> None:
    known = Credentials("fred", "s3cret", username="boss", realm="here")
    answers = {kind: known.answer(kind) for kind in CredentialType}
    assert {kind.name: value for kind, value in answers.items() if value is not None} == {
        "AUTHNAME": "fred",
        "PASSPHRASE": "s3cret",
        "USERNAME": "boss",
        "REALM": "here",
    }


def test_a_password_can_be_used_and_not_seen() -> None:
    known = Credentials("fred", "s3cret")
    assert repr(known) == "<Credentials: authname, password>"
    assert f"{known.password}" == "s3cret"
    assert "s3cret" not in repr([known, known.password, {"p": known.password}])
    assert repr(Credentials()) == "<Credentials: none>"


def test_concealed_values_are_what_they_conceal() -> None:
    assert Concealed("abc") == "abc"
    assert ConcealedBytes(b"abc") == b"abc"
    assert "abc" not in f"{Concealed('abc')!r}{(ConcealedBytes(b'abc'),)}"
    assert pickle.loads(pickle.dumps(Concealed("abc"))) == "abc"


@pytest.mark.parametrize("name", ["authname", "password", "username", "realm"])
def test_what_is_no_text_is_refused_by_name(name: str) -> None:
    arguments: dict[str, Any] = {name: 5}
    with pytest.raises(ArgumentTypeError, match=f"{name}: expected a text or None, not int"):
        Credentials(**arguments)


@pytest.mark.parametrize("given", [None, Credentials(), print])
def test_what_open_takes(given: object) -> None:
    check_credentials(given)


def test_what_open_does_not_take() -> None:
    with pytest.raises(ArgumentTypeError, match=r"credentials: expected Credentials.*not tuple"):
        check_credentials(("fred", "s3cret"))


@pytest.mark.parametrize(
    "answers", [None, 5, "s3cret", b"s3cret", ["a", None, b"s3cret", "s3cret"]]
)
def test_answers_are_kept_and_not_seen(answers: Any) -> None:
    concealed = concealed_answers(answers)
    assert concealed == answers
    assert "s3cret" not in repr(concealed)


def test_what_must_not_be_seen_while_it_is_typed() -> None:
    asked = [CredentialRequest(kind, "?") for kind in CredentialType]
    secret = [request.kind.name for request in asked if request.is_secret]
    assert secret == ["PASSPHRASE", "NOECHOPROMPT"]


def test_a_question_shows_what_it_asks() -> None:
    request = CredentialRequest(CredentialType.AUTHNAME, "Who?", host="h", default="root")
    assert repr(request) == "<CredentialRequest AUTHNAME libvirt@h: 'Who?'>"
    assert request.default == "root"
