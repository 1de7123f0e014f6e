"""Recordings made by hand: what a client and a daemon said, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virtproto.protocol.framing import Packet
from virtproto.protocol.server import pack_error
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import (
    BEGIN,
    END,
    FROM_CLIENT,
    LEFT_OUT,
    MASKED,
    PACKET,
    pack_head,
    pack_record,
)
from virtproto.trace.replaying.recalling import Recalled
from virtproto.trace.telling import Teller
from virtproto.wire import find_procedure, remote

CALL, REPLY, MESSAGE, STREAM, HOLE = 0, 1, 2, 3, 6
OK, ERROR, CONTINUE = 0, 1, 2

WEB = remote.NonnullDomain(name="web", uuid=b"w" * 16, id=1)
MAIL = remote.NonnullDomain(name="mail", uuid=b"m" * 16, id=-1)


def packet(
    name: str, kind: int, payload: Any = b"", *, serial: int = 1, status: int = OK
) -> Packet:
    """Return a packet of a procedure of program remote; a message is packed."""
    procedure = find_procedure("remote", name)
    data = payload if isinstance(payload, bytes) else payload.pack()
    return Packet(
        procedure.program, procedure.version, procedure.number, kind, serial, status, data
    )


class Tape:
    """A recording that grows; each thing is said a hundredth of a second after the one before."""

    def __init__(self) -> None:
        self._pieces = [pack_head({"started_s": 1.7e9, "by": "a test", "masked": False})]
        self._time_us = 0
        self._begun: set[int] = set()

    def put(
        self, what: Packet, *, from_client: bool, conversation: int = 1, flags: int = 0
    ) -> Tape:
        if conversation not in self._begun:
            self._begun.add(conversation)
            self._pieces.append(pack_record(BEGIN, 0, conversation, self._time_us, b"{}"))
        self._time_us += 10_000
        flags |= FROM_CLIENT if from_client else 0
        body = what.pack()
        if flags & LEFT_OUT:
            body = body[: len(body) - len(what.payload)]
        self._pieces.append(pack_record(PACKET, flags, conversation, self._time_us, body))
        return self

    def call(
        self, name: str, payload: Any = b"", *, serial: int = 1, masked: bool = False, on: int = 1
    ) -> Tape:
        flags = MASKED if masked else 0
        said = packet(name, CALL, payload, serial=serial)
        return self.put(said, from_client=True, conversation=on, flags=flags)

    def reply(self, name: str, payload: Any = b"", *, serial: int = 1, on: int = 1) -> Tape:
        said = packet(name, REPLY, payload, serial=serial)
        return self.put(said, from_client=False, conversation=on)

    def refusal(self, name: str, text: str, *, serial: int = 1, code: int = 42) -> Tape:
        said = packet(name, REPLY, pack_error(text, code=code), serial=serial, status=ERROR)
        return self.put(said, from_client=False)

    def event(self, name: str, payload: Any, *, on: int = 1) -> Tape:
        return self.put(packet(name, MESSAGE, payload), from_client=False, conversation=on)

    def stream(
        self,
        name: str,
        payload: bytes = b"",
        *,
        from_client: bool,
        serial: int = 1,
        status: int = CONTINUE,
        kind: int = STREAM,
        flags: int = 0,
    ) -> Tape:
        said = packet(name, kind, payload, serial=serial, status=status)
        return self.put(said, from_client=from_client, flags=flags)

    def end(self, *, from_client: bool, on: int = 1) -> Tape:
        flags = FROM_CLIENT if from_client else 0
        self._pieces.append(pack_record(END, flags, on, self._time_us, b""))
        return self

    def ask(self, name: str, args: Any = b"", ret: Any = b"", *, serial: int = 1) -> Tape:
        return self.call(name, args, serial=serial).reply(name, ret, serial=serial)

    def opened(self, name: str = "test:///default", *, on: int = 1) -> Tape:
        args = remote.ConnectOpenArgs(name=name, flags=0)
        self.call("CONNECT_OPEN", args, serial=900, on=on)
        return self.reply("CONNECT_OPEN", serial=900, on=on)

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)

    def save(self, path: Path) -> Path:
        path.write_bytes(self.data)
        return path

    def recalled(self) -> Recalled:
        return recalled(self.data)


def recalled(data: bytes) -> Recalled:
    """Return what a recording's bytes tell."""
    reader, found = RecordReader(), Recalled()
    records = reader.feed(data)
    teller = Teller(reader.started_s)
    for record in records:
        found.add(teller.tell(record))
    return found


def lookup(name: str) -> remote.DomainLookupByNameArgs:
    return remote.DomainLookupByNameArgs(name=name)


def found(domain: remote.NonnullDomain) -> remote.DomainLookupByNameRet:
    return remote.DomainLookupByNameRet(dom=domain)
