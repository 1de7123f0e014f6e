"""A connection that is opened anew when it was lost, in both colours, against a scripted daemon."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from socket import socketpair
from types import ModuleType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle, noting
from virtproto import Reconnect
from virtproto.errors import (
    AuthenticationError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    SocketMissingError,
    UsageError,
)
from virtproto.events import Gap
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.remote import connect_event as calls
from virtproto.xdr.procedure import Procedure

FAST = Reconnect(0.005, 0.05, jitter=0.0)
HOSTNAME = remote.ConnectGetHostnameRet(hostname="h")


@pytest.fixture
def records(colour: str) -> ModuleType:
    """The records of events of the test's colour."""
    return import_module("virtproto.events" if colour == "sync" else "virtproto.aio.events")


@pytest.fixture
def lasting(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> Iterator[virtproto.Connection]:
    """A connection that is opened anew, to ``server``, used as a blocking one."""
    server.handle(remote.CONNECT_GET_HOSTNAME, HOSTNAME)
    with open_in_colour(uri, reconnect=FAST) as opened:
        yield opened


@contextlib.contextmanager
def away(server: ScriptedServer, path: str) -> Iterator[None]:
    """A time in which no daemon is there; it begins with the loss of all connections."""
    os.rename(path, path + ".away")
    lose(server)
    try:
        yield
    finally:
        os.rename(path + ".away", path)


def lose(server: ScriptedServer) -> None:
    """Have the daemon close all connections; return once they are gone."""
    ended = server.connections_ended
    server.send(CloseConnection())
    server.wait_until(lambda seen: seen.connections_ended > ended)


def times(server: ScriptedServer, procedure: Procedure[Any, Any]) -> int:
    """Return how often a procedure was called."""
    return [call.procedure for call in server.calls].count(procedure.number)


def back(connection: virtproto.Connection) -> None:
    """Wait until the connection is open again."""
    until(connection, connection.is_alive)


def gone(connection: virtproto.Connection) -> None:
    """Wait until the connection knows that it was lost."""
    until(connection, lambda: not connection.is_alive())


def reconnecting_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "virtproto reconnecting"]


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


class Forgetting(Registrar):
    """A daemon that knows nothing of registrations of connections before."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__(server)
        server.handle(calls.CONNECT_REGISTER_CLOSE_CALLBACK, b"")
        server.handle(calls.CONNECT_UNREGISTER_CLOSE_CALLBACK, b"")
        server.handle(remote.CONNECT_OPEN, self.open)
        # IDs that do not repeat themselves: they are to be learned anew.
        self.next = 3

    def open(self, call: CallReceived) -> Answer:
        self.kept.clear()
        return b""


@pytest.fixture
def registrar(server: ScriptedServer) -> Forgetting:
    return Forgetting(server)


def test_callbacks_go_on_and_the_close_callback_hears_of_each_loss(
    server: ScriptedServer, registrar: Forgetting, lasting: virtproto.Connection
) -> None:
    seen: list[Any] = []
    reasons: list[int] = []
    number = lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
    lasting.register_close_callback(lambda connection, reason: reasons.append(reason))
    for losses in (1, 2):
        lose(server)
        until(lasting, lambda: len(reasons) == losses)  # noqa: B023 - called at once
        back(lasting)
        (callback_id,) = registrar.kept
        server.send(lifecycle(callback_id, losses))
        until(lasting, lambda: len(seen) == losses)  # noqa: B023 - called at once
    assert reasons == [1, 1]
    assert seen == [("one", 1, 0), ("one", 2, 0)]
    assert times(server, calls.CONNECT_REGISTER_CLOSE_CALLBACK) == 3
    lasting.domain_event_deregister_any(number)
    assert not registrar.kept


def test_an_iterator_goes_on_after_a_gap(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.send(lifecycle(3, 1))
        assert heard.next(timeout_s=10).event == 1
        server.send(lifecycle(3, 2))
        lose(server)
        # What came before the loss comes before the gap.
        assert heard.next(timeout_s=10).event == 2
        gap: Any = heard.next(timeout_s=10)
        assert isinstance(gap, Gap)
        assert gap.reason == 1
        assert "daemon closed it" in gap.why
        assert 0 <= gap.lasted_s < 10
        back(lasting)
        server.send(lifecycle(4, 3))
        assert heard.next(timeout_s=10).event == 3
        assert heard.dropped == 0
    assert not registrar.kept


def test_an_event_before_its_registrations_reply_comes_after_the_gap(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:

        def hasty(call: CallReceived) -> Answer:
            answer = registrar.register(call)
            return [lifecycle(4, 7), answer]  # type: ignore[list-item]

        server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, hasty)
        lose(server)
        assert isinstance(heard.next(timeout_s=10), Gap)
        assert heard.next(timeout_s=10).event == 7


def test_what_is_registered_meanwhile_is_asked_for_later(
    server: ScriptedServer, registrar: Forgetting, path: str, lasting: virtproto.Connection
) -> None:
    seen: list[Any] = []
    kept = lasting.domain_event_register_any(None, LIFECYCLE, noting([]))
    with away(server, path):
        gone(lasting)
        before = len(server.calls)
        lasting.domain_event_deregister_any(kept)
        lasting.register_close_callback(lambda connection, reason: None)
        lasting.unregister_close_callback()
        lasting.domain_event_register_any(None, 1, noting([]))
        lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
        assert len(server.calls) == before
    back(lasting)
    assert len(registrar.kept) == 2
    assert times(server, calls.CONNECT_REGISTER_CLOSE_CALLBACK) == 0
    number = next(number for number, asked in registrar.kept.items() if asked[:4] == b"\0\0\0\0")
    server.send(lifecycle(number, 5))
    until(lasting, lambda: seen)
    assert seen == [("one", 5, 0)]


STEPS: list[Procedure[Any, Any]] = [
    remote.AUTH_LIST,
    remote.CONNECT_SUPPORTS_FEATURE,
    remote.CONNECT_OPEN,
    calls.CONNECT_REGISTER_CLOSE_CALLBACK,
    calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
]


def failing(handler: Callable[[CallReceived], Answer], answer: Answer, often: int) -> Any:
    """Return a handler that first gives another answer a number of times."""
    left = [often]

    def handle(call: CallReceived) -> Answer:
        if left[0]:
            left[0] -= 1
            return answer
        return handler(call)

    return handle


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_loss_while_it_is_opened_anew_is_one_more_loss(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    step: Procedure[Any, Any],
) -> None:
    seen: list[Any] = []
    lasting.register_close_callback(lambda connection, reason: None)
    lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
    usual = {**server._defaults, **server._handlers}[step.program, step.number]
    handler = usual if callable(usual) else lambda call: usual
    server.handle(step, failing(handler, CloseConnection(), 3))
    lose(server)
    gone(lasting)
    back(lasting)
    server.send(lifecycle(next(iter(registrar.kept)), 1))
    until(lasting, lambda: seen)
    assert lasting.get_hostname() == "h"


def test_a_daemon_that_refuses_for_a_while_is_asked_again(
    server: ScriptedServer, lasting: virtproto.Connection
) -> None:
    refusal = ReplyError("the driver is not ready", code=5)
    server.handle(remote.CONNECT_OPEN, failing(lambda call: b"", refusal, 3))
    lose(server)
    gone(lasting)
    assert lasting.get_hostname() == "h"
    assert times(server, remote.CONNECT_OPEN) == 5


def test_a_registration_that_is_refused_ends_for_those_who_wanted_it(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.handle(
            calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, ReplyError("not here", code=1)
        )
        lose(server)
        assert isinstance(heard.next(timeout_s=10), Gap)
        with pytest.raises(LibvirtError, match="not here"):
            heard.next(timeout_s=10)
    assert lasting.get_hostname() == "h"


def test_an_authentication_that_is_impossible_ends_it(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        lose(server)
        with pytest.raises(ConnectionLostError, match="could not be opened anew") as caught:
            heard.next(timeout_s=10)
        assert not caught.value.may_have_run
    assert lasting.state == "closed"
    with pytest.raises(ConnectionLostError, match=r"daemon closed it.* sasl") as refused:
        lasting.get_hostname()
    assert not refused.value.may_have_run
    assert isinstance(refused.value.__cause__, AuthenticationError)
    lasting.close()


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


def test_iterators_end_when_it_is_closed_meanwhile(
    server: ScriptedServer,
    registrar: Forgetting,
    path: str,
    uri: str,
    open_in_colour: Open,
    records: ModuleType,
) -> None:
    with open_in_colour(uri, reconnect=FAST) as connection:
        heard = connection.events(records.DomainLifecycle)
        heard.__enter__()
        with away(server, path):
            gone(connection)
            connection.close()
            with pytest.raises(ConnectionClosedError, match="no more events"):
                heard.next(timeout_s=10)


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
