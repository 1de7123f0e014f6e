"""``python -m benchmarks.fleet``: one table of what two hundred connections to a real daemon cost.

Every contender is a fresh process in every round, and a round runs them one after another; a ratio
is the median over the rounds of the paired ratios to libvirt-python that opens one connection after
another. All are measured with their defaults; virtproto's have keepalive. Exits 1 when a stated
limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.worker_virtproto import CALLS
from benchmarks.interpreters import (
    DEBIAN_PYTHON,
    SLACK_WITHOUT_PGO,
    built_with_pgo,
    find_binding,
)
from tests.lab.daemon import PrivateDaemon

ROOT = Path(__file__).resolve().parents[2]

# What a fleet may take, of the time and of the CPU of the C binding, and KiB for each connection.
WALL_LIMIT, CPU_LIMIT, KIB_LIMIT = 0.35, 0.60, 6.0


@dataclass(frozen=True)
class Contender:
    """One way to have many connections."""

    title: str
    module: str
    way: str
    # Whether the limits are for this one.
    limited: bool = False


CONTENDERS = (
    Contender("C binding, one by one", "worker_binding", "sequential"),
    Contender("C binding, 16 threads", "worker_binding", "threads"),
    Contender("C binding, events, keepalive", "worker_binding", "events"),
    Contender("virtproto.open, one by one", "worker_virtproto", "blocking"),
    Contender("aio.Fleet", "worker_virtproto", "fleet", True),
    Contender("aio.Fleet, events", "worker_virtproto", "events", True),
)


def measure(contender: Contender, count: int, where: str) -> dict[str, dict[str, float]]:
    """Run one contender in a process of its own and return what its steps cost."""
    ours = contender.module == "worker_virtproto"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable if ours else str(DEBIAN_PYTHON)]
    command += ["-m", f"benchmarks.fleet.{contender.module}", contender.way, str(count), where]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def ratio(rounds: list[dict[str, dict[str, dict[str, float]]]], title: str, what: str) -> float:
    """Return the median of the paired ratios of set-up to the first contender's."""
    against = CONTENDERS[0].title
    pairs = [(each[title]["set-up"][what], each[against]["set-up"][what]) for each in rounds]
    return statistics.median(one / other for one, other in pairs)


def print_row(
    contender: Contender,
    rounds: list[dict[str, dict[str, dict[str, float]]]],
    count: int,
    slack: float,
) -> bool:
    """Print one line; return whether the limits are kept."""

    def middle(step: str, what: str) -> float:
        return statistics.median(each[contender.title][step][what] for each in rounds) / count

    kib = middle("set-up", "kib")
    line = f"{contender.title:30}{middle('set-up', 'wall') * 1e6:9.0f}"
    kept = True
    verdict = ""
    if CONTENDERS[0].title in rounds[0]:
        wall, cpu = (ratio(rounds, contender.title, what) for what in ("wall", "cpu"))
        line += f"{wall:7.2f}x{middle('set-up', 'cpu') * 1e6:9.0f}{cpu:7.2f}x"
        kept = wall <= WALL_LIMIT * slack and cpu <= CPU_LIMIT * slack and kib <= KIB_LIMIT
    else:
        line += f"{'-':>8}{middle('set-up', 'cpu') * 1e6:9.0f}{'-':>8}"
    calls = [middle("calls", what) * 1e6 / CALLS for what in ("wall", "cpu")]
    line += f"{kib:9.1f}{calls[0]:11.0f}{calls[1]:7.0f}"
    if contender.limited:
        verdict = "kept" if kept else "PASSED OVER"
    print(f"{line}   {verdict}".rstrip(), flush=True)
    return kept or not contender.limited


def run_fleet(count: int, rounds: int, with_binding: bool, slack: float) -> bool:
    """Measure every contender; return whether the limits are kept."""
    settings = {"max_clients": 6000, "max_anonymous_clients": 6000}
    contenders = [each for each in CONTENDERS if with_binding or "binding" not in each.module]
    found: list[dict[str, dict[str, dict[str, float]]]] = []
    with (
        PrivateDaemon(settings=settings) as daemon,
        tempfile.TemporaryDirectory(prefix="vpfleet") as folder,
    ):
        for number in range(count):
            (Path(folder) / f"h{number}").symlink_to(daemon.socket_path)
        for _ in range(rounds):
            costs = {}
            for each in contenders:
                ours = each.module == "worker_virtproto"
                costs[each.title] = measure(each, count, folder if ours else daemon.socket_path)
            found.append(costs)
    print(
        f"Setting up {count} connections, for each; then {CALLS} calls on each, us for each call.\n"
        f"Limits: {WALL_LIMIT * slack:.2f}x wall, {CPU_LIMIT * slack:.2f}x CPU, {KIB_LIMIT:g} KiB\n"
    )
    print(
        f"{'':30}{'wall us':>9}{'ratio':>8}{'CPU us':>9}{'ratio':>8}{'KiB':>9}"
        f"{'call: wall':>11}{'CPU':>7}"
    )
    kept = [print_row(each, found, count, slack) for each in contenders]
    return all(kept)


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds (default 7)")
    parser.add_argument("--count", type=int, default=200, help="connections (default 200)")
    options = parser.parse_args()
    version, pgo = find_binding(), built_with_pgo()
    slack = 1.0 if pgo else SLACK_WITHOUT_PGO
    print(
        f"Python {sys.version.split()[0]}, {'with' if pgo else 'without'} PGO"
        f" (limits times {slack:g}); C binding: "
        + (f"libvirt {version} under {DEBIAN_PYTHON}" if version else "not installed")
        + "\n"
    )
    kept = run_fleet(options.count, options.rounds, version is not None, slack)
    if version is None:
        print("\nNothing was compared with the C binding: install python3-libvirt.")
        return 2
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
