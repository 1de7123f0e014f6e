"""``python -m benchmarks.streams``: one table of how fast bytes move, and at what cost.

Against a real libvirtd with its volume in memory. Every row is measured in rounds of A, B, C, ...
in one run; a ratio is the median over the rounds of the paired ratios. Clients run pinned to one
CPU and the daemon to the others, and only the client's own CPU time counts. Exits 1 when a stated
limit is passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import virtproto
from benchmarks.clients import Client
from benchmarks.interpreters import DEBIAN_PYTHON, find_binding
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon

MIB = 1 << 20
POOL = "<pool type='dir'><name>bench</name><target><path>{path}</path></target></pool>"
VOLUME = """\
<volume><name>v</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""

# Job, title, and the limits of blocking calls against the C binding: MB/s at least, CPU at most.
ROWS = (
    ("upload", "memory to volume, 262,120 a time", 0.98, 0.75),
    ("download", "volume to memory", 1.05, 0.75),
    ("upload-file", "file to volume", 0.98, 0.75),
    ("download-file", "volume to file", 1.05, 0.75),
)
CONTENDERS = ("sync", "asyncio", "binding")


def workers(cpu: int, with_binding: bool) -> dict[str, Client]:
    """Start a worker for each contender."""
    ours = [sys.executable, "-m", "benchmarks.streams.worker_virtproto"]
    found = {"sync": Client(ours, cpu), "asyncio": Client([*ours, "aio"], cpu)}
    if with_binding:
        module = "benchmarks.streams.worker_binding"
        found["binding"] = Client([str(DEBIAN_PYTHON), "-m", module], cpu)
    return found


@contextmanager
def volume(daemon: PrivateDaemon, folder: Path, size: int) -> Iterator[str]:
    """A full volume ``v`` in a pool ``bench`` in memory; gives the URI to reach it by."""
    uri = daemon.uri("qemu:///system")
    (folder / "pool").mkdir()
    with virtproto.open(uri) as connection:
        pool = connection.create_storage_pool(POOL.format(path=folder / "pool"))
        pool.create_volume(VOLUME.format(size=size)).upload_from(folder / "source")
        yield uri
        pool.destroy()


def measure(
    job: str, running: dict[str, Client], uri: str, folder: Path, size: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Return wall and CPU seconds for each contender, one pair per round."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    for number in range(rounds + 1):
        for name, worker in running.items():
            path = folder / ("source" if job == "upload-file" else f"to-{name}")
            request = {"job": job, "uri": uri, "pool": "bench", "volume": "v", "size": size}
            cost = worker.run({**request, "path": str(path)})
            if number:  # the first round warms caches and connections
                figures[name].append(cost)
    return figures


def print_row(title: str, figures: dict[str, list[tuple[float, float]]], mib: int) -> float:
    """Print a line for each contender and return the ratios of blocking calls, if any."""
    for name, pairs in figures.items():
        wall = statistics.median(mib / wall for wall, _ in pairs)
        cpu = statistics.median(cpu / mib * 1e6 for _, cpu in pairs)
        shown = ""
        if name != "binding" and "binding" in figures:
            speed, cost = ratios(figures, name)
            shown = f"{speed:8.2f}x{cost:8.2f}x"
        print(f"{title:34}{name:>9}{wall:9.0f}{cpu:9.0f}{shown}", flush=True)
        title = ""
    return 0.0


def ratios(figures: dict[str, list[tuple[float, float]]], name: str) -> tuple[float, float]:
    """Return the medians of paired ratios against the binding: speed, and CPU time."""
    pairs = list(zip(figures[name], figures["binding"], strict=True))
    speed = statistics.median(theirs[0] / ours[0] for ours, theirs in pairs)
    return speed, statistics.median(ours[1] / theirs[1] for ours, theirs in pairs)


def run(rounds: int, mib: int, with_binding: bool) -> bool:
    """Measure every row; return whether all limits are kept."""
    cpus = sorted(os.sched_getaffinity(0))
    kept = True
    print(f"{mib} MiB, volume and files in memory; MiB/s, client CPU us per MiB, and the ratios")
    print("of both to the C binding's.\n")
    print(f"{'':34}{'':>9}{'MiB/s':>9}{'us/MiB':>9}{'speed':>9}{'CPU':>9}")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="vp-streams-", dir="/dev/shm"))
        stack.callback(shutil.rmtree, folder)
        (folder / "source").write_bytes(os.urandom(MIB) * mib)
        daemon = stack.enter_context(private_daemon("9.0.0"))
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            os.sched_setaffinity(int(task), set(cpus[1:]) or set(cpus))
        uri = stack.enter_context(volume(daemon, folder, mib * MIB))
        running = workers(cpus[0], with_binding)
        for job, title, speed_limit, cpu_limit in ROWS:
            figures = measure(job, running, uri, folder, mib * MIB, rounds)
            print_row(title, figures, mib)
            if with_binding:
                speed, cost = ratios(figures, "sync")
                keeps = speed >= speed_limit and cost <= cpu_limit
                kept = kept and keeps
                verdict = "kept" if keeps else "PASSED OVER"
                print(f"{'':43}>= {speed_limit:.2f}x, <= {cpu_limit:.2f}x: {verdict}\n")
        for worker in running.values():
            worker.close()
    return kept


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default 9)")
    parser.add_argument("--mib", type=int, default=256, help="how much is moved (default 256)")
    options = parser.parse_args()
    version = find_binding()
    print(
        f"Python {sys.version.split()[0]}; C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
    )
    kept = run(options.rounds, options.mib, version is not None)
    if version is None:
        print("Nothing was compared with the C binding: install python3-libvirt.")
        return 2
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
