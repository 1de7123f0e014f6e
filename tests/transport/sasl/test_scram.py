"""SCRAM: a proof given, a proof wanted."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scramp import ScramMechanism
from scramp.core import ScramServer

from tests.transport.sasl.attempts import FRED, attempt
from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType

if TYPE_CHECKING:
    from virtproto.transport.sasl import Mechanism

NAMES = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")


def daemon(name: str, password: str = "s3cret") -> ScramServer:
    """Return the other side of an attempt, for which fred's password is ``password``."""
    mechanism = ScramMechanism(name)
    known = mechanism.make_auth_info(password)
    server: ScramServer = mechanism.make_server(lambda _user: known)
    return server


def first_exchange(mechanism: Mechanism, server: ScramServer) -> bytes:
    """Go up to the daemon's first message, and return it."""
    said = mechanism.start(FRED)
    assert said is not None
    server.set_client_first(said.decode())
    message: str = server.get_server_first()
    return message.encode()


@pytest.mark.parametrize("name", NAMES)
def test_both_prove_that_they_know(name: str) -> None:
    mechanism, server = attempt(name), daemon(name)
    proof = mechanism.step(first_exchange(mechanism, server))
    assert proof is not None
    server.set_client_final(bytes(proof).decode())
    assert not mechanism.is_complete
    assert mechanism.step(server.get_server_final().encode()) is None
    assert mechanism.is_complete
    assert (mechanism.ssf, mechanism.layer(), mechanism.is_plaintext) == (0, None, False)
    assert mechanism.may_block


def test_a_name_with_commas_arrives() -> None:
    said = attempt("SCRAM-SHA-256").start({**FRED, CredentialType.AUTHNAME: "a,b=c"})
    assert said is not None
    assert said.startswith(b"n,,n=a=2Cb=3Dc,r=")


@pytest.mark.parametrize("name", NAMES)
def test_a_daemon_that_does_not_know_the_password_is_found_out(name: str) -> None:
    mechanism, server = attempt(name), daemon(name)
    mechanism.step(first_exchange(mechanism, server))
    false = base64.b64encode(b"x" * 20).decode()
    with pytest.raises(AuthenticationError, match=f"{name}: .*signature") as caught:
        mechanism.step(f"v={false}".encode())
    assert not mechanism.is_complete
    assert caught.value.__context__ is None


@pytest.mark.parametrize("said", [b"e=invalid-proof", b"", b"v=", b"v=***", b"\xff", b"x" * 9999])
def test_odd_last_messages_prove_nothing(said: bytes) -> None:
    mechanism, server = attempt("SCRAM-SHA-256"), daemon("SCRAM-SHA-256")
    mechanism.step(first_exchange(mechanism, server))
    with pytest.raises(AuthenticationError):
        mechanism.step(said)
    assert not mechanism.is_complete


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: ["r=stranger", *parts[1:]],
        lambda parts: [parts[0], "s=***", parts[2]],
        lambda parts: [parts[0], parts[2]],
        lambda parts: parts[:2],
        lambda parts: ["m=x", *parts],
        lambda parts: [*parts[:2], "i=1"],
        lambda parts: [*parts[:2], "i=4095"],
        lambda parts: [*parts[:2], "i=1000001"],
        lambda parts: [*parts[:2], "i=" + "9" * 6000],
        lambda parts: [*parts[:2], "i=-5"],
        lambda parts: [*parts[:2], "i=٤٠٩٦"],
        lambda parts: [*parts[:2], "i=04096"],
        lambda parts: [*parts, "i=1"],
        lambda parts: [*parts, "i=900000000"],
        lambda parts: [*parts[:2], "i=000004096900"],
        lambda parts: [*parts[:2], "i=²"],
        lambda parts: [parts[0], "s=abc", parts[2]],
    ],
)
def test_odd_first_messages_get_no_proof(change: object) -> None:
    mechanism = attempt("SCRAM-SHA-256")
    parts = first_exchange(mechanism, daemon("SCRAM-SHA-256")).decode().split(",")
    assert callable(change)
    with pytest.raises(AuthenticationError) as caught:
        mechanism.step(",".join(change(parts)).encode())
    assert len(str(caught.value)) < 300


WORDS = st.lists(
    st.sampled_from(["r=", "s=", "i=", "v=", "e=", "m=", ",", "=", "4096", "QUFB", "\0", "é", "x"]),
    max_size=8,
)


@given(WORDS.map("".join), st.booleans(), st.booleans())
@example("", True, True)
def test_whatever_a_daemon_says_it_is_at_most_a_refusal(
    text: str, keeps_nonce: bool, is_first: bool
) -> None:
    mechanism, server = attempt("SCRAM-SHA-1"), daemon("SCRAM-SHA-1")
    first = first_exchange(mechanism, server)
    if not is_first:
        mechanism.step(first)
        said = text.encode()
    else:
        said = (first.partition(b",")[0] if keeps_nonce else b"") + text.encode()
    with pytest.raises(AuthenticationError):
        mechanism.step(said)


def test_a_message_too_many_or_too_few() -> None:
    mechanism = attempt("SCRAM-SHA-1")
    mechanism.start(FRED)
    with pytest.raises(AuthenticationError, match="left out a message"):
        mechanism.step(None)


def test_acting_as_oneself_goes_without_saying() -> None:
    said = attempt("SCRAM-SHA-1").start({**FRED, CredentialType.USERNAME: "fred"})
    assert said is not None
    assert said.startswith(b"n,,n=fred,")


def test_acting_as_somebody_else_is_not_possible() -> None:
    with pytest.raises(AuthenticationError, match="username"):
        attempt("SCRAM-SHA-1").start({**FRED, CredentialType.USERNAME: "boss"})


@pytest.mark.parametrize("password", ["a\x07b", "\u0627b", "\udcff"])
def test_a_password_that_it_cannot_take_is_not_shown(password: str) -> None:
    with pytest.raises(AuthenticationError, match="SCRAM-SHA-1: ") as caught:
        attempt("SCRAM-SHA-1").start({**FRED, CredentialType.PASSPHRASE: password})
    assert password not in str(caught.value)
    assert password not in repr(caught.value)


def test_neither_repr_nor_message_shows_the_proof() -> None:
    mechanism, server = attempt("SCRAM-SHA-1"), daemon("SCRAM-SHA-1")
    proof = mechanism.step(first_exchange(mechanism, server))
    assert repr(proof) == "<concealed>"
    assert repr(mechanism) == "<SASL SCRAM-SHA-1>"


@pytest.mark.parametrize("rounds", ["i=4096,i=900000000", "i=900000000,i=4096", "i=000004096900"])
def test_what_is_to_be_computed_is_bounded_here(
    rounds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a release of the library makes of it."""
    mechanism = attempt("SCRAM-SHA-256")
    parts = first_exchange(mechanism, daemon("SCRAM-SHA-256")).decode().split(",")
    monkeypatch.setattr(type(mechanism), "_asked", lambda *_args: pytest.fail("it was asked"))
    with pytest.raises(AuthenticationError, match="rounds of its hash; 4096 to 1000000 are taken"):
        mechanism.step(",".join([*parts[:2], rounds]).encode())


def test_what_the_library_raises_besides_is_kept_from_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some releases leave errors of base64 to whoever asks, in frames that know the password."""
    mechanism = attempt("SCRAM-SHA-256")
    message = first_exchange(mechanism, daemon("SCRAM-SHA-256"))

    def refuse(*_args: object) -> None:
        raise binascii.Error("Incorrect padding")

    monkeypatch.setattr("scramp.core.ScramClient.set_server_first", refuse)
    with pytest.raises(AuthenticationError, match="what cannot be read") as caught:
        mechanism.step(message)
    assert caught.value.__context__ is None
