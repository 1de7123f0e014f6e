"""What can be made of a running QEMU's events: most of it by what its guest writes to its ports.

Responsible for the acts on the scene "ports", in an order in which each finds the guest as it needs
it. It must not know who listens.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.differential.events.cause import Cause
from tests.differential.events.monitor import say_nonsense
from tests.differential.events.scenes import PAIR, PORTS, Scene, seen_by

__all__ = ["MOVING", "ON_PORTS"]

# Flags and kinds of libvirt's API.
_LIVE, _ELEMENT, _PIVOT, _TRANSIENT_JOB, _HMP, _SAVED_PAUSED = 1, 2, 2, 4, 1, 4
_LIVE_BY_ITSELF = 1 | 2 | 512

# virDomainState.
_RUNNING, _ASLEEP = 1, 7

# Ports of the machine that QEMU calls "pc", and what is written there.
_CLOCK_INDEX, _CLOCK, _HOURS = 0x70, 0x71, 4
_WATCHDOG, _AT_ONCE = 0x443, 0xF
_SLEEP, _NOW, _TO_MEMORY, _TO_DISK = 0x604, 1 << 13, 1 << 10, 2 << 10
_PANIC, _PANICKED, _CRASH_LOADED = 0x505, 1, 2
_SLOT, _OST_EVENT, _OST_STATUS, _EJECTION, _NOT_NOW = 0xA00, 0xA04, 0xA08, 3, 0x81

_MOUSE = "<input type='mouse' bus='usb'><alias name='ua-mouse'/></input>"
_MEDIUM = """\
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
<source file='{folder}/two.iso'/><target dev='hdc' bus='ide'/><readonly/></disk>"""
_COPY = "<disk type='file'><source file='{folder}/copy.qcow2'/><driver type='qcow2'/></disk>"
_BACKUP = """\
<domainbackup><disks>
<disk name='hda' type='file'><target file='{folder}/kept.qcow2'/><driver type='qcow2'/></disk>
<disk name='hdb' backup='no'/>
</disks></domainbackup>"""
_MACHINE_CHECK = "mce 0 1 0xb200000000000000 0 0 0"


def _call(method: str, *args: Any) -> Callable[[Scene], object]:
    """Return an act that is one call."""
    return lambda scene: scene.ask_domain(method, *map(scene.filled, args))


def _reset(scene: Scene) -> None:
    scene.ask_domain("reset", 0)
    scene.hand.await_start()


def _set_clock(scene: Scene) -> None:
    scene.hand.write(_CLOCK_INDEX, _HOURS)
    scene.hand.write(_CLOCK, 0x05)


def _starve_watchdog(scene: Scene) -> None:
    scene.hand.send((_WATCHDOG, _AT_ONCE, 1))


def _write_to_full_disk(scene: Scene) -> None:
    scene.hand.write_sector(1, 100)


def _go_on_with_room(scene: Scene) -> None:
    (seen_by(scene, scene.folder / "full") / "filler").unlink()
    scene.ask_domain("resume")


def _look_at_screen(scene: Scene) -> None:
    """Do what a VNC client does: agree on a version, on no proof, and say hello."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60.0)
        client.connect(str(scene.folder / "vnc"))
        client.sendall(client.recv(12, socket.MSG_WAITALL))
        client.recv(client.recv(1)[0], socket.MSG_WAITALL)
        client.sendall(b"\1")
        client.recv(4, socket.MSG_WAITALL)
        client.sendall(b"\1")
        client.recv(24, socket.MSG_WAITALL)


def _refuse_removal(scene: Scene) -> None:
    """Say of the DIMM what an operating system says that cannot do without it."""
    for port, value in ((_SLOT, 0), (_OST_EVENT, _EJECTION), (_OST_STATUS, _NOT_NOW)):
        scene.hand.write(port, value, 4)


def _write_beyond_threshold(scene: Scene) -> None:
    scene.ask_domain("setBlockThreshold", "hda", 4096, 0)
    scene.hand.write_sector(0, 1000)


def _check_machine(scene: Scene) -> None:
    scene.ask_domain("libvirt_qemu.qemuMonitorCommand", _MACHINE_CHECK, _HMP)
    # Nobody has told it what to do then: it starts anew.
    scene.hand.await_start()


def _sleep(depth: int, scene: Scene) -> None:
    scene.hand.send((_SLEEP, _NOW | depth, 2))


def _wake_up(scene: Scene) -> None:
    _sleep(_TO_MEMORY, scene)
    scene.await_state(_ASLEEP)
    scene.ask_domain("pMWakeup", 0)
    scene.await_state(_RUNNING)
    # It wakes up in firmware that knows nothing to go on with.
    _start_anew(scene)


def _panic(how: int, scene: Scene) -> None:
    scene.hand.send((_PANIC, how, 1))


def _save_and_restore(scene: Scene) -> None:
    path = str(scene.folder / "saved")
    scene.ask_domain("save", path)
    scene.ask("restore", path)
    scene.hand.take_line()
    scene.ask_domain("save", path)
    scene.ask("restoreFlags", path, None, _SAVED_PAUSED)
    scene.hand.take_line()
    scene.ask_domain("resume")


def _start_anew(scene: Scene) -> None:
    scene.ask_domain("destroy")
    scene.start()


def _kill(scene: Scene) -> None:
    os.kill(scene.qemu_pid, signal.SIGKILL)


def _go(scene: Scene) -> None:
    """Have the guest moved to the other daemon, and back."""
    here, there = scene.roads
    path = (("lookupByName", scene.guest.name),)
    for way, (target, socket_path) in (((), there), ((("@connection", there[0]),), here)):
        params = {"migrate_uri": f"unix://{socket_path}"}
        scene.binding.ask_at((*way, *path), "migrateToURI3", target, params, _LIVE_BY_ITSELF)
        scene.hand.take_line()


def _lose_control(scene: Scene) -> None:
    say_nonsense(scene.qemu_pid)


_L = "DomainLifecycle "
_STOPPED_BY_HOST = (f"{_L}SHUTDOWN HOST", f"{_L}STOPPED DESTROYED")
_BOOTED = (f"{_L}RESUMED UNPAUSED", f"{_L}STARTED BOOTED")
_PAUSED = (f"{_L}SUSPENDED PAUSED", f"{_L}RESUMED UNPAUSED")


def _on(told: str, act: Callable[[Scene], object], *brings: str, paused: bool = False) -> Cause:
    return Cause(PORTS, told, act, brings, paused)


ON_PORTS: tuple[Cause, ...] = (
    _on(
        "a domain starts whose optional disks have no files",
        _start_anew,
        *_STOPPED_BY_HOST,
        "DomainDiskChange",
        "DomainDiskChange",
        *_BOOTED,
    ),
    _on(
        "a domain is paused and goes on",
        lambda scene: (_call("suspend")(scene), _call("resume")(scene)),
        *_PAUSED,
        "QemuMonitorEvent",
        "QemuMonitorEvent",
    ),
    _on("a reset", _reset, "DomainReboot", "QemuMonitorEvent"),
    _on("the guest sets its clock", _set_clock, "DomainRTCChange"),
    _on(
        "the guest lets its watchdog run out, which pauses it",
        _starve_watchdog,
        "DomainWatchdog",
        f"{_L}SUSPENDED WATCHDOG",
    ),
    _on(
        "a guest that its watchdog paused goes on",
        _call("resume"),
        f"{_L}RESUMED UNPAUSED",
        paused=True,
    ),
    _on(
        "the guest writes to a disk whose file system is full",
        _write_to_full_disk,
        "DomainIOError",
        "DomainIOErrorReason",
        f"{_L}SUSPENDED IOERROR",
    ),
    _on(
        "there is room again, and the guest goes on",
        _go_on_with_room,
        f"{_L}RESUMED UNPAUSED",
        paused=True,
    ),
    _on("a VNC client comes and goes", _look_at_screen, *["DomainGraphics"] * 3),
    _on(
        "the guest writes to a disk beyond the threshold set",
        _write_beyond_threshold,
        "DomainBlockThreshold",
    ),
    _on(
        "a disk is copied until the copy is the same",
        _call("blockCopy", "hda", _COPY, None, _TRANSIENT_JOB),
        "DomainBlockJob",
        "DomainBlockJob2",
    ),
    _on(
        "the guest goes on with the copy",
        _call("blockJobAbort", "hda", _PIVOT),
        "DomainBlockJob",
        "DomainBlockJob2",
    ),
    _on(
        "another CD is put in",
        _call("updateDeviceFlags", _MEDIUM, _LIVE),
        "DomainTrayChange",
        "DomainTrayChange",
    ),
    _on("a mouse is plugged in", _call("attachDeviceFlags", _MOUSE, _LIVE), "DomainDeviceAdded"),
    _on("a mouse is pulled out", _call("detachDeviceFlags", _MOUSE, _LIVE), "DomainDeviceRemoved"),
    _on("the guest refuses to let go of a DIMM", _refuse_removal, "DomainDeviceRemovalFailed"),
    _on(
        "a disk is throttled",
        _call("setBlockIoTune", "hda", {"total_iops_sec": 100_000}, _LIVE),
        "DomainTunable",
    ),
    _on(
        "a note is made on a domain",
        _call("setMetadata", _ELEMENT, "<a/>", "k", "urn:k", _LIVE),
        "DomainMetadataChange",
    ),
    _on(
        "a domain gets a title",
        _call("setMetadata", 1, "t", None, None, _LIVE),
        "DomainMetadataChange",
    ),
    _on("a disk is backed up", _call("backupBegin", _BACKUP, None, 0), "DomainJobCompleted"),
    _on(
        "a domain is saved to a file and restored, then again to be paused",
        _save_and_restore,
        f"{_L}SUSPENDED PAUSED",
        "DomainMigrationIteration",
        "DomainJobCompleted",
        f"{_L}STOPPED SAVED",
        f"{_L}STARTED RESTORED",
        f"{_L}RESUMED FROM_SNAPSHOT",
        f"{_L}SUSPENDED RESTORED",
    ),
    _on(
        "the processor reports damaged memory",
        _check_machine,
        "DomainMemoryFailure",
        "DomainReboot",
    ),
    _on(
        "the guest sleeps and is woken",
        _wake_up,
        "DomainPMSuspend",
        f"{_L}PMSUSPENDED MEMORY",
        "DomainPMWakeup",
        f"{_L}STARTED WAKEUP",
    ),
    _on(
        "the guest sleeps as if its memory were on disk",
        partial(_sleep, _TO_DISK),
        "DomainPMSuspendDisk",
        f"{_L}PMSUSPENDED DISK",
        f"{_L}SHUTDOWN GUEST",
        f"{_L}STOPPED SHUTDOWN",
    ),
    _on("the guest panics", partial(_panic, _PANICKED), f"{_L}CRASHED PANICKED"),
    _on(
        "the guest hands over to its crash kernel",
        partial(_panic, _CRASH_LOADED),
        f"{_L}CRASHED CRASHLOADED",
    ),
    _on("QEMU is killed", _kill, f"{_L}STOPPED FAILED"),
    _on("QEMU talks nonsense on its monitor", _lose_control, "DomainControlError"),
)

MOVING: tuple[Cause, ...] = (
    Cause(
        PAIR,
        "a domain moves to another host, and back",
        _go,
        (
            f"{_L}SUSPENDED MIGRATED",
            "DomainMigrationIteration",
            "DomainJobCompleted",
            f"{_L}STOPPED MIGRATED",
            f"{_L}STARTED MIGRATED",
            f"{_L}RESUMED MIGRATED",
        ),
    ),
)
