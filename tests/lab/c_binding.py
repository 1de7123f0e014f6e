"""Questions to the C binding, which runs in a process of its own.

The oracle of the live suites: what python3-libvirt says about a daemon has to be what virtproto
says. Responsible for that process, for arguments that JSON has no words for, and for turning its
answers back into Python values.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.place import LabMissingError

__all__ = [
    "BindingCallback",
    "BindingConnection",
    "BindingFile",
    "BindingObject",
    "BindingSocket",
    "BindingStream",
    "CBinding",
    "CBindingError",
    "CBindingMisuseError",
    "Step",
]

# Debian's packages are for Debian's interpreter, whichever runs the tests.
_PYTHON = "/usr/bin/python3"
# Longer than any call to a daemon may take; what takes longer hangs.
_ANSWER_S = 120.0

# A method of the C binding and its arguments.
Step = Sequence[Any]


class CBindingError(Exception):
    """The C binding raised libvirtError; ``fields`` has all nine fields of the error by name.

    ``reaching`` tells that it was one of the lookups on the way to the question's objects that
    failed, so that the method itself was not called.
    """

    def __init__(self, fields: dict[str, Any], *, reaching: bool = False) -> None:
        super().__init__(fields.get("message"))
        self.fields = fields
        self.reaching = reaching


class CBindingMisuseError(Exception):
    """The C binding refused a question by itself, so that no daemon was asked."""


@dataclass(frozen=True)
class BindingObject:
    """An argument that is an object: the steps that lead to it from the connection."""

    path: tuple[Step, ...]


@dataclass(frozen=True)
class BindingStream:
    """An argument that is a new stream; what is done with it stands beside the question."""

    flags: int = 0


@dataclass(frozen=True)
class BindingFile:
    """An argument that is a descriptor of a file; ``mode`` is the name of a constant of os."""

    path: Path
    mode: str = "O_RDONLY"


@dataclass(frozen=True)
class BindingCallback:
    """An argument that is a callback; ``CBinding.hear`` returns what it is told, after ``tag``."""

    tag: str | None = None


@dataclass(frozen=True)
class BindingSocket:
    """An argument that is a descriptor of one end of a new pair of sockets.

    ``receive`` bytes are read at the other end, and the answer is as for a BindingStream.
    """


@dataclass(frozen=True)
class BindingConnection:
    """An argument that is another connection."""

    uri: str


class CBinding:
    """One connection of the C binding to a daemon, for as long as a ``with`` block."""

    def __init__(self, uri: str, *, readonly: bool = False, events: bool = False) -> None:
        """``events`` has it run an event loop, without which callbacks hear nothing."""
        self._uri = uri
        self._events = events
        self._readonly = readonly
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> CBinding:
        program = Path(__file__).with_name("c_binding_process.py")
        self._process = subprocess.Popen(
            [_PYTHON, "-IE", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._exchange({"open": self._uri, "readonly": self._readonly, "events": self._events})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def hear(self, count: int | None, timeout_s: float = 20.0) -> list[Any]:
        """Return the next ``count`` events, or all so far: what BindingCallback was called with.

        Raises CBindingMisuseError if they do not come in time.
        """
        heard: list[Any] = self._exchange({"heard": count, "timeout": timeout_s})
        return heard

    def ask(self, method: str, *arguments: object) -> Any:
        """Return what ``method`` of the connection (virConnect) answers."""
        return self.ask_at((), method, *arguments)

    def ask_domain(self, name: str, method: str, *arguments: object) -> Any:
        """Return what ``method`` of the domain called ``name`` (virDomain) answers."""
        return self.ask_at((("lookupByName", name),), method, *arguments)

    def ask_at(
        self,
        path: Sequence[Step],
        method: str,
        *arguments: object,
        send: Sequence[bytes | int] = (),
        receive: int = 0,
        way: str = "",
        end: str = "finish",
    ) -> Any:
        """Return what ``method`` of the object at the end of ``path`` answers.

        ``path`` holds steps (method, argument...), the first of them asked of the connection:
        (("storagePoolLookupByName", "p"), ("storageVolLookupByName", "v")). The step
        ("@connection", URI) leads to another connection. A method that starts
        with "libvirt_qemu." is a function of that module. Bytes stay bytes, tuples become lists,
        objects become {"object": class, "name": ...}. Where an argument is a BindingStream, the
        answer is [result, what was heard]: ``send`` is sent first, bytes and the lengths of holes,
        then ``receive`` bytes are read (-1: all), then the stream is ended by its method ``end``.
        ``way`` is "" for bytes, "all" for handlers, "sparse" and "sparse_all" for the same with
        holes.

        Raises CBindingError for libvirtError, CBindingMisuseError for what is no question,
        TimeoutError if no answer comes in two minutes.
        """
        question: dict[str, Any] = {
            "on": [[step[0], *map(_question, step[1:])] for step in path],
            "ask": [method, *(_question(value) for value in arguments)],
        }
        use = {"send": [_question(part) for part in send], "receive": receive}
        return self._exchange({**question, **use, "way": way, "end": end})

    def _exchange(self, question: dict[str, Any]) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None
        if not select.select([self._process.stdout], [], [], _ANSWER_S)[0]:
            self._process.kill()
            raise TimeoutError(f"no answer from the C binding within {_ANSWER_S:g} s: {question}")
        line = self._process.stdout.readline()
        if not line:
            raise self._gone()
        answer = json.loads(line, object_hook=_value)
        if "error" in answer:
            raise CBindingError(answer["error"], reaching=answer["reaching"])
        if "misuse" in answer:
            raise CBindingMisuseError(answer["misuse"])
        return answer["value"]

    def _gone(self) -> LabMissingError:
        return LabMissingError(f"{_PYTHON} ended or has no python3-libvirt: run ./test")


def _question(value: Any) -> Any:
    match value:
        case bytes():
            return {"hex": value.hex()}
        case tuple():
            return {"tuple": [_question(item) for item in value]}
        case list():
            return [_question(item) for item in value]
        case dict():
            return {"pairs": [[key, _question(item)] for key, item in value.items()]}
        case BindingObject():
            return {"object": [[step[0], *map(_question, step[1:])] for step in value.path]}
        case BindingStream():
            return {"stream": value.flags}
        case BindingFile():
            return {"file": str(value.path), "mode": value.mode}
        case BindingCallback():
            return {"callback": value.tag}
        case BindingSocket():
            return {"socket": None}
        case BindingConnection():
            return {"connection": value.uri}
    return value


def _value(item: dict[str, Any]) -> Any:
    return bytes.fromhex(item["hex"]) if item.keys() == {"hex"} else item
