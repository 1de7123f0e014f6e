"""A shell in a window, with virtproto's completion: a test types, presses Tab and sees the line.

Responsible for the three shells' ways of telling the line that is being typed.
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.pseudo_terminal import ROOT

__all__ = ["SHELLS", "ShellWindow"]

_PATIENCE_S = 20.0
_TAB = b"\t"
_SHOW = b"\x07"
_CLEAR = b"\x15"
_BEGIN, _END = b"=[", b"]="
_READY = "ready-for-keys"

# How each is started, and what it is told: to complete, and to show its line at a key.
SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        'PS1=; bind "set enable-bracketed-paste off"; eval "$(virtproto completion bash)"; '
        """bind -x '"\\C-g": printf "=[%s]=\\n" "$READLINE_LINE"'; """,
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; "
        'eval "$(virtproto completion zsh)"; '
        """show() { print -r -- "=[$BUFFER]=" }; zle -N show; bindkey '^G' show; bindkey '^U' """
        "kill-whole-line; ",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        "function fish_prompt; end; virtproto completion fish | source; "
        "bind \\cg 'printf \"=[%s]=\\n\" (commandline -b)'; bind \\cu 'commandline \"\"'; ",
    ),
}


class ShellWindow:
    """A shell that completes; a context manager that ends it."""

    def __init__(self, shell: str, folder: Path, **environment: str) -> None:
        command = folder / "virtproto"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m virtproto "$@"\n')
        command.chmod(0o755)
        argv, self._told = SHELLS[shell]
        self._near, self._far = os.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *argv],
            stdin=self._far,
            stdout=self._far,
            stderr=self._far,
            cwd=folder,
            env={
                "PATH": f"{folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "HOME": str(folder),
                "TERM": "vt100",
                "LC_ALL": "C.UTF-8",
                **environment,
            },
        )

    def __enter__(self) -> ShellWindow:
        # In two words here, so that what is echoed is not taken for the answer.
        self._type(f"{self._told}echo {_READY[:5]}''{_READY[5:]}\r".encode())
        self._read_until(_READY.encode())
        return self

    def __exit__(self, *failure: object) -> None:
        with self.process:
            self.process.kill()
        os.close(self._near)
        os.close(self._far)

    def completed(self, typed: str) -> str:
        """Type a line, press Tab, and return the line that the shell has made of it."""
        self._type(_CLEAR + typed.encode() + _TAB + _SHOW)
        shown = self._read_until(_END)
        return shown.rpartition(_BEGIN)[2].partition(_END)[0].decode()

    def _type(self, keys: bytes) -> None:
        os.write(self._near, keys)

    def _read_until(self, last: bytes) -> bytes:
        shown = b""
        deadline = time.monotonic() + _PATIENCE_S
        while last not in shown:
            left = max(0, deadline - time.monotonic())
            assert select.select([self._near], [], [], left)[0], f"it shows {shown!r}"
            shown += os.read(self._near, 65536)
        return shown
