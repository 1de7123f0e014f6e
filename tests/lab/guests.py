"""A tiny guest: 16 MiB, no operating system, a serial line that greets and then echoes.

Responsible for the guest's boot disk and its domain XML. It is emulated (TCG), so it runs on any
machine; KVM is never asked for. It must not know how a domain gets defined or started.
"""

from __future__ import annotations

import socket
import uuid
from pathlib import Path

__all__ = ["GREETING", "EchoGuest", "boot_disk"]

GREETING = b"guest is up\r\n"

# 16-bit real mode, loaded at 0x7C00; the serial line by BIOS calls (int 14h: ah 0 set up, 1 send,
# 2 receive, 3 status).
_PROGRAM = bytes.fromhex(
    "fa 31c0 8ed8 8ed0 bc007c fb"  # 00       cli; ds = ss = 0; sp = 0x7C00; sti
    "31d2 b8e300 cd14"  #            0b       dx = 0 (COM1); 9600 8N1
    "be367c"  #                      12       si = greeting
    "ac 84c0 7406"  #                15 next  al = [si++]; at 0 go to echo
    "b401 cd14 ebf5"  #              1a       send al; go to next
    "b403 cd14 f6c401 7503"  #       20 echo  when a byte is there, go to read
    "f4 ebf4"  #                     29       wait for the clock's tick; go to echo
    "b402 cd14 b401 cd14 ebea"  #    2c read  receive al; send al; go to echo
)
_SECTOR = 512
_DISK_SIZE = 1024 * 1024

_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>{memory_kib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{disk}'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <serial type='unix'><source mode='connect' path='{line}'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def boot_disk() -> bytes:
    """Return the raw disk image that the guest boots from."""
    code = _PROGRAM + GREETING + b"\0"
    sector = code.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"
    return sector.ljust(_DISK_SIZE, b"\0")


class EchoGuest:
    """What a guest needs on this side: its disk, its XML and the far end of its serial line.

    Use it as a context manager around everything that happens to the domain.
    """

    memory_kib = 16 * 1024

    def __init__(self, folder: Path, name: str = "echo") -> None:
        """``folder`` has to be one that the daemon sees too, such as ``PrivateDaemon.folder``."""
        self.name = name
        self.uuid = uuid.uuid4()
        self._disk = folder / f"{name}.img"
        self._line = folder / f"{name}.line"
        self._listener: socket.socket | None = None

    def __enter__(self) -> EchoGuest:
        self._disk.write_bytes(boot_disk())
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._line))
        self._listener.listen()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._listener is not None:
            self._listener.close()
        self._line.unlink(missing_ok=True)
        self._disk.unlink(missing_ok=True)

    @property
    def xml(self) -> str:
        """The domain XML."""
        return _DOMAIN.format(
            name=self.name,
            uuid=self.uuid,
            memory_kib=self.memory_kib,
            disk=self._disk,
            line=self._line,
        )

    def talk(self, words: bytes, timeout_s: float = 60.0) -> bytes:
        """Take the serial line of the running guest, say ``words`` and return all it said back."""
        assert self._listener is not None
        self._listener.settimeout(timeout_s)
        line, _ = self._listener.accept()
        with line:
            line.settimeout(timeout_s)
            heard = _read_until(line, GREETING)
            for number in range(len(words)):  # the guest's serial port has room for one byte
                line.sendall(words[number : number + 1])
                heard += line.recv(1)
            return heard


def _read_until(line: socket.socket, last: bytes) -> bytes:
    heard = b""
    while not heard.endswith(last):
        part = line.recv(1024)
        if not part:
            raise EOFError(f"the guest hung up after {heard!r}")
        heard += part
    return heard
