"""A test driver with many domains, each unlike all others, and questions that tell them apart.

Responsible for the file that the driver reads, and for what is true of each domain. Must not know
who asks, or in which colour.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.lab.daemon import PrivateDaemon

__all__ = ["Member", "Node"]

_DOMAIN = """\
<domain type='test'>
  <name>{name}</name><uuid>{uuid}</uuid>
  <memory unit='KiB'>{memory_kib}</memory><vcpu>{vcpus}</vcpu><os><type>hvm</type></os>
</domain>
"""
_NAMESPACE = uuid.UUID("6f1bd3bb-2c4c-4c4f-9a1c-5a3d0f4a7c11")


class Member:
    """What is true of one domain, and of no other."""

    def __init__(self, number: int) -> None:
        self.name = f"member-{number}"
        self.uuid = uuid.uuid5(_NAMESPACE, self.name)
        self.memory_kib = 8192 + number * 4
        self.vcpus = number % 7 + 1

    @property
    def xml(self) -> str:
        return _DOMAIN.format(**vars(self))


class Node:
    """A test driver's node with so many domains, in a folder that a daemon sees."""

    def __init__(self, daemon: PrivateDaemon, size: int) -> None:
        self.members = [Member(number) for number in range(size)]
        path = Path(daemon.folder) / f"node-{size}.xml"
        path.write_text(f"<node>{''.join(each.xml for each in self.members)}</node>")
        path.chmod(0o644)
        self.uri = daemon.uri(f"test://{path}")
