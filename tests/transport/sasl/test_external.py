"""EXTERNAL: one message."""

from __future__ import annotations

import pytest

from tests.transport.sasl.attempts import FRED, attempt
from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType


def test_its_message_is_empty_but_there() -> None:
    external = attempt("EXTERNAL")
    assert external.wanted == ()
    assert external.start(FRED) == b""
    assert external.is_complete
    assert not external.is_plaintext


def test_as_whom_to_act() -> None:
    assert attempt("EXTERNAL").start({CredentialType.USERNAME: "böss"}) == b"b\xc3\xb6ss"


def test_a_nul_is_refused() -> None:
    with pytest.raises(AuthenticationError, match="username: EXTERNAL"):
        attempt("EXTERNAL").start({CredentialType.USERNAME: "a\0b"})
