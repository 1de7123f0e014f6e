"""PLAIN: one message."""

from __future__ import annotations

import pytest

from tests.transport.sasl.attempts import FRED, attempt
from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType


def test_its_message() -> None:
    plain = attempt("PLAIN")
    assert plain.is_plaintext
    assert not plain.is_complete
    said = plain.start(FRED)
    assert said == b"\0fred\0s3cret"
    assert "s3cret" not in repr(said)
    assert plain.is_complete
    assert (plain.ssf, plain.layer()) == (0, None)


def test_acting_as_somebody_else_and_letters_of_any_kind() -> None:
    answers = {**FRED, CredentialType.USERNAME: "böss", CredentialType.PASSPHRASE: "pä\udcffß"}
    assert attempt("PLAIN").start(answers) == b"b\xc3\xb6ss\0fred\0p\xc3\xa4\xff\xc3\x9f"


@pytest.mark.parametrize("kind", [*FRED, CredentialType.USERNAME])
def test_a_nul_would_end_what_it_is_in(kind: CredentialType) -> None:
    with pytest.raises(AuthenticationError, match="NUL") as caught:
        attempt("PLAIN").start({**FRED, kind: "s3\0cret"})
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["PLAIN", "EXTERNAL", "ANONYMOUS"])
def test_a_daemon_that_asks_back_does_not_speak_it(name: str) -> None:
    mechanism = attempt(name)
    mechanism.start(FRED)
    assert mechanism.step(None) is None
    with pytest.raises(AuthenticationError, match=f"{name}: the daemon answered"):
        mechanism.step(b"who?")


def test_its_repr_shows_nothing() -> None:
    plain = attempt("PLAIN")
    plain.start(FRED)
    assert repr(plain) == "<SASL PLAIN>"
