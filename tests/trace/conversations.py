"""Conversations made by hand, as records and as messages, for tests of what reads them.

A conversation is a list of steps; `Script` writes it down step by step, as it passed: calls,
replies, errors, events, streams, keepalive, and what is not libvirt's. It gives the records, the
bytes of a recording, the bytes of each direction, and the messages that a Teller makes of them.
"""

from __future__ import annotations

from typing import Any

from virtproto import wire
from virtproto.protocol.framing import Packet
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    END,
    FROM_CLIENT,
    NOTE,
    PACKET,
    Record,
    pack_head,
    pack_record,
)
from virtproto.trace.telling import Teller
from virtproto.wire import rpc
from virtproto.xdr.reference import ReferenceCodec

REMOTE = 0x20008086
KEEPALIVE = 0x6B656570
STARTED_S = 1_700_000_000.0

UUID = bytes.fromhex("c7a5fdbd4f3f4a5b9c1d0123456789ab")
WEB = {"name": "web", "uuid": UUID, "id": 3}

CONTRACT = wire.load_contract()
CODEC = ReferenceCodec(CONTRACT)


def packet(
    kind: int,
    procedure: int | str,
    serial: int,
    *,
    status: int = 0,
    payload: bytes = b"",
    program: str = "remote",
    nfds: int | None = None,
) -> Packet:
    """Return a packet of a procedure, by its name or number."""
    if program == "keepalive":
        assert isinstance(procedure, int)
        return Packet(KEEPALIVE, 1, procedure, kind, serial, status, payload)
    if isinstance(procedure, str):
        declared = CONTRACT.procedure(program, procedure)
        return Packet(
            declared.program,
            declared.version,
            declared.number,
            kind,
            serial,
            status,
            payload,
            nfds,
        )
    number = wire.PROGRAMS[program]
    return Packet(number, 1, procedure, kind, serial, status, payload, nfds)


def error_payload(text: str, *, code: int = 42, domain: int = 10, **fields: Any) -> bytes:
    """Return an error as a daemon sends it; ``fields`` are others of the contract's."""
    plain = {
        "code": code,
        "domain": domain,
        "message": text,
        "level": 2,
        "dom": None,
        "str1": "%s",
        "str2": text,
        "str3": None,
        "int1": -1,
        "int2": -1,
        "net": None,
    }
    return CODEC.encode("remote_error", {**plain, **fields})


class Script:
    """One conversation as it is written; each step is ``step_s`` after the one before it."""

    def __init__(self, conversation: int = 1, *, step_s: float = 0.001) -> None:
        self.conversation = conversation
        self.step_s = step_s
        self.records: list[Record] = []
        self.sent = {True: b"", False: b""}
        self._time_s = 0.0
        self._serial = 0
        self._opened: dict[int, str] = {}

    def add(self, kind: int, body: bytes, *, from_client: bool = False, flags: int = 0) -> Script:
        """Write down a record."""
        self._time_s += self.step_s
        flags |= FROM_CLIENT if from_client else 0
        self.records.append(Record(kind, flags, self.conversation, self._time_s, body))
        return self

    def begin(self, **about: Any) -> Script:
        """Begin; ``about`` goes into the record as JSON."""
        import json

        return self.add(BEGIN, json.dumps(about).encode())

    def end(self, text: str = "", *, from_client: bool = True) -> Script:
        """End one direction."""
        return self.add(END, text.encode(), from_client=from_client)

    def note(self, text: str) -> Script:
        """Write down a note."""
        return self.add(NOTE, text.encode())

    def strange(self, data: bytes, *, from_client: bool = True) -> Script:
        """Send what is not libvirt's."""
        self.sent[from_client] += data
        return self.add(BYTES, data, from_client=from_client)

    def send(self, each: Packet, *, from_client: bool, flags: int = 0) -> Script:
        """Send a packet."""
        data = each.pack()
        self.sent[from_client] += data + b"\0" * (each.nfds or 0)
        return self.add(PACKET, data, from_client=from_client, flags=flags)

    def call(self, name: str, plain: Any = None, *, program: str = "remote") -> int:
        """Make a call with arguments as plain values; return its serial."""
        self._serial += 1
        declared = CONTRACT.procedure(program, name)
        payload = CODEC.encode(declared.args, plain) if declared.args else b""
        self._opened[self._serial] = name
        self.send(
            packet(rpc.MESSAGE_TYPE_CALL, name, self._serial, payload=payload, program=program),
            from_client=True,
        )
        return self._serial

    def reply(self, serial: int, plain: Any = None, *, program: str = "remote") -> Script:
        """Answer a call."""
        name = self._opened[serial]
        declared = CONTRACT.procedure(program, name)
        payload = CODEC.encode(declared.ret, plain) if declared.ret else b""
        answer = packet(rpc.MESSAGE_TYPE_REPLY, name, serial, payload=payload, program=program)
        return self.send(answer, from_client=False)

    def refuse(self, serial: int, text: str, *, program: str = "remote", **fields: Any) -> Script:
        """Answer a call with an error."""
        answer = packet(
            rpc.MESSAGE_TYPE_REPLY,
            self._opened[serial],
            serial,
            status=rpc.MESSAGE_STATUS_ERROR,
            payload=error_payload(text, **fields),
            program=program,
        )
        return self.send(answer, from_client=False)

    def event(self, name: str, plain: Any) -> Script:
        """Send an event, with the serial that a daemon gives all of them."""
        declared = CONTRACT.procedure("remote", name)
        assert declared.msg is not None
        payload = CODEC.encode(declared.msg, plain)
        return self.send(
            packet(rpc.MESSAGE_TYPE_MESSAGE, name, 1, payload=payload), from_client=False
        )

    def stream(self, serial: int, data: bytes | None, *, from_client: bool = True) -> Script:
        """Send data of a stream, an empty piece at its end, or None to finish it."""
        status = rpc.MESSAGE_STATUS_OK if data is None else rpc.MESSAGE_STATUS_CONTINUE
        piece = packet(
            rpc.MESSAGE_TYPE_STREAM,
            self._opened[serial],
            serial,
            status=status,
            payload=data or b"",
        )
        return self.send(piece, from_client=from_client)

    def ping(self) -> Script:
        """Send a ping, and have it answered."""
        ping = packet(rpc.MESSAGE_TYPE_MESSAGE, 1, 0, program="keepalive")
        pong = packet(rpc.MESSAGE_TYPE_MESSAGE, 2, 0, program="keepalive")
        return self.send(ping, from_client=False).send(pong, from_client=True)

    def told(self) -> list[Any]:
        """Return what a Teller tells of all records, and of the end."""
        return told(self.records)

    def messages(self) -> list[TracedMessage]:
        """Return the messages that a Teller tells."""
        return [each for each in self.told() if isinstance(each, TracedMessage)]

    def recording(self, *, masked: bool = False) -> bytes:
        """Return the records as a file has them."""
        return recording(self.records, masked=masked)


def told(records: list[Record]) -> list[Any]:
    """Return what a Teller tells of ``records``, and of the end."""
    teller = Teller(STARTED_S)
    found = [each for record in records for each in teller.tell(record)]
    return [*found, *teller.finish()]


def recording(records: list[Record], *, masked: bool = False) -> bytes:
    """Return a recording's bytes."""
    head = pack_head({"started_s": STARTED_S, "by": "by hand", "masked": masked})
    return head + b"".join(
        pack_record(r.kind, r.flags, r.conversation, round(r.time_s * 1e6), r.body) for r in records
    )


def opening(script: Script) -> Script:
    """Write what every client begins with: what the daemon wants, the connection opened."""
    script.reply(script.call("AUTH_LIST"), {"types": [0]})
    script.reply(script.call("CONNECT_SUPPORTS_FEATURE", {"feature": 10}), {"supported": 1})
    return script.reply(script.call("CONNECT_OPEN", {"name": "test:///default", "flags": 0}))


def listing(domains: int = 2) -> Script:
    """Return a conversation that lists ``domains`` and asks for one's information."""
    script = opening(Script().begin(program="virsh", to="test:///default"))
    found = [{"name": f"guest-{n:05}", "uuid": UUID, "id": n} for n in range(domains)]
    serial = script.call("CONNECT_LIST_ALL_DOMAINS", {"need_results": 1, "flags": 3})
    script.reply(serial, {"domains": found, "ret": domains})
    serial = script.call("DOMAIN_GET_INFO", {"dom": WEB})
    info = {"state": 1, "maxMem": 1 << 20, "memory": 1 << 19, "nrVirtCpu": 2, "cpuTime": 10**12}
    script.reply(serial, info)
    script.reply(script.call("CONNECT_CLOSE"))
    return script.end().end(from_client=False)


def eventful() -> Script:
    """Return a conversation with an event, a ping, an error, and a call without an answer."""
    script = opening(Script().begin(program="virsh"))
    script.reply(
        script.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", {"eventID": 0, "dom": None}),
        {"callbackID": 7},
    )
    event = {"callbackID": 7, "msg": {"dom": WEB, "event": 2, "detail": 0}}
    script.event("DOMAIN_EVENT_CALLBACK_LIFECYCLE", event)
    script.ping()
    serial = script.call("DOMAIN_LOOKUP_BY_NAME", {"name": "nobody"})
    script.refuse(serial, "Domain not found: no domain with matching name 'nobody'")
    script.call("NODE_GET_INFO")
    return script.end("the client closed", from_client=True).end(from_client=False)


def uploading(pieces: int = 3, size: int = 1000) -> Script:
    """Return a conversation that uploads a volume in ``pieces``, and finishes."""
    script = opening(Script().begin(program="virsh"))
    volume = {"pool": "default", "name": "disk.img", "key": "/images/disk.img"}
    serial = script.call(
        "STORAGE_VOL_UPLOAD", {"vol": volume, "offset": 0, "length": pieces * size, "flags": 0}
    )
    script.reply(serial)
    for piece in range(pieces):
        script.stream(serial, bytes([piece]) * size)
    script.stream(serial, b"")
    script.stream(serial, None)
    script.stream(serial, None, from_client=False)
    return script.end().end(from_client=False)


def secretive(secret: str) -> Script:
    """Return a conversation in which ``secret`` is said in every way that there is one for."""
    script = opening(Script().begin(program="virsh"))
    raw = secret.encode()
    start = {"mech": "PLAIN", "nil": 0, "data": b"\0fred\0" + raw}
    script.reply(
        script.call("AUTH_SASL_START", start), {"complete": 1, "nil": 0, "data": b"rspauth=" + raw}
    )
    handle = {"uuid": UUID, "usageType": 1, "usageID": "/images/disk.img"}
    script.reply(script.call("SECRET_SET_VALUE", {"secret": handle, "value": raw, "flags": 0}))
    script.reply(script.call("SECRET_GET_VALUE", {"secret": handle, "flags": 0}), {"value": raw})
    asked = {"dom": WEB, "user": "root", "password": secret, "flags": 0}
    script.refuse(
        script.call("DOMAIN_SET_USER_PASSWORD", asked),
        f"unable to execute QEMU agent command with {secret} in it",
    )
    params = [{"field": "sev-secret", "value": {"type": 7, "value": secret}}]
    state = {"dom": WEB, "params": params, "flags": 0}
    script.reply(script.call("DOMAIN_SET_LAUNCH_SECURITY_STATE", state))
    xml = f"<domain type='test'><name>web</name><graphics type='vnc' passwd='{secret}'/></domain>"
    script.reply(script.call("DOMAIN_DEFINE_XML", {"xml": xml}), {"dom": WEB})
    script.reply(script.call("DOMAIN_GET_XML_DESC", {"dom": WEB, "flags": 1}), {"xml": xml})
    script.refuse(
        script.call("DOMAIN_CREATE_XML", {"xml_desc": xml, "flags": 0}),
        f"XML document failed to validate: {xml}",
    )
    command = {"dom": WEB, "cmd": f'{{"execute": "x", "password": "{secret}"}}', "flags": 0}
    script.reply(
        script.call("DOMAIN_MONITOR_COMMAND", command, program="qemu"),
        {"result": f'{{"return": {{"password": "{secret}"}}}}'},
        program="qemu",
    )
    return script.end().end(from_client=False)
