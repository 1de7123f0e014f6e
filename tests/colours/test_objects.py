"""Networks, storage, devices, secrets, filters: what they send and refuse to, in both colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.asking import asked_after_opening, assert_denied
from tests.colours.driving import ADMINISTRATIONS, Open
from virtproto.errors import ArgumentTypeError, OperationDeniedError, UsageError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import admin, remote
from virtproto.wire.remote import types
from virtproto.xdr.procedure import Procedure

UUID = bytes(range(16))
LAN = types.NonnullNetwork(name="lan", uuid=UUID)
PORT = types.NonnullNetworkPort(net=LAN, uuid=UUID)
POOL = types.NonnullStoragePool(name="pool", uuid=UUID)
VOLUME = types.NonnullStorageVol(pool="pool", name="disk", key="/pool/disk")
DEVICE = types.NonnullNodeDevice(name="pci_1")
INTERFACE = types.NonnullInterface(name="eth0", mac="")
SECRET = types.NonnullSecret(uuid=UUID, usageType=2, usageID="ceph")
FILTER = types.NonnullNwfilter(name="f", uuid=UUID)
BINDING = types.NonnullNwfilterBinding(portdev="tap0", filtername="f")
TITLE = 1

# Calls of opening, and of finding the objects that the tests begin with.
FOUND: dict[Procedure[Any, Any], Any] = {
    remote.NETWORK_LOOKUP_BY_NAME: remote.NetworkLookupByNameRet(net=LAN),
    remote.NETWORK_PORT_LOOKUP_BY_UUID: remote.NetworkPortLookupByUuidRet(port=PORT),
    remote.STORAGE_POOL_LOOKUP_BY_NAME: remote.StoragePoolLookupByNameRet(pool=POOL),
    remote.STORAGE_VOL_LOOKUP_BY_PATH: remote.StorageVolLookupByPathRet(vol=VOLUME),
    remote.NODE_DEVICE_LOOKUP_BY_NAME: remote.NodeDeviceLookupByNameRet(dev=DEVICE),
    remote.INTERFACE_LOOKUP_BY_NAME: remote.InterfaceLookupByNameRet(iface=INTERFACE),
    remote.SECRET_LOOKUP_BY_UUID: remote.SecretLookupByUuidRet(secret=SECRET),
    remote.NWFILTER_LOOKUP_BY_NAME: remote.NwfilterLookupByNameRet(nwfilter=FILTER),
    remote.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: remote.NwfilterBindingLookupByPortDevRet(
        nwfilter=BINDING
    ),
}


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    for procedure, answer in FOUND.items():
        server.handle(procedure, answer)
    return server


def find(connection: virtproto.Connection, kind: str) -> Any:
    """Return a handle of that class."""
    network = connection.get_network_by_name
    ways: dict[str, Callable[[], Any]] = {
        "Network": lambda: network("lan"),
        "NetworkPort": lambda: network("lan").get_port_by_uuid(UUID),
        "StoragePool": lambda: connection.get_storage_pool_by_name("pool"),
        "StorageVol": lambda: connection.get_storage_volume_by_path("/pool/disk"),
        "NodeDevice": lambda: connection.get_node_device_by_name("pci_1"),
        "Interface": lambda: connection.get_interface_by_name("eth0"),
        "Secret": lambda: connection.get_secret_by_uuid(UUID),
        "NWFilter": lambda: connection.get_nwfilter_by_name("f"),
        "NWFilterBinding": lambda: connection.get_nwfilter_binding_by_port_dev("tap0"),
    }
    return ways[kind]()


def asked(server: ScriptedServer) -> list[tuple[int, bytes]]:
    """Return number and arguments of the calls after opening and finding."""
    return asked_after_opening(server, *FOUND)


# Every method that changes something, or gives away what is private, with good arguments.
REFUSED: list[tuple[str, tuple[Any, ...]]] = [
    ("Network.create", ()),
    ("Network.undefine", ()),
    ("Network.destroy", ()),
    ("Network.update", (3, 4, -1, "<host/>")),
    ("Network.set_autostart", (True,)),
    ("Network.create_port", ("<networkport/>",)),
    ("Network.set_metadata", (TITLE, "a")),
    ("NetworkPort.delete", ()),
    ("NetworkPort.set_parameters", ({"inbound.average": 1},)),
    ("StoragePool.create", ()),
    ("StoragePool.undefine", ()),
    ("StoragePool.destroy", ()),
    ("StoragePool.set_autostart", (True,)),
    ("StoragePool.refresh", ()),
    ("StoragePool.build", ()),
    ("StoragePool.delete", ()),
    ("StoragePool.create_volume", ("<volume/>",)),
    ("StorageVol.delete", ()),
    ("StorageVol.resize", (1,)),
    ("StorageVol.wipe", ()),
    ("StorageVol.wipe_pattern", (0,)),
    ("NodeDevice.reattach", ()),
    ("NodeDevice.dettach", ()),
    ("NodeDevice.reset", ()),
    ("NodeDevice.create", ()),
    ("NodeDevice.undefine", ()),
    ("NodeDevice.set_autostart", (True,)),
    ("NodeDevice.destroy", ()),
    ("NodeDevice.update", ("<device/>",)),
    ("Interface.create", ()),
    ("Interface.undefine", ()),
    ("Interface.destroy", ()),
    ("Secret.undefine", ()),
    ("Secret.get_value", ()),
    ("Secret.set_value", (b"x",)),
    ("NWFilter.undefine", ()),
    ("NWFilterBinding.delete", ()),
]


def test_what_a_read_only_connection_refuses_is_not_sent(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        for name, args in REFUSED:
            kind, _, method = name.partition(".")
            assert_denied(find(connection, kind), method, args)
        volume = find(connection, "StorageVol")
        refusals: tuple[Callable[[], Any], ...] = (
            lambda: find(connection, "StoragePool").clone_volume("<volume/>", volume),
            lambda: volume.download(connection.new_stream(), 0, 0),
            lambda: volume.upload(connection.new_stream(), 0, 0),
        )
        for refused in refusals:
            with pytest.raises(OperationDeniedError):
                refused()
        assert asked(server) == []


# What a method is given, and what is said of it.
BAD: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("Network.get_xml_description", (-1,), UsageError, "flags: -1 is not within"),
    ("Network.update", ("add", 4, -1, "<x/>"), ArgumentTypeError, "command: expected a whole"),
    ("Network.update", (3, None, -1, "<x/>"), ArgumentTypeError, "section: a whole number"),
    ("Network.update", (3, 4, 2**31, "<x/>"), UsageError, "parent_index: 2147483648 is not"),
    ("Network.update", (3, 4, -1, None), ArgumentTypeError, "xml: a text is required"),
    ("Network.set_autostart", ("yes",), ArgumentTypeError, "autostart: expected True or False"),
    ("Network.set_autostart", (2,), UsageError, "autostart: expected True or False, not 2"),
    ("Network.get_dhcp_leases", (0x52,), ArgumentTypeError, "mac: expected text, not int"),
    ("Network.get_dhcp_leases", ("a\0",), UsageError, "mac: a NUL"),
    ("Network.create_port", (b"<a/>",), ArgumentTypeError, "xml: expected text, not bytes"),
    ("Network.get_port_by_uuid", ("no",), UsageError, "uuid: 'no' is not a UUID"),
    ("Network.get_metadata", (None,), ArgumentTypeError, "type: a whole number"),
    ("Network.set_metadata", (1, 5), ArgumentTypeError, "value: expected text, not int"),
    ("Network.set_metadata", (2, "<a/>", 5), ArgumentTypeError, "key: expected text, not int"),
    ("NetworkPort.set_parameters", (5,), ArgumentTypeError, "params: expected a mapping"),
    ("NetworkPort.set_parameters", ({"inbound.peak": -1},), UsageError, "params"),
    ("StoragePool.list_storage_vol_names", (-1,), UsageError, "maxnames: -1 is not within"),
    ("StoragePool.list_storage_vol_names", (16385,), UsageError, "maxnames: 16385 is not within"),
    ("StoragePool.get_volume_by_name", (None,), ArgumentTypeError, "name: a text is required"),
    ("StoragePool.create_volume", ("<a/>", -1), UsageError, "flags: -1 is not within"),
    ("StoragePool.clone_volume", ("<a/>", None), ArgumentTypeError, "clonevol: expected a Storage"),
    ("StorageVol.resize", (-1,), UsageError, "capacity_bytes: -1 is not within"),
    ("StorageVol.resize", (1.5,), ArgumentTypeError, "capacity_bytes: expected a whole number"),
    ("StorageVol.wipe_pattern", (None,), ArgumentTypeError, "algorithm: a whole number"),
    ("StorageVol.download", ("st", 0, 0), ArgumentTypeError, "stream: expected a Stream"),
    ("StorageVol.upload", (None, 0, 0), ArgumentTypeError, "stream: "),
    ("NodeDevice.dettach", (5,), ArgumentTypeError, "driver: expected text, not int"),
    ("NodeDevice.update", (None,), ArgumentTypeError, "xml: a text is required"),
    ("Interface.create", ("1",), ArgumentTypeError, "flags: expected a whole number"),
    ("Secret.set_value", ("text",), ArgumentTypeError, "value: expected bytes, not str"),
    ("Secret.set_value", (None,), ArgumentTypeError, "value: expected bytes, not NoneType"),
    ("Secret.set_value", (bytes(65537),), UsageError, "value: 65537 bytes are more than"),
    ("NWFilter.get_xml_description", (2**32,), UsageError, "flags: 4294967296 is not within"),
]


def test_bad_arguments_send_nothing(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as connection:
        for name, args, kind, complaint in BAD:
            owner, _, method = name.partition(".")
            with pytest.raises(kind, match=f"^{complaint}"):
                getattr(find(connection, owner), method)(*args)
        assert asked(server) == []
        assert connection.is_alive()


def test_objects_of_another_connection_send_nothing(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as other, open_in_colour(uri) as connection:
        stranger = find(other, "StorageVol")
        with pytest.raises(UsageError, match=r"^clonevol: .* belongs to another connection"):
            find(connection, "StoragePool").clone_volume("<volume/>", stranger)
        with pytest.raises(UsageError, match=r"^stream: "):
            find(connection, "StorageVol").download(other.new_stream(), 0, 0)
        assert asked(server) == []


def test_secrets_stay_out_of_sight(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.SECRET_SET_VALUE, ReplyError("refused", code=65, domain=30))
    server.handle(remote.SECRET_GET_VALUE, remote.SecretGetValueRet(value=b"hunter2\0"))
    with open_in_colour(uri) as connection:
        secret = find(connection, "Secret")
        with pytest.raises(virtproto.InvalidSecretError) as refused:
            secret.set_value(b"hunter2")
        with pytest.raises(UsageError) as too_long:
            secret.set_value(b"hunter2" * 10000)
        for text in (repr(secret), repr(refused.value), str(refused.value), str(too_long.value)):
            assert "hunter2" not in text
        assert secret.get_value() == b"hunter2\0"
    sent = remote.SecretSetValueArgs.unpack(asked(server)[0][1])
    assert sent.value == b"hunter2"
    assert "hunter2" not in repr(sent)


def test_a_secret_is_any_kind_of_bytes(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.SECRET_SET_VALUE, None)
    with open_in_colour(uri) as connection:
        for value in (b"ab", bytearray(b"ab"), memoryview(b"xabx")[1:3]):
            find(connection, "Secret").set_value(value)
    assert [remote.SecretSetValueArgs.unpack(sent).value for _, sent in asked(server)] == [
        b"ab"
    ] * 3


def test_a_device_asks_for_its_parent_once(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    parents = [None, "computer"]

    def next_parent(call: CallReceived) -> remote.NodeDeviceGetParentRet:
        return remote.NodeDeviceGetParentRet(parentName=parents.pop(0))

    server.handle(remote.NODE_DEVICE_GET_PARENT, next_parent)
    with open_in_colour(uri) as connection:
        device = find(connection, "NodeDevice")
        assert device.get_parent() is None
        assert [device.get_parent() for _ in range(3)] == ["computer"] * 3
    args = remote.NodeDeviceGetParentArgs(name="pci_1").pack()
    assert asked(server) == [(remote.NODE_DEVICE_GET_PARENT.number, args)] * 2


def test_a_volumes_size_with_flags_is_another_call(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.STORAGE_VOL_GET_INFO, remote.StorageVolGetInfoRet(0, 20, 10))
    with_flags = remote.StorageVolGetInfoFlagsRet(0, 20, 15)
    server.handle(remote.STORAGE_VOL_GET_INFO_FLAGS, with_flags)
    with open_in_colour(uri) as connection:
        volume = find(connection, "StorageVol")
        assert volume.get_info() == (0, 20, 10)
        assert volume.get_info(1).allocation_bytes == 15
    assert asked(server) == [
        (remote.STORAGE_VOL_GET_INFO.number, remote.StorageVolGetInfoArgs(vol=VOLUME).pack()),
        (
            remote.STORAGE_VOL_GET_INFO_FLAGS.number,
            remote.StorageVolGetInfoFlagsArgs(vol=VOLUME, flags=1).pack(),
        ),
    ]


def test_refusals_name_the_object(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.NETWORK_IS_ACTIVE, ReplyError("Network not found", code=43, domain=19))
    with open_in_colour(uri) as connection:
        network = find(connection, "Network")
        with pytest.raises(virtproto.NoNetworkError) as error:
            network.is_active()
        assert error.value.object == network
        assert connection.is_alive()


ADMIN_BAD: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("get_server_by_name", (None,), ArgumentTypeError, "name: a text is required"),
    ("set_logging_outputs", (5,), ArgumentTypeError, "outputs: expected text, not int"),
    ("set_logging_filters", ("a\0",), UsageError, "filters: a NUL"),
    ("set_daemon_timeout", (-1,), UsageError, "timeout_s: -1 is not within"),
    ("set_daemon_timeout", (1.5,), ArgumentTypeError, "timeout_s: expected a whole number"),
    ("daemon_shutdown", (-1,), UsageError, "flags: -1 is not within"),
    ("list_servers", (None,), ArgumentTypeError, "flags: a whole number is required"),
]
SERVER_BAD: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("get_client_by_id", (-1,), UsageError, "client_id: -1 is not within"),
    ("set_client_limits", (5,), ArgumentTypeError, "params: expected a mapping"),
    ("set_client_limits", ({"nclients_max": -1},), UsageError, "params"),
    ("set_thread_pool_parameters", ({"maxWorkers": "x"},), ArgumentTypeError, "params"),
]


def test_an_administration_sends_nothing_that_is_bad(tmp_path: Path, colour: str) -> None:
    named = admin.NonnullServer(name="libvirtd")
    handlers: dict[Any, Any] = {
        admin.CONNECT_OPEN: None,
        admin.CONNECT_CLOSE: None,
        admin.CONNECT_LOOKUP_SERVER: admin.ConnectLookupServerRet(srv=named),
    }
    with ScriptedServer(handlers, programs=frozenset({(0x06900690, 1)}), opening=False) as server:
        uri = f"libvirtd:///system?socket={server.listen(tmp_path / 's')}"
        with ADMINISTRATIONS[colour](uri) as connection:
            main = connection.get_server_by_name("libvirtd")
            for target, cases in ((connection, ADMIN_BAD), (main, SERVER_BAD)):
                for name, args, kind, complaint in cases:
                    with pytest.raises(kind, match=f"^{complaint}"):
                        getattr(target, name)(*args)
        assert [call.procedure for call in server.calls] == [1, 5, 2]
