"""Two daemons between which a running guest can move, on one machine.

Responsible for what migration asks of two hosts: names and identities of their own, a disk that
both reach, and an address that both reach. It must not know how a migration is asked for.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.c_binding import CBinding
from tests.lab.daemon import PrivateDaemon
from tests.lab.guest_image import image_folder
from tests.lab.linux_guest import LinuxGuest
from tests.lab.roots import root_of
from tests.lab.running import running
from tests.lab.seed import SEEDED_VERSION, kept_capabilities

__all__ = ["MigrationPair", "migration_daemons"]

URI = "qemu:///system"


@dataclass(frozen=True)
class MigrationPair:
    """Two daemons, ``source`` and ``target``, and the folder that both see under one path."""

    source: PrivateDaemon
    target: PrivateDaemon
    folder: Path

    @property
    def source_uri(self) -> str:
        """URI of the QEMU driver that guests are started on."""
        return self.source.uri(URI)

    @property
    def target_uri(self) -> str:
        """URI of the other one; the source reaches it under this URI too (peer to peer)."""
        return self.target.uri(URI)

    def migrate_uri(self, name: str) -> str:
        """Return a migration URI, to be used once: the daemons share no network."""
        return f"unix://{self.folder}/{name}.sock"

    @contextlib.contextmanager
    def guest(self, name: str) -> Iterator[LinuxGuest]:
        """Yield a Linux guest that runs on ``source``; at the end it is gone, wherever it is then.

        It is transient and has a disk in the shared folder. Boots in a few seconds.
        """
        guest = LinuxGuest(self.folder, name)
        with (
            CBinding(self.source_uri) as source,
            CBinding(self.target_uri) as target,
            running(source, guest, elsewhere=[target]),
        ):
            yield guest


@contextlib.contextmanager
def migration_daemons() -> Iterator[MigrationPair]:
    """Yield the pair, started; they are stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="vp-", dir="/tmp") as name:
        folder = Path(name)
        with _daemon("lab-a", folder) as source, _daemon("lab-b", folder) as target:
            yield MigrationPair(source, target, folder)


def _daemon(hostname: str, folder: Path) -> PrivateDaemon:
    return PrivateDaemon(
        root=root_of(SEEDED_VERSION),
        capabilities=kept_capabilities(),
        hostname=hostname,
        settings={"host_uuid": str(uuid.uuid4()), "keepalive_interval": -1},
        folders=[folder, image_folder()],
    )
