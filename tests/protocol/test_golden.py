"""The packets that a real client and daemon exchange, byte for byte, through both roles."""

from __future__ import annotations

import pytest

from tests.protocol.vectors import PING, PONG, STEPS, UNKNOWN_CALL, UNKNOWN_REPLY, Step
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import CallReceived, EventReceived, PeerClosed, ReplyReceived
from virtproto.protocol.server import ServerSession
from virtproto.wire import remote
from virtproto.wire.rpc import MessageError

IDS = [f"{step.serial}-{step.procedure.name}" for step in STEPS]
TARGET = (remote.PROGRAM, remote.VERSION)


def _packed(message: object) -> bytes:
    packed: bytes = b"" if message is None else message.pack()  # type: ignore[attr-defined]
    return packed


def _call(client: ClientSession, step: Step) -> int:
    return client.send_call(
        step.procedure.program,
        step.procedure.version,
        step.procedure.number,
        _packed(step.args),
    )


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_client_writes_the_call(step: Step) -> None:
    client = ClientSession(first_serial=step.serial)
    assert _call(client, step) == step.serial
    assert b"".join(client.data_to_send()) == step.call
    assert client.data_to_send() == []


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_client_reads_the_reply(step: Step) -> None:
    client = ClientSession(first_serial=step.serial)
    _call(client, step)
    client.receive_data(step.reply)
    [event] = client.events_received()
    assert event == ReplyReceived(step.serial, 0, step.reply[28:])
    assert isinstance(event, ReplyReceived)
    if step.procedure.ret is None:
        assert event.payload == b""
    else:
        assert step.procedure.ret.unpack(event.payload, exact=True) == step.ret


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_client_reads_the_reply_by_the_short_way(step: Step) -> None:
    client = ClientSession(first_serial=step.serial)
    _call(client, step)
    event = client.receive_reply(step.serial, step.reply)
    assert event == ReplyReceived(step.serial, 0, step.reply[28:])
    assert client.events_received() == []
    assert client.calls_pending == 0


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_server_reads_the_call_and_writes_the_reply(step: Step) -> None:
    server = ServerSession()
    server.receive_data(step.call)
    [call] = server.events_received()
    assert isinstance(call, CallReceived)
    assert call == CallReceived(step.serial, *TARGET, step.procedure.number, step.call[28:])
    if step.procedure.args is None:
        assert call.payload == b""
    else:
        assert step.procedure.args.unpack(call.payload, exact=True) == step.args
    server.send_reply(call, _packed(step.ret))
    assert b"".join(server.data_to_send()) == step.reply


def test_whole_conversation_in_one_read() -> None:
    """All calls first, then all replies as one run of bytes, then the end."""
    client = ClientSession()
    calls = b""
    serial = 0
    for step in STEPS:
        while serial < step.serial:
            # The calls in between are not part of the record.
            serial = client.send_call(*TARGET, 1) + 1
        client.data_to_send()
        assert _call(client, step) == step.serial
        calls += b"".join(client.data_to_send())
        serial += 1
    assert calls == b"".join(step.call for step in STEPS)
    client.receive_data(b"".join(step.reply for step in STEPS))
    client.receive_eof()
    *replies, end = client.events_received()
    assert replies == [ReplyReceived(step.serial, 0, step.reply[28:]) for step in STEPS]
    assert end == PeerClosed(0)


def test_unknown_procedure() -> None:
    server = ServerSession()
    server.receive_data(UNKNOWN_CALL)
    [call] = server.events_received()
    assert isinstance(call, CallReceived)
    server.send_unknown_procedure(call)
    assert b"".join(server.data_to_send()) == UNKNOWN_REPLY

    client = ClientSession(first_serial=4)
    client.send_call(*TARGET, 9999)
    assert b"".join(client.data_to_send()) == UNKNOWN_CALL
    client.receive_data(UNKNOWN_REPLY)
    [event] = client.events_received()
    assert isinstance(event, ReplyReceived)
    assert (event.serial, event.status) == (4, 1)
    assert MessageError.unpack(event.payload, exact=True) == MessageError(
        code=39,
        domain=7,
        message="unknown procedure: 9999",
        level=2,
        dom=None,
        str1="%s",
        str2="unknown procedure: 9999",
        str3=None,
        int1=-1,
        int2=-1,
        net=None,
    )


@pytest.mark.parametrize("role", [ClientSession, ServerSession])
def test_ping_and_pong(role: type[ClientSession] | type[ServerSession]) -> None:
    session = role()
    session.receive_data(PING)
    assert session.data_to_send() == [PONG]
    session.receive_data(PONG)
    assert session.data_to_send() == []
    assert session.events_received() == []


def test_lifecycle_event() -> None:
    message = remote.DomainEventCallbackLifecycleMsg(
        callbackID=0,
        msg=remote.DomainEventLifecycleMsg(
            dom=remote.NonnullDomain(
                name="fv0", uuid=bytes.fromhex("4dea22b31d52d8f32516782e98ab3fa0"), id=1
            ),
            event=3,
            detail=0,
        ),
    )
    payload = bytes.fromhex(
        "0000000000000003667630004dea22b31d52d8f32516782e98ab3fa0000000010000000300000000"
    )
    header = bytes.fromhex("0000004420008086000000010000013e000000020000000100000000")
    server = ServerSession()
    server.send_event(*TARGET, 318, message.pack())
    packet = b"".join(server.data_to_send())
    assert packet == header + payload

    client = ClientSession()
    client.receive_data(packet)
    [event] = client.events_received()
    assert event == EventReceived(remote.PROGRAM, 318, payload)
    assert remote.DomainEventCallbackLifecycleMsg.unpack(payload, exact=True) == message


def test_hole_packet() -> None:
    client = ClientSession()
    serial = client.send_call(*TARGET, 208, opens_stream=True)
    client.receive_data(bytes.fromhex("0000001c2000808600000001000000d0000000010000000000000000"))
    client.events_received()
    client.data_to_send()
    client.send_stream_hole(serial, 1048576)
    assert b"".join(client.data_to_send()) == bytes.fromhex(
        "000000282000808600000001000000d00000000600000000000000020000000000100000 00000000"
    )
