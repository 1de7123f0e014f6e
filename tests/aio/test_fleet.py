"""``aio.Fleet`` against scripted daemons: good ones, and each way in which one can be bad."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from virtproto import aio
from virtproto.aio.fleet import OpenOptions
from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    SocketMissingError,
    SocketRefusedError,
    TransportError,
    URIError,
    UsageError,
)
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.wire import remote

HOSTNAME, CLOSE = remote.CONNECT_GET_HOSTNAME, 2
# The deadline of hosts that hang, in seconds.
SHORT_S = 0.2

Start: TypeAlias = Callable[..., str]


class Hosts:
    """Scripted daemons by name, and the URIs to reach them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.servers: dict[str, ScriptedServer] = {}

    def uri(self, name: str) -> str:
        return f"test:///default?socket={self._folder / name}"

    def good(self, name: str, answer: Any = None) -> str:
        """Start a daemon that knows its name, or answers otherwise when asked for it."""
        if answer is None:
            answer = remote.ConnectGetHostnameRet(name)
        server = self._stack.enter_context(ScriptedServer({HOSTNAME: answer}))
        server.listen(self._folder / name)
        self.servers[name] = server
        return self.uri(name)

    def silent(self, name: str) -> str:
        """Start a daemon that takes connections and says nothing."""
        uri = self.good(name)
        self.servers[name].handle(remote.AUTH_LIST, NoReply())
        return uri

    def full(self, name: str) -> str:
        """Make a socket that no connection can be made to, as its queue is full."""
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self._folder / name))
        listener.listen(0)
        while True:
            waiting = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            try:
                waiting.connect(str(self._folder / name))
            except BlockingIOError:
                return self.uri(name)

    def deaf(self, name: str) -> str:
        """Leave a socket behind on which nobody listens."""
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(self._folder / name))
        return self.uri(name)

    def times(self, name: str, procedure: int) -> int:
        return [call.procedure for call in self.servers[name].calls].count(procedure)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with contextlib.ExitStack() as stack:
        yield Hosts(tmp_path, stack)


async def hostname(connection: aio.Connection) -> str:
    return await connection.get_hostname()


def nothing_under_way() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_outcomes_are_in_the_order_of_the_uris(hosts: Hosts) -> None:
    names = ["c", "a", "b"]
    async with aio.Fleet(map(hosts.good, names)) as fleet:
        outcomes = await fleet.run(hostname)
        assert [outcome.value for outcome in outcomes] == names
        assert [outcome.result() for outcome in outcomes] == names
        assert [outcome.uri for outcome in outcomes] == fleet.uris == list(map(hosts.uri, names))
        assert [outcome.error for outcome in outcomes] == [None] * 3
        assert all(0 < outcome.took_s < 10 for outcome in outcomes)
        assert len(fleet) == 3
        assert repr(fleet) == "<Fleet of 3, 3 connected>"
    assert repr(fleet) == "<Fleet of 3, closed>"
    assert [hosts.times(name, CLOSE) for name in names] == [1, 1, 1]
    assert nothing_under_way()


def each_kind(hosts: Hosts) -> dict[str, str]:
    """Return the URIs of a good host, of each bad one, and of another good one."""
    return {
        "good": hosts.good("good"),
        "missing": hosts.uri("missing"),
        "deaf": hosts.deaf("deaf"),
        "full": hosts.full("full"),
        "silent": hosts.silent("silent"),
        "mute": hosts.good("mute", NoReply()),
        "refusing": hosts.good("refusing", ReplyError("no", code=38)),
        "dying": hosts.good("dying", CloseConnection()),
        "wrong": "test+gopher://there",
        "last": hosts.good("last"),
    }


ERRORS: dict[str, type[Exception]] = {
    "missing": SocketMissingError,
    "deaf": SocketRefusedError,
    "full": TransportError,
    "silent": DeadlineError,
    "mute": DeadlineError,
    "refusing": LibvirtError,
    "dying": ConnectionLostError,
    "wrong": URIError,
}


async def test_each_bad_host_has_its_own_error(hosts: Hosts) -> None:
    uris = each_kind(hosts)
    started = time.monotonic()
    # Time enough for those that are well, also where others need the processor.
    async with aio.Fleet(uris.values(), timeout_s=3 * SHORT_S) as fleet:
        found = dict(zip(uris, await fleet.run(hostname), strict=True))
        assert time.monotonic() - started < 30 * SHORT_S
        assert {name for name, outcome in found.items() if outcome.error} == ERRORS.keys()
        for name, kind in ERRORS.items():
            with pytest.raises(kind):
                found[name].result()
        assert "AUTH_LIST" in str(found["silent"].error)
        assert "CONNECT_GET_HOSTNAME" in str(found["mute"].error)
        for name in ("full", "silent", "mute"):
            assert found[name].took_s >= SHORT_S * 0.9
        assert found["refusing"].took_s < SHORT_S
        # Who only failed at the question is connected all the same.
        connected = {name for name, uri in uris.items() if uri in fleet.connections}
        assert connected == {"good", "mute", "refusing", "last"}
    assert nothing_under_way()


async def test_outcomes_come_as_hosts_are_done(hosts: Hosts) -> None:
    uris = [hosts.silent("silent"), hosts.good("a"), hosts.good("b")]
    async with aio.Fleet(uris, timeout_s=SHORT_S) as fleet:
        came = [outcome.uri async for outcome in fleet.each(hostname)]
    assert set(came[:2]) == set(uris[1:])
    assert came[2:] == uris[:1]


async def test_connections_are_kept_and_lost_ones_made_anew(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("b"), hosts.uri("late")]
    async with aio.Fleet(uris) as fleet:
        first = await fleet.open()
        assert [type(outcome.error) for outcome in first[:2]] == [type(None)] * 2
        assert isinstance(first[2].error, SocketMissingError)
        assert list(fleet.connections.values()) == [outcome.value for outcome in first[:2]]
        hosts.servers["b"].send(CloseConnection())
        hosts.good("late")
        while len(fleet.connections) > 1:
            await asyncio.sleep(0.001)
        second = await fleet.run(hostname)
        assert [outcome.value for outcome in second] == ["a", "b", "late"]
        assert fleet.connections[uris[0]] is first[0].value
        assert fleet.connections[uris[1]] is not first[1].value
    assert hosts.times("a", remote.AUTH_LIST.number) == 1
    assert hosts.times("b", remote.AUTH_LIST.number) == 2


async def test_connections_that_come_back_by_themselves_are_kept(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("b")]
    policy = aio.Reconnect(first_delay_s=0.05)
    async with aio.Fleet(uris, reconnect=policy, timeout_s=SHORT_S * 10) as fleet:
        first = await fleet.open()
        kept = first[1].result()
        hosts.servers["b"].send(CloseConnection())
        while kept.is_alive():
            await asyncio.sleep(0.001)
        assert kept.state == "reconnecting"
        assert list(fleet.connections) == uris[:1]
        assert [outcome.value for outcome in await fleet.run(hostname)] == ["a", "b"]
        assert fleet.connections[uris[1]] is kept
    assert nothing_under_way()


async def test_some_hosts_only(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("b"), hosts.uri("missing")]
    async with aio.Fleet(uris) as fleet:
        first = await fleet.run(hostname)
        failed = (outcome.uri for outcome in first if outcome.error)
        again = await fleet.run(hostname, on=failed)
        assert [outcome.uri for outcome in again] == uris[2:]
        both = await fleet.run(hostname, on=[uris[1], uris[0]])
        assert [outcome.value for outcome in both] == ["a", "b"]
        assert await fleet.run(hostname, on=[]) == []
        with pytest.raises(UsageError, match=r"^on: test:///other is none of the fleet's$"):
            await fleet.run(hostname, on=["test:///other"])


async def test_no_more_hosts_at_once_than_allowed(hosts: Hosts) -> None:
    busy, most, done = 0, 0, 0
    three = asyncio.Barrier(3)

    async def count(connection: aio.Connection) -> None:
        nonlocal busy, most, done
        busy += 1
        most = max(most, busy)
        await three.wait()
        await connection.get_hostname()
        busy -= 1
        done += 1

    async with aio.Fleet([hosts.good(f"h{n}") for n in range(6)], at_once=3) as fleet:
        outcomes = await fleet.run(count)
        assert [outcome.error for outcome in outcomes] == [None] * 6
        assert (most, done) == (3, 6)
        # They come to an end also while nobody takes the outcomes.
        outcomes_of = fleet.each(count)
        await anext(outcomes_of)
        while done < 12:
            await asyncio.sleep(0.001)
        assert len([outcome async for outcome in outcomes_of]) == 5
        assert most == 3


async def test_hosts_that_were_late_hold_up_nobody_the_next_time(hosts: Hosts) -> None:
    uris = [hosts.silent("silent"), hosts.good("a"), hosts.good("b")]
    async with aio.Fleet(uris, at_once=1, timeout_s=SHORT_S) as fleet:
        came = [outcome.uri async for outcome in fleet.each(hostname)]
        assert came == uris
        came = [outcome.uri async for outcome in fleet.each(hostname)]
        assert came == [uris[1], uris[2], uris[0]]


async def test_a_function_that_hangs_is_late(hosts: Hosts) -> None:
    async def sleep(connection: aio.Connection) -> None:
        await connection.get_hostname()
        if "slow" in connection.get_uri():
            await asyncio.Event().wait()

    uris = [hosts.good("slow"), hosts.good("quick")]
    async with aio.Fleet(uris) as fleet:
        slow, quick = await fleet.run(sleep, timeout_s=SHORT_S)
        assert quick.error is None
        assert isinstance(slow.error, DeadlineError)
        assert str(slow.error) == "not done within 0.2 s"
        # The connection is none the worse.
        assert [outcome.value for outcome in await fleet.run(hostname)] == ["slow", "quick"]
        assert hosts.times("slow", remote.AUTH_LIST.number) == 1


async def test_whatever_a_function_raises_is_its_hosts_error(hosts: Hosts) -> None:
    async def fail(connection: aio.Connection) -> str:
        name = await connection.get_hostname()
        if name == "a":
            raise KeyError(name)
        if name == "b":
            raise asyncio.CancelledError(name)
        if name == "c":
            raise TimeoutError(name)
        if name == "d":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        return name

    async with aio.Fleet(map(hosts.good, "abcde")) as fleet:
        outcomes = await fleet.run(fail)
    kinds = [KeyError, asyncio.CancelledError, TimeoutError, asyncio.CancelledError, type(None)]
    assert [type(outcome.error) for outcome in outcomes] == kinds
    assert [outcome.value for outcome in outcomes] == [None, None, None, None, "e"]


class Stop(BaseException):
    """What is no Exception."""


async def test_what_is_no_exception_is_its_hosts_error_as_well(hosts: Hosts) -> None:
    async def fail(connection: aio.Connection) -> str:
        name = await connection.get_hostname()
        if name == "a":
            raise Stop(name)
        return name

    async with aio.Fleet([hosts.good("a"), hosts.good("b")], at_once=1) as fleet:
        for uris in (fleet.uris, fleet.uris[:1]):
            outcomes = await asyncio.wait_for(fleet.run(fail, on=uris), 5)
            assert isinstance(outcomes[0].error, Stop)
            assert [outcome.value for outcome in outcomes[1:]] == ["b"][: len(uris) - 1]


async def test_cancelling_a_run_gives_up_all_hosts(hosts: Hosts) -> None:
    uris = [hosts.good("mute", NoReply()), hosts.silent("silent"), hosts.good("waits", NoReply())]
    async with aio.Fleet(uris, at_once=2, timeout_s=None) as fleet:
        run = asyncio.create_task(fleet.run(hostname))
        while not hosts.times("mute", HOSTNAME.number):
            await asyncio.sleep(0.001)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert nothing_under_way()
        assert list(fleet.connections) == uris[:1]
        assert hosts.servers["waits"].calls == []
    hosts.servers["mute"].wait_until(lambda seen: seen.connections_ended == 1)
    hosts.servers["silent"].wait_until(lambda seen: seen.connections_ended == 1)


async def test_cancelling_the_whole_closes_everything(hosts: Hosts) -> None:
    uris = [hosts.good("mute", NoReply()), hosts.silent("silent")]

    async def whole() -> None:
        async with aio.Fleet(uris, timeout_s=None) as fleet:
            await fleet.run(hostname)

    task = asyncio.create_task(whole())
    while not hosts.times("mute", HOSTNAME.number):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_under_way()
    for name in ("mute", "silent"):
        hosts.servers[name].wait_until(lambda seen: seen.connections_ended == 1)
    assert hosts.times("mute", CLOSE) == 1


async def test_cancelling_the_closing_closes_at_once(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("b")]
    for name in "ab":
        hosts.servers[name].handle(remote.CONNECT_CLOSE, NoReply())
    fleet = aio.Fleet(uris)
    await fleet.open()
    closing = asyncio.create_task(fleet.close())
    for name in "ab":
        while not hosts.times(name, CLOSE):
            await asyncio.sleep(0.001)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    for name in "ab":
        hosts.servers[name].wait_until(lambda seen: seen.connections_ended == 1)


async def test_leaving_the_loop_gives_up_the_rest(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("mute", NoReply()), hosts.good("waits")]
    async with aio.Fleet(uris, at_once=1, timeout_s=None) as fleet:
        async with aclosing(fleet.each(hostname)) as outcomes:
            async for outcome in outcomes:
                assert outcome.value == "a"
                break
        assert nothing_under_way()
        assert hosts.servers["waits"].calls == []
        # The same without saying when, once nobody has the iterator any more.
        async for _ in fleet.each(hostname):
            break
        gc.collect()
        while not nothing_under_way():
            await asyncio.sleep(0.001)


async def test_closing_ends_a_run_that_is_under_way(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.good("mute", NoReply()), hosts.good("waits")]
    fleet = aio.Fleet(uris, at_once=1, timeout_s=None)
    run = asyncio.create_task(fleet.run(hostname))
    while "mute" not in hosts.servers or not hosts.times("mute", HOSTNAME.number):
        await asyncio.sleep(0.001)
    await fleet.close()
    done, mute, waits = await run
    assert done.value == "a"
    assert isinstance(mute.error, ConnectionClosedError)
    assert isinstance(waits.error, ConnectionClosedError)
    await fleet.close()
    with pytest.raises(ConnectionClosedError, match="the fleet was closed"):
        await fleet.run(hostname)
    assert fleet.connections == {}


async def test_a_function_may_come_to_its_end_when_the_fleet_is_closed(hosts: Hosts) -> None:
    started, ended = asyncio.Event(), []

    async def tidy(connection: aio.Connection) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.append(await connection.get_hostname())

    fleet = aio.Fleet([hosts.good("a")])
    run = asyncio.create_task(fleet.run(tidy))
    await started.wait()
    await fleet.close()
    (outcome,) = await run
    assert isinstance(outcome.error, ConnectionClosedError)
    assert ended == ["a"]


async def test_two_runs_at_a_time_open_one_connection(hosts: Hosts) -> None:
    async with aio.Fleet([hosts.good("a"), hosts.good("b")]) as fleet:
        first, second = await asyncio.gather(fleet.run(hostname), fleet.run(hostname))
        assert [outcome.value for outcome in first] == ["a", "b"]
        assert [outcome.value for outcome in second] == ["a", "b"]
    assert hosts.times("a", remote.AUTH_LIST.number) == 1


async def test_options_are_those_of_open(hosts: Hosts) -> None:
    async with aio.Fleet([hosts.good("a")], readonly=True) as fleet:
        (outcome,) = await fleet.open()
        assert outcome.result().is_readonly()
    named = inspect.signature(aio.open).parameters.keys() - {"uri", "timeout_s", "sock"}
    assert OpenOptions.__annotations__.keys() == named


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"uris": ["a", "b", "a"]}, UsageError, "uris: a is there twice"),
        ({"uris": "test:///default"}, ArgumentTypeError, "uris: expected several URIs, not a"),
        ({"uris": 5}, ArgumentTypeError, "uris: expected several URIs, not int"),
        ({"uris": [None]}, ArgumentTypeError, "uris: expected texts, not NoneType"),
        ({"uris": [], "at_once": 0}, UsageError, "at_once: it must be at least 1, not 0"),
        ({"uris": [], "at_once": True}, ArgumentTypeError, "at_once: expected a number, not bool"),
        ({"uris": [], "timeout_s": 0}, UsageError, "timeout_s: 0 is no limit above 0"),
        ({"uris": [], "long_calls": 0}, UsageError, "long_calls: "),
        ({"uris": [], "keepalive": 5}, ArgumentTypeError, "keepalive: "),
        ({"uris": [], "reconnect": 1}, ArgumentTypeError, "reconnect: "),
        ({"uris": [], "credentials": "me"}, ArgumentTypeError, "credentials: "),
        ({"uris": [], "sock": print}, TypeError, "unexpected keyword argument 'sock'"),
        ({"uris": [], "read_only": True}, TypeError, "unexpected keyword argument 'read_only'"),
    ],
)
def test_what_is_no_fleet_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        aio.Fleet(**arguments)


async def test_limits_of_a_run_are_checked_before_it_starts(hosts: Hosts) -> None:
    async with aio.Fleet([hosts.good("a")]) as fleet:
        with pytest.raises(UsageError, match="timeout_s"):
            fleet.each(hostname, timeout_s=-1)
    assert hosts.servers["a"].calls == []


async def test_a_fleet_of_none() -> None:
    async with aio.Fleet([]) as fleet:
        assert await fleet.run(hostname) == []
        assert fleet.uris == []
        assert len(fleet) == 0


async def test_nothing_is_left_of_a_fleet(hosts: Hosts) -> None:
    uris = [hosts.good("a"), hosts.silent("silent"), hosts.uri("missing")]

    async def use() -> list[weakref.ref[Any]]:
        async with aio.Fleet(uris, timeout_s=SHORT_S) as fleet:
            await fleet.run(hostname)
            found = list(fleet.connections.values())
            return [*map(weakref.ref, found), weakref.ref(found[0]._channel), weakref.ref(fleet)]

    left = await use()
    await asyncio.sleep(0)
    gc.collect()
    assert [each() for each in left] == [None] * 3
