"""A guest that moves between two daemons: what the suites of its migration share.

Responsible for where it is, and for noticing that its memory is on its way. It must not know how a
migration is asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import virtproto
from tests.lab.c_binding import CBinding
from tests.lab.migration import MigrationPair
from tests.lab.running import await_agent
from virtproto.constants import DomainJobType, DomainMigrateFlags, DomainState

__all__ = [
    "MOVE",
    "NAME",
    "PEER_TO_PEER",
    "POSTCOPY",
    "SLOW",
    "TRANSFER_S",
    "TUNNELLED",
    "Roads",
    "arrived",
    "when_transferring",
]

NAME = "mover"
# The disk is a plain file that both daemons see, which libvirt does not believe by itself.
MOVE = DomainMigrateFlags.LIVE | DomainMigrateFlags.UNSAFE
PEER_TO_PEER = MOVE | DomainMigrateFlags.PEER2PEER
TUNNELLED = PEER_TO_PEER | DomainMigrateFlags.TUNNELLED
POSTCOPY = MOVE | DomainMigrateFlags.POSTCOPY

# MiB/s at which the guest's memory takes much longer than any test does.
SLOW = 1
TRANSFER_S = 30.0


class Roads:
    """The pair, with a fresh migration URI for each migration."""

    def __init__(self, pair: MigrationPair) -> None:
        self.pair = pair
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return self.pair.migrate_uri(f"road{self._count}")


def arrived(roads: Roads, *, at_target: bool, name: str = NAME) -> None:
    """Check that the guest runs at one end only, and is the guest that it was."""
    uris = [roads.pair.source_uri, roads.pair.target_uri]
    if at_target:
        uris.reverse()
    with virtproto.open(uris[0]) as here, virtproto.open(uris[1]) as elsewhere:
        assert [domain.get_name() for domain in here.list_all_domains()] == [name]
        assert elsewhere.list_all_domains() == []
        domain = here.get_domain_by_name(name)
        assert domain.get_state().state == DomainState.RUNNING
        assert domain.get_job_info().type == DomainJobType.NONE
    with CBinding(uris[0]) as binding:
        await_agent(binding, name)


def when_transferring(uri: str, then: Callable[[virtproto.Domain], None]) -> threading.Thread:
    """Do something, on a connection of its own, once the guest's memory is on its way."""

    def wait() -> None:
        deadline = time.monotonic() + TRANSFER_S
        with virtproto.open(uri) as connection:
            domain = connection.get_domain_by_name(NAME)
            # The daemon has an event for each iteration over the memory, not for its first page.
            while not domain.get_job_info().mem_processed_bytes:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            then(domain)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
