"""A connection that is opened anew when it was lost, in both colours, against a scripted daemon."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from socket import socketpair
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.losing import (
    FAST,
    HOSTNAME,
    away,
    back,
    failing,
    gone,
    lose,
    reconnecting_threads,
    times,
)
from virtproto import Reconnect
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    SocketMissingError,
    UsageError,
)
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote


def test_it_is_open_again_and_handles_go_on(
    server: ScriptedServer, path: str, lasting: virtproto.Connection
) -> None:
    domain = lasting.get_domain_by_name("web")
    assert lasting.state == "open"
    with away(server, path):
        gone(lasting)
        assert lasting.state == "reconnecting"
        assert repr(lasting).endswith(" reconnecting>")
    back(lasting)
    assert repr(lasting).endswith("/s>")
    assert lasting.get_hostname() == "h"
    assert lasting.get_domain_by_name("web") == domain
    server.handle(remote.DOMAIN_GET_OS_TYPE, remote.DomainGetOsTypeRet(type="hvm"))
    assert domain.get_os_type() == "hvm"
    assert times(server, remote.CONNECT_OPEN) == 2
    assert not reconnecting_threads()


def test_without_the_option_a_lost_connection_stays_lost(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    lose(server)
    with pytest.raises((ConnectionLostError, ConnectionClosedError)):
        connection.get_hostname()
    assert connection.state == "closed"
    with pytest.raises(ConnectionClosedError):
        connection.get_hostname()
    assert times(server, remote.CONNECT_OPEN) == 1


def test_a_call_that_may_have_run_fails_and_is_not_repeated(
    server: ScriptedServer, lasting: virtproto.Connection
) -> None:
    server.handle(remote.CONNECT_GET_HOSTNAME, CloseConnection())
    with pytest.raises(ConnectionLostError, match="may have run") as caught:
        lasting.get_hostname()
    assert caught.value.may_have_run
    back(lasting)
    assert times(server, remote.CONNECT_GET_HOSTNAME) == 1
    server.handle(remote.CONNECT_GET_HOSTNAME, HOSTNAME)
    assert lasting.get_hostname() == "h"


def test_a_call_meanwhile_waits(
    server: ScriptedServer, path: str, lasting: virtproto.Connection
) -> None:
    stack = away(server, path)
    stack.__enter__()
    gone(lasting)
    timer = threading.Timer(0.05, stack.__exit__, (None, None, None))
    timer.start()
    assert lasting.get_hostname() == "h"
    timer.join()
    assert times(server, remote.CONNECT_GET_HOSTNAME) == 1


def test_a_call_waits_no_longer_than_its_deadline(
    server: ScriptedServer, path: str, lasting: virtproto.Connection
) -> None:
    with away(server, path):
        gone(lasting)
        procedure = remote.CONNECT_GET_HOSTNAME
        with pytest.raises(
            DeadlineError, match=r"not back within 0.1 s.*nothing was sent"
        ) as caught:
            lasting.call(procedure, None, timeout_s=0.1)
        assert isinstance(caught.value.__cause__, SocketMissingError)
    assert lasting.get_hostname() == "h"
    assert times(server, remote.CONNECT_GET_HOSTNAME) == 1


def test_what_carries_more_than_bytes_waits_too(
    server: ScriptedServer, path: str, lasting: virtproto.Connection
) -> None:
    domain = lasting.get_domain_by_name("web")
    server.handle(remote.DOMAIN_OPEN_CONSOLE, ReplyError("no console", code=9))
    server.handle(remote.DOMAIN_OPEN_GRAPHICS, b"")
    socket, other = socketpair()
    lasting.call_timeout_s = 0.05
    with away(server, path):
        gone(lasting)
        with pytest.raises(DeadlineError, match="nothing was sent"):
            domain.open_graphics(0, socket)
        with pytest.raises(DeadlineError, match="nothing was sent"):
            domain.open_console(lasting.new_stream())
        lasting.call_timeout_s = 10.0
        stream = lasting.new_stream()
    domain.open_graphics(0, socket)
    with pytest.raises(LibvirtError, match="no console"):
        domain.open_console(stream)
    socket.close()
    other.close()


def test_a_stream_fails_and_the_next_one_works(
    server: ScriptedServer, lasting: virtproto.Connection
) -> None:
    from virtproto.testing import OpenStream, SendStreamData

    domain = lasting.get_domain_by_name("web")
    server.handle(remote.DOMAIN_OPEN_CONSOLE, [OpenStream(), b"", SendStreamData(b"login: ")])
    stream = lasting.new_stream()
    domain.open_console(stream)
    assert stream.recv(7) == b"login: "
    lose(server)
    with pytest.raises(ConnectionLostError):
        stream.recv(1)
    assert not stream.is_open
    another = lasting.new_stream()
    domain.open_console(another)
    assert another.recv(7) == b"login: "
    another.abort()


def test_a_daemon_that_refuses_for_a_while_is_asked_again(
    server: ScriptedServer, lasting: virtproto.Connection
) -> None:
    refusal = ReplyError("the driver is not ready", code=5)
    server.handle(remote.CONNECT_OPEN, failing(lambda call: b"", refusal, 3))
    lose(server)
    gone(lasting)
    assert lasting.get_hostname() == "h"
    assert times(server, remote.CONNECT_OPEN) == 5


def test_it_gives_up_after_its_time(
    server: ScriptedServer, path: str, uri: str, open_in_colour: Open
) -> None:
    policy = Reconnect(0.01, 0.02, give_up_after_s=0.2)
    with open_in_colour(uri, reconnect=policy) as connection:
        with away(server, path):
            gone(connection)
            began = time.monotonic()
            with pytest.raises(ConnectionLostError, match="there is no socket") as caught:
                connection.get_hostname()
            assert time.monotonic() - began < 5
            assert isinstance(caught.value.__cause__, SocketMissingError)
        assert connection.state == "closed"
        assert not reconnecting_threads()
        with pytest.raises(ConnectionLostError):
            connection.get_hostname()


def test_what_a_daemon_said_is_asked_of_the_next_one(
    server: ScriptedServer, path: str, lasting: virtproto.Connection
) -> None:
    server.handle(remote.CONNECT_GET_TYPE, remote.ConnectGetTypeRet(type="TEST"))
    assert lasting.get_type() == lasting.get_type() == "TEST"
    domain = lasting.get_domain_by_name("web")
    socket, other = socketpair()
    server.handle(remote.DOMAIN_OPEN_GRAPHICS, b"")
    domain.open_graphics(0, socket)
    asked = times(server, remote.CONNECT_SUPPORTS_FEATURE)

    def older(call: CallReceived) -> Answer:
        return remote.ConnectSupportsFeatureRet(supported=0)

    with away(server, path):
        server.handle(remote.CONNECT_GET_TYPE, remote.ConnectGetTypeRet(type="QEMU"))
        server.handle(remote.CONNECT_SUPPORTS_FEATURE, older)
        gone(lasting)
    back(lasting)
    assert lasting.get_type() == "QEMU"
    with pytest.raises(LibvirtError, match="passes no file descriptors"):
        domain.open_graphics(0, socket)
    assert times(server, remote.CONNECT_SUPPORTS_FEATURE) > asked
    assert times(server, remote.DOMAIN_OPEN_GRAPHICS) == 1
    socket.close()
    other.close()


def test_a_storm_of_losses_passes(server: ScriptedServer, lasting: virtproto.Connection) -> None:
    for _ in range(20):
        back(lasting)
        lose(server)
        # Where the loss went unnoticed, the call may have run.
        with contextlib.suppress(ConnectionLostError):
            assert lasting.get_hostname() == "h"
    assert lasting.get_hostname() == "h"
    assert len(reconnecting_threads()) == 0


def test_closing_stops_it(
    server: ScriptedServer, path: str, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, reconnect=Reconnect(5.0, 5.0)) as connection:
        with away(server, path):
            gone(connection)
            began = time.monotonic()
            connection.close()
            assert time.monotonic() - began < 1.5
        assert connection.state == "closed"
        assert not reconnecting_threads()
        with pytest.raises(ConnectionClosedError, match="it was closed"):
            connection.get_hostname()
        connection.close()
    assert times(server, remote.CONNECT_OPEN) == 1


def test_closing_stops_it_while_a_daemon_does_not_answer(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with open_in_colour(uri, reconnect=FAST) as connection:
        server.handle(remote.CONNECT_OPEN, NoReply())
        lose(server)
        gone(connection)
        until(connection, lambda: times(server, remote.CONNECT_OPEN) == 2)
        began = time.monotonic()
        connection.close()
        assert time.monotonic() - began < 1.5
        assert not reconnecting_threads()
    server.wait_until(lambda seen: seen.connections_ended == 2)
    assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.mark.parametrize("meanwhile", [False, True])
def test_keepalive_goes_on(
    server: ScriptedServer, path: str, lasting: virtproto.Connection, meanwhile: bool
) -> None:
    def pings() -> int:
        return sum(packet.program == 0x6B656570 for packet in server.packets)

    if not meanwhile:
        lasting.set_keep_alive(0.02, 100)
    with away(server, path):
        gone(lasting)
        if meanwhile:
            lasting.set_keep_alive(0.02, 100)
    back(lasting)
    before = pings()
    until(lasting, lambda: pings() > before + 2)


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"reconnect": "yes"}, "reconnect"),
        ({"reconnect": None}, "reconnect"),
        ({"keepalive": (0, 5)}, "keepalive[0]"),
        ({"keepalive": 5}, "keepalive"),
        ({"long_calls": 0}, "long_calls"),
    ],
)
def test_options_that_make_no_sense_are_named(
    uri: str, open_in_colour: Open, options: dict[str, Any], parameter: str
) -> None:
    with (
        pytest.raises(UsageError, match="^" + re.escape(parameter) + ": "),
        open_in_colour(uri, **options),
    ):
        pass


def test_long_calls_can_be_read(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as usual, open_in_colour(uri, long_calls=None) as unlimited:
        assert (usual.long_calls, unlimited.long_calls) == (4, None)
