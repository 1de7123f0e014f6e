"""A daemon that breaks the rules of streams costs a stream, or the connection, but never a hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import virtproto
from tests.colours.odd_streams import CASES, OddStream
from tests.colours.streaming import (
    DOWNLOAD,
    PLAIN,
    SPARSE,
    UPLOAD,
    ends_of,
    is_usable,
    opened,
)
from virtproto.errors import TransportError, UsageError, VirtprotoError
from virtproto.protocol.events import CallReceived, StreamAbortAsked, StreamFinishAsked
from virtproto.testing import FailStream, ReplyError, ScriptedServer, SendRaw
from virtproto.wire import remote


@contextmanager
def serving(server: ScriptedServer, case: OddStream) -> Iterator[None]:
    """Have a server send a case's packets, and instead of the confirmation what it has for that."""
    calls: list[CallReceived] = []

    def answer(call: CallReceived) -> object:
        calls.append(call)
        return case.actions(call)

    def instead() -> None:
        server.wait_until(lambda seen: ends_of(seen) == [StreamFinishAsked])
        server.send(SendRaw(b"".join(make(calls[0]) for make in case.instead)))

    server.handle(DOWNLOAD, answer)  # type: ignore[arg-type]
    if not case.instead:
        yield
        return
    server.confirm_streams = False
    thread = threading.Thread(target=instead)
    thread.start()
    yield
    thread.join()


def download(connection: virtproto.Connection, *, sparse: bool) -> bytes:
    """Read a stream to its end and finish it."""
    stream = connection.new_stream()
    # What comes at once with the reply may end the connection, and so fail the call.
    connection._exchange_with_stream(DOWNLOAD, SPARSE if sparse else PLAIN, stream)
    heard = stream.read()
    stream.finish()
    return heard


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_no_daemon_should_send(
    case: OddStream, server: ScriptedServer, connection: virtproto.Connection
) -> None:
    connection.call_timeout_s = 10.0
    with serving(server, case):
        if case.error:
            with pytest.raises(VirtprotoError, match=case.error):
                download(connection, sparse=case.sparse)
        else:
            assert download(connection, sparse=case.sparse) == case.heard
    if case.survives:
        # Twice: the first may have been answered before what is odd was taken in.
        assert is_usable(connection)
        assert is_usable(connection)
    else:
        with pytest.raises(TransportError):
            is_usable(connection)


def test_a_stream_spoilt_by_a_hole_is_aborted_there(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    case = next(case for case in CASES if case.name == "half a hole")
    with serving(server, case):
        stream = connection.new_stream()
        connection._exchange_with_stream(DOWNLOAD, SPARSE, stream)
        with pytest.raises(VirtprotoError, match="length"):
            stream.read()
    assert is_usable(connection)
    server.wait_until(lambda seen: ends_of(seen) == [StreamAbortAsked])
    stream.abort()
    assert is_usable(connection)


def test_no_more_than_one_end_is_sent(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, procedure=UPLOAD)
    stream.finish()
    for again in (stream.finish, stream.abort):
        with pytest.raises(UsageError, match="over"):
            again()
    assert ends_of(server) == [StreamFinishAsked]
    assert is_usable(connection)


def test_an_error_while_much_is_sent_is_raised_and_costs_no_connection(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, FailStream(ReplyError("full", code=38)), procedure=UPLOAD)

    def send_on() -> None:
        for _ in range(1000):
            stream.send(bytes(100_000))

    with pytest.raises(virtproto.LibvirtError, match="full"):
        send_on()
    stream.abort()
    assert ends_of(server) == []
    assert is_usable(connection)


def test_a_failed_hole_is_the_streams_error(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    """Libvirtd answers a hole that it cannot make by a reply, of all things."""
    from virtproto.protocol.framing import pack_packet
    from virtproto.protocol.server import pack_error

    stream = opened(server, connection, procedure=remote.STORAGE_VOL_UPLOAD, packed=SPARSE)
    (call,) = server.calls[-1:]
    stream.send_hole(5)
    server.send(
        SendRaw(
            pack_packet(
                call.program, 1, call.procedure, 1, call.serial, 1, pack_error("no hole", code=38)
            )
        )
    )
    with pytest.raises(virtproto.LibvirtError, match="no hole"):
        stream.recv(1)
    with pytest.raises(virtproto.LibvirtError, match="no hole"):
        stream.finish()
    assert is_usable(connection)
