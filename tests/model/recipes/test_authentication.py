"""Proving to a daemon who one is: which calls, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import AuthenticationError, LibvirtError, error_class
from virtproto.model.credentials import CredentialType
from virtproto.model.recipes.authentication import (
    Work,
    ask_polkit,
    patience,
    talk,
    what_is_offered,
)
from virtproto.wire.remote import auth


class Script:
    """A mechanism that says what it is told, and is complete after so many messages."""

    name = "X-TEST"
    may_block = False

    def __init__(self, *said: bytes | None, complete_after: int) -> None:
        self.said = list(said)
        self.heard: list[bytes | None] = []
        self.left = complete_after

    @property
    def is_complete(self) -> bool:
        return self.left <= 0

    def start(self, answers: Mapping[CredentialType, str]) -> bytes | None:
        self.left -= 1
        return self.said.pop(0)

    def step(self, data: bytes | None) -> bytes | None:
        self.left -= 1
        self.heard.append(data)
        return self.said.pop(0)


def started(complete: int, data: bytes | None = None) -> auth.AuthSaslStartRet:
    return auth.AuthSaslStartRet(complete=complete, nil=int(data is None), data=data or b"")


def stepped(complete: int, data: bytes | None = None) -> auth.AuthSaslStepRet:
    return auth.AuthSaslStepRet(complete=complete, nil=int(data is None), data=data or b"")


def converse(script: Script, answers: list[Any]) -> list[tuple[str, Any]]:
    """Drive a conversation, with what is to be computed computed; return its calls."""
    calls = []
    waiting = list(answers)
    going = talk(script, {})
    try:
        wish = next(going)
        while True:
            if isinstance(wish, Work):
                wish = going.send(wish.function(*wish.args))
                continue
            assert isinstance(wish, tuple)
            procedure, args = wish
            calls.append((procedure.name, args))
            wish = going.send(waiting.pop(0))
    except StopIteration:
        assert not waiting
        return calls


def test_one_message_is_enough_where_both_say_so() -> None:
    script = Script(b"hello", complete_after=1)
    calls = converse(script, [started(1)])
    assert calls == [
        ("AUTH_SASL_START", auth.AuthSaslStartArgs(mech="X-TEST", nil=0, data=b"hello"))
    ]
    assert script.heard == []


@pytest.mark.parametrize(("said", "nil"), [(None, 1), (b"", 0)])
def test_none_is_not_an_empty_message(said: bytes | None, nil: int) -> None:
    script = Script(said, said, None, complete_after=3)
    calls = converse(script, [started(0, said), stepped(1, b"proof")])
    assert calls[0][1] == auth.AuthSaslStartArgs(mech="X-TEST", nil=nil, data=b"")
    assert calls[1] == ("AUTH_SASL_STEP", auth.AuthSaslStepArgs(nil=nil, data=b""))
    assert script.heard == [said, b"proof"]


def test_the_last_message_of_the_daemon_is_checked() -> None:
    script = Script(b"a", None, complete_after=2)
    converse(script, [started(1, b"proof")])
    assert script.heard == [b"proof"]


def test_this_side_may_be_over_first() -> None:
    # The daemon's proof came with a question, and the answer to it says nothing any more.
    script = Script(b"a", None, complete_after=2)
    calls = converse(script, [started(0, b"proof"), stepped(1)])
    assert [name for name, _ in calls] == ["AUTH_SASL_START", "AUTH_SASL_STEP"]


@pytest.mark.parametrize("data", [None, b"", b"almost"])
def test_a_daemon_that_says_so_too_early_is_not_believed(data: bytes | None) -> None:
    script = Script(b"a", b"b", complete_after=3)
    with pytest.raises(AuthenticationError, match="before it has proven who it is"):
        converse(script, [started(1, data)])


def test_a_daemon_that_goes_on_where_nothing_is_left() -> None:
    with pytest.raises(AuthenticationError, match="goes on where nothing is left"):
        converse(Script(b"a", complete_after=1), [started(0, b"more")])


def test_a_daemon_that_never_ends() -> None:
    script = Script(*[b"a"] * 50, complete_after=99)
    with pytest.raises(AuthenticationError, match="no end after 20 messages"):
        converse(script, [started(0), *[stepped(0, b"x")] * 49])


def test_what_is_offered_is_as_the_daemon_writes_it() -> None:
    answer = auth.AuthSaslInitRet(mechlist="B,A")
    assert drive(what_is_offered(), [answer]) == ([("AUTH_SASL_INIT", None)], "B,A")


def test_polkit_is_one_call() -> None:
    answer = auth.AuthPolkitRet(complete=1)
    assert drive(ask_polkit(), [answer]) == ([("AUTH_POLKIT", None)], None)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (45, "group libvirt"),
        (79, "gave none, or a wrong one"),
        (94, "pkttyagent"),
    ],
)
def test_a_refusal_of_polkit_s_says_what_may_be_done(code: int, hint: str) -> None:
    refusal = error_class(code)("access denied by policy", code=code, domain=60)
    with pytest.raises(LibvirtError) as caught:
        drive(ask_polkit(), [refusal])
    assert str(caught.value).startswith("access denied by policy: ")
    assert hint in str(caught.value)
    assert caught.value.message == "access denied by policy"


def test_other_failures_are_left_as_they_are() -> None:
    with pytest.raises(LibvirtError, match=r"^no bus$"):
        drive(ask_polkit(), [LibvirtError("no bus", code=38)])


def test_a_person_who_is_asked_may_take_a_while() -> None:
    assert patience(None) is None
    assert patience(5.0) == 300
    assert patience(500.0) == 500
