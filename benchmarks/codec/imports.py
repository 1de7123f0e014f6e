"""How long importing takes in a process of its own, compiled files warm."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Sequence

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
BINDING = "import libvirt"
NOTHING = "pass"


def measure(interpreter: str, statements: str, *, rounds: int) -> tuple[float, int]:
    """Return the median seconds of running ``statements`` fresh, and the peak memory in KiB."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command: Sequence[str] = [interpreter, "-c", _PROBE.format(statements=statements)]
    samples = []
    for _ in range(rounds + 1):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        samples.append(json.loads(done.stdout))
    del samples[0]  # the first run may have compiled
    return statistics.median(s[0] for s in samples), max(s[1] for s in samples)
