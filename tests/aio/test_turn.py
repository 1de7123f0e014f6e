"""Tasks that wait for their turn to change what they hear: how long, and cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.colours.test_events import Registrar
from virtproto import aio, deadline
from virtproto.aio.events import DomainLifecycle, DomainReboot
from virtproto.errors import DeadlineError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

REGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
_PATIENCE_S = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield running


class Slow:
    """A daemon that answers registrations once it is told to."""

    def __init__(self, server: ScriptedServer) -> None:
        self.registrar = Registrar(server)
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def register(self, call: CallReceived) -> Answer:
        self.asked.set()
        assert self.go_on.wait(_PATIENCE_S)
        return self.registrar.register(call)


async def test_waiting_for_the_turn_is_bounded_as_a_call_is(
    server: ScriptedServer, tmp_path: Path
) -> None:
    slow = Slow(server)
    async with await aio.open(f"test:///default?socket={tmp_path / 's'}") as connection:
        heard = connection.events(DomainReboot)
        await heard.__aenter__()
        server.handle(REGISTER, slow.register)
        another = asyncio.create_task(connection.domain_event_register_any(None, 0, print))
        await asyncio.to_thread(slow.asked.wait, _PATIENCE_S)
        with pytest.raises(DeadlineError, match="another change of it"), deadline(0.05):
            await connection.domain_event_register_any(None, 2, print)
        with pytest.raises(DeadlineError, match="another change of it"):
            await connection.events(DomainLifecycle).next(timeout_s=0.05)
        connection.call_timeout_s = 0.05
        for change in (
            lambda: connection.domain_event_register(print),
            connection.domain_event_deregister,
            connection.unregister_close_callback,
            lambda: connection.register_close_callback(print),
            lambda: connection.domain_qemu_monitor_event_register(None, None, print),
            lambda: connection.events(DomainLifecycle).next(),
        ):
            with pytest.raises(DeadlineError, match=r"within 0\.05 s, as another change"):
                await change()
        # What cannot be told the daemon now is told it later.
        await heard.close()
        connection.call_timeout_s = None
        waiting = asyncio.create_task(connection.domain_event_register_any(None, 4, print))
        await asyncio.sleep(0)
        waiting.cancel()
        slow.go_on.set()
        await another
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with connection.events(DomainLifecycle):
            assert len(slow.registrar.kept) == 1
