"""Logging in: what is taken from where, what is asked, what is said where it fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto.errors import (
    AuthenticationError,
    ConfigFileError,
    CredentialsMissingError,
    UsageError,
    error_class,
)
from virtproto.model.credentials import CredentialRequest, Credentials, CredentialType
from virtproto.model.recipes.authentication import Question, Work
from virtproto.model.uri import parse_uri
from virtproto.transport import auth_files
from virtproto.transport.road import Road
from virtproto.transport.sasl import login
from virtproto.transport.sasl.login import Knowledge, log_in
from virtproto.wire.remote import auth

DONE = auth.AuthSaslStartRet(complete=1, nil=1, data=b"")


@pytest.fixture(autouse=True)
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only auth.conf that is looked for; it is not there yet."""
    path = tmp_path / "libvirt" / "auth.conf"
    path.parent.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LIBVIRT_AUTH_FILE", raising=False)
    monkeypatch.setattr(auth_files, "SYSTEM_FILE", "/nonexistent/auth.conf")
    return path


@pytest.fixture
def road() -> Iterator[Road]:
    one, other = socket.socketpair()
    with one, other:
        yield Road(one, "the daemon", host="host")


def filled(**values: str) -> str:
    lines = [f"{key}={value}" for key, value in values.items()]
    return "\n".join(["[credentials-x]", *lines, "[auth-libvirt-host]", "credentials=x", ""])


def driven(
    road: Road, given: object = None, *answers: Any, offered: str = "PLAIN", uri: str | None = None
) -> tuple[list[Any], list[CredentialRequest]]:
    """Log in, with what is computed computed; return what was sent and what was asked.

    ``answers`` are the daemon's to the calls after the first, and the caller's to the question.
    """
    sent: list[Any] = []
    asked: list[CredentialRequest] = []
    waiting = [auth.AuthSaslInitRet(mechlist=offered), *(answers or (DONE,))]
    talk = log_in(road, None if uri is None else parse_uri(uri), given)
    try:
        wish = next(talk)
        while True:
            if isinstance(wish, Work):
                wish = talk.send(wish.function(*wish.args))
                continue
            if isinstance(wish, Question):
                asked += wish.requests
            else:
                sent.append(wish[1])
            answer = waiting.pop(0)
            failed = isinstance(answer, Exception)
            wish = talk.throw(answer) if failed else talk.send(answer)
    except StopIteration:
        assert not waiting
        return sent[1:], asked


def plain(text: str) -> list[Any]:
    return [auth.AuthSaslStartArgs(mech="PLAIN", nil=0, data=text.encode())]


def test_what_the_caller_gave_is_enough(road: Road, auth_file: Path) -> None:
    auth_file.write_text("nonsense that nobody reads")
    assert driven(road, Credentials("fred", "pw")) == (plain("\0fred\0pw"), [])


def test_the_file_is_enough(road: Road, auth_file: Path) -> None:
    auth_file.write_text(filled(authname="file", password="pw", username="boss"))
    assert driven(road) == (plain("boss\0file\0pw"), [])


def test_a_function_is_not_asked_what_the_file_knows(road: Road, auth_file: Path) -> None:
    auth_file.write_text(filled(authname="file"))
    sent, asked = driven(road, print, ["asked"], DONE)
    assert sent == plain("\0file\0asked")
    assert [(each.kind, each.prompt) for each in asked] == [
        (CredentialType.PASSPHRASE, "Password of file for libvirt at host")
    ]


def test_a_function_is_asked_all_at_once(road: Road) -> None:
    sent, asked = driven(road, print, ["me", "pw"], DONE)
    assert sent == plain("\0me\0pw")
    assert [(each.kind.name, each.prompt, each.service, each.host) for each in asked] == [
        ("AUTHNAME", "User name for libvirt at host", "libvirt", "host"),
        ("PASSPHRASE", "Password for libvirt at host", "libvirt", "host"),
    ]


def test_the_file_completes_what_the_caller_gave(road: Road, auth_file: Path) -> None:
    auth_file.write_text(filled(authname="fred", password="file"))
    assert driven(road, Credentials("fred"))[0] == plain("\0fred\0file")
    assert driven(road, Credentials(password="mine"))[0] == plain("\0fred\0mine")


def test_the_password_of_another_user_is_not_used(road: Road, auth_file: Path) -> None:
    auth_file.write_text(filled(authname="other", password="s3cret"))
    with pytest.raises(CredentialsMissingError, match="of another user") as caught:
        driven(road, Credentials("fred"))
    assert "wants the password for libvirt at host" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_it_says_where_it_looked(road: Road, auth_file: Path) -> None:
    with pytest.raises(CredentialsMissingError) as caught:
        driven(road)
    assert str(caught.value) == (
        "SASL mechanism PLAIN wants the user name and password for libvirt at host; it was looked "
        f"for in credentials (not given); {auth_file} (No such file or directory); "
        "/nonexistent/auth.conf (No such file or directory)"
    )


def test_a_file_that_is_wrong_is_not_passed_over(road: Road, auth_file: Path) -> None:
    auth_file.write_text("[auth-libvirt-default]\n")
    with pytest.raises(ConfigFileError, match="no credentials=NAME"):
        driven(road, print, ["me", "pw"], DONE)


@pytest.mark.parametrize("answer", [None, [None, "pw"], ["me", None], ["", "pw"], [" ", "pw"]])
def test_who_is_asked_need_not_answer(road: Road, answer: Any) -> None:
    with pytest.raises(CredentialsMissingError, match="asked, and nobody told it"):
        driven(road, print, answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (["me"], "was asked 2 questions and returned 1 answers"),
        (["me", "pw", "x"], "returned 3 answers"),
        (["me", b"s3cret"], "answered with bytes, not with a text"),
    ],
)
def test_answers_that_are_none(road: Road, answer: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        driven(road, print, answer)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "user"),
    [(Credentials("fred", "s3cret"), "as fred, from credentials"), (print, "as me, from the")],
)
def test_a_refusal_names_mechanism_user_and_host(road: Road, given: object, user: str) -> None:
    refusal = error_class(45)("authentication failed", code=45)
    answers = [["me", "s3cret"], refusal] if callable(given) else [refusal]
    with pytest.raises(error_class(45)) as caught:
        driven(road, given, *answers)
    said = str(caught.value)
    assert "authentication failed: SASL mechanism PLAIN for libvirt at host " in said
    assert user in said
    assert "s3cret" not in said
    assert caught.value.message == "authentication failed"


def test_spaces_are_no_part_of_a_name(road: Road) -> None:
    assert driven(road, Credentials(" fred ", " pw ", username=""))[0] == plain("\0fred\0 pw ")


def test_an_empty_password_is_one(road: Road) -> None:
    assert driven(road, Credentials("fred", ""))[0] == plain("\0fred\0")


def test_a_refusal_names_the_file(road: Road, auth_file: Path) -> None:
    auth_file.write_text(filled(authname="fred", password="pw"))
    with pytest.raises(error_class(45), match=r"auth\.conf \[credentials-x\]"):
        driven(road, None, error_class(45)("authentication failed", code=45))


def test_anonymous_wants_nothing(road: Road) -> None:
    sent, _ = driven(road, offered="ANONYMOUS")
    assert sent == [auth.AuthSaslStartArgs(mech="ANONYMOUS", nil=0, data=b"anonymous")]


def test_the_uri_insists(road: Road) -> None:
    uri = "test+unix:///default?auth=sasl.PLAIN"
    assert driven(road, Credentials("a", "b"), offered="GSSAPI,PLAIN", uri=uri)[0]
    with pytest.raises(AuthenticationError, match="the URI wants SASL mechanism PLAIN"):
        driven(road, Credentials("a", "b"), offered="GSSAPI", uri=uri)


def test_a_road_that_is_open_has_to_be_closed_off(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.is_secure = False
    with pytest.raises(AuthenticationError, match="nothing was sent"):
        driven(road, Credentials("fred", "pw"))
    # Whatever a mechanism comes to at its end, it is looked at.
    monkeypatch.setattr(login, "choose_mechanism", lambda *_args, **_options: "PLAIN")
    with pytest.raises(AuthenticationError, match="0 bits of encryption; at least 56"):
        driven(road, Credentials("fred", "pw"))


def test_the_ends_of_a_road() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as sock:
            road = Road(sock, "x")
            near, far = login._ends(road)
            assert near == f"127.0.0.1;{sock.getsockname()[1]}"
            assert far == f"127.0.0.1;{port}"
        assert login._ends(road) == (None, None)
    one, other = socket.socketpair()
    with one, other:
        assert login._ends(Road(one, "x")) == ("127.0.0.1;0", "127.0.0.1;0")


def test_no_repr_shows_what_is_known(auth_file: Path) -> None:
    auth_file.write_text(filled(authname="fred", password="s3cret"))
    knowledge = Knowledge(None, "host", None)
    assert repr(knowledge) == "<Knowledge of user name, password>"
    assert "s3cret" not in repr(knowledge.answers)
