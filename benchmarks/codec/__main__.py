"""``python -m benchmarks.codec``: one table of what decoding and importing cost.

Every row is measured in rounds of A, B, C, ... in one run; a ratio is the median over the rounds
of the paired ratios. Clients run pinned to one CPU and the canned daemon on another, and only the
client's own CPU time counts. Exits 1 when a stated limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.canned import CannedDaemon
from benchmarks.codec import imports, workloads
from benchmarks.interpreters import (
    DEBIAN_PYTHON,
    SLACK_WITHOUT_PGO,
    built_with_pgo,
    find_binding,
    start_worker,
)

ROOT = Path(__file__).resolve().parents[2]

# What importing virtproto and the modules of one blocking call may take.
_IMPORT_LIMIT_MS = 15.0


@dataclass(frozen=True)
class Row:
    """One workload: the reply, how many items it holds, and the limit against the C binding."""

    title: str
    job: str
    payload: bytes
    items: int
    rounds: int
    limit: float | None


class Worker:
    """A client process that runs jobs and reports their CPU and wall seconds."""

    def __init__(self, interpreter: str, module: str, cpu: int) -> None:
        self._process = start_worker([interpreter, "-m", module], cpu)

    def run(self, job: str, path: Path, rounds: int) -> float:
        """Run ``job`` ``rounds`` times and return the client's CPU seconds of one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"job": job, "socket": str(path), "rounds": rounds}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"codec benchmark: the worker for {job} died; its error is above")
        return float(json.loads(answer)["cpu"]) / rounds

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def rows() -> list[Row]:
    """Return the workloads, each with its limit where the project states one."""
    listing, stats = workloads.domain_list, workloads.stats_reply
    return [
        Row("list of 1,000 domains", "list", listing(1000), 1000, 40, 0.25),
        Row("list of 10,000 domains", "list", listing(10000), 10000, 4, 0.35),
        Row("list of 1,000, names vary", "list", listing(1000, varied=True), 1000, 40, None),
        Row("1,000 x 60 params, numbers", "stats", stats(1000, "iothread"), 60000, 2, 0.60),
        Row("1,000 x 60 params, QEMU-like", "stats", stats(1000, "qemu"), 60000, 2, 0.60),
        Row(
            "1,000 records, 48 shapes",
            "stats",
            stats(1000, "mixed"),
            workloads.MIXED_PARAMS,
            2,
            0.75,
        ),
    ]


def measure_row(
    row: Row, path: Path, ours: Worker, binding: Worker | None, rounds: int
) -> dict[str, list[float]]:
    """Return CPU seconds per job for each contender, one figure per round."""
    contenders = {"virtproto": (ours, row.job)}
    if binding is not None:
        contenders["binding"] = (binding, row.job)
    contenders["decode"] = (ours, f"{row.job}-decode")
    contenders["xdrlib3"] = (ours, f"{row.job}-floor")
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, (worker, job) in contenders.items():
            cost = worker.run(job, path, row.rounds)
            if number:  # the first round warms caches and connections
                figures[name].append(cost)
    return figures


def ratio(figures: dict[str, list[float]], name: str, against: str) -> float | None:
    """Return the median of the paired ratios, or None where one side did not run."""
    if against not in figures:
        return None
    return statistics.median(a / b for a, b in zip(figures[name], figures[against], strict=True))


def print_row(row: Row, figures: dict[str, list[float]], slack: float) -> bool:
    """Print one line; return whether the row keeps its limit."""
    cost = {k: statistics.median(v) / row.items * 1e9 for k, v in figures.items()}
    against_binding = ratio(figures, "virtproto", "binding")
    against_xdrlib3 = ratio(figures, "decode", "xdrlib3")
    binding = f"{cost['binding']:9.0f}" if "binding" in cost else "        -"
    shown = f"{against_binding:8.2f}x" if against_binding is not None else "        -"
    limit = row.limit * slack if row.limit is not None else None
    kept = limit is None or against_binding is None or against_binding <= limit
    verdict = "" if limit is None else f"<= {limit:.2f}x {'kept' if kept else 'PASSED OVER'}"
    print(
        f"{row.title:30}{cost['virtproto']:10.0f}{binding}{shown}"
        f"{cost['decode']:10.0f}{cost['xdrlib3']:9.0f}{against_xdrlib3:8.2f}x   {verdict}",
        flush=True,
    )
    return kept


def run_codec(rounds: int, with_binding: bool, slack: float) -> bool:
    """Measure every row; return whether all limits are kept."""
    cpus = sorted(os.sched_getaffinity(0))
    client_cpu, server_cpu = cpus[0], cpus[-1]
    print("Client CPU per item (domain or parameter), ns; ratios are medians of paired rounds.\n")
    print(
        f"{'reply':30}{'virtproto':>10}{'C bind.':>9}{'ratio':>9}"
        f"{'decode':>10}{'xdrlib3':>9}{'ratio':>9}   limit against the C binding"
    )
    kept = True
    ours = Worker(sys.executable, "benchmarks.codec.worker_virtproto", client_cpu)
    binding = (
        Worker(str(DEBIAN_PYTHON), "benchmarks.codec.worker_binding", client_cpu)
        if with_binding
        else None
    )
    with tempfile.TemporaryDirectory(prefix="vpbench") as folder:
        for number, row in enumerate(rows()):
            path = Path(folder) / f"s{number}"
            procedure = (
                workloads.CONNECT_LIST_ALL_DOMAINS
                if row.job == "list"
                else workloads.CONNECT_GET_ALL_DOMAIN_STATS
            )
            with CannedDaemon(path, {procedure: row.payload}, server_cpu):
                figures = measure_row(row, path, ours, binding, rounds)
            kept = print_row(row, figures, slack) and kept
    ours.close()
    if binding is not None:
        binding.close()
    return kept


def run_imports(rounds: int, with_binding: bool, slack: float) -> bool:
    """Measure importing; return whether the limit is kept."""
    print("\nImport in a fresh process, compiled files warm (median ms; peak memory in MiB)\n")
    ours = "virtproto + one call"
    contenders = {
        "nothing": (sys.executable, imports.NOTHING),
        ours: (sys.executable, imports.SYNC_CALL),
        "asyncio alone": (sys.executable, imports.ASYNCIO_ALONE),
        "virtproto.aio + one call": (sys.executable, imports.ASYNC_CALL),
    }
    if with_binding:
        contenders["C binding"] = (str(DEBIAN_PYTHON), imports.BINDING)
    limit = _IMPORT_LIMIT_MS * slack
    figures = imports.measure(contenders, rounds)
    kept = figures[ours][0] * 1000 <= limit
    for title, (seconds, peak) in figures.items():
        verdict = f"<= {limit:.0f} ms {'kept' if kept else 'PASSED OVER'}" if title == ours else ""
        print(f"{title:30}{seconds * 1000:10.1f}{peak / 1024:10.1f}   {verdict}".rstrip())
    return kept


def main() -> int:
    """Run both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default 9)")
    options = parser.parse_args()
    version, pgo = find_binding(), built_with_pgo()
    slack = 1.0 if pgo else SLACK_WITHOUT_PGO
    print(
        f"Python {sys.version.split()[0]}, {'with' if pgo else 'without'} PGO"
        f" (limits times {slack:g}); C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
        + "\n"
    )
    kept = run_codec(options.rounds, version is not None, slack)
    kept = run_imports(2 * options.rounds, version is not None, slack) and kept
    if version is None:
        print("\nNothing was compared with the C binding: install python3-libvirt.")
        return 2
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
