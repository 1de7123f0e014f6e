"""Which mechanism is taken, and what is said where none is."""

from __future__ import annotations

import pytest

from virtproto.errors import AuthenticationError
from virtproto.transport import sasl
from virtproto.transport.sasl import MECHANISMS, choice, mechanism_class, missing_extra
from virtproto.transport.sasl.choice import choose_mechanism, least_ssf


@pytest.fixture(autouse=True)
def _all_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "missing_extra", lambda name: None)


def chosen(offered: str, wanted: str | None = None, *, is_secure: bool = True) -> str:
    return choose_mechanism(offered, wanted, is_secure=is_secure, road="h:1")


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("SCRAM-SHA-1,SCRAM-SHA-256", "SCRAM-SHA-256"),
        ("SCRAM-SHA-256,SCRAM-SHA-1", "SCRAM-SHA-256"),
        ("PLAIN", "PLAIN"),
        ("ANONYMOUS,PLAIN", "PLAIN"),
        ("PLAIN,SCRAM-SHA-1", "SCRAM-SHA-1"),
        ("DIGEST-MD5,SCRAM-SHA-1", "SCRAM-SHA-1"),
        ("PLAIN,DIGEST-MD5", "DIGEST-MD5"),
        ("SCRAM-SHA-1,DIGEST-MD5", "SCRAM-SHA-1"),
        ("SCRAM-SHA-1,GSSAPI", "GSSAPI"),
        ("DIGEST-MD5,GSSAPI,PLAIN", "GSSAPI"),
        ("X-NEW CRAM-MD5;scram-sha-512", "SCRAM-SHA-512"),
        ("EXTERNAL,PLAIN", "EXTERNAL"),
    ],
)
def test_where_nobody_listens(offered: str, expected: str) -> None:
    assert chosen(offered) == expected


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("DIGEST-MD5", "DIGEST-MD5"),
        ("PLAIN,SCRAM-SHA-512,ANONYMOUS,EXTERNAL,DIGEST-MD5", "DIGEST-MD5"),
        ("DIGEST-MD5,GSSAPI", "GSSAPI"),
    ],
)
def test_where_others_may_listen_it_has_to_encrypt(offered: str, expected: str) -> None:
    assert chosen(offered, is_secure=False) == expected


@pytest.mark.parametrize("name", ["PLAIN", "ANONYMOUS", "EXTERNAL", "SCRAM-SHA-512"])
@pytest.mark.parametrize("insisting", [False, True])
def test_nothing_else_is_taken_there(name: str, insisting: bool) -> None:
    with pytest.raises(AuthenticationError) as caught:
        chosen(f"{name},X", name if insisting else None, is_secure=False)
    text = str(caught.value)
    assert "h:1 is open to everybody" in text
    assert name in text
    assert "nothing was sent" in text


def test_what_the_uri_insists_on() -> None:
    assert chosen("GSSAPI,PLAIN", "PLAIN") == "PLAIN"


@pytest.mark.parametrize(
    ("offered", "wanted", "words"),
    [
        ("PLAIN", "SCRAM-SHA-256", "wants SASL mechanism SCRAM-SHA-256; the daemon offers PLAIN"),
        ("SCRAM-SHA-256", "scram-sha-256", "the daemon offers SCRAM-SHA-256"),
        ("SCRAM-SHA-256", "SHA", "none is known here"),
        ("X-NEW,CRAM-MD5", None, "(X-NEW, CRAM-MD5) none is known here; known are GSSAPI"),
        ("", None, "(none)"),
        ("\n, ;", None, "(none)"),
    ],
)
def test_what_is_not_to_be_had(offered: str, wanted: str | None, words: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        chosen(offered, wanted)
    assert words in str(caught.value)


def test_a_list_without_end_is_not_repeated_to_the_user() -> None:
    for wanted in (None, "PLAIN"):
        with pytest.raises(AuthenticationError) as caught:
            chosen(",".join(f"X{number}" for number in range(100_000)), wanted)
        assert len(str(caught.value)) < 1000


def test_a_mechanism_without_its_library_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"GSSAPI": "gssapi", "SCRAM-SHA-256": "sasl"}
    monkeypatch.setattr(choice, "missing_extra", missing.get)
    assert chosen("GSSAPI,SCRAM-SHA-256,PLAIN") == "PLAIN"
    with pytest.raises(AuthenticationError) as caught:
        chosen("GSSAPI,SCRAM-SHA-256")
    assert "SASL mechanism SCRAM-SHA-256 takes pip install 'virtproto[sasl]'" in str(caught.value)


def test_libraries_that_are_missing_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sasl._LIBRARIES, "SCRAM-SHA-1", ("no_such_library", "sasl"))
    assert missing_extra("SCRAM-SHA-1") == "sasl"
    assert missing_extra("SCRAM-SHA-256") is None
    assert missing_extra("PLAIN") is None
    with pytest.raises(AuthenticationError, match=r"pip install 'virtproto\[sasl\]'"):
        mechanism_class("SCRAM-SHA-1")


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_is_said_of_a_mechanism_is_so(name: str) -> None:
    if missing_extra(name) is not None:
        assert name == "GSSAPI"
        return
    mechanism = mechanism_class(name)
    assert mechanism.name == name
    assert mechanism.is_plaintext == (name == "PLAIN")
    assert mechanism.is_anonymous == (name == "ANONYMOUS")
    strongest: int = getattr(mechanism, "max_ssf", 0)
    assert (strongest >= least_ssf(False)) == (name in choice._ENCRYPTING)


def test_how_strong_a_layer_has_to_be() -> None:
    assert (least_ssf(True), least_ssf(False)) == (0, 56)
