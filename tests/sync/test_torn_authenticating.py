"""A signal that raises while a daemon lets this client in: nothing stays open, nobody waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.sync.test_torn_anywhere import Stop, Tearing
from virtproto import Credentials
from virtproto.sync import authenticating
from virtproto.testing import ScriptedServer
from virtproto.wire import remote

FRED = Credentials("fred", "s3cret")
# Every so many of the places where a signal could raise; a prime, so that all kinds come.
EVERY = 11


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A daemon that wants a password."""
    with ScriptedServer() as running:
        running.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        running.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist="PLAIN"))
        done = remote.AuthSaslStartRet(complete=1, nil=1, data=b"")
        running.handle(remote.AUTH_SASL_START, done)
        running.listen(tmp_path / "s")
        yield running


def asked(_requests: Any) -> list[str]:
    return ["fred", "s3cret"]


@pytest.mark.parametrize("given", [FRED, asked], ids=["credentials", "function"])
def test_torn_anywhere_nothing_stays_open(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", os.devnull)
    uri = f"test:///default?socket={tmp_path / 's'}"
    genuine = authenticating.authenticate
    tearing = Tearing(0)

    def torn(*arguments: Any) -> None:
        with tearing:
            genuine(*arguments)

    monkeypatch.setattr(authenticating, "authenticate", torn)
    threads = threading.active_count()
    place, failed = 0, 0
    while tearing.left <= 0:
        place += EVERY
        tearing = Tearing(place)
        try:
            virtproto.open(uri, credentials=given, keepalive=None).close()
        except Stop as stop:
            failed += 1
            # The frames of whoever was torn hold what they held.
            stop.__traceback__ = None
    assert failed > 20
    server.wait_until(lambda seen: seen.connections_ended == failed + 1)
    assert threading.active_count() == threads
