"""A client process of a benchmark, and its figures beside another's."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.interpreters import start_worker

__all__ = ["Client", "Cost", "paired_ratio"]

# Wall and CPU seconds of one job.
Cost = tuple[float, float]


class Client:
    """A process, on one CPU if need be, that runs jobs and tells their wall and CPU seconds."""

    def __init__(self, command: list[str], cpu: int | None) -> None:
        self._command = command
        self._process = start_worker(command, cpu)

    def run(self, request: Mapping[str, object]) -> Cost:
        """Run one job; return its wall and CPU seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._command)} died; its error is above")
        answer = json.loads(line)
        return answer["wall"], answer["cpu"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def paired_ratio(ours: Sequence[Cost], theirs: Sequence[Cost], which: int) -> float:
    """Return the median of the ratios of each round: of wall time (0) or of CPU time (1)."""
    return statistics.median(a[which] / b[which] for a, b in zip(ours, theirs, strict=True))
