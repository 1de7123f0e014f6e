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

# 16-bit real mode, loaded at 0x7C00. The serial line's own registers (0x3F8 and up), since the BIOS
# takes ten milliseconds a byte. It sleeps until the line, or the clock, interrupts it.
_PROGRAM = bytes.fromhex(
    "fa 31c0 8ed8 8ed0 bc007c"  #    00        cli; ds = ss = 0; sp = 0x7C00
    "c7063000547c a33200"  #         0a        interrupt 0Ch: wake
    "be5b7c b90700"  #               13        si = ports; 7 times
    "ad 92 ac ee e2fa"  #            19        write a value to a port
    "e421 24ef e621"  #              1f        let the line's interrupts through
    "ac 84c0 7405 e81700 ebf6"  #    25 next   al = [si++]; at 0 go to echo; send; go to next
    "fa bafd03 ec a801 7504"  #      2f echo   when a byte is there, go to read
    "fb f4 ebf3"  #                  38        wait for an interrupt; go to echo
    "b2f8 ec e80200 ebeb"  #         3c read   al = the byte; send; go to echo
    "88c4 bafd03"  #                 44 send
    "ec a820 74fb"  #                49        wait until there is room
    "b2f8 88e0 ee c3"  #             4e        write al; return
    "50 b020 e620 58 cf"  #          54 wake   say that the interrupt was heard
    "fb03 83 f803 01 f903 00"  #     5b ports  115200 baud,
    "fb03 03 fa03 07"  #             64        8N1, queues of the line on,
    "f903 01 fc03 0b"  #             6a        interrupts on
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
