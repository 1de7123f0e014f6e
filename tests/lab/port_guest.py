"""A guest that is a hand on its machine's ports: what is asked on its serial line, it writes there.

So a test does what an operating system would: sets the clock, arms the watchdog, writes to a disk,
sleeps, panics. Responsible for the guest's boot sector, the devices it has, and the words of its
serial line. Emulated (TCG), without an operating system. It must not know how a domain gets defined
or started.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import uuid
from pathlib import Path

__all__ = ["PortGuest"]

# 16-bit real mode, loaded at 0x7C00. It polls its serial line (0x3F8 and up) for 7 bytes: how many
# bytes to write (1, 2, 4), the port, the value; each thing done is one byte back.
_PROGRAM = bytes.fromhex(
    "fa fc 31c0 8ed8 8ec0 8ed0 bc007c"  # 00       cli; cld; ds = es = ss = 0; sp = 0x7C00
    "be6b7c b90400"  #                     0d       si = ports; 4 times
    "ad 92 ac ee e2fa"  #                  13       write a value to a port
    "b021 e83d00"  #                       19       send "!"
    "bf0005 b90700"  #                     1e next  di = 0x500; 7 times
    "e82800 aa e2fa"  #                    24       read to [di++]
    "8b160105 66a10305 8a1e0005"  #        2a       dx = the port; eax = the value; bl = its size
    "80fb01 740c 80fb02 7404"  #           36       at 1 go to byte, at 2 to word
    "66ef eb04 ef eb01 ee"  #              40       write 4 bytes; word: 2; byte: 1
    "b02e e80e00 ebcf"  #                  48       send "."; go to next
    "bafd03 ec a801 74fb b2f8 ec c3"  #    4f read  wait for a byte; al = it; return
    "88c4 bafd03 ec a820 74fb"  #          5b send  wait until there is room
    "b2f8 88e0 ee c3"  #                   65       write al; return
    "fb03 83 f803 01 f903 00 fb03 03"  #   6b ports 115200 baud
)
_SECTOR = 512
_DISK_SIZE = 1024 * 1024

_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <maxMemory slots='2' unit='KiB'>131072</maxMemory>
  <memory unit='KiB'>{memory_kib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <cpu><numa><cell id='0' cpus='0' memory='16384' unit='KiB'/></numa></cpu>
  <on_crash>preserve</on_crash>
  <pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{disk}'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <serial type='unix'><source mode='connect' path='{line}'/></serial>
    <memballoon model='none'/>
    <memory model='dimm'><target><size unit='KiB'>16384</size><node>0</node></target></memory>
    <watchdog model='ib700' action='pause'/>
    <panic model='isa'/>
    {devices}
  </devices>
</domain>
"""


class PortGuest:
    """What the guest needs on this side; a context manager around all that happens to it."""

    # With a DIMM of 16 MiB in a slot.
    memory_kib = 32 * 1024

    def __init__(self, folder: Path, name: str = "ports", *, devices: str = "") -> None:
        """``folder`` has to be one that the daemon sees too; ``devices`` is more XML of devices."""
        self.name = name
        self.uuid = uuid.uuid4()
        self.disk = folder / f"{name}.qcow2"
        self._devices = devices
        self._line_path = folder / f"{name}.line"
        self._listener: socket.socket | None = None
        self._line: socket.socket | None = None
        # How many writes the guest has not said yet to have done.
        self._due = 0

    def __enter__(self) -> PortGuest:
        raw = self.disk.with_suffix(".raw")
        sector = _PROGRAM.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"
        raw.write_bytes(sector.ljust(_DISK_SIZE, b"\0"))
        command = ["qemu-img", "convert", "-O", "qcow2", str(raw), str(self.disk)]
        subprocess.run(command, check=True, capture_output=True)
        raw.unlink()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._line_path))
        self._listener.listen(16)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each in (self._line, self._listener):
            if each is not None:
                each.close()
        self._line_path.unlink(missing_ok=True)
        self.disk.unlink(missing_ok=True)

    @property
    def xml(self) -> str:
        """The domain XML."""
        return _DOMAIN.format(
            name=self.name,
            uuid=self.uuid,
            memory_kib=self.memory_kib,
            disk=self.disk,
            line=self._line_path,
            devices=self._devices,
        )

    def pick_up(self, timeout_s: float = 60.0) -> None:
        """Take the serial line of a guest that was started, and wait until it listens."""
        self.take_line(timeout_s)
        self.await_start()

    def take_line(self, timeout_s: float = 60.0) -> None:
        """Take the serial line of a guest that goes on in another QEMU."""
        assert self._listener is not None
        if self._line is not None:
            self._line.close()
        self._listener.settimeout(timeout_s)
        self._line, _ = self._listener.accept()
        self._line.settimeout(timeout_s)
        self._due = 0

    def await_start(self) -> None:
        """Wait until a guest that was reset listens again."""
        assert self._line is not None
        while (part := self._line.recv(1)) != b"!":
            if not part:
                raise EOFError("the guest hung up")
        self._due = 0

    def write(self, port: int, value: int, size: int = 1) -> None:
        """Write a value of 1, 2 or 4 bytes to a port, and wait until that is done."""
        self.send((port, value, size))
        self._settle(0)

    def send(self, *writes: tuple[int, int, int]) -> None:
        """Have values written (port, value, size) without waiting for what becomes of it."""
        assert self._line is not None
        packed = (struct.pack("<BHI", size, port, value) for port, value, size in writes)
        self._line.sendall(b"".join(packed))
        self._due += len(writes)

    def write_sector(self, unit: int, sector: int) -> None:
        """Have a sector of an IDE disk of the first controller filled.

        ``unit`` is 0 for hda, 1 for hdb. What becomes of it is not waited for.
        """
        place = [(0x1F3 + byte, sector >> 8 * byte & 0xFF, 1) for byte in range(3)]
        head = [(0x1F6, 0xE0 | unit << 4, 1), (0x1F2, 1, 1), *place, (0x1F7, 0x30, 1)]
        self.send(*head, *([(0x1F0, 0xAAAA, 2)] * (_SECTOR // 2)))
        # With the last word the disk begins, and may stop the guest.
        self._settle(1)

    def _settle(self, left: int) -> None:
        """Read what the guest has said of things done: its line holds a few hundred bytes."""
        assert self._line is not None
        while self._due > left:
            said = self._line.recv(self._due - left)
            if not said:
                raise EOFError("the guest hung up")
            self._due -= len(said)
