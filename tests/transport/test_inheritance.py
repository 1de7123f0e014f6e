"""A forked process leaves to its parent the connections that somebody still has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os
from virtproto.transport.inheritance import remember

class Channel:
    def __init__(self, name):
        self.name = name
    def leave_to_parent(self):
        where = "parent" if os.getpid() == PARENT else "child"
        os.write(1, f"{self.name} left in {where};".encode())

PARENT = os.getpid()
kept, forgotten = Channel("kept"), Channel("forgotten")
remember(kept)
remember(forgotten)
del forgotten
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


def test_only_the_child_and_only_what_is_left() -> None:
    command = [sys.executable, "-X", "dev", "-c", PROGRAM]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (b"kept left in child;", b"", 0)
