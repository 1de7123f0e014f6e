"""Many daemons in one event loop: a connection to each, and one function for all of them.

Responsible for opening and keeping the connections, for how many hosts are busy at a time, and for
each host's own deadline: what goes wrong at one is beside the results of the others and costs them
nothing. Must not know: what the function does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import Generic, TypedDict, TypeVar

from virtproto.aio.connection import Connection, open_connection_to
from virtproto.errors import ConnectionClosedError, DeadlineError
from virtproto.model.fleet import Outcome, check_at_once, chosen, distinct_uris
from virtproto.model.opening_options import (
    check_keepalive,
    check_long_calls,
    check_reconnect,
    check_trace,
)
from virtproto.model.refs import check_timeout, shown_seconds
from virtproto.model.replies import CLOSE_TIMEOUT_S
from virtproto.transport.deadline import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
    from logging import Logger
    from types import TracebackType
    from typing import Any, Self, Unpack

    from virtproto.model.reconnecting import Reconnect
    from virtproto.trace.tracers import Tracer

    from .connecting import AnyCredentials

__all__ = ["Fleet", "Outcome"]

T = TypeVar("T")

# A call that is late says itself what it waited for; what else is late is ended this much later.
_GRACE_S = 0.05
# What a task that raises it ends the whole loop with.
_OF_THE_LOOP = (KeyboardInterrupt, SystemExit, GeneratorExit)


class OpenOptions(TypedDict, total=False):
    """What ``virtproto.aio.open`` takes besides the URI and the time."""

    readonly: bool
    call_timeout_s: float | None
    keepalive: tuple[float, int] | None
    long_calls: int | None
    reconnect: bool | Reconnect
    credentials: AnyCredentials | None
    autostart: bool
    aliases: bool
    trace: bool | Logger | Tracer | None


class _Host:
    """One daemon of a fleet, and the connection to it while there is one."""

    __slots__ = ("connection", "opening", "slow", "uri")

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.connection: Connection | None = None
        # Held while a connection is being opened, so that two runs open one.
        self.opening = asyncio.Lock()
        # Whether it ran out of time when last asked.
        self.slow = False


class Fleet:
    """Connections to many daemons, and a function that is run on each of them.

    ::

        async with Fleet(uris, at_once=50) as fleet:
            async for outcome in fleet.each(lambda conn: conn.list_all_domains()):
                print(outcome.uri, outcome.error or len(outcome.result()))

    ``uris`` are connection URIs, each of them once. ``at_once`` is on how many hosts a run is busy
    at a time. ``timeout_s`` is the time for each host in each run, in seconds above 0, connecting
    included; None is no limit. The other options are those of ``virtproto.aio.open``, for every
    connection, but for ``sock``: one socket, or one function, is no road to many hosts.

    A host is connected to when a run first comes to it, and its connection is kept for later runs.
    One that could not be reached, or whose connection was lost, is connected to anew by the next
    run; with ``reconnect``, lost connections also come back by themselves. A fleet belongs to one
    event loop, and several runs at a time may be under way in it. The end of the ``async with``
    block closes all connections.

    Raises UsageError for a URI that is there twice and for limits that are none. What is wrong with
    one URI is that host's error.
    """

    def __init__(
        self,
        uris: Iterable[str],
        *,
        at_once: int = 32,
        timeout_s: float | None = 10.0,
        **options: Unpack[OpenOptions],
    ) -> None:
        check_at_once("at_once", at_once)
        check_timeout("timeout_s", timeout_s)
        for name in options:
            if name not in OpenOptions.__annotations__:
                raise TypeError(f"Fleet() got an unexpected keyword argument {name!r}")
        check_timeout("call_timeout_s", options.get("call_timeout_s"))
        check_keepalive("keepalive", options.get("keepalive"))
        check_long_calls("long_calls", options.get("long_calls"))
        check_reconnect("reconnect", options.get("reconnect", False))
        check_trace("trace", options.get("trace"))
        if options.get("credentials") is not None:
            from virtproto.model.credentials import check_credentials

            check_credentials(options.get("credentials"))
        self._hosts = {uri: _Host(uri) for uri in distinct_uris("uris", uris)}
        self._at_once = at_once
        self._timeout_s = timeout_s
        self._options = options
        self._rounds: set[_Round[Any]] = set()
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.connections)} connected"
        return f"<{type(self).__name__} of {len(self._hosts)}, {state}>"

    def __len__(self) -> int:
        return len(self._hosts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def uris(self) -> list[str]:
        """The URIs of all hosts, as they were given."""
        return list(self._hosts)

    @property
    def connections(self) -> dict[str, Connection]:
        """The connections that are usable, as far as is known without asking, by their URIs."""
        return {
            host.uri: host.connection
            for host in self._hosts.values()
            if host.connection is not None and host.connection.is_alive()
        }

    async def open(
        self, *, on: Iterable[str] | None = None, timeout_s: float | None = None
    ) -> list[Outcome[Connection]]:
        """Connect to all hosts, or those of ``on``, that are not connected yet.

        There is no need to, as runs do that themselves. The outcomes are as those of `run`.
        """
        return await self.run(_itself, on=on, timeout_s=timeout_s)

    async def run(
        self,
        function: Callable[[Connection], Awaitable[T]],
        *,
        on: Iterable[str] | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome[T]]:
        """Run a coroutine function on all hosts and return the outcomes in the order of the URIs.

        Takes and raises what `each` does. Cancelling it gives up what is under way at all hosts.
        """
        found = {}
        async for outcome in self.each(function, on=on, timeout_s=timeout_s):
            found[outcome.uri] = outcome
        # In the order of the fleet also where ``on`` has another one, or is used up by now.
        return [found[uri] for uri in self._hosts if uri in found]

    def each(
        self,
        function: Callable[[Connection], Awaitable[T]],
        *,
        on: Iterable[str] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Outcome[T], None]:
        """Run a coroutine function on all hosts and yield the outcomes as they come.

        ``function`` is called with each host's connection. ``on`` are the URIs of the hosts that
        are meant, where not all are, as those that a run before had errors for. ``timeout_s`` is
        the time for each host of this run; without it the fleet's own counts. A host that is late
        is given up, and its error is a DeadlineError; its connection is kept if it had one.
        Whatever else ``function`` or connecting raises is that host's error.

        Hosts that were late before come last, so that they hold up nobody. Leaving the loop gives
        up the hosts that are not done. When the fleet is closed meanwhile, the error of those that
        are not done is ConnectionClosedError.

        Raises UsageError for URIs that the fleet does not have, and ConnectionClosedError once the
        fleet was closed.
        """
        check_timeout("timeout_s", timeout_s)
        uris = self._hosts if on is None else chosen("on", on, self._hosts)
        if self._closed:
            raise _closed()
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        hosts = sorted((self._hosts[uri] for uri in uris), key=lambda host: host.slow)

        def visit(host: _Host) -> Coroutine[Any, Any, Outcome[T]]:
            return self._visit(host, function, limit_s)

        return self._outcomes(_Round(hosts, self._at_once, visit))

    async def close(self) -> None:
        """Give up what is under way and close all connections at once; nothing the second time.

        Functions under way are cancelled, and have two seconds to come to an end before their
        connections are closed. Hosts that do not answer hold it up for two seconds, all of them
        together.
        """
        self._closed = True
        rounds = [asyncio.create_task(each.stop()) for each in self._rounds]
        try:
            await _all_of(rounds, CLOSE_TIMEOUT_S)
        finally:
            tasks = []
            for host in self._hosts.values():
                connection, host.connection = host.connection, None
                if connection is not None:
                    tasks.append(asyncio.create_task(connection.close()))
            await _all_of(tasks)
            # Whose function hung on to a connection has lost it by now.
            await _all_of(rounds)

    async def _outcomes(self, hosts: _Round[T]) -> AsyncGenerator[Outcome[T], None]:
        if self._closed:
            raise _closed()
        self._rounds.add(hosts)
        try:
            hosts.start()
            while (outcome := await hosts.next()) is not None:
                yield outcome
        finally:
            self._rounds.discard(hosts)
            await hosts.stop()

    async def _visit(
        self,
        host: _Host,
        function: Callable[[Connection], Awaitable[T]],
        timeout_s: float | None,
    ) -> Outcome[T]:
        """Run the function on one host, in its time, and return how that went."""
        started = monotonic()
        late_s = None if timeout_s is None else timeout_s + _GRACE_S
        limit = asyncio.timeout(late_s)
        try:
            with deadline(timeout_s):
                async with limit:
                    connection = await self._connected(host, timeout_s)
                    value = await function(connection)
        except _OF_THE_LOOP:
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            host.slow = isinstance(error, TimeoutError)
            took_s = monotonic() - started
            if limit.expired() and not isinstance(error, DeadlineError):
                late = DeadlineError(f"not done within {shown_seconds(timeout_s or 0.0)} s")
                late.__cause__ = error
                return Outcome(host.uri, None, late, took_s)
            return Outcome(host.uri, None, error, took_s)
        host.slow = False
        return Outcome(host.uri, value, None, monotonic() - started)

    async def _connected(self, host: _Host, timeout_s: float | None) -> Connection:
        """Return the connection to a host, opened anew unless there is one that can be used."""
        async with host.opening:
            connection = host.connection
            # One that is being opened anew by itself has calls wait for that.
            if connection is None or connection.state == "closed":
                host.connection = None
                if connection is not None:
                    await connection.close()
                connection = await open_connection_to(
                    host.uri, timeout_s=timeout_s, **self._options
                )
                host.connection = connection
            return connection


class _Round(Generic[T]):
    """One function on its way to the hosts: who is next, who is at it, and who is done.

    ``visit`` is the coroutine function that asks one host. The next host's turn comes when one is
    done, whether or not anybody has taken the outcome.
    """

    __slots__ = ("_at_once", "_done", "_running", "_stopped", "_visit", "_waiter", "_waiting")

    def __init__(
        self,
        hosts: Iterable[_Host],
        at_once: int,
        visit: Callable[[_Host], Coroutine[Any, Any, Outcome[T]]],
    ) -> None:
        self._waiting = deque(hosts)
        self._at_once = at_once
        self._visit = visit
        self._running: dict[asyncio.Task[Outcome[T]], _Host] = {}
        self._done: deque[Outcome[T]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin with as many hosts as may be asked at a time."""
        while self._waiting and len(self._running) < self._at_once:
            self._start_next()

    async def next(self) -> Outcome[T] | None:
        """Return the next outcome; None after the last."""
        while not self._done:
            if not self._running:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._done.popleft()

    async def stop(self) -> None:
        """Give up the hosts that are not done, and return when nothing is under way there."""
        if not self._stopped:
            self._stopped = True
            for task in self._running:
                task.cancel()
            while self._waiting:
                self._put(Outcome(self._waiting.popleft().uri, None, _closed(), 0.0))
        await _all_of(self._running)

    def _start_next(self) -> None:
        host = self._waiting.popleft()
        task = asyncio.create_task(self._visit(host))
        self._running[task] = host
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Outcome[T]]) -> None:
        host = self._running.pop(task)
        error: BaseException | None
        if task.cancelled():
            error = _closed() if self._stopped else asyncio.CancelledError()
            self._put(Outcome(host.uri, None, error, 0.0))
        else:
            error = task.exception()
            self._put(task.result() if error is None else Outcome(host.uri, None, error, 0.0))
        if self._waiting:
            self._start_next()

    def _put(self, outcome: Outcome[T]) -> None:
        self._done.append(outcome)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


async def _itself(connection: Connection) -> Connection:
    return connection


async def _all_of(tasks: Iterable[asyncio.Task[Any]], limit_s: float | None = None) -> None:
    """Wait until all are done, whatever comes of them; when cancelled, cancel them as well."""
    waiting = list(tasks)
    try:
        if waiting:
            await asyncio.wait(waiting, timeout=limit_s)
    except asyncio.CancelledError:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
        raise


def _closed() -> ConnectionClosedError:
    return ConnectionClosedError("the fleet was closed")
