"""A relayed conversation as Wireshark sees it.

Responsible for running tshark on the loopback device, for knowing that it really captures, and for
handing out what its libvirt dissector made of each message as plain trees of names and values. It
must not know what the fields should hold.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import select
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.place import LabMissingError

__all__ = ["Capture", "Field", "Message"]

_PATIENCE_S = 30.0


@dataclass
class Field:
    """One field of the dissection: its place in the frame's data, what it shows, what is in it."""

    name: str
    position: int
    size: int
    show: str
    value: bytes
    label: str
    fields: list[Field] = field(default_factory=list)


@dataclass
class Message:
    """One libvirt message that Wireshark found; ``from_client`` tells its direction."""

    from_client: bool
    malformed: bool
    fields: list[Field]


class Capture:
    """Everything on TCP ``port`` of the loopback device during a ``with`` block."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._file = folder / "capture.pcapng"
        self._said = folder / "tshark.stderr"
        self._shown = b""
        self._tshark: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Capture:
        if shutil.which("tshark") is None:
            raise LabMissingError("tshark is not installed on this machine: run ./test")
        ports = f"tcp port {self._port} or udp port {self._port}"
        shown = ["-P", "-l", "-T", "fields", "-e", "data.data"]
        with open(self._said, "wb") as stderr:
            self._tshark = subprocess.Popen(
                ["tshark", "-i", "lo", "-f", ports, "-w", str(self._file), *shown],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        self._mark()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._tshark is not None
        try:
            if exc_info[0] is None:
                self._mark()
            self._tshark.send_signal(signal.SIGINT)
            self._tshark.communicate(timeout=_PATIENCE_S)
        finally:
            self._tshark.kill()
            self._tshark.wait()

    def messages(self) -> list[Message]:
        """Return the libvirt messages, in the order in which they were on the wire."""
        decoded = subprocess.run(
            [
                *("tshark", "-r", str(self._file), "-d", f"tcp.port=={self._port},libvirt"),
                *("-Y", "libvirt || _ws.malformed", "-T", "pdml"),
            ],
            check=True,
            capture_output=True,
        )
        found: list[Message] = []
        for packet in ElementTree.fromstring(decoded.stdout):
            found += self._messages_of(packet)
        return found

    def _messages_of(self, packet: ElementTree.Element) -> list[Message]:
        target = packet.find("./proto[@name='tcp']/field[@name='tcp.dstport']")
        from_client = target is not None and target.get("show") == str(self._port)
        malformed = packet.find(".//*[@name='_ws.malformed']") is not None
        return [
            Message(from_client, malformed, _fields_of(layer))
            for layer in packet.findall("./proto[@name='libvirt']")
        ] or [Message(from_client, malformed, [])]

    def _mark(self) -> None:
        """Send a datagram over the captured port until tshark tells that it has seen it.

        What "Capturing on" promises comes true only later, and packets are captured in order: once
        the mark is there, so is all that was sent before it.
        """
        # What passes is shown as well, and holds all sorts of words.
        words = secrets.token_bytes(16)
        deadline = time.monotonic() + _PATIENCE_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while time.monotonic() < deadline:
                with contextlib.suppress(ConnectionRefusedError):  # of course nobody listens
                    sender.sendto(words, ("127.0.0.1", self._port))
                if self._saw(words):
                    return
        raise LabMissingError(f"tshark captures nothing: {self._said.read_text().strip()}")

    def _saw(self, words: bytes) -> bool:
        assert self._tshark is not None
        assert isinstance(self._tshark.stdout, io.BufferedReader)
        while select.select([self._tshark.stdout], [], [], 0.1)[0]:
            data = self._tshark.stdout.read1(65536)
            if not data:
                raise LabMissingError(f"tshark ended: {self._said.read_text().strip()}")
            self._shown += data
            if words.hex().encode() in self._shown:
                return True
        return False


def _fields_of(parent: ElementTree.Element) -> list[Field]:
    return [
        Field(
            name=element.get("name", ""),
            position=int(element.get("pos", "0")),
            size=int(element.get("size", "0")),
            show=element.get("show", ""),
            value=bytes.fromhex(element.get("value", "")),
            label=element.get("showname", ""),
            fields=_fields_of(element),
        )
        for element in parent
        if element.tag == "field"
    ]
