"""Answers questions about a daemon with Debian's python3-libvirt, one JSON line for each.

Run as a program by lab/c_binding.py with the system's own Python, which has the C binding. It must
not import anything of the project: that Python has none of its packages.

Question: {"open": URI, "readonly": bool}, or {"on": [[method, argument...]...], "ask": [method,
argument...]}: "on" is the path to the object to ask, each step asked of the one before, the first
of the connection; an empty path asks the connection. A method "libvirt_qemu.NAME" is a function
of that module, and gets the object as its first argument. With "send" or "receive" (a number of
bytes, -1 for all), the method's stream is used after the call, and "end" says how it ends.

Arguments that JSON lacks: {"hex"} bytes, {"tuple": [...]}, {"pairs": [[key, value]...]},
{"object": path}, {"stream": flags},
{"file": path, "mode"} a descriptor of a file that is open for the call, {"connection": URI}.
Answer: {"value": ...} with bytes as {"hex"} and objects as {"object": class, what names it...},
with {"error": {...}}, all nine fields, or {"misuse": text} where the binding refused by itself.
"""

import contextlib
import importlib
import json
import os
import sys
from typing import Any

import libvirt  # type: ignore[import-not-found]

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

    def answer(self, question: dict[str, Any]) -> Any:
        if "open" in question:
            opening = libvirt.openReadOnly if question["readonly"] else libvirt.open
            self._connection = opening(question["open"])
            return None
        target = self._follow(question["on"])
        with contextlib.ExitStack() as held:
            method, *arguments = question["ask"]
            given = [self._argument(value, held) for value in arguments]
            libvirt.virResetLastError()
            result = _plain(_bound(target, method)(*given))
            if result is None and libvirt.virGetLastError() is not None:
                # Some methods keep the error to themselves and answer None.
                raise libvirt.libvirtError("")
            streams = [value for value in given if isinstance(value, libvirt.virStream)]
            if not streams:
                return result
            return [result, _plain(_use(streams[0], question))]

    def _follow(self, path: list[list[Any]]) -> Any:
        target = self._connection
        with contextlib.ExitStack() as held:
            for method, *arguments in path:
                given = [self._argument(value, held) for value in arguments]
                target = _bound(target, method)(*given)
        return target

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
        if value.keys() == {"connection"}:
            uri = value["connection"]
            if uri not in self._others:
                self._others[uri] = libvirt.open(uri)
            return self._others[uri]
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


def _use(stream: Any, question: dict[str, Any]) -> bytes:
    heard = b""
    if "send" in question:
        left = bytes.fromhex(question["send"])
        while left:
            left = left[stream.send(left) :]
    wanted = question.get("receive", 0)
    while wanted < 0 or len(heard) < wanted:
        part = stream.recv(65536 if wanted < 0 else wanted - len(heard))
        if not part:
            break
        heard += part
    getattr(stream, question.get("end", "finish"))()
    return heard


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
                answer = {"error": dict(zip(_ERROR_FIELDS, error.err, strict=False))}
        except Exception as error:  # the binding's own, or a question that is none
            answer = {"misuse": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
