"""How long importing takes in a process of its own, compiled files warm."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Mapping

# The peak comes from /proc: getrusage would count the parent that this process was forked from.
_PROBE = """
import time
start = time.perf_counter()
{statements}
seconds = time.perf_counter() - start
import json
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps([seconds, int(peak[0])]))
"""

# One synchronous call needs the front end, the opening sequence's messages and the domain's.
SYNC_CALL = """
import virtproto
virtproto.open
from virtproto.wire import remote
remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs, remote.CONNECT_LIST_ALL_DOMAINS
"""
ASYNC_CALL = SYNC_CALL.replace("virtproto.open\n", "virtproto.aio.open\n")
ASYNCIO_ALONE = "import asyncio"
BINDING = "import libvirt"
NOTHING = "pass"


def run_once(interpreter: str, statements: str) -> tuple[float, int]:
    """Run ``statements`` in a fresh process; return its seconds and peak memory in KiB."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [interpreter, "-c", _PROBE.format(statements=statements)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def measure(contenders: Mapping[str, tuple[str, str]], rounds: int) -> dict[str, tuple[float, int]]:
    """Return median seconds and peak KiB of each (interpreter, statements), taken in turns."""
    samples: dict[str, list[tuple[float, int]]] = {title: [] for title in contenders}
    for number in range(rounds + 1):
        for title, (interpreter, statements) in contenders.items():
            sample = run_once(interpreter, statements)
            if number:  # the first round may have compiled
                samples[title].append(sample)
    return {
        title: (statistics.median(s[0] for s in taken), max(s[1] for s in taken))
        for title, taken in samples.items()
    }
