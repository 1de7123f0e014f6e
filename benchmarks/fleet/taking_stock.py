"""What a piece of work costs a process; both clients' workers import it, so it imports nothing."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable

__all__ = ["Costs"]


class Costs:
    """Wall and CPU seconds and KiB of memory that were spent since the last look."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, float]] = {}
        gc.collect()
        self._before = self._now()

    def note(self, name: str, keep: Callable[[], object] = lambda: None) -> None:
        """Note what was spent since the last look, under ``name``; then do ``keep()`` unseen."""
        wall, cpu, _ = self._now()
        gc.collect()
        spent = (wall, cpu, self._now()[2])
        old = self._before
        self._found[name] = dict(
            zip(
                ("wall", "cpu", "kib"),
                (b - a for a, b in zip(old, spent, strict=True)),
                strict=True,
            )
        )
        keep()
        self._before = self._now()

    def tell(self) -> None:
        """Print all that was noted as one line of JSON."""
        print(json.dumps(self._found), flush=True)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[1])
        kib = pages * os.sysconf("SC_PAGE_SIZE") / 1024
        return time.perf_counter(), time.process_time(), kib
