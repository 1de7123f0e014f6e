"""The pytest fixtures of the lab: daemons of each release, guests, captures and the C binding.

Daemons are started when first asked for and live as long as the test session; a test that breaks
its daemon starts a PrivateDaemon of its own. A part of the lab that is missing is an error, never
a skip: a suite that did not run must not look like one that passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.migration import MigrationPair, migration_daemons
from tests.lab.roots import RELEASES, root_of
from tests.lab.seed import SEEDED_VERSION, kept_capabilities

__all__ = [
    "any_release",
    "libvirtd",
    "libvirtd_7_0",
    "libvirtd_11_3",
    "libvirtd_12_8",
    "migration_pair",
    "private_daemon",
]


def private_daemon(
    version: str,
    more: Mapping[str, Setting] | None = None,
    /,
    *,
    listen: bool = False,
    environment: Mapping[str, str] | None = None,
    binds: Sequence[tuple[Path, str]] = (),
    before: Sequence[Sequence[str]] = (),
    as_nobody: bool = False,
    **settings: Setting,
) -> PrivateDaemon:
    """Return a daemon of libvirt ``version``, not started.

    ``settings`` go into libvirtd.conf, and ``more`` of them; the rest is as PrivateDaemon has it.
    """
    return PrivateDaemon(
        root=root_of(version),
        settings={**settings, **(more or {})},
        # What QEMU can do depends on who asks.
        capabilities=kept_capabilities() if version == SEEDED_VERSION and not as_nobody else None,
        listen=listen,
        environment=environment,
        binds=binds,
        before=before,
        as_nobody=as_nobody,
    )


def _for_the_session(version: str) -> Iterator[PrivateDaemon]:
    with private_daemon(version) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[PrivateDaemon]:
    """libvirtd 9.0.0 with the test driver and the QEMU driver."""
    yield from _for_the_session("9.0.0")


@pytest.fixture(scope="session")
def libvirtd_7_0() -> Iterator[PrivateDaemon]:
    """libvirtd 7.0.0, the oldest that virtproto promises to work with."""
    yield from _for_the_session("7.0.0")


@pytest.fixture(scope="session")
def libvirtd_11_3() -> Iterator[PrivateDaemon]:
    """libvirtd 11.3.0."""
    yield from _for_the_session("11.3.0")


@pytest.fixture(scope="session")
def libvirtd_12_8() -> Iterator[PrivateDaemon]:
    """libvirtd 12.8.0 (or what Debian's testing suite has by now), the newest."""
    yield from _for_the_session("12.8.0")


@pytest.fixture(scope="session")
def migration_pair() -> Iterator[MigrationPair]:
    """Two daemons of libvirt 9.0.0 between which Linux guests can move.

    ``with migration_pair.guest("mover"):`` has one running on ``migration_pair.source_uri``; move
    it to ``migration_pair.target_uri`` by ``migration_pair.migrate_uri("mover")``, with the flags
    LIVE and UNSAFE (the shared disk is a plain file).
    """
    with migration_daemons() as pair:
        yield pair


@pytest.fixture(params=list(RELEASES))
def any_release(request: pytest.FixtureRequest) -> tuple[str, PrivateDaemon]:
    """Every release in turn, with its version."""
    version: str = request.param
    names = {"7.0.0": "libvirtd_7_0", "9.0.0": "libvirtd", "11.3.0": "libvirtd_11_3"}
    daemon: PrivateDaemon = request.getfixturevalue(names.get(version, "libvirtd_12_8"))
    return version, daemon
