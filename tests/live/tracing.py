"""Programs under ``virtproto trace``, and Wireshark on the same bytes.

Responsible for running a program with the trace and without, for leading what it says over the
loopback device, where Wireshark sees it, and for holding the two accounts of it against each other,
message for message. Must not know what the programs do.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.capture import Capture, Message
from tests.lab.place import repository
from tests.lab.relay import TcpRelay
from tests.live.dissection import Comparison
from virtproto.model.plain import from_json
from virtproto.trace.printing.as_json import STATUSES, TYPES
from virtproto.wire import load_contract
from virtproto.xdr.reference import ReferenceCodec

__all__ = ["Account", "Ran", "differences", "run", "trace_command", "watched"]

_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Ran:
    """How a program ended, and what it said."""

    code: int
    output: bytes
    errors: bytes


def run(command: Sequence[str], stdin: bytes = b"") -> Ran:
    """Run a program to its end."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=_PATIENCE_S, cwd=repository
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def trace_command(report: Path, *command: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command that traces another, and writes what it saw to ``report`` as JSON."""
    own = ["--json", "--show-secrets", "--output", str(report), *options]
    return [sys.executable, "-m", "virtproto", "trace", *own, "--", *command]


@dataclass
class Account:
    """What the trace told of one program: its messages, by conversation."""

    conversations: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Path) -> Account:
        account = cls()
        for line in report.read_text().splitlines():
            told = json.loads(line)
            if "serial" in told:
                account.conversations.setdefault(told["conversation"], []).append(told)
        return account

    @property
    def procedures(self) -> list[str]:
        """The procedures called, in order."""
        return [
            message["procedure"]
            for messages in self.conversations.values()
            for message in messages
            if message["kind"] == "call"
        ]


@contextlib.contextmanager
def watched(
    folder: Path, *sockets: str
) -> Iterator[tuple[list[str], Callable[[], list[list[Message]]]]]:
    """Lead ``sockets`` over the loopback device; yield new ones, and what Wireshark saw of each.

    The second is to be asked behind the block.
    """
    with contextlib.ExitStack() as stack:
        captures = []
        paths = []
        for number, socket in enumerate(sockets):
            relay = stack.enter_context(TcpRelay(socket))
            place = folder / f"wire-{number}"
            place.mkdir()
            captures.append(stack.enter_context(Capture(relay.port, place)))
            paths.append(relay.socket_path)
        yield paths, lambda: [capture.messages() for capture in captures]


class _Differences:
    def __init__(self) -> None:
        self.contract = load_contract()
        self.codec = ReferenceCodec(self.contract)
        self.comparison = Comparison(self.contract)
        self.found: list[str] = []

    def compare(self, seen: Message, told: dict[str, Any]) -> None:
        """Note where Wireshark and the trace tell different things of one message."""
        where = f"{told['from']} {told['procedure']} {told['kind']} #{told['serial']}"
        header = {each.name: int(each.show, 0) for each in seen.fields[:7]}
        ours = {
            "libvirt.length": told["size"],
            "libvirt.program": told["program_number"],
            "libvirt.version": told["version"],
            "libvirt.procedure": told["procedure_number"],
            "libvirt.type": TYPES.index(told["type"]),
            "libvirt.serial": told["serial"],
            "libvirt.status": STATUSES.index(told["status"]),
        }
        if header != ours:
            self.found.append(f"{where}: Wireshark sees {header}, we {ours}")
        # Of a stream's data the dissector expects what XDR would fill it up with; there is no such
        # filling on the wire.
        if seen.malformed and told["kind"] != "data":
            self.found.append(f"{where}: malformed, says Wireshark")
        self._compare_payload(where, seen, told)

    def _compare_payload(self, where: str, seen: Message, told: dict[str, Any]) -> None:
        payload = seen.fields[7:]
        odd = [told[key] for key in ("problems", "oddity") if told.get(key)]
        if odd:
            self.found.append(f"{where}: we find {odd}")
        type_name = self._type_of(told)
        if type_name is None:
            if told["kind"] != "data" and any(each.size for each in payload):
                self.found.append(f"{where}: Wireshark sees a payload, we none")
            return
        [field] = payload
        plain = from_json(self.contract, type_name, told["fields"])
        # What is printed is all there is: the bytes can be made of it again.
        packed = self.codec.encode(type_name, plain)
        whole = self.codec.decode(type_name, packed, exact=True)
        more = self.comparison.differences(field, type_name, whole)
        self.found += [f"{where}: {each}" for each in more]

    def _type_of(self, told: dict[str, Any]) -> str | None:
        kind = told["kind"]
        if kind in ("ping", "pong", "data", "end", "finish"):
            return None
        if told["status"] == "error":
            return None if told["from"] == "client" else "remote_error"
        if kind == "hole":
            return "virNetStreamHole"
        declared = self.contract.procedure(told["program_number"], told["procedure_number"])
        by_kind = {"call": declared.args, "reply": declared.ret, "event": declared.msg}
        return by_kind[kind]


def differences(seen: Sequence[Message], told: Sequence[dict[str, Any]]) -> tuple[list[str], int]:
    """Return where two accounts of a conversation differ, and how many fields were compared."""
    noted = _Differences()
    for from_client in (True, False):
        sender = "client" if from_client else "daemon"
        theirs = [message for message in seen if message.from_client == from_client]
        ours = [message for message in told if message["from"] == sender]
        if len(theirs) != len(ours):
            noted.found.append(f"Wireshark sees {len(theirs)} of the {sender}'s, we {len(ours)}")
        for one, other in zip(theirs, ours, strict=False):
            noted.compare(one, other)
    return noted.found, noted.comparison.leaves
