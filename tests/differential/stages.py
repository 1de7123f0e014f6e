"""The stages: a daemon with domains, networks, pools and the rest made ready, and three parties.

Responsible for the daemons and for who is connected to them; what is on a stage is in ``contents``.
It must not know what is asked.

==============  ================================================================================
stage           what it is
==============  ================================================================================
test            libvirtd 9.0.0, test driver; ``test 7.0.0`` and so on are those of other releases
qemu            libvirtd 9.0.0 as a host of guests: a running Linux guest whose agent answers, one
                that is defined only, a network with DHCP, a pool, a secret, a packet filter
migration       two such daemons, and a running Linux guest on the first
==============  ================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.differential.contents import ready_for_qemu, ready_for_test
from tests.differential.parties import AioParty, BindingParty, SyncParty
from tests.differential.performing import Stage
from tests.lab.c_binding import CBinding
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guest_image import image_folder
from tests.lab.migration import migration_daemons
from tests.lab.roots import RELEASES, root_of
from tests.lab.seed import SEEDED_VERSION, kept_capabilities

__all__ = ["FEWEST_ANSWERS", "MIGRATION", "OTHER_RELEASES", "QEMU", "STAGES", "TEST", "open_stage"]

TEST = "test"
QEMU = "qemu"
MIGRATION = "migration"
OTHER_RELEASES = tuple(version for version in RELEASES if version != SEEDED_VERSION)
# How many of the questions each test driver has an answer for, at the least.
FEWEST_ANSWERS = {"7.0.0": 300, "11.3.0": 325, "12.8.0": 325}
STAGES = (TEST, QEMU, MIGRATION, *(f"{TEST} {version}" for version in OTHER_RELEASES))

_TEST_URI = "test:///default"
_QEMU_URI = "qemu:///system"

# Between two questions an asyncio connection answers nothing: its event loop stands still then.
_PATIENT = {"keepalive_interval": -1}

# With these the scheduler, memory and block limits of a guest are real.
_CONTROL_GROUPS = ["cpu", "cpuacct", "memory", "blkio", "cpuset", "devices"]


@contextmanager
def open_stage(name: str) -> Iterator[Stage]:
    """Yield the stage of that name, made ready."""
    if name == MIGRATION:
        with _moving() as stage:
            yield stage
        return
    with ExitStack() as held:
        if name == QEMU:
            daemon, uri = _hosting_daemon(), _QEMU_URI
        else:
            daemon, uri = (
                private_daemon(name.removeprefix(TEST).strip() or "9.0.0", _PATIENT),
                _TEST_URI,
            )
        if name == QEMU:
            held.callback(_drop_control_groups, _control_groups())
        held.enter_context(daemon)
        binding = held.enter_context(CBinding(daemon.uri(uri)))
        ready = ready_for_qemu if name == QEMU else ready_for_test
        names = ready(daemon, binding, held)
        sync = held.enter_context(SyncParty(daemon.uri(uri), names))
        aio = held.enter_context(AioParty(daemon.uri(uri), names))
        watcher = held.enter_context(CBinding(daemon.uri(uri), events=True))
        yield Stage(
            name,
            BindingParty(binding, names),
            (sync, aio),
            BindingParty(watcher, names),
            _read_only(name, daemon.uri(uri), names, held),
        )


def _read_only(name: str, uri: str, names: Mapping[str, Any], held: ExitStack) -> Stage:
    """Return the stage as it is for those that may only read."""
    names = {**names, "source_uri": uri, "target_uri": uri}
    binding = BindingParty(held.enter_context(CBinding(uri, readonly=True)), names)
    sync = held.enter_context(SyncParty(uri, names, readonly=True))
    aio = held.enter_context(AioParty(uri, names, readonly=True))
    return Stage(name, binding, (sync, aio), binding)


def _control_groups() -> set[Path]:
    """Return the folders below which libvirt keeps control groups of guests, if there are any."""
    root = Path("/sys/fs/cgroup")
    return {*root.glob("machine"), *root.glob("*/machine")}


def _drop_control_groups(before: set[Path]) -> None:
    """Remove what libvirt left and was not there before; one with guests in it cannot be."""
    for folder in _control_groups() - before:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _moving() -> Iterator[Stage]:
    with ExitStack() as held:
        pair = held.enter_context(migration_daemons())
        guest = held.enter_context(pair.guest("mover"))
        uri = pair.source_uri
        names = {
            "folder": str(pair.folder),
            "domain": guest.name,
            "source_uri": uri,
            "target_uri": pair.target_uri,
        }
        binding = BindingParty(held.enter_context(CBinding(uri)), names)
        sync = held.enter_context(SyncParty(uri, names))
        aio = held.enter_context(AioParty(uri, names))
        yield Stage(MIGRATION, binding, (sync, aio), binding)


def _hosting_daemon() -> PrivateDaemon:
    return PrivateDaemon(
        root=root_of(SEEDED_VERSION),
        capabilities=kept_capabilities(),
        settings=_PATIENT,
        devices=True,
        hostname="lab-host",
        qemu_settings={"cgroup_controllers": _CONTROL_GROUPS},
        folders=[image_folder()],
    )
