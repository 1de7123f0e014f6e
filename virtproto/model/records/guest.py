"""What a guest's agent tells.

Knows no message class; shapes fill these.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FilesystemInfo"]


class FilesystemInfo(NamedTuple):
    """A file system that the guest has mounted (virDomainFSInfo).

    ``mountpoint`` is where, ``name`` the guest's name for the device under it ("vda1"), ``fstype``
    its kind ("ext4"), ``dev_aliases`` the targets of the domain's disks that it lies on ("vda"),
    empty where the agent does not know.
    """

    mountpoint: str
    name: str
    fstype: str
    dev_aliases: list[str]
