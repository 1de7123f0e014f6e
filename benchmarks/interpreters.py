"""Which interpreters take part, and how they were built: it decides what figures mean."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

# An interpreter without profile-guided optimisation runs codec code this much slower.
SLACK_WITHOUT_PGO = 1.6

DEBIAN_PYTHON = Path("/usr/bin/python3")

_ROOT = Path(__file__).resolve().parent.parent


def built_with_pgo() -> bool:
    """Tell whether this interpreter was built with profile-guided optimisation.

    Debian's packages are, though configure was not told: their own rules run the profiling build.
    They are known by where they look for wheels.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "--enable-optimizations" in arguments or "/usr/share/python-wheels/" in arguments


def find_binding() -> str | None:
    """Return the version of the C binding that Debian's interpreter has, or None."""
    probe = "import json, libvirt; print(json.dumps(libvirt.getVersion()))"
    try:
        done = subprocess.run(
            [str(DEBIAN_PYTHON), "-c", probe], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    number = json.loads(done.stdout)
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def start_worker(command: list[str], cpu: int | None) -> subprocess.Popen[str]:
    """Start a client process, which takes jobs from its input and answers each.

    It stays on one CPU, or with None for ``cpu`` goes where the system has it.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(_ROOT)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=environment,
        preexec_fn=None if cpu is None else lambda: os.sched_setaffinity(0, {cpu}),
    )
