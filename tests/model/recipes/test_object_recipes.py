"""What networks, pools, devices and the administration ask in more than one call."""

from __future__ import annotations

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import LibvirtError, NoStorageVolError
from virtproto.model.recipes.admin_opening import open_admin
from virtproto.model.recipes.network import update
from virtproto.model.recipes.node_device import dettach, list_capabilities
from virtproto.model.recipes.storage import list_volumes
from virtproto.wire import admin
from virtproto.wire import remote as wire
from virtproto.wire.remote.types import NonnullNetwork, NonnullStoragePool, NonnullStorageVol

NETWORK = NonnullNetwork(name="lan", uuid=bytes(16))
POOL = NonnullStoragePool(name="pool", uuid=bytes(16))
REFUSED = LibvirtError("no", code=1)
GONE = NoStorageVolError("gone", code=50)


@pytest.mark.parametrize(
    ("answer", "command", "section"),
    [
        (wire.ConnectSupportsFeatureRet(supported=1), 3, 4),
        (wire.ConnectSupportsFeatureRet(supported=0), 4, 3),
        (REFUSED, 4, 3),
    ],
    ids=["in order", "swapped", "not known"],
)
def test_update_goes_by_the_daemons_order(answer: object, command: int, section: int) -> None:
    recipe = update(NETWORK, command=3, section=4, parent_index=-1, xml="<x/>", flags=2)
    calls, result = drive(recipe, [answer, None])
    assert result is None
    assert calls == [
        ("CONNECT_SUPPORTS_FEATURE", wire.ConnectSupportsFeatureArgs(feature=16)),
        (
            "NETWORK_UPDATE",
            wire.NetworkUpdateArgs(
                net=NETWORK, command=command, section=section, parentIndex=-1, xml="<x/>", flags=2
            ),
        ),
    ]


def volume(name: str) -> NonnullStorageVol:
    return NonnullStorageVol(pool="pool", name=name, key=f"/{name}")


def test_volumes_that_vanish_are_left_out() -> None:
    answers = [
        wire.StoragePoolNumOfVolumesRet(num=3),
        wire.StoragePoolListVolumesRet(names=["a", "b", "c"]),
        wire.StorageVolLookupByNameRet(vol=volume("a")),
        GONE,
        wire.StorageVolLookupByNameRet(vol=volume("c")),
    ]
    calls, found = drive(list_volumes(POOL), answers)
    assert found == [volume("a"), volume("c")]
    assert calls[1] == (
        "STORAGE_POOL_LIST_VOLUMES",
        wire.StoragePoolListVolumesArgs(pool=POOL, maxnames=3),
    )
    assert [args.name for name, args in calls[2:]] == ["a", "b", "c"]


def test_volumes_end_at_another_error() -> None:
    answers = [
        wire.StoragePoolNumOfVolumesRet(num=1),
        wire.StoragePoolListVolumesRet(names=["a"]),
        REFUSED,
    ]
    with pytest.raises(LibvirtError) as error:
        drive(list_volumes(POOL), answers)
    assert error.value is REFUSED


def test_detaching_takes_the_older_call_where_it_is_enough() -> None:
    calls, _ = drive(dettach("pci_1", driver=None, flags=0), [None])
    assert calls == [("NODE_DEVICE_DETTACH", wire.NodeDeviceDettachArgs(name="pci_1"))]


@pytest.mark.parametrize(("driver", "flags"), [("vfio", 0), (None, 1), ("", 0)])
def test_detaching_with_a_driver_or_flags(driver: str | None, flags: int) -> None:
    calls, _ = drive(dettach("pci_1", driver=driver, flags=flags), [None])
    args = wire.NodeDeviceDetachFlagsArgs(name="pci_1", driverName=driver, flags=flags)
    assert calls == [("NODE_DEVICE_DETACH_FLAGS", args)]


def test_capabilities_are_asked_for_as_many_as_there_are() -> None:
    answers = [wire.NodeDeviceNumOfCapsRet(num=2), wire.NodeDeviceListCapsRet(names=["a", "b"])]
    calls, found = drive(list_capabilities("x"), answers)
    assert found == ["a", "b"]
    assert calls[1] == ("NODE_DEVICE_LIST_CAPS", wire.NodeDeviceListCapsArgs("x", 2))


def test_an_administration_opens_with_one_call() -> None:
    calls, opened = drive(open_admin("libvirtd:///system"), [None])
    assert calls == [("CONNECT_OPEN", admin.ConnectOpenArgs(flags=0))]
    assert opened.uri == "libvirtd:///system"
    assert not opened.keepalive
