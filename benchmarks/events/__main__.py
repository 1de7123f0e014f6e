"""``python -m benchmarks.events``: one table of what hearing of events costs.

Every row is measured in rounds of A, B, C, ... in one run; a ratio is the median over the rounds of
the paired ratios. Bursts come from canned bytes, as fast as they are read: the client is what
limits them. Storms come from a real daemon, whose domain another process pauses and resumes: the
daemon is what limits them. Listeners run pinned to one CPU, everything else on another. Exits 1
when a stated limit is passed, 2 where there is no C binding to compare with.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.canned import CONNECT_SUPPORTS_FEATURE, HEADER, REMOTE_PROGRAM, CannedDaemon
from benchmarks.interpreters import (
    DEBIAN_PYTHON,
    SLACK_WITHOUT_PGO,
    built_with_pgo,
    find_binding,
    start_worker,
)
from tests.lab.fixtures import private_daemon

ROOT = Path(__file__).resolve().parents[2]

REGISTER, DEREGISTER, LIFECYCLE = 316, 317, 318
_MESSAGE = 2
_SUSPENDED = 3

# What rows promise beside the C binding: events a second at least, CPU of the listener at most. A
# burst comes as fast as it is read: five times the events are a fifth of the CPU.
_BURST_RATE = 5.0
_BURST_CPU = 0.20
_STORM_RATE = 0.98
_STORM_CPU = 0.60

Figures = dict[str, list[tuple[float, float]]]
Limits = Mapping[str, tuple[float, float]]


class Worker:
    """A client process that does one job at a time."""

    def __init__(self, interpreter: str, module: str, cpu: int) -> None:
        self._process = start_worker([interpreter, "-m", module], cpu)

    def begin(self, job: str, uri: str, count: int) -> None:
        """Begin a job; return when the daemon was asked for events."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, "uri": uri, "count": count}) + "\n")
        self._process.stdin.flush()
        self._answer(job)

    def end(self, job: str) -> tuple[float, float]:
        """Wait for the job's end; return its CPU and wall seconds."""
        answer = self._answer(job)
        return answer["cpu"], answer["wall"]

    def _answer(self, job: str) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"events benchmark: the worker for {job} died; its error is above")
        found: dict[str, float] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def lifecycle_packet(number: int, domains: int) -> bytes:
    """Return a packet that tells of a domain's pausing, one of so many."""
    name = f"guest-{number % domains:08d}".encode()
    name += b"\0" * (-len(name) % 4)
    payload = struct.pack(">iI", 0, 14) + name + struct.pack(">16s", name[:16])
    payload += struct.pack(">iii", number % domains + 1, _SUSPENDED + number // domains % 2, 0)
    return HEADER.pack(HEADER.size + len(payload), REMOTE_PROGRAM, 1, LIFECYCLE, _MESSAGE, 1, 0) + (
        payload
    )


def burst(count: int, domains: int) -> bytes:
    """Return so many events, of so many domains in turn."""
    return b"".join(lifecycle_packet(number, domains) for number in range(count))


def measure_bursts(
    workers: Mapping[str, tuple[Worker, str]], count: int, domains: int, rounds: int, cpu: int
) -> Figures:
    """Return each contender's CPU and wall seconds for a burst, one pair per round."""
    figures: Figures = {name: [] for name in workers}
    replies = {
        CONNECT_SUPPORTS_FEATURE: struct.pack(">i", 1),
        REGISTER: struct.pack(">i", 0),
        DEREGISTER: b"",
    }
    with tempfile.TemporaryDirectory(prefix="vpbench") as folder:
        path = Path(folder) / "s"
        uri = f"test+unix:///default?socket={path}"
        with CannedDaemon(path, replies, cpu, {REGISTER: burst(count, domains)}):
            for number in range(rounds + 1):
                for name, (worker, job) in workers.items():
                    worker.begin(job, uri, count)
                    spent = worker.end(job)
                    if number:  # the first round warms caches
                        figures[name].append(spent)
    return figures


def measure_storms(
    workers: Mapping[str, tuple[Worker, str]], count: int, rounds: int, cpu: int
) -> Figures:
    """Return each contender's CPU and wall seconds for a storm, one pair per round."""
    figures: Figures = {name: [] for name in workers}
    causing = Worker(sys.executable, "benchmarks.events.worker_virtproto", cpu)
    with private_daemon("9.0.0") as daemon:
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            os.sched_setaffinity(int(task), {cpu})
        uri = daemon.uri("test:///default")
        for number in range(rounds + 1):
            for name, (worker, job) in workers.items():
                worker.begin(job, uri, count)
                causing.begin("storm", uri, count)
                causing.end("storm")
                spent = worker.end(job)
                if number:
                    figures[name].append(spent)
    causing.close()
    return figures


def ratio(figures: Figures, name: str, place: int) -> float | None:
    """Return the median of the paired ratios to the C binding, None where that did not run."""
    if "C binding" not in figures:
        return None
    pairs = zip(figures[name], figures["C binding"], strict=True)
    return statistics.median(a[place] / b[place] for a, b in pairs)


def print_rows(title: str, figures: Figures, count: int, limits: Limits) -> bool:
    """Print a line for each contender; return whether the limits are kept.

    ``limits`` are, by contender, the least rate and the most CPU beside the C binding.
    """
    kept = True
    for name, spent in figures.items():
        cpu = statistics.median(each[0] for each in spent) / count * 1e6
        rate = count / statistics.median(each[1] for each in spent)
        cpu_ratio, wall_ratio = ratio(figures, name, 0), ratio(figures, name, 1)
        shown = "        -        -"
        verdict = ""
        if cpu_ratio is not None and wall_ratio is not None:
            shown = f"{1 / wall_ratio:8.2f}x{cpu_ratio:8.2f}x"
            if name in limits:
                least, most = limits[name]
                fine = 1 / wall_ratio >= least and cpu_ratio <= most
                bounds = f">= {least:.2f}x, <= {most:.2f}x"
                verdict = f"{bounds} {'kept' if fine else 'PASSED OVER'}"
                kept = kept and fine
        print(f"{title:28}{name:20}{rate:11,.0f}{cpu:9.2f}{shown}   {verdict}".rstrip(), flush=True)
    return kept


def run(options: argparse.Namespace, with_binding: bool, slack: float) -> bool:
    """Measure every row; return whether all limits are kept."""
    cpus = sorted(os.sched_getaffinity(0))
    ours = Worker(sys.executable, "benchmarks.events.worker_virtproto", cpus[0])
    workers = {
        "async for": (ours, "asyncio"),
        "for": (ours, "blocking"),
        "callback, asyncio": (ours, "callbacks"),
    }
    if with_binding:
        binding = Worker(str(DEBIAN_PYTHON), "benchmarks.events.worker_binding", cpus[0])
        workers["C binding"] = (binding, "callbacks")
    print(f"{'':28}{'heard by':20}{'events/s':>11}{'CPU us':>9}{'rate':>9}{'CPU':>9}   limits\n")
    kept = True
    burst_limits: Limits = {"async for": (_BURST_RATE / slack, _BURST_CPU * slack)}
    storm_limits: Limits = {"async for": (_STORM_RATE, _STORM_CPU * slack)}
    for title, domains in (("burst, 100 domains", 100), ("burst, all different", options.events)):
        figures = measure_bursts(workers, options.events, domains, options.rounds, cpus[-1])
        limits = burst_limits if domains == 100 else {}
        kept = print_rows(title, figures, options.events, limits) and kept
    if not options.without_daemon:
        storm = options.events // 5
        figures = measure_storms(workers, storm, options.rounds, cpus[-1])
        kept = print_rows("storm of a real daemon", figures, storm, storm_limits) and kept
    for worker, _ in workers.values():
        worker.close()
    return kept


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds (default 7)")
    parser.add_argument("--events", type=int, default=50_000, help="of a burst (default 50000)")
    parser.add_argument("--without-daemon", action="store_true", help="bursts alone")
    options = parser.parse_args()
    version, pgo = find_binding(), built_with_pgo()
    slack = 1.0 if pgo else SLACK_WITHOUT_PGO
    print(
        f"Python {sys.version.split()[0]}, {'with' if pgo else 'without'} PGO"
        f" (limits times {slack:g}); C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
        + "\n"
    )
    kept = run(options, version is not None, slack)
    if version is None:
        print("\nNothing was compared with the C binding: install python3-libvirt.")
        return 2
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
