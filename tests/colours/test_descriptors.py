"""Descriptors beside the bytes of a call, in both colours: there, back, and gone astray."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from tests.colours.driving import Open
from virtproto.errors import (
    ConnectionLostError,
    DeadlineError,
    EncodeError,
    LibvirtError,
    SequenceError,
    UnknownProcedureError,
)
from virtproto.protocol.events import CallReceived
from virtproto.sync.channel import Channel
from virtproto.testing import (
    CloseConnection,
    NoReply,
    ReplyError,
    ReplyWithFds,
    ScriptedServer,
    SendEvent,
    SendPing,
)
from virtproto.testing.actions import Answer
from virtproto.wire.qemu import DOMAIN_MONITOR_COMMAND_WITH_FILES as WITH_FILES
from virtproto.wire.remote import DOMAIN_OPEN_GRAPHICS, DOMAIN_OPEN_GRAPHICS_FD
from virtproto.wire.remote.connect import (
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetLibVersionRet,
)


@pytest.fixture
def pipes() -> Iterator[list[int]]:
    """The reading ends of two pipes, each with a letter of its own in it; still open at the end."""
    ends = []
    for letter in (b"a", b"b"):
        out, into = os.pipe()
        os.write(into, letter)
        os.close(into)
        ends.append(out)
    yield ends
    for end in ends:
        os.close(end)


def ask(channel: Channel) -> int:
    return ConnectGetLibVersionRet.unpack(channel.call(CONNECT_GET_LIB_VERSION, b"", 10.0)).lib_ver


def letters_in(fds: list[int]) -> bytes:
    """Read and close what came; close-on-exec must be set."""
    read = b""
    for fd in fds:
        assert not os.get_inheritable(fd)
        read += os.read(fd, 1)
        os.close(fd)
    return read


def open_descriptors(channel: Channel) -> int:
    """Count what this process has open, the other end of the connection included."""
    ask(channel)
    return len(os.listdir("/proc/self/fd"))


def test_descriptors_travel_both_ways_in_order(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    def back(call: CallReceived) -> Answer:
        server.wait_until(lambda seen: len(seen.fds_received) == call.nfds)
        return ReplyWithFds(call.payload, server.fds_received[::-1])

    server.handle(WITH_FILES, back)
    payload, came = channel.call_with_fds(WITH_FILES, b"args", pipes, 10.0)
    assert payload == b"args"
    assert letters_in(came) == b"ba"
    assert [call.nfds for call in server.calls] == [2]
    assert ask(channel) == 12008000


def test_descriptors_that_only_go_or_only_come(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    server.handle(WITH_FILES, b"taken")
    assert channel.call_with_fds(WITH_FILES, b"", pipes[:1], 10.0) == (b"taken", [])
    server.wait_until(lambda seen: len(seen.fds_received) == 1)
    assert os.read(server.fds_received[0], 1) == b"a"
    server.handle(WITH_FILES, ReplyWithFds(b"given", pipes[1:]))
    payload, came = channel.call_with_fds(WITH_FILES, b"", [], 10.0)
    assert (payload, letters_in(came)) == (b"given", b"b")
    assert channel.call_with_fds(CONNECT_GET_LIB_VERSION, b"", [])[1] == []


def test_noise_around_descriptors_is_no_matter(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    event = SendEvent(0x20008086, 318, bytes(200_000))
    server.handle(WITH_FILES, [event, SendPing(), ReplyWithFds(bytes(300_000), pipes), event])
    payload, came = channel.call_with_fds(WITH_FILES, bytes(500_000), pipes, 10.0)
    assert (len(payload), letters_in(came)) == (300_000, b"ab")
    assert ask(channel) == 12008000


def test_the_most_that_a_packet_announces(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    def back(call: CallReceived) -> Answer:
        server.wait_until(lambda seen: len(seen.fds_received) == call.nfds)
        return ReplyWithFds(b"", server.fds_received)

    server.handle(WITH_FILES, back)
    before = open_descriptors(channel)
    _, came = channel.call_with_fds(WITH_FILES, b"", pipes[:1] * 32, 10.0)
    assert len(set(came)) == 32
    for fd in came:
        os.close(fd)
    with pytest.raises(EncodeError, match="33 descriptors"):
        channel.call_with_fds(WITH_FILES, b"", pipes[:1] * 33, 10.0)
    # Those that the server keeps are of this process as well.
    assert open_descriptors(channel) == before + 32


@pytest.mark.parametrize(
    ("carried", "came"),
    [([None, 0], 1), ([None, None], 0), ([(0, 1), 0], 3)],
    ids=["one missing", "all missing", "one more"],
)
def test_other_descriptors_than_announced_fail_the_call_alone(
    carried: list[int | tuple[int, ...] | None],
    came: int,
    server: ScriptedServer,
    channel: Channel,
    pipes: list[int],
) -> None:
    def real(one: int | tuple[int, ...] | None) -> int | tuple[int, ...] | None:
        if one is None:
            return None
        return tuple(pipes[each] for each in one) if isinstance(one, tuple) else pipes[one]

    server.handle(WITH_FILES, ReplyWithFds(b"", pipes, [real(one) for one in carried]))
    before = open_descriptors(channel)
    with pytest.raises(SequenceError, match=f"announced 2 descriptors, {came} came"):
        channel.call_with_fds(WITH_FILES, b"", [], 10.0)
    assert open_descriptors(channel) == before


def test_a_refusal_costs_no_descriptor(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    server.handle(WITH_FILES, ReplyError("no", code=74))
    before = open_descriptors(channel)
    with pytest.raises(LibvirtError, match="no"):
        channel.call_with_fds(WITH_FILES, b"", pipes, 10.0)
    server.wait_until(lambda seen: len(seen.fds_received) == 2)
    assert open_descriptors(channel) == before + 2
    assert ask(channel) == 12008000


def test_descriptors_for_a_plain_call_are_closed(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    server.handle(CONNECT_GET_HOSTNAME, ReplyWithFds(b"name", pipes))
    before = open_descriptors(channel)
    assert channel.call(CONNECT_GET_HOSTNAME, b"", 10.0) == b"name"
    assert open_descriptors(channel) == before


def test_the_late_reply_of_a_call_given_up_brings_nothing(
    server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    held = threading.Event()

    def late(call: CallReceived) -> Answer:
        held.wait(10)
        return ReplyWithFds(b"", pipes)

    server.handle(WITH_FILES, late)
    before = open_descriptors(channel)
    with pytest.raises(DeadlineError, match=r"within 0\.05 s"):
        channel.call_with_fds(WITH_FILES, b"", [], 0.05)
    server.handle(WITH_FILES, ReplyWithFds(b"new", pipes[1:]))
    held.set()
    # The late reply and its two come while this call collects, and are none of its own.
    payload, came = channel.call_with_fds(WITH_FILES, b"", [], 10.0)
    assert (payload, letters_in(came)) == (b"new", b"b")
    assert open_descriptors(channel) == before
    assert ask(channel) == 12008000


@pytest.mark.parametrize("answer", [CloseConnection(), [NoReply(), CloseConnection()]])
def test_a_connection_lost_meanwhile_costs_no_descriptor(
    answer: Answer, server: ScriptedServer, channel: Channel, pipes: list[int]
) -> None:
    server.handle(WITH_FILES, answer)
    with pytest.raises(ConnectionLostError, match="the daemon closed it"):
        channel.call_with_fds(WITH_FILES, b"", pipes, 10.0)
    assert not channel.is_open
    mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in pipes}
    server.stop()
    held = [fd for fd in os.listdir("/proc/self/fd") if _link(fd) in mine]
    assert len(held) == len(pipes)


def _link(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        # The one that lists the folder.
        return ""


def test_a_connection_asks_first_and_counts_what_comes(
    server: ScriptedServer, uri: str, pipes: list[int], open_in_colour: Open
) -> None:
    server.handle(DOMAIN_OPEN_GRAPHICS_FD, ReplyWithFds(b"", pipes[:1]))
    with open_in_colour(uri) as connection:
        for _ in range(2):
            _, came = connection._exchange_with_fds(DOMAIN_OPEN_GRAPHICS_FD, b"", [])
            assert len(came) == 1
            os.close(came[0])
        # The daemon is asked once whether it passes descriptors.
        features = [call for call in server.calls if call.procedure == 60]
        assert [call.payload for call in features].count((8).to_bytes(4, "big")) == 1
        for fds in (pipes, []):
            server.handle(DOMAIN_OPEN_GRAPHICS_FD, ReplyWithFds(b"", fds))
            with pytest.raises(SequenceError, match=f"{len(fds)} descriptors came, it brings 1"):
                connection._exchange_with_fds(DOMAIN_OPEN_GRAPHICS_FD, b"", [])
        assert connection.get_library_version() == 12008000


def test_a_daemon_that_passes_none_is_not_asked_for_some(
    server: ScriptedServer, uri: str, pipes: list[int], open_in_colour: Open
) -> None:
    from virtproto.wire.remote.connect import CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureRet

    server.handle(CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureRet(supported=0))
    with open_in_colour(uri) as connection:
        before = len(server.calls)
        with pytest.raises(LibvirtError, match="passes no file descriptors") as caught:
            connection._exchange_with_fds(WITH_FILES, b"", pipes)
        assert caught.value.code == 74
        assert [call.procedure for call in server.calls[before:]] == [60]


@pytest.mark.parametrize(("release", "known"), [(8001000, False), (8002000, True)])
def test_no_descriptors_go_to_a_daemon_that_does_not_know_the_call(
    server: ScriptedServer,
    uri: str,
    pipes: list[int],
    open_in_colour: Open,
    release: int,
    known: bool,
) -> None:
    unknown = ReplyError(code=39, domain=7, message="unknown procedure: 7")
    server.handle(CONNECT_GET_LIB_VERSION, ConnectGetLibVersionRet(lib_ver=release))
    server.handle(WITH_FILES, b"taken" if known else unknown)
    with open_in_colour(uri) as connection:
        for _ in range(2):
            if known:
                assert connection._exchange_with_fds(WITH_FILES, b"", pipes) == (b"taken", [])
            else:
                with pytest.raises(UnknownProcedureError) as caught:
                    connection._exchange_with_fds(WITH_FILES, b"", pipes)
                assert caught.value.since == "8.2.0"
        # The daemon is asked for its release once, and only for what an older one may not know.
        asked = [call for call in server.calls if call.procedure == CONNECT_GET_LIB_VERSION.number]
        assert len(asked) == 1
        sent = [call.nfds for call in server.calls if call.program == WITH_FILES.program]
        assert sent == [2 * known] * 2
        server.handle(DOMAIN_OPEN_GRAPHICS, b"")
        connection._exchange_with_fds(DOMAIN_OPEN_GRAPHICS, b"", pipes[:1])
        assert server.calls[-1].nfds == 1
