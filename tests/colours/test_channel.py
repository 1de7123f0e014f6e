"""A channel of either colour with one call at a time: replies, deadlines, damage and the end."""

from __future__ import annotations

import threading

import pytest

from tests.colours.driving import OpenChannel
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    EncodeError,
    LibvirtError,
    SequenceError,
)
from virtproto.protocol.events import CallReceived
from virtproto.sync.channel import Channel
from virtproto.testing import (
    CloseConnection,
    Faults,
    NoReply,
    ReplyError,
    ScriptedServer,
    SendEvent,
    SendPing,
    SendRaw,
)
from virtproto.testing.actions import Action
from virtproto.wire.remote.connect import (
    CONNECT_CLOSE,
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetHostnameRet,
    ConnectGetLibVersionRet,
)

VERSION = ConnectGetLibVersionRet(lib_ver=12008000)


def ask(channel: Channel, timeout_s: float | None = 10.0) -> int:
    payload = channel.call(CONNECT_GET_LIB_VERSION, b"", timeout_s)
    return ConnectGetLibVersionRet.unpack(payload).lib_ver


def test_a_call_brings_its_reply(server: ScriptedServer, channel: Channel) -> None:
    assert ask(channel) == 12008000
    assert ask(channel, None) == 12008000
    assert [call.serial for call in server.calls] == [0, 1]


def test_a_reply_may_come_byte_by_byte(path: str, channel_in_colour: OpenChannel) -> None:
    with (
        ScriptedServer({CONNECT_GET_LIB_VERSION: VERSION}, faults=Faults(split=1)) as server,
        channel_in_colour(server.listen(path)) as channel,
    ):
        assert ask(channel) == 12008000


def test_the_daemons_refusal_is_raised(server: ScriptedServer, channel: Channel) -> None:
    server.handle(CONNECT_GET_HOSTNAME, ReplyError("no", code=38, domain=10, int1=2))
    with pytest.raises(LibvirtError) as caught:
        channel.call(CONNECT_GET_HOSTNAME, b"")
    assert (caught.value.code, caught.value.domain, caught.value.int1) == (38, 10, 2)
    assert caught.value.procedure == "CONNECT_GET_HOSTNAME"
    assert ask(channel) == 12008000


def test_events_and_pings_do_not_disturb_a_call(server: ScriptedServer, channel: Channel) -> None:
    noise: list[Action] = [SendEvent(0x20008086, 318, b"\0\0\0\0"), SendPing()]
    server.handle(CONNECT_GET_HOSTNAME, [*noise, ConnectGetHostnameRet(hostname="h").pack()])
    assert channel.call(CONNECT_GET_HOSTNAME, b"") == ConnectGetHostnameRet(hostname="h").pack()
    assert ask(channel) == 12008000


def test_a_deadline_leaves_the_connection_usable(server: ScriptedServer, channel: Channel) -> None:
    held = threading.Event()

    def late(call: CallReceived) -> bytes:
        held.wait(10)
        return b""

    server.handle(CONNECT_GET_HOSTNAME, late)
    with pytest.raises(DeadlineError, match=r"CONNECT_GET_HOSTNAME: no answer within 0\.05 s"):
        channel.call(CONNECT_GET_HOSTNAME, b"", 0.05)
    held.set()
    # The late reply comes first, and is nobody's.
    assert ask(channel) == 12008000
    assert ask(channel, None) == 12008000


@pytest.mark.parametrize("count", [0, 1, 4, 27, 28, 35])
def test_a_reply_cut_short_is_a_lost_connection(
    count: int, path: str, channel_in_colour: OpenChannel
) -> None:
    # Cutting after nothing would not wait for the call.
    answer = VERSION if count else CloseConnection()
    faults = Faults(cut_after=count or None)
    with (
        ScriptedServer({CONNECT_GET_LIB_VERSION: answer}, faults=faults) as server,
        channel_in_colour(server.listen(path)) as channel,
    ):
        with pytest.raises(ConnectionLostError) as caught:
            ask(channel, None)
        assert "the daemon closed it" in str(caught.value)
        assert (f"{count} bytes of an unfinished packet" in str(caught.value)) == (count > 0)
        with pytest.raises(ConnectionClosedError, match="the daemon closed it"):
            ask(channel)


def test_a_reply_of_another_procedure_fails_its_call_alone(
    server: ScriptedServer, channel: Channel
) -> None:
    other = bytes.fromhex("0000001c 20008086 00000001 0000000c 00000001 00000000 00000000")
    server.handle(CONNECT_GET_HOSTNAME, [SendRaw(other), NoReply()])
    with pytest.raises(SequenceError, match="procedure 12"):
        channel.call(CONNECT_GET_HOSTNAME, b"")
    assert ask(channel) == 12008000


def test_too_much_for_a_packet_is_refused_and_costs_nothing(
    server: ScriptedServer, channel: Channel
) -> None:
    with pytest.raises(EncodeError):
        channel.call(CONNECT_GET_HOSTNAME, bytes(33554409))
    assert ask(channel) == 12008000
    assert len(server.calls) == 1


def test_close_says_goodbye_and_is_final(server: ScriptedServer, channel: Channel) -> None:
    channel.close(CONNECT_CLOSE)
    assert [call.procedure for call in server.calls] == [CONNECT_CLOSE.number]
    assert not channel.is_open
    channel.close(CONNECT_CLOSE)
    with pytest.raises(ConnectionClosedError, match="it was closed"):
        ask(channel)
    assert len(server.calls) == 1


def test_close_does_not_wait_for_a_daemon_that_says_nothing(
    server: ScriptedServer, channel: Channel, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = "ending" if colour == "sync" else "channel"
    monkeypatch.setattr(f"virtproto.{colour}.{where}.CLOSE_TIMEOUT_S", 0.05)
    server.handle(CONNECT_CLOSE, NoReply())
    channel.close(CONNECT_CLOSE)
    server.wait_until(lambda seen: seen.connections_ended == 1)
