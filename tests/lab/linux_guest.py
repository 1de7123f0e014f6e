"""A Linux guest: 128 MiB, emulated, with a disk, a balloon and a guest agent that answers.

Responsible for its files, its domain XML and for noticing that it is up: it says so on its second
serial line, whose other end is here. Its first serial line is the console, which is the daemon's.
It must not know how a domain gets defined or started.
"""

from __future__ import annotations

import select
import shutil
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.lab.guest_image import kept_image

__all__ = ["READY", "LinuxGuest", "Nic"]

READY = b"guest is ready"

_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  {room}<memory unit='KiB'>{memory_kib}</memory>
  <vcpu current='{vcpus}'>{max_vcpus}</vcpu>
  <iothreads>1</iothreads>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{first_files}</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 mitigations=off {words}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='pty'><target port='0'/></serial>
    <serial type='unix'><source mode='connect' path='{line}'/><target port='1'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    {devices}
  </devices>
</domain>
"""

_ROOM = """\
<maxMemory slots='1' unit='KiB'>{all}</maxMemory>
  <cpu><numa><cell id='0' cpus='0-{last}' memory='{own}' unit='KiB'/></numa></cpu>
  """
_MEMORY_DEVICE = """\
<memory model='virtio-mem'><target>
  <size unit='KiB'>{size}</size><node>0</node><block unit='KiB'>2048</block>
  <requested unit='KiB'>0</requested>
</target></memory>"""


@dataclass(frozen=True)
class Nic:
    """A network card on a libvirt network; the guest asks for an address before it is ready."""

    network: str
    mac: str
    nwfilter: str = ""

    @property
    def xml(self) -> str:
        """The interface element."""
        filtered = f"<filterref filter='{self.nwfilter}'/>" if self.nwfilter else ""
        return (
            f"<interface type='network'><mac address='{self.mac}'/>"
            f"<source network='{self.network}'/><model type='virtio'/>{filtered}</interface>"
        )


class LinuxGuest:
    """What a Linux guest needs on this side; a context manager around all that happens to it."""

    memory_kib = 128 * 1024

    def __init__(
        self,
        folder: Path,
        name: str = "linux",
        *,
        vcpus: int = 1,
        max_vcpus: int | None = None,
        nic: Nic | None = None,
        graphics: bool = False,
        devices: str = "",
        memory_device_kib: int = 0,
    ) -> None:
        """Describe a guest.

        ``folder`` has to be one that its daemons see too. ``graphics`` gives it a VGA card and a
        VNC server on a unix socket; ``devices`` is more XML for its devices element.
        ``memory_device_kib`` gives it a memory device of that size, from which nothing is requested
        yet, and twice the memory beside it, since Linux needs some to take it up.
        """
        self.name = name
        self.uuid = uuid.uuid4()
        self.disk = folder / f"{name}.qcow2"
        self.vnc_socket = folder / f"{name}.vnc"
        self._vcpus = vcpus
        self._max_vcpus = max_vcpus or vcpus
        self._nic = nic
        self._graphics = graphics
        self._devices = devices
        self._memory_device_kib = memory_device_kib
        self._line = folder / f"{name}.line"
        self._listener: socket.socket | None = None
        self._lines: list[socket.socket] = []

    def __enter__(self) -> LinuxGuest:
        shutil.copy(kept_image().disk, self.disk)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._line))
        # A QEMU whose connection finds no place does not start, and each migration is another one.
        self._listener.listen(1024)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connected in (self._listener, *self._lines):
            if connected is not None:
                connected.close()
        self._lines.clear()
        self._line.unlink(missing_ok=True)
        self.disk.unlink(missing_ok=True)

    @property
    def xml(self) -> str:
        """The domain XML."""
        image = kept_image()
        devices = [self._devices]
        if self._nic is not None:
            devices.append(self._nic.xml)
        if self._graphics:
            devices.append(f"<graphics type='vnc' socket='{self.vnc_socket}'/>")
            devices.append("<video><model type='vga' vram='16384'/></video>")
        return _DOMAIN.format(
            name=self.name,
            uuid=self.uuid,
            **self._memory(devices),
            vcpus=self._vcpus,
            max_vcpus=self._max_vcpus,
            kernel=image.kernel,
            first_files=image.first_files,
            words="dhcp" if self._nic is not None else "",
            disk=self.disk,
            line=self._line,
            devices="".join(devices),
        )

    def _memory(self, devices: list[str]) -> dict[str, object]:
        """Return what the XML says of memory, and add the memory device to ``devices``."""
        if not self._memory_device_kib:
            return {"room": "", "memory_kib": self.memory_kib}
        own, more = 2 * self.memory_kib, self._memory_device_kib
        devices.append(_MEMORY_DEVICE.format(size=more))
        room = _ROOM.format(own=own, last=self._max_vcpus - 1, all=own + more)
        return {"room": room, "memory_kib": own + more}

    def wait_until_ready(self, timeout_s: float = 90.0) -> None:
        """Wait until a guest that was started, or started anew, is up; TimeoutError if it is not.

        Every start and every reset is announced once. The agent's channel is open by then.
        """
        assert self._listener is not None
        deadline = time.monotonic() + timeout_s
        heard = dict.fromkeys(self._lines, b"")
        while (left := deadline - time.monotonic()) > 0:
            for ready in select.select([self._listener, *self._lines], [], [], left)[0]:
                if ready is self._listener:
                    line, _ = self._listener.accept()
                    self._lines.append(line)
                    heard[line] = b""
                elif part := ready.recv(1024):
                    heard[ready] += part
                    if READY in heard[ready]:
                        return
                else:  # that QEMU is gone; another one may come
                    ready.close()
                    self._lines.remove(ready)
        raise TimeoutError(f"the guest {self.name} was not up within {timeout_s:g} s")
