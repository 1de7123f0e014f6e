"""What reaches a hypervisor past the daemon's own notions: files for QEMU, a guest's secret."""

from __future__ import annotations

import json

from tests.differential.comparison import Comparison, FileArgument
from tests.differential.writing import reading

__all__ = ["COMPARISONS"]

_TAKE_FILE = '{"execute":"getfd","arguments":{"fdname":"spare"}}'
_STATUS = '{"execute":"query-status"}'


def _unnumbered(answer: tuple[str, list[object]]) -> object:
    """Return answer and files, without the number that the daemon counts its commands by."""
    text, files = answer
    said = json.loads(text)
    said.pop("id", None)
    return [said, list(files)]


# Daemons that do not know the command send the files back unannounced, which ends the C binding's
# connection; hence those of other releases are not asked.
COMPARISONS: tuple[Comparison, ...] = (
    reading(
        "!test-only qemu",
        "Domain.qemu_monitor_command_with_files",
        "libvirt_qemu.qemuMonitorCommandWithFiles",
        _TAKE_FILE,
        [FileArgument("/dev/null")],
        0,
        both=_unnumbered,
    ),
    reading(
        "!test-only qemu",
        "Domain.qemu_monitor_command_with_files",
        "libvirt_qemu.qemuMonitorCommandWithFiles",
        _STATUS,
        [],
        0,
        both=_unnumbered,
    ),
    reading(
        "!test !qemu",
        "Domain.set_launch_security_state",
        "setLaunchSecurityState",
        {"sev-secret-header": "aA==", "sev-secret": "aA==", "sev-secret-set-address": 4096},
        0,
    ),
)
