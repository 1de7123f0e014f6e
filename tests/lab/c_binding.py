"""Questions to the C binding, which runs in a process of its own.

The oracle of the live suites: what python3-libvirt says about a daemon has to be what virtproto
says. Responsible for that process and for turning its answers back into Python values.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.lab.place import LabMissingError

__all__ = ["CBinding", "CBindingError"]

# Debian's packages are for Debian's interpreter, whichever runs the tests.
_PYTHON = "/usr/bin/python3"


class CBindingError(Exception):
    """The C binding raised libvirtError; ``fields`` has all nine fields of the error by name."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields.get("message"))
        self.fields = fields


class CBinding:
    """One connection of the C binding to a daemon, for as long as a ``with`` block."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
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
            self._exchange({"open": self._uri})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def ask(self, method: str, *arguments: object) -> Any:
        """Return what ``method`` of the connection (virConnect) answers."""
        return self._exchange({"on": None, "ask": [method, *arguments]})

    def ask_domain(self, name: str, method: str, *arguments: object) -> Any:
        """Return what ``method`` of the domain called ``name`` (virDomain) answers."""
        return self._exchange({"on": ["lookupByName", name], "ask": [method, *arguments]})

    def _exchange(self, question: dict[str, Any]) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LabMissingError(f"{_PYTHON} has no python3-libvirt: run ./test") from None
        line = self._process.stdout.readline()
        if not line:
            raise LabMissingError(f"{_PYTHON} has no python3-libvirt: run ./test")
        answer = json.loads(line, object_hook=_value)
        if "error" in answer:
            raise CBindingError(answer["error"])
        return answer["value"]


def _value(item: dict[str, Any]) -> Any:
    return bytes.fromhex(item["hex"]) if item.keys() == {"hex"} else item
