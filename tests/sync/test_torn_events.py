"""A signal that raises wherever the interpreter looks for signals, in what is done for events."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle, noting
from tests.sync.test_torn_anywhere import OURS, Stop, Tearing
from virtproto.errors import DeadlineError
from virtproto.events import DomainLifecycle
from virtproto.testing import ScriptedServer

_PATIENCE_S = 10.0
# Others are torn, with calls, in tests of their own.
CONCERNED = {
    OURS + os.path.join(*parts)
    for parts in (
        ("sync", "event_stream.py"),
        ("sync", "event_end.py"),
        ("sync", "registering.py"),
        ("sync", "turn.py"),
        ("sync", "delivery.py"),
        ("model", "subscriptions.py"),
        ("model", "event_queue.py"),
    )
}


class TearingEvents(Tearing):
    """Raises Stop at one place in our code for events, or where wakers are made."""

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        # What is raised in the garbage collector's calls nobody gets.
        concerned = code.co_filename in CONCERNED and code.co_name != "__del__"
        if not concerned and not code.co_qualname.startswith("Waker.__init__"):
            return None
        return super()._trace(frame, event, arg)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


@pytest.fixture
def connection(server: ScriptedServer, tmp_path: Path) -> Iterator[virtproto.Connection]:
    # Without keepalive no thread but this one has descriptors.
    uri = f"test:///default?socket={tmp_path / 's'}"
    with virtproto.open(uri, keepalive=None) as opened:
        yield opened


def tear(place: int, work: Callable[[], object]) -> bool:
    """Do ``work`` and tear it at a place; return whether there is such a place."""
    tearing = TearingEvents(place)
    try:
        with tearing:
            work()
    except Stop:
        pass
    # It keeps what was torn, and itself.
    tearing._before.clear()
    return tearing.left <= 0


def ignored(*args: object) -> None:
    """Take no note of an event."""


@pytest.mark.filterwarnings("ignore:an iterator over events was never closed:ResourceWarning")
def test_a_torn_iterator_leaves_nothing_behind(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    def iterate() -> None:
        with connection.events(DomainLifecycle) as heard, contextlib.suppress(DeadlineError):
            heard.next(timeout_s=0.0001)

    iterate()
    living = connection._alive()
    descriptors = len(os.listdir("/proc/self/fd"))
    place = 0
    torn = True
    while torn:
        place += 1
        torn = tear(place, iterate)
        # The same once more takes on what was asked, and has everything ended.
        iterate()
        assert registrar.kept == {}, place
        left = living.registry
        kept = (left._by_key, left._by_number, left._by_queue, left._routes, left.unanswered)
        assert not any(kept), place
        assert not living.delivery._hearers, place
        assert connection._channel._wakers == [], place
        assert len(os.listdir("/proc/self/fd")) == descriptors, place
    assert place > 100


def test_a_torn_registration_can_be_made_again(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    # Has the threads started, and kept.
    connection.domain_event_register_any(None, 1, ignored)
    seen: list[Any] = []
    place = 0
    torn = True
    while torn:
        place += 1
        seen.clear()
        numbers: list[int] = []

        def register(numbers: list[int] = numbers) -> None:
            numbers.append(connection.domain_event_register_any(None, LIFECYCLE, ignored))

        torn = tear(place, register)
        number = connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
        (server_id,) = (each for each, payload in registrar.kept.items() if payload[3] == 0)
        server.send(lifecycle(server_id, place))
        until(connection, lambda: seen)
        assert len(seen) == 1, place
        for each in (number, *numbers):
            connection.domain_event_deregister_any(each)
    assert place > 30
