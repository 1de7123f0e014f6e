"""Run the command line from this checkout, or show virtproto on a libvirtd of its own.

./run is the front door. With arguments it is ``virtproto ARGUMENTS``; without, it starts a private
libvirtd, which touches nothing of the machine's, and lists its domains in both colours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setup.debian import DEMO_PACKAGES, ENVIRONMENT_PACKAGES, install, why_not
from setup.environment import PROJECT, ready_environment
from setup.progress import SetupError, tell

sys.path.insert(0, str(PROJECT))

from tests.lab.daemon import DaemonError, PrivateDaemon

# Debian's users who are not root have no sbin in their PATH.
DAEMON_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

_EXAMPLE = """\
import asyncio, sys
from virtproto import aio

async def main(uri):
    async with await aio.open(uri) as connection:
        domains = await connection.list_all_domains()
        infos = await asyncio.gather(*(domain.get_info() for domain in domains))
        for domain, info in zip(domains, infos):
            print(domain.get_name(), f"{info.memory_kib} KiB, {info.vcpus} vCPUs")

asyncio.run(main(sys.argv[1]))
"""


_HELP = """\
./run ARGUMENTS is virtproto ARGUMENTS; ./run alone shows virtproto on a libvirtd of its own.
"""


def main(arguments: list[str]) -> int:
    """Do what ``./run ARGUMENTS`` promises; return the exit code."""
    if arguments in (["--help"], ["-h"]):
        print(_HELP, flush=True)  # virtproto's own follows
    try:
        if why_not() is None:
            install(ENVIRONMENT_PACKAGES if arguments else DEMO_PACKAGES)
        python = ready_environment("cli")
        if arguments:
            os.execv(python, [str(python), "-m", "virtproto", *arguments])
        return show_on_private_daemon(python)
    except (SetupError, DaemonError) as error:
        print(f"./run: {error}", file=sys.stderr)
        return 1


def show_on_private_daemon(python: Path) -> int:
    """Run both colours, by ``python``, on a libvirtd that lives no longer than this call."""
    if shutil.which("libvirtd", path=DAEMON_PATH) is None:
        reason = why_not()
        hope = f"; ./run installs it itself, but {reason}" if reason else ""
        raise SetupError(f"the demo needs libvirtd (Debian's libvirt-daemon){hope}")
    tell("starting a private libvirtd")
    with PrivateDaemon() as daemon:
        uri = daemon.uri("test:///default")
        code = _show(f"$ virtproto list -c '{uri}'", [python, "-m", "virtproto", "list", "-c", uri])
        code |= _show(_EXAMPLE.rstrip(), [python, "-c", _EXAMPLE, uri])
    tell("stopped it again")
    return code


def _show(text: str, command: list[Path | str]) -> int:
    print(f"\n{text}\n", flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
