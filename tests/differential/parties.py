"""The three parties that are asked: the C binding, virtproto sync and virtproto aio.

Responsible for asking a question in each one's own way and for bringing what comes back into one
form: JSON's types and bytes, objects as what names them, or the nine fields of an error. It must
not know which questions there are, nor what a right answer would be.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self

import virtproto
from tests.differential.comparison import (
    ADDRESSES,
    Address,
    Ask,
    CallbackArgument,
    ConnectionArgument,
    Do,
    FileArgument,
    ObjectArgument,
    Remove,
    See,
    SocketArgument,
    StreamArgument,
    Wait,
)
from tests.lab.c_binding import (
    BindingCallback,
    BindingConnection,
    BindingFile,
    BindingObject,
    BindingSocket,
    BindingStream,
    CBinding,
    CBindingError,
)
from tests.lab.stream_feed import Feed, joined
from virtproto import aio

__all__ = ["AioParty", "Answer", "BindingParty", "OurParty", "Party", "StageError", "SyncParty"]


class StageError(Exception):
    """The stage is not what a step needs: arranging it failed, or an object is not there."""


# {"value": ...} or {"error": {...}}.
Answer = dict[str, Any]

# No call of a comparison takes longer, also not one for which a guest has to do something.
_CALL_S = 120.0
_EVENT_S = 60.0
_PIECE = 65536
_ERROR_FIELDS = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")

# What names an object of each class, as the C binding's process answers it.
_NAMED_BY = {
    "Domain": {"name": "get_name", "uuid": "get_uuid_string", "id": "get_id"},
    "Network": {"name": "get_name", "uuid": "get_uuid_string"},
    "NetworkPort": {"uuid": "get_uuid_string"},
    "StoragePool": {"name": "get_name", "uuid": "get_uuid_string"},
    "StorageVol": {"name": "get_name", "key": "get_key"},
    "NodeDevice": {"name": "get_name"},
    "Interface": {"name": "get_name", "mac": "get_mac"},
    "Secret": {
        "uuid": "get_uuid_string",
        "usage_type": "get_usage_type",
        "usage_id": "get_usage_id",
    },
    "NWFilter": {"name": "get_name", "uuid": "get_uuid_string"},
    "NWFilterBinding": {"port_dev": "get_port_dev", "filter_name": "get_filter_name"},
    "DomainSnapshot": {"name": "get_name"},
    "DomainCheckpoint": {"name": "get_name"},
}


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Return ``value`` with each ``$name`` in its texts replaced."""
    if isinstance(value, str):
        if value.startswith("$") and value[1:] in names:
            return names[value[1:]]  # which may be a number
        return Template(value).safe_substitute(names)
    if isinstance(value, list | tuple):
        return type(value)(fill(item, names) for item in value)
    if isinstance(value, dict):
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    return value


class BindingParty:
    """The C binding, which also arranges the stage and looks on for the other two."""

    name = "the C binding"

    def __init__(self, binding: CBinding, names: Mapping[str, Any]) -> None:
        self._binding = binding
        self._names = names

    def answer(self, question: Ask) -> Answer:
        """Return its answer to what a comparison asks of each party."""
        try:
            answer = self._ask(question.binding_on or question.on, *question.binding)
        except CBindingError as error:
            if error.reaching:
                raise StageError(f"{question.documented}: {error.fields}") from error
            answer = {"error": error.fields}
        if "value" in answer:
            answer = {"value": question.both(question.theirs(answer["value"]))}
        return answer

    def look(self, on: str | Address, method: str, *args: Any) -> Answer:
        """Return what a method of the C binding answers, or that an object on the way is gone."""
        try:
            return self._ask(on, method, *args)
        except CBindingError as error:
            return {"error": error.fields}

    def _ask(self, on: str | Address, method: str, *args: Any) -> Answer:
        path = self._path(on)
        streams = [value for value in args if isinstance(value, StreamArgument | SocketArgument)]
        use = StreamArgument()
        if streams:
            use = StreamArgument(receive=streams[0].receive)
        if streams and isinstance(streams[0], StreamArgument):
            use = streams[0]
        given = [self._argument(value) for value in args]
        value = self._binding.ask_at(
            path,
            method,
            *given,
            send=use.send,
            receive=use.receive,
            way=use.way,
            end=use.end,
        )
        return {"value": value}

    def hear(self, count: int) -> list[Any]:
        """Return the next ``count`` events."""
        return self._binding.hear(count, _EVENT_S)

    def forget(self) -> None:
        """Forget the events that came so far."""
        self._binding.hear(None)

    def see(self, step: See | Do | Wait) -> Answer:
        """Return what it sees for a step that is not a party's."""
        return self.look(step.on, step.method, *step.args)

    def remove(self, step: Remove) -> None:
        """Remove a file of the stage, or an empty folder, if it is there."""
        path = Path(fill(step.path, self._names))
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def _path(self, on: str | Address) -> tuple[tuple[Any, ...], ...]:
        address = ADDRESSES[on] if isinstance(on, str) else on
        return tuple(
            (method, *(self._argument(value) for value in args))
            for method, *args in address.binding
        )

    def _argument(self, value: Any) -> Any:
        match value:
            case ObjectArgument():
                return BindingObject(self._path(value.address))
            case StreamArgument():
                return BindingStream()
            case FileArgument():
                return BindingFile(fill(value.path, self._names), value.mode)
            case SocketArgument():
                return BindingSocket()
            case ConnectionArgument():
                return BindingConnection(fill(value.uri, self._names))
            case CallbackArgument():
                return BindingCallback()
            case list() | tuple():
                return type(value)(self._argument(item) for item in value)
        return fill(value, self._names)


class OurParty:
    """One colour of virtproto; ``wait`` makes a result of what its methods return."""

    name = "virtproto"

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._connection: Any = None
        self._others: dict[str, Any] = {}

    def wait(self, result: Any) -> Any:
        """Return the result of a call."""
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in (*self._others.values(), self._connection):
            self.wait(connection.close())

    def answer(self, question: Ask) -> Answer:
        """Return its answer to what a comparison asks of each party."""
        method = question.documented.partition(".")[2]
        with ExitStack() as held:
            streams: list[Any] = []
            try:
                target = self.reach(question.on, held)
                given = [self._argument(value, held, streams) for value in question.args]
            except virtproto.LibvirtError as error:
                raise StageError(f"{question.documented}: {error}") from error
            named = fill(dict(question.keywords), self._names)
            try:
                value = self.wait(getattr(target, method)(*given, **named))
                value = question.ours(value)
                if streams:
                    use = self._use if isinstance(streams[1], StreamArgument) else _hear
                    value = [value, use(*streams)]
                value = self.plain(value)
            except virtproto.LibvirtError as error:
                return {"error": {name: getattr(error, name) for name in _ERROR_FIELDS}}
        return {"value": question.both(value)}

    def keep(self, event: Any) -> None:
        """Keep an event that a callback was told of."""
        raise NotImplementedError

    def hear(self, count: int) -> list[Any]:
        """Return the next ``count`` events; an error if they do not come in time."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget the events that came so far."""
        raise NotImplementedError

    def reach(self, on: str | Address, held: ExitStack) -> Any:
        """Return the object at an address."""
        address = ADDRESSES[on] if isinstance(on, str) else on
        target = self._connection
        for method, *args in address.ours:
            given = [self._argument(value, held, []) for value in args]
            if method == "@connection":
                target = self._other(given[0])
                continue
            target = self.wait(getattr(target, method)(*given))
        return target

    def plain(self, value: Any) -> Any:
        """Return ``value`` in JSON's types and bytes, objects as what names them."""
        named_by = _NAMED_BY.get(type(value).__name__)
        if named_by is not None:
            named = {field: self._named(value, method) for field, method in named_by.items()}
            return {"object": f"vir{type(value).__name__}", **named}
        if isinstance(value, bool | bytes | float) or value is None:
            return value
        for kind in (int, str):
            if isinstance(value, kind):
                return kind(value)  # no longer an enum's member
        if isinstance(value, Mapping):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, set | frozenset):
            return sorted(value)
        assert isinstance(value, Iterable), f"no plain form of {value!r}"
        return [self.plain(item) for item in value]

    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection."""
        raise NotImplementedError

    def _other(self, uri: str) -> Any:
        if uri not in self._others:
            self._others[uri] = self.open(uri)
        return self._others[uri]

    def _named(self, value: Any, method: str) -> Any:
        return self.plain(self.wait(getattr(value, method)()))

    def _argument(self, value: Any, held: ExitStack, streams: list[Any]) -> Any:
        match value:
            case ObjectArgument():
                return self.reach(value.address, held)
            case StreamArgument():
                stream = self.wait(self._connection.new_stream())
                streams += [stream, value]
                return stream
            case ConnectionArgument():
                return self._other(fill(value.uri, self._names))
            case CallbackArgument():
                return lambda _connection, *told: self.keep(self.plain(told))
            case SocketArgument():
                near, far = socket.socketpair()
                held.enter_context(near)
                held.enter_context(far)
                near.settimeout(_CALL_S)
                streams += [near, value]
                return far
            case FileArgument():
                handle = os.open(fill(value.path, self._names), getattr(os, value.mode))
                held.callback(os.close, handle)
                return handle
            case list() | tuple():
                return type(value)(self._argument(item, held, streams) for item in value)
        return fill(value, self._names)

    def _use(self, stream: Any, use: StreamArgument) -> list[bytes | int]:
        if use.send:
            self._send(stream, use)
        heard: list[bytes | int] = []
        if use.receive:
            self._receive(stream, use, heard)
        self.wait(getattr(stream, use.end)())
        return joined(heard)

    def _send(self, stream: Any, use: StreamArgument) -> None:
        feed = Feed(use.send)
        if use.way == "all":
            self.wait(stream.send_all(lambda _stream, wanted: feed.data(wanted)))
        elif use.way == "sparse_all":
            self.wait(
                stream.sparse_send_all(
                    lambda _stream, wanted: feed.data(wanted),
                    lambda _stream: feed.section(),
                    lambda _stream, length: feed.skip(length),
                )
            )
        else:
            for part in use.send:
                if isinstance(part, int):
                    self.wait(stream.send_hole(part))
                else:
                    left = part
                    while left:
                        left = left[self.wait(stream.send(left)) :]

    def _receive(self, stream: Any, use: StreamArgument, heard: list[bytes | int]) -> None:
        if use.way == "all":
            self.wait(stream.recv_all(lambda _stream, data: heard.append(data)))
        elif use.way == "sparse_all":
            self.wait(
                stream.sparse_recv_all(
                    lambda _stream, data: heard.append(data),
                    lambda _stream, length: heard.append(length),
                )
            )
        else:
            stop_at_hole = int(use.way == "sparse")
            while (wanted := _still_wanted(use, heard)) > 0:
                part = self.wait(stream.recv(wanted, stop_at_hole))
                if part is None:
                    part = self.wait(stream.recv_hole())
                elif not part:
                    return
                heard.append(part)


def _still_wanted(use: StreamArgument, heard: list[bytes | int]) -> int:
    got = sum(part if isinstance(part, int) else len(part) for part in heard)
    return _PIECE if use.receive < 0 else use.receive - got


def _hear(near: socket.socket, use: SocketArgument) -> list[bytes | int]:
    return [near.recv(use.receive, socket.MSG_WAITALL)]


class SyncParty(OurParty):
    """The blocking colour."""

    name = "virtproto sync"

    def __init__(self, uri: str, names: Mapping[str, Any], *, readonly: bool = False) -> None:
        super().__init__(names)
        self._uri = uri
        self._readonly = readonly
        self._events: queue.Queue[Any] = queue.Queue()

    def __enter__(self) -> Self:
        self._connection = self.open(self._uri, readonly=self._readonly)
        return self

    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection."""
        connection = virtproto.open(uri, readonly=readonly)
        connection.call_timeout_s = _CALL_S
        return connection

    def wait(self, result: Any) -> Any:
        """Return the result, which is there."""
        return result

    def keep(self, event: Any) -> None:
        """Keep an event; called in a thread of the connection's own."""
        self._events.put(event)

    def hear(self, count: int) -> list[Any]:
        """Return the next ``count`` events."""
        return [self._events.get(timeout=_EVENT_S) for _ in range(count)]

    def forget(self) -> None:
        """Forget the events that came so far."""
        self._events = queue.Queue()


class AioParty(OurParty):
    """The asyncio colour, on an event loop that runs for one call at a time."""

    name = "virtproto aio"

    def __init__(self, uri: str, names: Mapping[str, Any], *, readonly: bool = False) -> None:
        super().__init__(names)
        self._uri = uri
        self._readonly = readonly
        self._runner = asyncio.Runner(debug=True)
        self._events: asyncio.Queue[Any] = asyncio.Queue()

    def __enter__(self) -> Self:
        self._connection = self.open(self._uri, readonly=self._readonly)
        return self

    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection."""
        connection = self.wait(aio.open(uri, readonly=readonly))
        connection.call_timeout_s = _CALL_S
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        self._runner.close()

    def wait(self, result: Any) -> Any:
        """Return the result, for which the event loop runs if it is still to come."""
        return self._runner.run(_awaited(result)) if inspect.isawaitable(result) else result

    def keep(self, event: Any) -> None:
        """Keep an event; called in the event loop."""
        self._events.put_nowait(event)

    def hear(self, count: int) -> list[Any]:
        """Return the next ``count`` events, while the event loop runs."""
        return [
            self._runner.run(asyncio.wait_for(self._events.get(), _EVENT_S)) for _ in range(count)
        ]

    def forget(self) -> None:
        """Forget the events that came so far."""
        self._events = asyncio.Queue()


async def _awaited(result: Any) -> Any:
    return await result


Party = BindingParty | OurParty
