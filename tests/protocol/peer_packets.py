"""Packets as a peer might write them, and clients in the states in which they may come."""

from __future__ import annotations

import pytest

from virtproto.errors import ConnectionClosedError
from virtproto.protocol import streams
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import Event, ReplyReceived, SessionFailed
from virtproto.protocol.framing import pack_packet
from virtproto.protocol.session import FAILED

REMOTE = 0x20008086
QEMU = 0x20008087
UNKNOWN = 0x12341234
CALL, REPLY, MESSAGE, STREAM, CALL_FDS, REPLY_FDS, HOLE = range(7)
OK, ERROR, CONTINUE = range(3)
INFO = 16
DOWNLOAD = 209
TEN_BYTES_HOLE = b"\0\0\0\0\0\0\0\x0a\0\0\0\0"


def packet(
    kind: int,
    serial: int,
    status: int,
    payload: bytes = b"",
    *,
    procedure: int = DOWNLOAD,
    program: int = REMOTE,
    version: int = 1,
    nfds: int | None = None,
) -> bytes:
    """Return a packet as a peer might write it."""
    return pack_packet(program, version, procedure, kind, serial, status, payload, nfds)


def calling(procedure: int = INFO) -> ClientSession:
    """Return a client that waits for the answer to its call 0."""
    client = ClientSession()
    assert client.send_call(REMOTE, 1, procedure) == 0
    client.data_to_send()
    return client


def opening() -> ClientSession:
    """Return a client whose call 0 opens a stream."""
    client = ClientSession()
    assert client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True) == 0
    client.data_to_send()
    return client


def streaming() -> ClientSession:
    """Return a client with an open stream of serial 0."""
    client = opening()
    assert received(client, packet(REPLY, 0, OK)) == [ReplyReceived(0, OK, b"")]
    assert client.stream_state(0) is streams.OPEN
    return client


def received(client: ClientSession, *data: bytes) -> list[Event]:
    """Feed bytes; return the events."""
    for each in data:
        client.receive_data(each)
    return client.events_received()


def sent(client: ClientSession) -> bytes:
    """Return what the client has to send."""
    return b"".join(client.data_to_send())


def assert_failed(client: ClientSession, kind: type[Exception], text: str, *data: bytes) -> None:
    """Feed bytes; expect the end of the session with such an error and nothing else."""
    [event] = received(client, *data)
    assert isinstance(event, SessionFailed)
    assert isinstance(event.error, kind)
    assert text in str(event.error)
    assert client.phase is FAILED
    assert sent(client) == b""
    # Whatever comes later is dropped, and nothing can be sent.
    assert received(client, *data, packet(MESSAGE, 1, OK, procedure=318)) == []
    with pytest.raises(ConnectionClosedError, match="failed"):
        client.send_call(REMOTE, 1, INFO)
