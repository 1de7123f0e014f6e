"""Threads that register for events at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import virtproto
from virtproto.errors import UsageError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

_PATIENCE_S = 10.0


class CountedTurn:
    """A connection's turn, which tells of each thread that wants it."""

    def __init__(self) -> None:
        self.wanted = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.wanted.release()
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()


def together(
    connection: virtproto.Connection, work: Callable[[], None], go_on: threading.Event
) -> list[str]:
    """Have two threads do the same, the second while the first waits for ``go_on``.

    Return what became of each.
    """
    turn = CountedTurn()
    connection._alive().turn = turn  # type: ignore[assignment]
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            work()
        except UsageError as error:
            outcomes.append(str(error))
        else:
            outcomes.append("done")

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert turn.wanted.acquire(timeout=_PATIENCE_S)
    finally:
        go_on.set()
        for thread in threads:
            thread.join(_PATIENCE_S)
    return sorted(outcomes)


def test_one_of_two_threads_gets_the_one_lifecycle_callback(tmp_path: Path) -> None:
    go_on = threading.Event()

    def register(call: CallReceived) -> Answer:
        assert go_on.wait(_PATIENCE_S)
        return calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=0)

    handlers: dict[Any, Any] = {
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: register,
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: b"",
    }
    with ScriptedServer(handlers) as server:
        server.listen(tmp_path / "s")
        with virtproto.open(f"test:///default?socket={tmp_path / 's'}") as connection:
            found = together(connection, lambda: connection.domain_event_register(print), go_on)
            assert found == ["callback: there is one already, and it can be one at a time", "done"]
            assert len(connection._alive().registry._by_number) == 1
            found = together(connection, connection.domain_event_deregister, go_on)
            assert found == ["done", "there is no callback of domain_event_register"]
            assert connection._alive().registry._by_number == {}
