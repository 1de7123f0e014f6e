"""One way to drive both colours, so that a test that is true of both is written once.

Responsible for making the asyncio front end look blocking: a call that returns a coroutine is run
to its end on one event loop, in asyncio's debug mode, that lives as long as the connection. Between
calls that loop stands still. It must not know which methods there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any

import virtproto
from virtproto import admin, aio
from virtproto.aio import admin as aio_admin
from virtproto.aio.channel import Channel as AioChannel
from virtproto.aio.event_stream import Events as AioEvents
from virtproto.aio.stream import Stream as AioStream
from virtproto.model.connection_handle import ConnectionHandle
from virtproto.model.endpoint import UnixEndpoint
from virtproto.model.object_handle import ObjectHandle
from virtproto.model.recipes.opening import Opened
from virtproto.sync.channel import Channel as SyncChannel
from virtproto.transport.road import Road

__all__ = [
    "until",
    "ADMINISTRATIONS",
    "CHANNELS",
    "COLOURS",
    "FORGETTERS",
    "OVER_ROADS",
    "OVER_SOCKETS",
    "TOGETHER",
    "Forget",
    "Open",
    "OpenAdmin",
    "OpenChannel",
    "OpenOverRoad",
    "OpenOverSocket",
    "OpenTogether",
]

# Opens a connection for a ``with`` block; what it yields is used, and typed, as a blocking one.
Open = Callable[..., AbstractContextManager[virtproto.Connection]]
# The same for several, which can be used with each other: those of asyncio share one event loop.
OpenTogether = Callable[..., AbstractContextManager[list[virtproto.Connection]]]
# The same for a connection to a daemon's administration.
OpenAdmin = Callable[..., AbstractContextManager[admin.AdminConnection]]
# The same for a bare channel to the socket at a path.
OpenChannel = Callable[[str], AbstractContextManager[SyncChannel]]

# The same for a connection over a socket of any kind, on which the calls of opening are not made.
OpenOverSocket = Callable[[socket.socket], AbstractContextManager[virtproto.Connection]]

# The same for a connection over a road of any kind.
OpenOverRoad = Callable[[Road], AbstractContextManager[virtproto.Connection]]

# Opens a connection, forgets it, and calls a function while an event loop, if any, still runs.
Forget = Callable[[str, Callable[[], None]], None]

# Pause between two looks at what happens by itself.
_LOOK_AGAIN_S = 0.002
# How long a channel may take to connect.
_CONNECT_S = 5.0


class _Blocking:
    """An object of the asyncio front end whose methods wait for their result."""

    _target: Any
    _runner: asyncio.Runner

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        vars(self).update(_target=target, _runner=runner)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return self._wrap(attribute)

        def call(*args: Any, **kwargs: Any) -> Any:
            plain = {name: _plain(value) for name, value in kwargs.items()}
            result = attribute(*map(_plain, args), **plain)
            if inspect.iscoroutine(result):
                result = _run(self._runner, result)
            return self._wrap(result)

        return call

    def __enter__(self) -> Any:
        return self._wrap(_run(self._runner, self._target.__aenter__()))

    def __exit__(self, *failure: Any) -> None:
        _run(self._runner, self._target.__aexit__(*failure))

    def __iter__(self) -> Iterator[Any]:
        pieces = aiter(self._target)
        while (piece := _run(self._runner, _next_of(pieces))) is not None:
            yield piece

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __eq__(self, other: object) -> bool:
        target = other._target if isinstance(other, _Blocking) else other
        return bool(self._target == target)

    def __hash__(self) -> int:
        return hash(self._target)

    def __repr__(self) -> str:
        return repr(self._target)

    def _wrap(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._wrap(item) for item in result]
        ours = isinstance(result, ConnectionHandle | ObjectHandle | AioStream | AioEvents)
        return _Blocking(result, self._runner) if ours else result


def _run(runner: asyncio.Runner, coroutine: Coroutine[Any, Any, Any]) -> Any:
    # In the context of who calls: a deadline that was set there counts.
    return runner.run(coroutine, context=contextvars.copy_context())


def _plain(argument: Any) -> Any:
    return argument._target if isinstance(argument, _Blocking) else argument


async def _next_of(pieces: AsyncIterator[Any]) -> Any:
    return await anext(pieces, None)


def until(driven: object, condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Let the world of a connection of either colour go on until ``condition()`` holds.

    What nobody waits for is looked for again and again: callbacks run when it suits their thread,
    or their loop.
    """
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        if isinstance(driven, _Blocking):
            _run(driven._runner, asyncio.sleep(_LOOK_AGAIN_S))
        else:
            time.sleep(_LOOK_AGAIN_S)


@contextlib.contextmanager
def _driven(opening: Coroutine[Any, Any, Any]) -> Iterator[Any]:
    with asyncio.Runner(debug=True) as runner:
        opened = _Blocking(_run(runner, opening), runner)
        try:
            yield opened
        finally:
            opened.close()


def _open_aio(uri: str | None = None, **options: Any) -> AbstractContextManager[Any]:
    return _driven(_opened(uri, options))


async def _opened(uri: str | None, options: dict[str, Any]) -> aio.Connection:
    return await aio.open(uri, **options)


@contextlib.contextmanager
def _together_sync(*uris: str) -> Iterator[list[Any]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(virtproto.open(uri)) for uri in uris]


@contextlib.contextmanager
def _together_aio(*uris: str) -> Iterator[list[Any]]:
    with asyncio.Runner(debug=True) as runner, contextlib.ExitStack() as stack:
        opened = [_Blocking(_run(runner, _opened(uri, {})), runner) for uri in uris]
        for connection in opened:
            stack.callback(connection.close)
        yield opened


def _administer_aio(uri: str | None = None, **options: Any) -> AbstractContextManager[Any]:
    async def opened() -> aio_admin.AdminConnection:
        return await aio_admin.open(uri, **options)

    return _driven(opened())


def _sync_channel(path: str) -> AbstractContextManager[Any]:
    return contextlib.closing(SyncChannel.connect(UnixEndpoint(path), _CONNECT_S))


def _aio_channel(path: str) -> AbstractContextManager[Any]:
    return _driven(AioChannel.connect(UnixEndpoint(path), _CONNECT_S))


_OPENED = Opened("test:///default", keepalive=False, event_callbacks=True, close_callbacks=True)


def _over_sync(sock: socket.socket) -> AbstractContextManager[Any]:
    return _along_sync(Road(sock, "a socket"))


def _along_sync(road: Road) -> AbstractContextManager[Any]:
    return virtproto.Connection(SyncChannel.over(road), _OPENED, readonly=False)


def _over_aio(sock: socket.socket) -> AbstractContextManager[Any]:
    return _along_aio(Road(sock, "a socket"))


def _along_aio(road: Road) -> AbstractContextManager[Any]:
    async def opened() -> aio.Connection:
        road.sock.setblocking(False)
        return aio.Connection(await AioChannel.over(road), _OPENED, readonly=False)

    return _driven(opened())


def _forget_sync(uri: str, then: Callable[[], None]) -> None:
    virtproto.open(uri)
    then()


def _forget_aio(uri: str, then: Callable[[], None]) -> None:
    async def forget() -> None:
        await aio.open(uri)
        await asyncio.to_thread(then)

    asyncio.run(forget(), debug=True)


COLOURS: dict[str, Open] = {"sync": virtproto.open, "aio": _open_aio}
ADMINISTRATIONS: dict[str, OpenAdmin] = {"sync": admin.open, "aio": _administer_aio}
TOGETHER: dict[str, OpenTogether] = {"sync": _together_sync, "aio": _together_aio}
OVER_SOCKETS: dict[str, OpenOverSocket] = {"sync": _over_sync, "aio": _over_aio}
OVER_ROADS: dict[str, OpenOverRoad] = {"sync": _along_sync, "aio": _along_aio}
CHANNELS: dict[str, OpenChannel] = {"sync": _sync_channel, "aio": _aio_channel}
FORGETTERS: dict[str, Forget] = {"sync": _forget_sync, "aio": _forget_aio}
