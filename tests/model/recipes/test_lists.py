"""Lists by name, id or UUID: what is asked, what is left out, what is refused before any call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import (
    InternalError,
    NoDomainError,
    NoNodeDeviceError,
    NoSecretError,
    UsageError,
    error_class,
)
from virtproto.model.recipes import lists
from virtproto.model.recipes.lists import (
    list_domain_ids,
    list_domains,
    list_node_device_names,
    list_node_devices,
    list_secret_uuids,
    list_secrets,
)
from virtproto.wire import remote
from virtproto.wire.remote.types import (
    NonnullDomain,
    NonnullInterface,
    NonnullNetwork,
    NonnullNodeDevice,
    NonnullNwfilter,
    NonnullSecret,
    NonnullStoragePool,
)

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WEB = NonnullDomain(name="web", uuid=UUID, id=1)
MAIL = NonnullDomain(name="mail", uuid=UUID[::-1], id=4)
LAN = NonnullNetwork(name="lan", uuid=UUID)
POOL = NonnullStoragePool(name="pool", uuid=UUID)
ETH0 = NonnullInterface(name="eth0", mac="52:54:00:00:00:01")
FILTER = NonnullNwfilter(name="no-telnet", uuid=UUID)
DISK = NonnullNodeDevice(name="block_vda")
SECRET = NonnullSecret(uuid=UUID, usageType=2, usageID="ceph")

# Recipe that lists names, the one that lists objects, the procedures that each calls, the limit,
# what the daemon answers to a lookup, and the code with which it says that nothing is there.
BY_NAME: list[tuple[str, str, str, str, int, Any, Any, int]] = [
    (
        "list_defined_domain_names", "list_defined_domains",
        "CONNECT_LIST_DEFINED_DOMAINS", "DOMAIN_LOOKUP_BY_NAME", 16384,
        remote.DomainLookupByNameRet(dom=WEB), WEB, 42,
    ),
    (
        "list_network_names", "list_networks",
        "CONNECT_LIST_NETWORKS", "NETWORK_LOOKUP_BY_NAME", 16384,
        remote.NetworkLookupByNameRet(net=LAN), LAN, 43,
    ),
    (
        "list_defined_network_names", "list_defined_networks",
        "CONNECT_LIST_DEFINED_NETWORKS", "NETWORK_LOOKUP_BY_NAME", 16384,
        remote.NetworkLookupByNameRet(net=LAN), LAN, 43,
    ),
    (
        "list_storage_pool_names", "list_storage_pools",
        "CONNECT_LIST_STORAGE_POOLS", "STORAGE_POOL_LOOKUP_BY_NAME", 16384,
        remote.StoragePoolLookupByNameRet(pool=POOL), POOL, 49,
    ),
    (
        "list_defined_storage_pool_names", "list_defined_storage_pools",
        "CONNECT_LIST_DEFINED_STORAGE_POOLS", "STORAGE_POOL_LOOKUP_BY_NAME", 16384,
        remote.StoragePoolLookupByNameRet(pool=POOL), POOL, 49,
    ),
    (
        "list_interface_names", "list_interfaces",
        "CONNECT_LIST_INTERFACES", "INTERFACE_LOOKUP_BY_NAME", 16384,
        remote.InterfaceLookupByNameRet(iface=ETH0), ETH0, 57,
    ),
    (
        "list_defined_interface_names", "list_defined_interfaces",
        "CONNECT_LIST_DEFINED_INTERFACES", "INTERFACE_LOOKUP_BY_NAME", 16384,
        remote.InterfaceLookupByNameRet(iface=ETH0), ETH0, 57,
    ),
    (
        "list_nwfilter_names", "list_nwfilters",
        "CONNECT_LIST_NWFILTERS", "NWFILTER_LOOKUP_BY_NAME", 16384,
        remote.NwfilterLookupByNameRet(nwfilter=FILTER), FILTER, 62,
    ),
]  # fmt: skip


class Names:
    """What a daemon answers to a list of names: all such results look alike."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)


def recipe(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(lists, name)
    return found


@pytest.mark.parametrize("row", BY_NAME, ids=[row[1] for row in BY_NAME])
def test_objects_are_looked_up_by_the_names_of_a_list(row: tuple[Any, ...]) -> None:
    _, objects, listing, lookup, limit, answer, wire, missing = row
    gone = error_class(missing)("gone by now", code=missing)
    calls, found = drive(recipe(objects)(), [Names("a", "b", "c"), answer, gone, answer])
    assert [name for name, _ in calls] == [listing, lookup, lookup, lookup]
    assert calls[0][1].maxnames == limit
    assert [args.name for _, args in calls[1:]] == ["a", "b", "c"]
    assert found == [wire, wire]


@pytest.mark.parametrize("row", BY_NAME, ids=[row[0] for row in BY_NAME])
def test_names_are_listed_up_to_a_number(row: tuple[Any, ...]) -> None:
    names, _, listing, _, limit, *_ = row
    calls, found = drive(recipe(names)(maxnames=7), [Names("a", "b")])
    assert [(name, args.maxnames) for name, args in calls] == [(listing, 7)]
    assert found == ["a", "b"]
    for wrong in (-1, limit + 1):
        # The daemon would allocate what it is asked for.
        with pytest.raises(UsageError, match=rf"^maxnames: {wrong} is not within 0 to {limit}"):
            drive(recipe(names)(maxnames=wrong), [])


@pytest.mark.parametrize("row", BY_NAME, ids=[row[1] for row in BY_NAME])
def test_a_lookup_that_fails_otherwise_is_told(row: tuple[Any, ...]) -> None:
    with pytest.raises(InternalError):
        drive(recipe(row[1])(), [Names("a"), InternalError("broken", code=1)])


def test_running_domains_are_looked_up_by_id() -> None:
    ids = remote.ConnectListDomainsRet(ids=[1, 3, 4])
    calls, found = drive(
        list_domains(),
        [
            ids,
            remote.DomainLookupByIdRet(dom=WEB),
            NoDomainError("it has stopped", code=42),
            remote.DomainLookupByIdRet(dom=MAIL),
        ],
    )
    assert [name for name, _ in calls] == ["CONNECT_LIST_DOMAINS", *["DOMAIN_LOOKUP_BY_ID"] * 3]
    assert calls[0][1].maxids == 16384
    assert [args.id for _, args in calls[1:]] == [1, 3, 4]
    assert found == [WEB, MAIL]


def test_ids_are_listed_up_to_a_number() -> None:
    calls, found = drive(list_domain_ids(maxids=2), [remote.ConnectListDomainsRet(ids=[1, 3])])
    assert [args.maxids for _, args in calls] == [2]
    assert found == [1, 3]
    with pytest.raises(UsageError, match=r"^maxids: 16385 "):
        drive(list_domain_ids(maxids=16385), [])


def test_devices_are_listed_by_capability() -> None:
    names = remote.NodeListDevicesRet(names=["block_vda", "block_vdb"])
    calls, found = drive(
        list_node_devices(capability="storage", flags=0),
        [
            names,
            NoNodeDeviceError("unplugged", code=53),
            remote.NodeDeviceLookupByNameRet(dev=DISK),
        ],
    )
    assert [name for name, _ in calls] == ["NODE_LIST_DEVICES", *["NODE_DEVICE_LOOKUP_BY_NAME"] * 2]
    assert (calls[0][1].cap, calls[0][1].maxnames, calls[0][1].flags) == ("storage", 65536, 0)
    assert found == [DISK]


def test_names_of_devices_are_listed_up_to_a_number() -> None:
    asking = list_node_device_names(capability=None, maxnames=1, flags=4)
    calls, found = drive(asking, [remote.NodeListDevicesRet(names=["computer"])])
    assert [(args.cap, args.maxnames, args.flags) for _, args in calls] == [(None, 1, 4)]
    assert found == ["computer"]
    with pytest.raises(UsageError, match=r"^maxnames: 65537 "):
        drive(list_node_device_names(capability=None, maxnames=65537, flags=0), [])


def test_secrets_are_looked_up_by_uuid() -> None:
    calls, found = drive(
        list_secrets(),
        [
            remote.ConnectListSecretsRet(uuids=[UUID_TEXT, UUID_TEXT]),
            remote.SecretLookupByUuidRet(secret=SECRET),
            NoSecretError("undefined", code=66),
        ],
    )
    assert [name for name, _ in calls] == ["CONNECT_LIST_SECRETS", *["SECRET_LOOKUP_BY_UUID"] * 2]
    assert [args.uuid for _, args in calls[1:]] == [UUID, UUID]
    assert found == [SECRET]


def test_uuids_of_secrets_are_listed_up_to_a_number() -> None:
    asking = list_secret_uuids(maxuuids=1)
    calls, found = drive(asking, [remote.ConnectListSecretsRet(uuids=[UUID_TEXT])])
    assert [args.maxuuids for _, args in calls] == [1]
    assert found == [UUID_TEXT]
    with pytest.raises(UsageError, match=r"^maxuuids: -1 "):
        drive(list_secret_uuids(maxuuids=-1), [])
