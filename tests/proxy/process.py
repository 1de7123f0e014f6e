"""A proxy in a process of its own, for tests whose clients are this process or anybody's.

Responsible for its start, its address, its recording and its end. ``python -m tests.proxy.process``
is the other side. Must not know what clients do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.place import repository

__all__ = ["Proxy", "proxy"]

_LIMIT_S = 20.0


class Proxy:
    """It listens at ``address`` and writes its recording to ``recording``."""

    def __init__(self, process: subprocess.Popen[str], address: str, recording: Path) -> None:
        self.process = process
        self.address = address
        self.recording = recording

    def uri(self, name: str) -> str:
        """Return the URI by which a driver ("test:///default") is reached through it."""
        scheme, _, path = name.partition("://")
        if self.address.startswith("tcp:"):
            return f"{scheme}+tcp://{self.address.removeprefix('tcp:')}{path}"
        return f"{scheme}+unix://{path}?socket={self.address}"


@contextmanager
def proxy(
    folder: Path, to: str, *, listen: str | None = None, authenticate: bool | None = None
) -> Iterator[Proxy]:
    """Have a proxy to the URI ``to`` during a block; it listens in the folder if not elsewhere."""
    recording = folder / "recording"
    place = listen or str(folder / "proxy")
    command = [sys.executable, "-m", "tests.proxy.process", place, to, str(recording)]
    command.append("" if authenticate is None else "yes")
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repository
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, "the proxy did not start; its error is above"
            yield Proxy(process, address, recording)
        finally:
            # Its end is that of its input; what it says by then is not lost in a test's own end.
            process.stdin.close()
            try:
                process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0


def _main(listen: str, to: str, recording: str, authenticate: str) -> None:
    from virtproto.proxy.carriage import Carriage
    from virtproto.proxy.listening import Listener
    from virtproto.proxy.reaching import Destination

    report = os.open(recording, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with Listener(listen) as listener:
        carriage = Carriage(report)
        destination = Destination(to, authenticate=True if authenticate else None)
        try:
            listener.attend(carriage, destination)
            carriage.watch(sys.stdin.fileno(), carriage.stop)
            print(listener.address, flush=True)
            carriage.run()
        finally:
            destination.close()
            carriage.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
