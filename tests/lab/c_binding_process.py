"""Answers questions about a daemon with Debian's python3-libvirt, one JSON line for each.

Run as a program by lab/c_binding.py with the system's own Python, which has the C binding. It must
not import the project's packages, which that Python does not have; stream_feed.py lies beside it.

Question: {"open": URI, "readonly": bool, "events": bool}; or {"heard": number, "timeout": seconds}
for the next events, or all so far where the number is null; or {"on": [[method, argument...]...],
"ask": [method, argument...], "send", "receive", "way", "end"}: "on" is the path to the object to
ask, each step asked of the one before, the first of the connection; an empty path asks the
connection, the step ["@connection", URI] leads to another. A method "libvirt_qemu.NAME" is a
function of that module, and gets the object as its first argument. What is done with a stream
among the arguments is what CBinding.ask_at says of the other four.

Arguments that JSON lacks: {"hex"} bytes, {"tuple": [...]}, {"pairs": [[key, value]...]},
{"object": path}, {"stream": flags},
{"file": path, "mode"} a descriptor of a file that is open for the call, {"socket"} one of a pair,
{"callback": tag} which keeps what it is told but for the connection and its own last argument,
behind the tag if that is not null,
{"connection": URI}.
Answer: {"value": ...} with bytes as {"hex"} and objects as {"object": class, what names it...},
with {"error": {...}, "reaching": bool}, all nine fields and whether an object of the question was
still looked up, or {"misuse": text} where the binding refused by itself.
"""

import contextlib
import importlib
import json
import os
import queue
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import libvirt  # type: ignore[import-not-found]

sys.path.append(str(Path(__file__).parent))
from stream_feed import Feed, joined  # type: ignore[import-not-found]

_ERROR_FIELDS = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")

# The methods that name an object of each class.
_NAMED_BY = {
    "virDomain": {"name": "name", "uuid": "UUIDString", "id": "ID"},
    "virNetwork": {"name": "name", "uuid": "UUIDString"},
    "virNetworkPort": {"uuid": "UUIDString"},
    "virStoragePool": {"name": "name", "uuid": "UUIDString"},
    "virStorageVol": {"name": "name", "key": "key"},
    "virNodeDevice": {"name": "name"},
    "virInterface": {"name": "name", "mac": "MACString"},
    "virSecret": {"uuid": "UUIDString", "usage_type": "usageType", "usage_id": "usageID"},
    "virNWFilter": {"name": "name", "uuid": "UUIDString"},
    "virNWFilterBinding": {"port_dev": "portDev", "filter_name": "filterName"},
    "virDomainSnapshot": {"name": "getName"},
    "virDomainCheckpoint": {"name": "getName"},
}


class _Asker:
    """One connection, what questions open besides it, and the last stream."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._others: dict[str, Any] = {}
        self._near: socket.socket | None = None
        # Whether the question's objects are still being looked up.
        self.reaching = False
        self._events: queue.Queue[Any] = queue.Queue()
        # One object, because some registrations are undone by naming the callback.
        self._callback = lambda _connection, *told: self._events.put(_plain(told[:-1]))

    def answer(self, question: dict[str, Any]) -> Any:
        if "open" in question:
            if question["events"]:
                self._run_event_loop()
            opening = libvirt.openReadOnly if question["readonly"] else libvirt.open
            self._connection = opening(question["open"])
            return None
        if "heard" in question:
            return self._hear(question["heard"], question["timeout"])
        self._near = None
        self.reaching = True
        target = self._follow(question["on"])
        with contextlib.ExitStack() as held:
            method, *arguments = question["ask"]
            given = [self._argument(value, held) for value in arguments]
            self.reaching = False
            libvirt.virResetLastError()
            result = _plain(_bound(target, method)(*given))
            if result is None and libvirt.virGetLastError() is not None:
                # Some methods keep the error to themselves and answer None.
                raise libvirt.libvirtError("")
            streams = [value for value in given if isinstance(value, libvirt.virStream)]
            if streams:
                return [result, _plain(_use(streams[0], question))]
            if self._near is not None:
                near, self._near = self._near, None
                return [result, [_plain(near.recv(question["receive"], socket.MSG_WAITALL))]]
            return result

    def _hear(self, count: int | None, timeout: float) -> list[Any]:
        if count is None:
            count = self._events.qsize()
        return [self._events.get(timeout=timeout) for _ in range(count)]

    def _run_event_loop(self) -> None:
        libvirt.virEventRegisterDefaultImpl()

        def run() -> None:
            while True:
                libvirt.virEventRunDefaultImpl()

        threading.Thread(target=run, daemon=True).start()

    def _follow(self, path: list[list[Any]]) -> Any:
        target = self._connection
        with contextlib.ExitStack() as held:
            for method, *arguments in path:
                if method == "@connection":
                    target = self._other(arguments[0])
                    continue
                given = [self._argument(value, held) for value in arguments]
                target = _bound(target, method)(*given)
        return target

    def _other(self, uri: str) -> Any:
        if uri not in self._others:
            self._others[uri] = libvirt.open(uri)
        return self._others[uri]

    def _argument(self, value: Any, held: contextlib.ExitStack) -> Any:
        if isinstance(value, list):
            return [self._argument(item, held) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"hex"}:
            return bytes.fromhex(value["hex"])
        if value.keys() == {"tuple"}:
            return tuple(self._argument(item, held) for item in value["tuple"])
        if value.keys() == {"pairs"}:
            return {key: self._argument(item, held) for key, item in value["pairs"]}
        if value.keys() == {"object"}:
            return self._follow(value["object"])
        if value.keys() == {"stream"}:
            return self._connection.newStream(value["stream"])
        if value.keys() == {"callback"}:
            tag = value["callback"]
            if tag is None:
                return self._callback
            return lambda _connection, *told: self._events.put(_plain([tag, *told[:-1]]))
        if value.keys() == {"socket"}:
            self._near, far = socket.socketpair()
            held.enter_context(self._near)
            held.enter_context(far)
            return far.fileno()
        if value.keys() == {"connection"}:
            return self._other(value["connection"])
        if value.keys() == {"file", "mode"}:
            handle = os.open(value["file"], getattr(os, value["mode"]))
            held.callback(os.close, handle)
            return handle
        return value


def _bound(target: Any, method: str) -> Any:
    module, _, function = method.rpartition(".")
    if not module:
        return getattr(target, method)
    found = getattr(importlib.import_module(module), function)
    return lambda *arguments: found(target, *arguments)


def _use(stream: Any, question: dict[str, Any]) -> list[Any]:
    way, wanted = question["way"], question["receive"]
    parts = [p if isinstance(p, int) else bytes.fromhex(p["hex"]) for p in question["send"]]
    if parts:
        _send(stream, way, parts)
    heard: list[Any] = []
    if wanted and way.endswith("all"):
        _receive_all(stream, way, heard)
    elif wanted:
        _receive(stream, int(way == "sparse"), wanted, heard)
    getattr(stream, question["end"])()
    return list(joined(heard))


def _send(stream: Any, way: str, parts: list[Any]) -> None:
    feed = Feed(parts)

    def data(_stream: Any, wanted: int, _opaque: Any) -> bytes:
        return bytes(feed.data(wanted))

    if way == "all":
        stream.sendAll(data, None)
    elif way == "sparse_all":
        stream.sparseSendAll(
            data,
            lambda _stream, _opaque: feed.section(),
            lambda _stream, length, _opaque: feed.skip(length),
            None,
        )
    else:
        for part in parts:
            if isinstance(part, int):
                stream.sendHole(part)
            else:
                while part:
                    part = part[stream.send(part) :]


def _receive_all(stream: Any, way: str, heard: list[Any]) -> None:
    def data(_stream: Any, part: bytes, _opaque: Any) -> int:
        heard.append(part)
        return len(part)

    def hole(_stream: Any, length: int, _opaque: Any) -> int:
        heard.append(length)
        return 0

    if way == "all":
        stream.recvAll(data, None)
    else:
        stream.sparseRecvAll(data, hole, None)


def _receive(stream: Any, stop_at_hole: int, wanted: int, heard: list[Any]) -> None:
    left = wanted
    while left:
        part = stream.recvFlags(65536 if wanted < 0 else left, stop_at_hole)
        if part == -3:  # a hole begins
            part = stream.recvHole()
        elif not part:
            return
        heard.append(part)
        left -= part if isinstance(part, int) else len(part)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    kind = type(value).__name__
    if kind in _NAMED_BY:
        named = {field: getattr(value, method)() for field, method in _NAMED_BY[kind].items()}
        return {"object": kind, **named}
    if value is None or isinstance(value, (str, int, float)):
        return value
    return {"object": kind}


def main() -> None:
    """Answer the questions on standard input until it ends."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    asker = _Asker()
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            answer = {"value": asker.answer(json.loads(line))}
        except libvirt.libvirtError as error:
            if error.err is None:
                answer = {"misuse": str(error)}
            else:
                fields = dict(zip(_ERROR_FIELDS, error.err, strict=False))
                answer = {"error": fields, "reaching": asker.reaching}
        except Exception as error:  # the binding's own, or a question that is none
            answer = {"misuse": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
