"""Programs whose connections are led here, and answered with one word.

Responsible for a loop around one program. Must not know what the programs want.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from virtproto.proxy.carriage import Carriage
from virtproto.proxy.running import Command, Signals
from virtproto.proxy.steering import Steering, Target

if TYPE_CHECKING:
    from virtproto.proxy.steering import Lead

__all__ = ["Led", "children", "run_led"]

WORD = b"led"


def children() -> set[str]:
    """Return the processes that are this one's children, those included that have ended."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


class Led:
    """What came of a program: its exit code, where it wanted to go, what could not be looked at."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.targets: list[Target] = []
        self.notes: list[str] = []
        self.count = 0


def run_led(
    program: str | Sequence[str],
    *arguments: str,
    others: Sequence[bytes] = (),
    environ: Mapping[str, str] | None = None,
    lead: Lead | None = None,
    when_started: Callable[[Command], object] = lambda _command: None,
) -> Led:
    """Run ``program``, a Python text or a command line; answer each connection of its with WORD."""
    argv = [sys.executable, "-c", program, *arguments] if isinstance(program, str) else program
    led = Led()

    def answer(target: Target) -> Callable[[socket.socket], object] | None:
        led.targets.append(target)
        return _say if lead is None else lead(target)

    carriage = Carriage(None)
    with Signals() as signals:
        command = Command(argv, dict(environ or os.environ), signals, hold=True)
        assert command.listener is not None
        steering = Steering(command.listener, answer, others=others, note=led.notes.append)
        try:
            steering.attend(carriage)
            command.attend(carriage, carriage.stop, carriage.stop)
            when_started(command)
            carriage.run()
        finally:
            steering.close()
            carriage.close()
    led.code, led.count = command.code, steering.count
    return led


def _say(client: socket.socket) -> None:
    with client:
        client.sendall(WORD)
