"""What the parties are told when the daemon dies, each by a callback of its own."""

from __future__ import annotations

import pytest

from tests.differential.comparisons.closing import IS_ALIVE, KEEP_ALIVE, REGISTER, UNREGISTER
from tests.differential.parties import AioParty, BindingParty, Party, SyncParty
from tests.lab.c_binding import CBinding
from tests.lab.fixtures import private_daemon

pytestmark = pytest.mark.lab

URI = "test:///default"


def test_parties_hear_of_the_end() -> None:
    with private_daemon("9.0.0") as daemon:
        uri = daemon.uri(URI)
        with (
            CBinding(uri, events=True) as binding,
            SyncParty(uri, {}) as sync,
            AioParty(uri, {}) as aio,
        ):
            parties: list[Party] = [BindingParty(binding, {}), sync, aio]
            # Registered, given up and registered anew, each of which says nothing.
            for question in (KEEP_ALIVE, REGISTER, UNREGISTER, REGISTER):
                answers = [party.answer(question) for party in parties]
                assert answers == [{"value": None}] * 3
            daemon.kill()
            reasons = [party.hear(1) for party in parties]
            assert reasons == [[[1]]] * 3 or reasons == [[[0]]] * 3
            assert not binding.ask("isAlive")
            assert not sync.answer(IS_ALIVE)["value"]
            assert not aio.answer(IS_ALIVE)["value"]
