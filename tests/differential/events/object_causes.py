"""What needs no guest: events of the test driver's objects, and of secrets.

Responsible for the acts, each of which leaves things as it found them. It must not know who hears.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.differential.events.cause import Cause
from tests.differential.events.scenes import LINUX, TEST, Scene
from tests.lab.c_binding import BindingObject

__all__ = ["ON_TEST", "WITHOUT_GUEST"]

_DOMAIN = """\
<domain type='test'><name>other</name><uuid>44444444-0000-4000-8000-000000000004</uuid>
<memory>8192</memory><os><type>hvm</type></os></domain>"""
_SNAPSHOT = "<domainsnapshot><name>s</name></domainsnapshot>"
_NETWORK = "<network><name>other</name></network>"
_POOL = "<pool type='dir'><name>other</name><target><path>/tmp/other</path></target></pool>"
_SECRET = "<secret ephemeral='no' private='no'><uuid>{}</uuid></secret>"
_SECRET_UUID = "55555555-0000-4000-8000-000000000005"
_VHBA = """\
<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>
<wwnn>20000000c9831b4b</wwnn><wwpn>10000000c9831b4b</wwpn></capability></capability></device>"""

# Flags: of going back to a snapshot, of dumping.
_PAUSED, _CRASH = 2, 1

Path = tuple[tuple[Any, ...], ...]
_OF_DOMAIN: Path = (("lookupByName", "other"),)
_OF_NETWORK: Path = (("networkLookupByName", "other"),)
_OF_POOL: Path = (("storagePoolLookupByName", "other"),)
_OF_SECRET: Path = (("secretLookupByUUIDString", _SECRET_UUID),)
_OF_VHBA: Path = (("nodeDeviceLookupByName", "scsi_host12"),)
_FROM_SNAPSHOT = BindingObject((*_OF_DOMAIN, ("snapshotLookupByName", "s")))


def _all(*steps: tuple[Any, ...]) -> Callable[[Scene], None]:
    """Return an act of several calls: each a path to the object, its method, arguments."""

    def act(scene: Scene) -> None:
        for path, method, *args in steps:
            scene.binding.ask_at(path, method, *map(scene.filled, args))

    return act


_L = "DomainLifecycle "

ON_TEST: tuple[Cause, ...] = (
    Cause(
        TEST,
        "a domain is defined, changed, started, stopped from inside, renamed and undefined",
        _all(
            ((), "defineXML", _DOMAIN),
            ((), "defineXML", _DOMAIN),
            (_OF_DOMAIN, "create"),
            (_OF_DOMAIN, "suspend"),
            (_OF_DOMAIN, "resume"),
            (_OF_DOMAIN, "shutdown"),
            (_OF_DOMAIN, "create"),
            (_OF_DOMAIN, "destroy"),
            (_OF_DOMAIN, "rename", "another"),
            ((("lookupByName", "another"),), "undefine"),
        ),
        (
            f"{_L}DEFINED ADDED",
            f"{_L}DEFINED UPDATED",
            f"{_L}STARTED BOOTED",
            f"{_L}SUSPENDED PAUSED",
            f"{_L}RESUMED UNPAUSED",
            f"{_L}STOPPED SHUTDOWN",
            f"{_L}STOPPED DESTROYED",
            f"{_L}UNDEFINED RENAMED",
            f"{_L}DEFINED RENAMED",
            f"{_L}UNDEFINED REMOVED",
        ),
    ),
    Cause(
        TEST,
        "a domain goes back to a snapshot of when it ran, and of when it did not",
        _all(
            ((), "defineXML", _DOMAIN),
            (_OF_DOMAIN, "create"),
            (_OF_DOMAIN, "snapshotCreateXML", _SNAPSHOT, 0),
            (_OF_DOMAIN, "destroy"),
            (_OF_DOMAIN, "revertToSnapshot", _FROM_SNAPSHOT, 0),
            (_OF_DOMAIN, "destroy"),
            (_OF_DOMAIN, "revertToSnapshot", _FROM_SNAPSHOT, _PAUSED),
            (_OF_DOMAIN, "destroy"),
            (_OF_DOMAIN, "snapshotCreateXML", _SNAPSHOT.replace("s<", "t<"), 0),
            (_OF_DOMAIN, "create"),
            (
                _OF_DOMAIN,
                "revertToSnapshot",
                BindingObject((*_OF_DOMAIN, ("snapshotLookupByName", "t"))),
                0,
            ),
            (_OF_DOMAIN, "undefineFlags", 2),
        ),
        (
            f"{_L}STARTED FROM_SNAPSHOT",
            f"{_L}SUSPENDED FROM_SNAPSHOT",
            f"{_L}STOPPED FROM_SNAPSHOT",
        ),
    ),
    Cause(
        TEST,
        "a domain is dumped to a file and ends by that",
        _all(
            ((), "defineXML", _DOMAIN),
            (_OF_DOMAIN, "create"),
            (_OF_DOMAIN, "coreDump", "{folder}/other.dump", _CRASH),
            (_OF_DOMAIN, "undefine"),
        ),
        (f"{_L}STOPPED CRASHED",),
    ),
    Cause(
        TEST,
        "a device of the host comes and goes",
        _all(((), "nodeDeviceCreateXML", _VHBA), (_OF_VHBA, "destroy")),
        ("NodeDeviceLifecycle", "NodeDeviceLifecycle"),
    ),
    Cause(
        TEST,
        "a network is defined, started, stopped and undefined",
        _all(
            ((), "networkDefineXML", _NETWORK),
            (_OF_NETWORK, "create"),
            (_OF_NETWORK, "destroy"),
            (_OF_NETWORK, "undefine"),
        ),
        ("NetworkLifecycle",) * 4,
    ),
    Cause(
        TEST,
        "a storage pool is defined, built, started, refreshed, stopped, deleted and undefined",
        _all(
            ((), "storagePoolDefineXML", _POOL, 0),
            (_OF_POOL, "build"),
            (_OF_POOL, "create"),
            (_OF_POOL, "refresh"),
            (_OF_POOL, "destroy"),
            (_OF_POOL, "delete"),
            (_OF_POOL, "undefine"),
        ),
        (*["StoragePoolLifecycle"] * 3, "StoragePoolRefresh", *["StoragePoolLifecycle"] * 3),
    ),
)

WITHOUT_GUEST: tuple[Cause, ...] = (
    Cause(
        LINUX,
        "a secret is defined, filled and undefined",
        _all(
            ((), "secretDefineXML", _SECRET.format(_SECRET_UUID)),
            (_OF_SECRET, "setValue", b"x"),
            (_OF_SECRET, "undefine"),
        ),
        ("SecretLifecycle", "SecretValueChanged", "SecretLifecycle"),
    ),
)
