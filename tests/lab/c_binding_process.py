"""Answers questions about a daemon with Debian's python3-libvirt, one JSON line for each.

Run as a program by lab/c_binding.py with the system's own Python, which has the C binding. It must
not import anything of the project: that Python has none of its packages.

Question: {"open": URI}, or {"on": [method, argument...] or null, "ask": [method, argument...]}:
"on" names the lookup on the connection that gives the object to ask, null asks the connection.
Answer: {"value": ...}, with bytes as {"hex": ...} and objects as {"name", "uuid", "id"}, or
{"error": {...}} with all nine fields of the error.
"""

import json
import sys
from typing import Any

import libvirt  # type: ignore[import-not-found]

_ERROR_FIELDS = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, libvirt.virDomain):
        return {"name": value.name(), "uuid": value.UUIDString(), "id": value.ID()}
    return value


def _call(target: Any, question: list[Any]) -> Any:
    method, *arguments = question
    return getattr(target, method)(*arguments)


def main() -> None:
    """Answer the questions on standard input until it ends."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = None
    for line in sys.stdin:
        question = json.loads(line)
        answer: dict[str, Any]
        try:
            if "open" in question:
                connection = libvirt.open(question["open"])
                answer = {"value": None}
            else:
                target = connection
                if question["on"]:
                    target = _call(connection, question["on"])
                answer = {"value": _plain(_call(target, question["ask"]))}
        except libvirt.libvirtError as error:
            answer = {"error": dict(zip(_ERROR_FIELDS, error.err or (), strict=False))}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
