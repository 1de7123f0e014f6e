"""Threads that wait for their turn to change what they hear: how long, and through signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.test_events import Registrar
from tests.interrupting import interruption
from virtproto import deadline
from virtproto.errors import DeadlineError
from virtproto.events import DomainLifecycle, DomainReboot
from virtproto.protocol.events import CallReceived
from virtproto.sync.event_stream import Events
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

REGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
_PATIENCE_S = 10.0


class Slow:
    """A daemon that answers registrations once it is told to."""

    def __init__(self, server: ScriptedServer) -> None:
        self.registrar = Registrar(server)
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        server.handle(REGISTER, self.register)

    def register(self, call: CallReceived) -> Answer:
        self.asked.release()
        assert self.go_on.wait(_PATIENCE_S)
        return self.registrar.register(call)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield Slow(running)


@pytest.fixture
def connection(slow: Slow, tmp_path: Path) -> Iterator[virtproto.Connection]:
    with virtproto.open(f"test:///default?socket={tmp_path / 's'}") as opened:
        yield opened


@pytest.fixture
def heard(connection: virtproto.Connection, slow: Slow) -> Events[Any]:
    """An iterator that was entered, and is closed by the test."""
    events = connection.events(DomainReboot)
    events.__enter__()
    assert slow.asked.acquire(timeout=_PATIENCE_S)
    return events


@pytest.fixture
def another(
    connection: virtproto.Connection, slow: Slow, heard: Events[Any]
) -> Iterator[threading.Thread]:
    """A thread that has the turn, and waits for the daemon."""
    slow.go_on.clear()
    thread = threading.Thread(
        target=lambda: connection.domain_event_register_any(None, 0, lambda *args: None)
    )
    thread.start()
    assert slow.asked.acquire(timeout=_PATIENCE_S)
    yield thread
    slow.go_on.set()
    thread.join(_PATIENCE_S)


def test_waiting_for_the_turn_is_bounded_as_a_call_is(
    connection: virtproto.Connection,
    slow: Slow,
    heard: Events[Any],
    another: threading.Thread,
) -> None:
    with pytest.raises(DeadlineError, match="another change of it was under way"), deadline(0.05):
        connection.domain_event_register_any(None, 2, print)
    with pytest.raises(DeadlineError, match="another change of it was under way"):
        connection.events(DomainLifecycle).next(timeout_s=0.05)
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError, match=r"within 0\.05 s"):
        connection.domain_event_register(print)
    for change in (
        connection.domain_event_deregister,
        connection.unregister_close_callback,
        lambda: connection.register_close_callback(print),
        lambda: connection.domain_qemu_monitor_event_register(None, None, print),
        lambda: connection.events(DomainLifecycle).next(),
    ):
        with pytest.raises(DeadlineError, match="another change"):
            change()
    # What cannot be told the daemon now is told it later.
    heard.close()
    connection.call_timeout_s = None
    slow.go_on.set()
    another.join(_PATIENCE_S)
    assert len(slow.registrar.kept) == 2
    with connection.events(DomainLifecycle):
        assert len(slow.registrar.kept) == 1


def test_a_signal_ends_the_wait_and_leaves_the_turn_to_others(
    connection: virtproto.Connection, slow: Slow, another: threading.Thread
) -> None:
    with interruption() as one:
        timer = threading.Timer(0.05, one.send)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            connection.domain_event_register_any(None, 2, print)
        timer.join()
    slow.go_on.set()
    number = connection.domain_event_register_any(None, 2, print)
    connection.domain_event_deregister_any(number)


def test_a_signal_handler_does_not_wait_for_whom_it_interrupted(
    connection: virtproto.Connection, slow: Slow, heard: Events[Any]
) -> None:
    refused: list[str] = []

    def handle(number: int, frame: object) -> None:
        slow.go_on.set()
        heard.close()
        try:
            connection.domain_event_register_any(None, 3, print)
        except DeadlineError as error:
            refused.append(str(error))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        slow.go_on.clear()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        mine = connection.domain_event_register_any(None, 3, print)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "another change of it was under way" in refused[0]
    connection.domain_event_deregister_any(mine)
    assert slow.registrar.kept == {}
