"""Registrations for events whose tasks are cancelled."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tests.colours.test_events import LIFECYCLE, Registrar
from virtproto import aio
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

REGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY


@pytest.mark.parametrize("answered_before", [True, False], ids=["answered", "still to come"])
def test_a_cancelled_registration_is_taken_on(tmp_path: Path, answered_before: bool) -> None:
    held = threading.Event()

    async def cancel_and_register(connection: aio.Connection) -> int:
        task = asyncio.create_task(connection.domain_event_register_any(None, LIFECYCLE, print))
        while REGISTER.number not in {call.procedure for call in server.calls}:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if answered_before:
            held.set()
            while not registrar.kept:
                await asyncio.sleep(0.001)
        else:
            asyncio.get_running_loop().call_later(0.01, held.set)
        return await connection.domain_event_register_any(None, LIFECYCLE, print)

    async def work() -> None:
        async with await aio.open(f"test:///default?socket={tmp_path / 's'}") as connection:
            number = await cancel_and_register(connection)
            assert len(registrar.kept) == 1
            await connection.domain_event_deregister_any(number)
            assert registrar.kept == {}

    def slow(call: CallReceived) -> Answer:
        assert held.wait(10)
        return registrar.register(call)

    with ScriptedServer() as server:
        registrar = Registrar(server)
        server.handle(REGISTER, slow)
        server.listen(tmp_path / "s")
        asyncio.run(work())
