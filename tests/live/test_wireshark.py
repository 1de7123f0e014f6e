"""Wireshark reads the client's conversations and sees in every field what the codec sees.

Its libvirt dissector is generated from libvirt's own .x files by libvirt's own generator, so it is
a second opinion on every byte, in both directions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import COLOURS, Open
from tests.lab.capture import Capture, Message
from tests.lab.daemon import PrivateDaemon
from tests.lab.relay import TcpRelay
from tests.live.dissection import Comparison
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.wire import find_procedure, load_contract, remote
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import TypedParams

pytestmark = pytest.mark.lab

CALL, OK = 0, 0
PARAM_ULLONG = 4

SPARE = (
    "<domain type='test'><name>spare</name><memory unit='KiB'>204800</memory>"
    "<os><type>hvm</type></os></domain>"
)


def _converse(open_: Open, uri: str) -> None:
    with open_(uri) as connection:
        connection.get_hostname()
        connection.get_library_version()
        connection.list_all_domains()
        connection.get_domain_by_id(1)
        domain = connection.get_domain_by_name("test")
        connection.get_domain_by_uuid(domain.get_uuid())
        domain.get_info()
        domain.get_state()
        domain.get_xml_description()
        _converse_in_typed_parameters(connection, domain)
        spare = connection.define_domain(SPARE)
        spare.create()
        spare.destroy()
        spare.undefine()
        with pytest.raises(virtproto.NoDomainError):
            connection.get_domain_by_name("nosuch")
        with pytest.raises(virtproto.LibvirtError):
            connection.define_domain("<domain")


def _converse_in_typed_parameters(
    connection: virtproto.Connection, domain: virtproto.Domain
) -> None:
    dom = remote.NonnullDomain(name=domain.get_name(), uuid=domain.get_uuid(), id=domain.get_id())
    connection.call(
        remote.DOMAIN_GET_MEMORY_PARAMETERS,
        remote.DomainGetMemoryParametersArgs(dom=dom, nparams=3, flags=0),
    )
    limits = TypedParams.from_items([("hard_limit", PARAM_ULLONG, 4 << 20)])
    connection.call(
        remote.DOMAIN_SET_MEMORY_PARAMETERS,
        remote.DomainSetMemoryParametersArgs(dom=dom, params=limits, flags=0),
    )
    connection.call(
        remote.CONNECT_GET_ALL_DOMAIN_STATS,
        remote.ConnectGetAllDomainStatsArgs(doms=[dom], stats=0, flags=0),
    )
    connection.call(remote.NODE_GET_SECURITY_MODEL, None)
    connection.call(remote.NODE_GET_INFO, None)
    connection.call(
        remote.CONNECT_LIST_ALL_NETWORKS,
        remote.ConnectListAllNetworksArgs(need_results=1, flags=0),
    )


@pytest.fixture(scope="module", params=list(COLOURS))
def conversation(
    request: pytest.FixtureRequest,
    libvirtd: PrivateDaemon,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[tuple[Message, Packet]]:
    """Each message as Wireshark sees it, with the packet that really went over the wire."""
    folder: Path = tmp_path_factory.mktemp("capture")
    with TcpRelay(libvirtd.socket_path) as relay, Capture(relay.port, folder) as capture:
        _converse(COLOURS[request.param], f"test+unix:///default?socket={relay.socket_path}")
        [recording] = relay.recordings
        assert recording.ended.wait(10)
    packets = {
        True: _packets(recording.from_client),
        False: _packets(recording.from_daemon),
    }
    messages = capture.messages()
    paired = [(message, packets[message.from_client].pop(0)) for message in messages]
    assert packets == {True: [], False: []}, "Wireshark has not seen these"
    return paired


def _packets(data: bytearray) -> list[Packet]:
    reader = PacketReader()
    reader.feed(bytes(data))
    packets = []
    while (packet := reader.next_packet()) is not None:
        packets.append(packet)
    assert reader.bytes_held == 0
    return packets


def test_nothing_is_malformed(conversation: list[tuple[Message, Packet]]) -> None:
    assert len(conversation) > 50
    assert [message for message, _ in conversation if message.malformed] == []
    assert {message.from_client for message, _ in conversation} == {True, False}


def test_headers_are_seen_alike(conversation: list[tuple[Message, Packet]]) -> None:
    for message, packet in conversation:
        seen = {field.name: int(field.show, 0) for field in message.fields[:7]}
        assert seen == {
            "libvirt.length": 28 + len(packet.payload),
            "libvirt.program": packet.program,
            "libvirt.version": packet.version,
            "libvirt.procedure": packet.procedure,
            "libvirt.type": packet.type,
            "libvirt.serial": packet.serial,
            "libvirt.status": packet.status,
        }
        assert message.from_client == (packet.type == CALL)


def _payload_type(packet: Packet) -> type[Any] | None:
    procedure = find_procedure(packet.program, packet.procedure)
    if packet.status != OK:
        return remote.Error
    return procedure.args if packet.type == CALL else procedure.ret


def test_every_field_is_seen_alike(conversation: list[tuple[Message, Packet]]) -> None:
    contract = load_contract()
    codec, comparison = ReferenceCodec(contract), Comparison(contract)
    types = set()
    for message, packet in conversation:
        payload = message.fields[7:]
        kind = _payload_type(packet)
        if kind is None:
            assert (payload, packet.payload) == ([], b"")
            continue
        [seen] = payload
        plain = codec.decode(kind.XDR_NAME, packet.payload, exact=True)
        assert comparison.differences(seen, kind.XDR_NAME, plain) == []
        assert kind.unpack(packet.payload, exact=True).to_plain() == plain
        types.add(kind.XDR_NAME)
    assert {"remote_error", "remote_connect_get_all_domain_stats_ret"} <= types
    assert len(types) > 30
    assert comparison.leaves > 150


def test_a_difference_would_be_noticed(conversation: list[tuple[Message, Packet]]) -> None:
    contract = load_contract()
    codec = ReferenceCodec(contract)
    message, packet = next(
        (message, packet)
        for message, packet in conversation
        if packet.procedure == remote.DOMAIN_GET_INFO.number and packet.type != CALL
    )
    name = remote.DomainGetInfoRet.XDR_NAME
    plain = codec.decode(name, packet.payload)
    [seen] = message.fields[7:]
    for field, value in plain.items():
        changed = {**plain, field: value + 1}
        [difference] = Comparison(contract).differences(seen, name, changed)
        assert field in difference
    assert Comparison(contract).differences(seen, "remote_domain_get_info_args", plain)
