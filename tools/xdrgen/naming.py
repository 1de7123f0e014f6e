"""Turns names of the .x files into names of Python modules, classes, fields and constants.

Responsible for: spelling only. Must not know: what a name stands for, or how code is printed.
"""

from __future__ import annotations

import keyword
import os.path
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "FileNames",
    "class_name",
    "constant_name",
    "enum_constants",
    "enum_members",
    "field_fault",
    "field_name",
    "file_names",
    "group_name",
    "shouting",
]

# Attributes that every message has, and what its methods call themselves by.
_TAKEN = frozenset({"pack", "unpack", "to_plain", "XDR_NAME", "SECRET_FIELDS", "self"})


@dataclass(frozen=True)
class FileNames:
    """What a .x file is called in Python and which prefixes its names lose there."""

    module: str
    types: str
    constants: str


# The files whose names do not follow from "<program>_protocol.x".
_EXCEPTIONS = {
    "virnetprotocol.x": FileNames("rpc", "virNet", "VIR_NET_"),
    "virkeepaliveprotocol.x": FileNames("keepalive", "keepalive_", "KEEPALIVE_"),
}

# Where a procedure of a large program belongs: the first row whose beginning the name has, and one
# of whose words (if it has any) the name holds.
_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("connect_event", "CONNECT_", ("EVENT_", "CLOSE_CALLBACK")),
    ("connect_list", "CONNECT_LIST_", ()),
    ("connect_list", "CONNECT_NUM_OF_", ()),
    ("connect_cpu", "CONNECT_", ("_COMPARE_", "_BASELINE_", "_CPU_MODEL_")),
    ("domain_event_callback", "DOMAIN_EVENT_CALLBACK_", ()),
    ("domain_event", "DOMAIN_EVENT_", ()),
    ("domain_migrate_params", "DOMAIN_MIGRATE_", ("3_PARAMS",)),
    ("domain_migrate", "DOMAIN_MIGRATE_", ()),
    ("domain_snapshot", "DOMAIN_", ("_SNAPSHOT",)),
    ("domain_checkpoint", "DOMAIN_", ("_CHECKPOINT",)),
    ("domain_block", "DOMAIN_", ("_BLOCK_", "_DISK_ERRORS", "_THROTTLE_GROUP")),
    ("domain_guest", "DOMAIN_", ("_AGENT_", "_FSINFO", "_FSFREEZE", "_FSTHAW", "_FSTRIM")),
    ("domain_guest", "DOMAIN_", ("_GUEST_", "_HOSTNAME", "_USER_PASSWORD", "_SSH_KEYS", "ET_TIME")),
    ("domain_guest", "DOMAIN_", ("_SEND_", "_INJECT_NMI", "_INTERFACE_ADDRESSES")),
    ("domain_cpu", "DOMAIN_", ("VCPU", "_IOTHREAD", "_EMULATOR", "_CPU_STATS")),
    ("domain_save", "DOMAIN_", ("_SAVE", "_RESTORE", "_CORE_DUMP", "_BACKUP_")),
    ("domain_job", "DOMAIN_", ("_JOB", "_CONTROL_INFO", "_DIRTY_RATE")),
    ("domain_security", "DOMAIN_", ("_SECURITY_",)),
    ("domain_tune", "DOMAIN_", ("_SCHEDULER_", "_BLKIO_", "_NUMA_", "_PERF_EVENTS")),
    ("domain_tune", "DOMAIN_", ("_MEMORY_STATS", "ET_MEMORY", "ET_MAX_MEMORY")),
    ("domain_tune", "DOMAIN_", ("ET_INTERFACE_PARAMETERS",)),
    ("domain_power", "DOMAIN_", ("_SHUTDOWN", "_REBOOT", "_RESET", "_PM_", "_LIFECYCLE_ACTION")),
    ("domain_power", "DOMAIN_", ("_SUSPEND", "_RESUME")),
    ("domain_metadata", "DOMAIN_", ("_METADATA", "_MESSAGES")),
    ("domain_device", "DOMAIN_", ("_DEVICE", "_OPEN_", "_SCREENSHOT", "_GRAPHICS")),
    ("domain_device", "DOMAIN_", ("_INTERFACE", "_PEEK", "_FD_")),
    ("node_device", "NODE_", ("_DEVICE",)),
    ("network_port", "NETWORK_", ("_PORT",)),
    ("storage_pool", "STORAGE_POOL_", ()),
    ("storage_vol", "STORAGE_VOL_", ()),
)


def file_names(source: str) -> FileNames:
    """Return what a .x file gives its names to: "qemu_protocol.x" is the module "qemu"."""
    base = os.path.basename(source)
    found = _EXCEPTIONS.get(base)
    if found is None:
        program = base.removesuffix(".x").removesuffix("_protocol")
        found = FileNames(program, f"{program}_", f"{program.upper()}_")
    return found


def class_name(name: str, prefix: str) -> str:
    """Return a class for a type: remote_domain_get_info_ret is DomainGetInfoRet."""
    return "".join(part[:1].upper() + part[1:] for part in name.removeprefix(prefix).split("_"))


def field_name(name: str) -> str:
    """Return the attribute for a member: its own name, with a "_" behind a keyword of Python's."""
    return f"{name}_" if keyword.iskeyword(name) else name


def field_fault(name: str) -> str | None:
    """Return why no attribute can stand for a member of this name, None if one can.

    Keywords alone are renamed: the plain form of a message takes the "_" off again, which it could
    not if other names carried one for other reasons.
    """
    if name in _TAKEN:
        return "has the name of something that every message has"
    if name.startswith("_"):
        return 'begins with "_", as what messages keep to themselves'
    if name.endswith("_") and keyword.iskeyword(name[:-1]):
        return f"looks like the keyword {name[:-1]} renamed"
    return None


def constant_name(name: str, prefix: str) -> str:
    """Return a constant without its program: REMOTE_STRING_MAX is STRING_MAX."""
    short = name.removeprefix(prefix)
    return "VERSION" if short == "PROTOCOL_VERSION" else short


def shouting(name: str) -> str:
    """Return a class name in capitals: MessageType is MESSAGE_TYPE."""
    letters: list[str] = []
    for index, letter in enumerate(name):
        if letter.isupper() and index:
            letters.append("_")
        letters.append(letter.upper())
    return "".join(letters)


def enum_members(members: Mapping[str, int]) -> dict[str, int]:
    """Return an enum's members without the words that all of them begin with."""
    least, most = (min(members), max(members)) if len(members) > 1 else ("", "")
    alike = next((i for i, letter in enumerate(least) if most[i : i + 1] != letter), len(least))
    start = least.rfind("_", 0, alike) + 1
    return {_as_name(name[start:], name): value for name, value in members.items()}


def enum_constants(enum_class: str, members: Mapping[str, int]) -> dict[str, int]:
    """Return an enum's members as constants of a module: MESSAGE_TYPE_CALL for MessageType.CALL."""
    prefix = shouting(enum_class)
    return {f"{prefix}_{name}": value for name, value in enum_members(members).items()}


def _as_name(short: str, whole: str) -> str:
    return short if short.isidentifier() and not keyword.iskeyword(short) else whole


def group_name(name: str) -> str:
    """Return the group of a procedure (or of an enum, in capitals) of a large program."""
    for group, start, words in _GROUPS:
        if name.startswith(start) and (not words or any(word in name for word in words)):
            return group
    return name.partition("_")[0].lower()
