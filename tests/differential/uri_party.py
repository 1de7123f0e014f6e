"""The process in which a client opens connections: one fork of it for each, so that none is alike.

Run as a program, under whichever interpreter has the client: by ``/usr/bin/python3`` for the C
binding ("c"), by the tests' own for virtproto ("sync", "aio", and "told" for what the command line
tells without opening anything). Reads one case a line, a JSON
object, and answers each with what the caller of the client saw. It must not judge, and it must not
import anything of the tests: the other interpreter has none of that.

It begins with a line that has the C library's release, "9.0", or nothing.

Case: "number", "uri", "readonly", "aliases", "autostart", "environment", "uid". Answer: "refused"
(None, or the kind and the text of the error), "asked" (the kinds of credentials it was asked for,
each round a list) and "told" (what the command line tells).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

_PATIENCE_S = 10
_ALL_CREDENTIALS = [1, 2, 5, 6, 7, 8, 9]
_READ_ONLY, _NO_ALIASES = 1, 2
_NOT_LOADED = ("virtproto.__main__", "virtproto.testing")
_VALUES = {6: "y", 5: "secret", 7: "secret", 1: "fred", 2: "fred"}


def open_by_binding(case: dict[str, Any], asked: list[list[int]]) -> None:
    """Open and close a connection by the C binding."""
    import libvirt  # type: ignore[import-not-found, import-untyped, unused-ignore]

    def answer(credentials: list[list[Any]], _opaque: object) -> int:
        asked.append([credential[0] for credential in credentials])
        for credential in credentials:
            credential[4] = _VALUES.get(credential[0], "")
        return 0 if case["answers"] else -1

    libvirt.registerErrorHandler(lambda _opaque, _error: None, None)
    flags = _READ_ONLY * case["readonly"] | _NO_ALIASES * (not case["aliases"])
    libvirt.openAuth(case["uri"], [_ALL_CREDENTIALS, answer, None], flags).close()


def open_blocking(case: dict[str, Any], asked: list[list[int]]) -> None:
    """Open and close a connection by virtproto, on this thread."""
    import virtproto

    virtproto.open(case["uri"], **_settings(case, asked)).close()


def open_in_loop(case: dict[str, Any], asked: list[list[int]]) -> None:
    """Open and close a connection by virtproto, in a loop."""
    import asyncio

    import virtproto.aio

    async def opening() -> None:
        settings = _settings(case, asked)
        await (await virtproto.aio.open(case["uri"], **settings)).close()

    asyncio.run(opening())


def tell(case: dict[str, Any], asked: list[list[int]]) -> dict[str, Any]:
    """Return what ``virtproto uri`` tells, which asks nobody."""
    from virtproto.cli.explaining import explain

    assert not asked
    return explain(case["uri"], readonly=case["readonly"])


def _settings(case: dict[str, Any], asked: list[list[int]]) -> dict[str, Any]:
    def answer(questions: Any) -> Any:
        asked.append([int(question.kind) for question in questions])
        return [_VALUES.get(int(q.kind), "") for q in questions] if case["answers"] else None

    settings = {name: case[name] for name in ("readonly", "aliases", "autostart")}
    return {**settings, "credentials": answer}


def _load_everything() -> None:
    """Import all of virtproto now: another user may not be able to read it."""
    import asyncio  # noqa: F401
    import concurrent.futures.thread  # noqa: F401
    import encodings.idna  # noqa: F401
    import importlib
    import pkgutil

    import virtproto

    for module in pkgutil.walk_packages(virtproto.__path__, "virtproto."):
        if not module.name.startswith(_NOT_LOADED):
            importlib.import_module(module.name)


def _kind(error: BaseException) -> str:
    """Return what kind of refusal it is, in the client's own words."""
    code = getattr(error, "get_error_code", None)
    if code is None:
        return type(error).__name__
    return f"{error.get_error_domain()}/{error.get_error_code()}"  # type: ignore[attr-defined]


def _try(case: dict[str, Any], way: str) -> dict[str, Any]:
    """Open a connection as ``case`` says; runs in a process of its own."""
    signal.alarm(_PATIENCE_S)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as mark:
        mark.connect(f"\0virtproto-uri-case-{case['number']}")
    os.environ.clear()
    os.environ.update(case["environment"])
    if case["uid"]:
        os.setgroups([])
        os.setresgid(case["uid"], case["uid"], case["uid"])
        os.setresuid(case["uid"], case["uid"], case["uid"])
    asked: list[list[int]] = []
    refused = told = None
    try:
        told = _WAYS[way](case, asked)
    except Exception as error:
        refused = {"kind": _kind(error), "text": str(error)}
    return {"refused": refused, "asked": asked, "told": told}


_WAYS: dict[str, Callable[[dict[str, Any], list[list[int]]], dict[str, Any] | None]] = {
    "c": open_by_binding,
    "sync": open_blocking,
    "aio": open_in_loop,
    "told": tell,
}


def _answer_of(case: dict[str, Any], way: str) -> str:
    """Return what a fork of this process says about ``case``."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(into, "w") as pipe:
            json.dump(_try(case, way), pipe)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return text or json.dumps({"refused": {"kind": f"status {status}", "text": ""}, "asked": []})


def main(way: str) -> None:
    """Answer cases until there are no more."""
    release = ""
    if way == "c":
        import libvirt  # type: ignore[import-not-found, import-untyped, unused-ignore]

        release = ".".join(map(str, divmod(libvirt.getVersion() // 1000, 1000)))
    else:
        _load_everything()
    print(release, flush=True)
    for line in sys.stdin:
        print(_answer_of(json.loads(line), way), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
