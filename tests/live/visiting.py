"""Connections of another user's: made by a process of his, in both colours, and told here.

Responsible for being somebody else as far as a daemon can see. Must not know what is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.lab.daemon import PrivateDaemon
from tests.lab.place import repository

__all__ = ["Told", "visit"]

_LIMIT_S = 60

# He may read our files, which may lie where others have no business.
_READ_ALL = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(repository)}

_PROGRAM = """
import json, sys
import virtproto
from tests.colours.driving import COLOURS
uri, readonly, question = json.loads(sys.argv[1])
told = {}
for colour, open_in_colour in COLOURS.items():
    try:
        with open_in_colour(uri, readonly=readonly) as connection:
            told[colour] = {"answer": eval(question)}
    except virtproto.VirtprotoError as error:
        told[colour] = {"kind": type(error).__name__, "text": str(error)}
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Told:
    """What came of a visit: the answer, or the class and the text of an error."""

    answer: Any = None
    kind: str = ""
    text: str = ""


def visit(
    user: int,
    uri: str | None,
    question: str = "connection.get_hostname()",
    *,
    readonly: bool = False,
    environment: dict[str, str] | None = None,
    beside: PrivateDaemon | None = None,
) -> Told:
    """Ask ``question``, an expression, of a ``connection`` that the user with that id opens.

    ``beside`` is a daemon whose sockets he finds at the usual places. Both colours are told the
    same, or this fails.
    """
    there = beside.beside if beside else []
    himself = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    client = subprocess.run(
        [
            *(*there, "setpriv", *himself, *_READ_ALL),
            *(sys.executable, "-c", _PROGRAM, json.dumps([uri, readonly, question])),
        ],
        env={**_ENVIRONMENT, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
    )
    assert client.returncode == 0, client.stderr
    told = json.loads(client.stdout)
    assert told["sync"] == told["aio"]
    return Told(**told["sync"])
