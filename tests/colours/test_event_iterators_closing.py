"""Closing an iterator over events, in both colours, while the daemon says nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

import virtproto
from tests.colours.test_events import Registrar, lifecycle
from virtproto.errors import InternalError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

REGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
DEREGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY

# How long the daemon is silent, and half of that, which nobody who closes may need.
SILENT_S = 10.0
TOO_LONG_S = 5.0


class Silence:
    """A registrar that ends registrations only once it is let go."""

    def __init__(self, server: ScriptedServer) -> None:
        self.registrar = Registrar(server)
        self.over = threading.Event()
        server.handle(DEREGISTER, self._deregister)

    def _deregister(self, call: CallReceived) -> Answer:
        self.over.wait(SILENT_S)
        return self.registrar.deregister(call)


@pytest.fixture
def silence(server: ScriptedServer) -> Iterator[Silence]:
    made = Silence(server)
    yield made
    made.over.set()


@pytest.mark.parametrize("limit_s", [None, 0.1])
def test_closing_does_not_wait_for_a_silent_daemon(
    server: ScriptedServer,
    silence: Silence,
    connection: virtproto.Connection,
    events: ModuleType,
    limit_s: float | None,
) -> None:
    with connection.events(events.DomainLifecycle) as heard:
        server.send(lifecycle(0, 5))
        assert heard.next(timeout_s=TOO_LONG_S).event == 5
        connection.call_timeout_s = limit_s
        began = time.monotonic()
    assert time.monotonic() - began < (TOO_LONG_S if limit_s is None else 1.5)
    assert len(silence.registrar.kept) == 1
    # What was not done is done with the next change, and the same events can be had again.
    connection.call_timeout_s = None
    silence.over.set()
    with connection.events(events.DomainLifecycle) as heard:
        assert list(silence.registrar.kept) == [1]
        server.send(lifecycle(1, 6))
        assert heard.next(timeout_s=TOO_LONG_S).event == 6
    assert silence.registrar.kept == {}


def test_an_iterator_that_could_not_be_entered_is_left_as_soon(
    server: ScriptedServer, silence: Silence, connection: virtproto.Connection, events: ModuleType
) -> None:
    def answer(call: CallReceived) -> Answer:
        if silence.registrar.next:
            return ReplyError("no more of these", code=1)
        return silence.registrar.register(call)

    server.handle(REGISTER, answer)
    heard = connection.events(events.DomainLifecycle, events.DomainReboot)
    began = time.monotonic()
    with pytest.raises(InternalError, match="no more of these"):
        heard.next()
    assert time.monotonic() - began < TOO_LONG_S
    assert len(silence.registrar.kept) == 1
    silence.over.set()
