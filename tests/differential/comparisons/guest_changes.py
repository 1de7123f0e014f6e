"""What the guest agent does for a domain, and what is asked of QEMU itself."""

from __future__ import annotations

import json

from tests.differential.comparison import Comparison, Do, See
from tests.differential.writing import act, ask, reading, scenario

__all__ = ["COMPARISONS"]

_STATUS = '{"execute":"query-status"}'
_AGENT_HOST = '{"execute":"guest-get-host-name"}'
_KEY = "ssh-ed25519 AAAAother bob@lab"


def _answer(text: str) -> object:
    """Return what QEMU answered, without the number that it counts its questions by."""
    said = json.loads(text)
    said.pop("id", None)
    return said


_AGENT = (
    scenario(
        "file systems frozen and thawed",
        "test qemu",
        ask("Domain.fs_freeze", "fsFreeze", ["/mnt"], 0, outcome="!test qemu"),
        ask("Domain.fs_thaw", "fsThaw", [], 0, binding_args=(None, 0)),
        ask("Domain.fs_freeze", "fsFreeze", [], 0, binding_args=(None, 0)),
        ask("Domain.fs_freeze", "fsFreeze", [], 0, binding_args=(None, 0), outcome="test !qemu"),
        ask("Domain.fs_thaw", "fsThaw", [], 0, binding_args=(None, 0)),
        afterwards=[Do("domain", "fsThaw")],
    ),
    scenario(
        "all file systems frozen and thawed, none named",
        "test qemu",
        ask("Domain.fs_freeze", "fsFreeze"),
        ask("Domain.fs_thaw", "fsThaw"),
        ask("Domain.fs_freeze", "fsFreeze", None, 0),
        ask("Domain.fs_thaw", "fsThaw", None, 0),
        afterwards=[Do("domain", "fsThaw")],
    ),
    scenario(
        "unused blocks discarded",
        "test qemu",
        act("Domain.fs_trim", "fSTrim", None, 0, 0),
        ask("Domain.fs_trim", "fSTrim", "/nowhere", 0, 0, outcome="refusal"),
    ),
    scenario(
        "how long the agent may take",
        "!test qemu",
        act("Domain.set_agent_response_timeout", "agentSetResponseTimeout", 30, 0),
        ask(
            "Domain.set_agent_response_timeout", "agentSetResponseTimeout", -9, 0, outcome="refusal"
        ),
        afterwards=[Do("domain", "agentSetResponseTimeout", (-2,))],
    ),
    scenario(
        "keys of an account",
        "!test qemu",
        act("Domain.authorized_ssh_keys_set", "authorizedSSHKeysSet", "root", [_KEY], 1),
        See("domain", "authorizedSSHKeysGet", ("root",)),
        ask("Domain.authorized_ssh_keys_get", "authorizedSSHKeysGet", "root", 0),
        act("Domain.authorized_ssh_keys_set", "authorizedSSHKeysSet", "root", [_KEY], 2),
        See("domain", "authorizedSSHKeysGet", ("root",)),
    ),
    scenario(
        "the guest's clock",
        "test qemu",
        act(
            "Domain.set_time",
            "setTime",
            1_800_000_000,
            5,
            0,
            binding_args=({"seconds": 1_800_000_000, "nseconds": 5}, 0),
        ),
        See("domain", "getTime", (0,), lambda time: time["seconds"] // 60),
    ),
    scenario(
        "a password",
        "test qemu",
        act("Domain.set_user_password", "setUserPassword", "root", "new", 0),
        act("Domain.set_user_password", "setUserPassword", "root", "new", 1),
    ),
)

_QEMU = (
    reading(
        "!test qemu",
        "Domain.qemu_monitor_command",
        "libvirt_qemu.qemuMonitorCommand",
        _STATUS,
        0,
        both=_answer,
    ),
    reading(
        "!test qemu",
        "Domain.qemu_monitor_command",
        "libvirt_qemu.qemuMonitorCommand",
        "info status",
        1,
    ),
    reading(
        "!test !qemu",
        "Domain.qemu_monitor_command",
        "libvirt_qemu.qemuMonitorCommand",
        "{",
        0,
    ),
    reading(
        "!test qemu",
        "Domain.qemu_agent_command",
        "libvirt_qemu.qemuAgentCommand",
        _AGENT_HOST,
        5,
        0,
    ),
    reading(
        "!test !qemu",
        "Domain.qemu_agent_command",
        "libvirt_qemu.qemuAgentCommand",
        '{"execute":"no-such-command"}',
        5,
        0,
    ),
    reading("!test !qemu", "Connection.qemu_attach", "libvirt_qemu.qemuAttach", 1, 0),
)

COMPARISONS: tuple[Comparison, ...] = (*_AGENT, *_QEMU)
