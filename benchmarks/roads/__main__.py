"""``python -m benchmarks.roads``: one table of what each road to a daemon costs.

Against real libvirtds on this machine. Every row is measured in rounds of A, B, C, ... in one
run; a ratio is the median over the rounds of the paired ratios to libvirt-python over the same URI,
so that below 1 is faster, or cheaper. Clients run pinned to one CPU and the daemons to the others.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys

from benchmarks.clients import Client, Cost, paired_ratio
from benchmarks.interpreters import DEBIAN_PYTHON, built_with_pgo, find_binding
from benchmarks.roads.places import ROADS, Place, places

MIB = 1 << 20
# Job, title, the driver, how often in a round, and how often over ssh.
JOBS = (
    ("open", "open and close", "few", 10, 2),
    ("call", "one small call", "few", 300, 300),
    ("list", "a list of 1,000 domains", "many", 10, 10),
    ("up", "upload, a MiB", "volumes", 0, 0),
    ("down", "download, a MiB", "volumes", 0, 0),
)


def clients(cpu: int, with_binding: bool) -> dict[str, Client]:
    """Start a client for each contender."""
    ours = [sys.executable, "-m", "benchmarks.roads.worker_virtproto"]
    found = {"sync": Client(ours, cpu), "asyncio": Client([*ours, "aio"], cpu)}
    if with_binding:
        module = "benchmarks.roads.worker_binding"
        found["binding"] = Client([str(DEBIAN_PYTHON), "-m", module], cpu)
    return found


def measure(
    request: dict[str, object], running: dict[str, Client], rounds: int
) -> dict[str, list[Cost]]:
    """Return wall and CPU seconds for each contender, one pair per round."""
    figures: dict[str, list[Cost]] = {name: [] for name in running}
    for number in range(rounds + 1):
        for name, client in running.items():
            cost = client.run(request)
            if number:  # the first round loads what is loaded once, and connects
                figures[name].append(cost)
    return figures


def print_row(road: str, title: str, figures: dict[str, list[Cost]], times: int) -> None:
    """Print one line: microseconds of each contender, and ratios."""
    line = f"{road:11}{title:25}"
    for which in (0, 1):
        for pairs in figures.values():
            cost = statistics.median(each[which] for each in pairs) / times
            line += f"{cost * 1e6:9.0f}"
        if "binding" in figures:
            for name in ("sync", "asyncio"):
                line += f"{paired_ratio(figures[name], figures['binding'], which):7.2f}x"
        line += "   "
    print(line.rstrip(), flush=True)


def print_head(names: list[str]) -> None:
    """Print what the columns are."""
    shown = "".join(f"{name:>9}" for name in names)
    ratios = f"{'sync':>8}{'asyncio':>8}" if "binding" in names else ""
    width = len(shown) + len(ratios)
    print(
        f"{'':36}{'wall time, us, and ratios':^{width}}   {'client CPU, us, and ratios':^{width}}"
    )
    print(f"{'':36}{shown}{ratios}   {shown}{ratios}")


def times_of(job: str, usual: int, by_ssh: int, place: Place, mib: int) -> tuple[int, int]:
    """Return what a job is told, and by how much its cost is divided."""
    if not usual:
        return mib * MIB, mib
    times = by_ssh if place.title == "ssh" else usual
    return times, times


def run(roads: list[str], jobs: list[str], rounds: int, mib: int, with_binding: bool) -> None:
    """Measure every row."""
    cpus = sorted(os.sched_getaffinity(0))
    with places(roads, set(cpus[1:]) or set(cpus), mib * MIB) as found:
        running = clients(cpus[0], with_binding)
        print_head(list(running))
        for place in found:
            for job, title, driver, usual, by_ssh in JOBS:
                if job not in jobs:
                    continue
                told, divisor = times_of(job, usual, by_ssh, place, mib)
                request = {"job": job, "uri": getattr(place, driver), "times": told}
                print_row(place.title, title, measure(request, running, rounds), divisor)
        for client in running.values():
            client.close()


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default 9)")
    parser.add_argument("--mib", type=int, default=64, help="how much is streamed (default 64)")
    parser.add_argument("--roads", nargs="+", choices=ROADS, default=list(ROADS))
    names = [job[0] for job in JOBS]
    parser.add_argument("--jobs", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    version = find_binding()
    print(
        f"Python {sys.version.split()[0]}, {'with' if built_with_pgo() else 'without'} PGO;"
        " C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
        + "\n"
    )
    run(options.roads, options.jobs, options.rounds, options.mib, version is not None)
    if version is None:
        print("Nothing was compared with the C binding: install python3-libvirt.")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
