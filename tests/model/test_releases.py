"""The table of first releases, as code asks it."""

from __future__ import annotations

import pytest

from virtproto.model.releases import first_release, release_needed
from virtproto.wire import find_procedure
from virtproto.xdr.procedure import Procedure


@pytest.mark.parametrize(
    ("program", "name", "since", "needed"),
    [
        ("remote", "DOMAIN_OPEN_GRAPHICS", "0.9.7", 0),
        ("remote", "DOMAIN_FD_ASSOCIATE", "9.0.0", 9_000_000),
        ("qemu", "DOMAIN_MONITOR_COMMAND_WITH_FILES", "8.2.0", 8_002_000),
        ("admin", "CONNECT_OPEN", "<=7.0.0", 0),
        ("admin", "CONNECT_DAEMON_SHUTDOWN", "<=11.3.0", 11_003_000),
    ],
)
def test_first_release_of_a_procedure(program: str, name: str, since: str, needed: int) -> None:
    procedure = find_procedure(program, name)
    assert (first_release(procedure), release_needed(procedure)) == (since, needed)


def test_what_nothing_is_known_of_needs_no_release() -> None:
    for program in (0x20008086, 0x1234):
        future: Procedure[None, None] = Procedure(program, 1, 9999, "DOMAIN_TELEPORT", None, None)
        assert (first_release(future), release_needed(future)) == (None, 0)
