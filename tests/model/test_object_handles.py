"""What handles on networks, storage, devices, secrets, filters and daemons know by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto import admin, aio, constants, sync
from virtproto.aio import admin as aio_admin
from virtproto.model.object_handle import ObjectHandle, handle
from virtproto.wire.admin import NonnullClient, NonnullServer
from virtproto.wire.remote import types

UUID = bytes(range(16))
OTHER = bytes(16)
TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
NETWORK = types.NonnullNetwork(name="lan", uuid=UUID)
SERVER = NonnullServer(name="libvirtd")

# Class, what the daemon named, the same thing described otherwise, another thing, what repr shows.
CASES: dict[str, tuple[Any, Any, Any, str]] = {
    "Network": (
        NETWORK,
        types.NonnullNetwork(name="renamed", uuid=UUID),
        types.NonnullNetwork(name="lan", uuid=OTHER),
        f"'lan' {TEXT}",
    ),
    "NetworkPort": (
        types.NonnullNetworkPort(net=NETWORK, uuid=UUID),
        types.NonnullNetworkPort(net=types.NonnullNetwork("x", OTHER), uuid=UUID),
        types.NonnullNetworkPort(net=NETWORK, uuid=OTHER),
        f"{TEXT} of 'lan'",
    ),
    "StoragePool": (
        types.NonnullStoragePool(name="p", uuid=UUID),
        types.NonnullStoragePool(name="q", uuid=UUID),
        types.NonnullStoragePool(name="p", uuid=OTHER),
        f"'p' {TEXT}",
    ),
    "StorageVol": (
        types.NonnullStorageVol(pool="p", name="v", key="/v"),
        types.NonnullStorageVol(pool="p", name="v", key="/other"),
        types.NonnullStorageVol(pool="q", name="v", key="/v"),
        "'v' in 'p'",
    ),
    "NodeDevice": (
        types.NonnullNodeDevice(name="computer"),
        types.NonnullNodeDevice(name="computer"),
        types.NonnullNodeDevice(name="other"),
        "'computer'",
    ),
    "Interface": (
        types.NonnullInterface(name="eth0", mac="52:54:00:00:00:01"),
        types.NonnullInterface(name="eth0", mac=""),
        types.NonnullInterface(name="eth1", mac="52:54:00:00:00:01"),
        "'eth0'",
    ),
    "Secret": (
        types.NonnullSecret(uuid=UUID, usageType=1, usageID="/disk"),
        types.NonnullSecret(uuid=UUID, usageType=0, usageID=""),
        types.NonnullSecret(uuid=OTHER, usageType=1, usageID="/disk"),
        f"'/disk' {TEXT}",
    ),
    "NWFilter": (
        types.NonnullNwfilter(name="f", uuid=UUID),
        types.NonnullNwfilter(name="g", uuid=UUID),
        types.NonnullNwfilter(name="f", uuid=OTHER),
        f"'f' {TEXT}",
    ),
    "NWFilterBinding": (
        types.NonnullNwfilterBinding(portdev="tap0", filtername="f"),
        types.NonnullNwfilterBinding(portdev="tap0", filtername="g"),
        types.NonnullNwfilterBinding(portdev="tap1", filtername="f"),
        "'tap0' to 'f'",
    ),
    "AdminServer": (SERVER, NonnullServer(name="libvirtd"), NonnullServer("admin"), "'libvirtd'"),
    "AdminClient": (
        NonnullClient(srv=SERVER, id=7, timestamp=5, transport=0),
        NonnullClient(srv=SERVER, id=7, timestamp=6, transport=1),
        NonnullClient(srv=NonnullServer("admin"), id=7, timestamp=5, transport=0),
        "7 of 'libvirtd'",
    ),
}


def class_of(colour: str, name: str) -> type[ObjectHandle]:
    homes = {"sync": (sync, admin), "aio": (aio, aio_admin)}[colour]
    found: type[ObjectHandle] = getattr(homes[name.startswith("Admin")], name)
    return found


@pytest.fixture(params=["sync", "aio"])
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("name", CASES)
def test_handles_are_the_same_by_what_the_daemon_goes_by(colour: str, name: str) -> None:
    kind = class_of(colour, name)
    one, same, other, shown = CASES[name]
    here, there = object(), object()
    mine = handle(kind, here, one)
    assert mine == handle(kind, here, same)
    assert hash(mine) == hash(handle(kind, here, same))
    assert mine != handle(kind, here, other)
    assert mine != handle(kind, there, one)
    assert mine != one
    assert repr(mine) == f"<{name} {shown}>"
    assert mine._reference() == one.pack()


@pytest.mark.parametrize("name", CASES)
def test_handles_hold_nothing_else(colour: str, name: str) -> None:
    made = handle(class_of(colour, name), None, CASES[name][0])
    assert not hasattr(made, "__dict__")
    with pytest.raises(AttributeError):
        made.note = 1  # type: ignore[attr-defined]


def made(colour: str, name: str) -> Any:
    return handle(class_of(colour, name), object(), CASES[name][0])


@pytest.mark.parametrize("name", ["Network", "NetworkPort", "StoragePool", "Secret", "NWFilter"])
def test_uuids_are_known_both_ways(colour: str, name: str) -> None:
    assert made(colour, name).get_uuid() == UUID
    assert made(colour, name).get_uuid_string() == TEXT


def test_names_are_known(colour: str) -> None:
    names = {
        name: made(colour, name).get_name()
        for name in CASES
        if name not in ("NetworkPort", "Secret", "NWFilterBinding", "AdminClient")
    }
    assert names == {
        "Network": "lan",
        "StoragePool": "p",
        "StorageVol": "v",
        "NodeDevice": "computer",
        "Interface": "eth0",
        "NWFilter": "f",
        "AdminServer": "libvirtd",
    }


def test_the_rest_is_known(colour: str) -> None:
    assert made(colour, "StorageVol").get_key() == "/v"
    assert made(colour, "Interface").get_mac() == "52:54:00:00:00:01"
    assert made(colour, "NWFilterBinding").get_port_dev() == "tap0"
    assert made(colour, "NWFilterBinding").get_filter_name() == "f"
    secret = made(colour, "Secret")
    assert secret.get_usage_type() is constants.SecretUsageType.VOLUME
    assert secret.get_usage_id() == "/disk"
    client = made(colour, "AdminClient")
    assert (client.get_id(), client.get_timestamp()) == (7, 5)
    assert client.get_transport() is constants.ClientTransport.UNIX


def test_a_port_knows_its_network_and_a_client_its_server(colour: str) -> None:
    port = made(colour, "NetworkPort")
    network = port.get_network()
    assert type(network).__module__ == f"virtproto.{colour}.network"
    assert (network.get_name(), network.connection) == ("lan", port.connection)
    client = made(colour, "AdminClient")
    server = client.get_server()
    assert type(server).__module__ == f"virtproto.{colour}.admin_objects"
    assert (server.get_name(), server.connection) == ("libvirtd", client.connection)


def test_unknown_uses_and_transports_stay_numbers(colour: str) -> None:
    secret = handle(class_of(colour, "Secret"), None, types.NonnullSecret(UUID, 77, ""))
    assert secret.get_usage_type() == 77  # type: ignore[attr-defined]
    assert repr(secret) == f"<Secret {TEXT}>"
    wire = NonnullClient(srv=SERVER, id=1, timestamp=1, transport=9)
    assert handle(class_of(colour, "AdminClient"), None, wire).get_transport() == 9  # type: ignore[attr-defined]
