"""``python -m benchmarks.trace``: one table of what being overheard costs a client.

Against a real libvirtd with its volume in memory. Every client does each job directly and through
``virtproto trace --listen``, in turn, in one run; a ratio is the median over the rounds of the
paired ratios. Nothing is tied to a CPU, as nothing is where people look at a program's calls. Exits
1 when a stated limit is passed: a small call takes at most twice as long, and bytes move at 70 % of
their speed at least, where lines are printed and where a summary is. For the rest, which keeps or
prints the bytes themselves, nothing is promised.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import virtproto
from benchmarks.clients import Client, Cost, paired_ratio
from benchmarks.interpreters import DEBIAN_PYTHON, find_binding
from tests.lab.fixtures import private_daemon

MIB = 1 << 20
POOL = "<pool type='dir'><name>bench</name><target><path>{path}</path></target></pool>"
VOLUME = """\
<volume><name>v</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""

# How it is overheard: by which options, and whether the limits hold there.
WAYS: dict[str, tuple[list[str], bool]] = {
    "summary": (["--summary"], True),
    "lines": ([], True),
    "recording": (["--summary", "--record", "{folder}/recording"], False),
}
JOBS = (("call", "a small call"), ("upload", "upload"), ("download", "download"))
MOST_TIME = 2.0
LEAST_SPEED = 0.7
_START_S = 20.0
_ROOT = Path(__file__).resolve().parent.parent.parent


def busy_ticks() -> int:
    """Return how long this process's children, and theirs, have run."""
    ticks = 0
    waiting = [str(os.getpid())]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}/task")
        with suppress(FileNotFoundError, ProcessLookupError):  # what ends meanwhile
            for task in os.listdir(folder):
                for child in (folder / task / "children").read_text().split():
                    waiting.append(child)
                    ticks += sum(map(int, Path(f"/proc/{child}/stat").read_text().split()[13:15]))
    return ticks


def settle() -> None:
    """Wait until nobody is busy any more: what is printed late is not to slow the next job."""
    before = -1
    while before != (before := busy_ticks()):
        time.sleep(0.05)


@contextmanager
def overhearing(name: str, folder: Path, uri: str) -> Iterator[str]:
    """Overhear what comes for ``uri``; gives the URI to come by."""
    options = [option.format(folder=folder) for option in WAYS[name][0]]
    place, said = folder / f"{name}.sock", folder / f"{name}.said"
    command = [sys.executable, "-m", "virtproto", "trace", "--listen", str(place), "--to", uri]
    command += ["--output", f"{place}.told", *options]
    with said.open("wb") as errors:
        process = subprocess.Popen(command, cwd=_ROOT, stderr=errors)
    try:
        until = time.monotonic() + _START_S
        while not place.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{' '.join(command)}: {said.read_text()}")
            time.sleep(0.01)
        yield f"qemu+unix:///system?socket={place}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def volume(uri: str, folder: Path, size: int) -> Iterator[None]:
    """A full volume ``v`` in a pool ``bench`` in memory."""
    (folder / "pool").mkdir()
    (folder / "source").write_bytes(os.urandom(MIB) * (size // MIB))
    with virtproto.open(uri) as connection:
        pool = connection.create_storage_pool(POOL.format(path=folder / "pool"))
        pool.create_volume(VOLUME.format(size=size)).upload_from(folder / "source")
        yield
        pool.destroy()


def measure(
    job: str, client: Client, uris: dict[str, str], size: int, count: int, rounds: int
) -> dict[str, list[Cost]]:
    """Return wall and CPU seconds by each way, one pair per round."""
    figures: dict[str, list[Cost]] = {way: [] for way in uris}
    for number in range(rounds + 1):
        for way, uri in uris.items():
            settle()
            cost = client.run({"job": job, "uri": uri, "size": size, "count": count})
            if number:  # the first round warms caches and connections
                figures[way].append(cost)
    return figures


def print_rows(job: str, title: str, figures: dict[str, list[Cost]], mib: int, count: int) -> bool:
    """Print a line for each way; return whether the limits are kept."""
    kept = True
    for way, costs in figures.items():
        wall = statistics.median(wall for wall, _ in costs)
        shown = f"{wall / count * 1e6:9.1f} us" if job == "call" else f"{mib / wall:6.0f} MiB/s"
        line = f"{title:26}{way:>10}{shown:>14}"
        title = ""
        if way != "direct":
            line += verdict(job, way, costs, figures["direct"])
            kept = kept and "PASSED OVER" not in line
        print(line, flush=True)
    return kept


def verdict(job: str, way: str, costs: Sequence[Cost], direct: Sequence[Cost]) -> str:
    """Return a ratio, and what it is held against."""
    ratio = paired_ratio(costs, direct, 0)
    if job == "call":
        text, keeps, limit = f"{ratio:9.2f}x", ratio <= MOST_TIME, f"<= {MOST_TIME:.2f}x"
    else:
        ratio = 1 / ratio
        text, keeps, limit = f"{ratio:9.2f}x", ratio >= LEAST_SPEED, f">= {LEAST_SPEED:.2f}x"
    if not WAYS[way][1]:
        return text
    return f"{text}{limit:>12}: {'kept' if keeps else 'PASSED OVER'}"


def run(rounds: int, mib: int, count: int, with_binding: bool) -> bool:
    """Measure everything; return whether all limits are kept."""
    kept = True
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="vp-trace-", dir="/dev/shm"))
        stack.callback(shutil.rmtree, folder)
        daemon = stack.enter_context(private_daemon("9.0.0"))
        uris = {"direct": daemon.uri("qemu:///system")}
        stack.enter_context(volume(uris["direct"], folder, mib * MIB))
        for way in WAYS:
            uris[way] = stack.enter_context(overhearing(way, folder, uris["direct"]))
        module = "benchmarks.trace.worker_virtproto"
        clients = {"virtproto": Client([sys.executable, "-m", module], None)}
        if with_binding:
            module = "benchmarks.trace.worker_binding"
            clients["C binding"] = Client([str(DEBIAN_PYTHON), "-m", module], None)
        for client in clients.values():
            stack.callback(client.close)
        for job, title in JOBS:
            for name, client in clients.items():
                figures = measure(job, client, uris, mib * MIB, count, rounds)
                kept = print_rows(job, f"{title}, {name}", figures, mib, count) and kept
    return kept


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trace", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default 9)")
    parser.add_argument("--mib", type=int, default=64, help="how much is moved (default 64)")
    parser.add_argument("--calls", type=int, default=1000, help="calls a round (default 1000)")
    options = parser.parse_args()
    version = find_binding()
    print(
        f"Python {sys.version.split()[0]}; C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
    )
    print(f"{options.calls} calls and {options.mib} MiB a round; ratios to the direct road.\n")
    kept = run(options.rounds, options.mib, options.calls, version is not None)
    if version is None:
        print("The C binding did not take part: install python3-libvirt.")
        return 2
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
