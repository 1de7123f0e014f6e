"""Streams of both colours against a scripted daemon: data, holes, ends, failures, misuse."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.streaming import (
    DOWNLOAD,
    END,
    OPEN,
    PLAIN,
    UPLOAD,
    ends_of,
    is_usable,
    opened,
    sent_to,
)
from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    UsageError,
)
from virtproto.protocol.events import (
    StreamAbortAsked,
    StreamDataReceived,
    StreamFinishAsked,
)
from virtproto.testing import (
    CloseConnection,
    FailStream,
    NoReply,
    OpenStream,
    ReplyError,
    ScriptedServer,
    SendRaw,
    SendStreamData,
)
from virtproto.testing.actions import Answer
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION


def test_data_is_read_to_its_end_and_finished(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, SendStreamData(b"abcdef"), SendStreamData(b"g"), *END)
    assert stream.is_open
    assert stream.recv(4) == b"abcd"
    assert stream.recv(100) == b"ef"
    assert stream.recv(100) == b"g"
    assert stream.recv(100) == b""
    assert stream.recv(100) == b""
    stream.finish()
    assert not stream.is_open
    assert ends_of(server) == [StreamFinishAsked]
    assert is_usable(connection)


def test_data_may_come_before_the_reply(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(DOWNLOAD, [OpenStream(), SendStreamData(b"early"), b"mime", *END])
    stream = connection.new_stream()
    assert connection._exchange_with_stream(DOWNLOAD, PLAIN, stream) == b"mime"
    assert stream.read() == b"early"
    stream.finish()


def test_a_reader_waits_for_what_comes_later(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection)
    (call,) = server.calls[-1:]

    def later() -> None:
        for packet in (_data(call, b"one"), _data(call, b"two"), _data(call, b"")):
            server.send(SendRaw(packet))

    timer = threading.Timer(0.05, later)
    timer.start()
    assert stream.read() == b"onetwo"
    timer.join()
    stream.finish()


def _data(call: Any, data: bytes) -> bytes:
    from virtproto.protocol.framing import pack_packet

    return pack_packet(call.program, call.version, call.procedure, 3, call.serial, 2, data)


def test_much_goes_both_ways(server: ScriptedServer, connection: virtproto.Connection) -> None:
    size = 20_000_000
    content = hashlib.shake_256(b"seed").digest(size)
    pieces = [SendStreamData(content[at : at + 262120]) for at in range(0, size, 262120)]
    with opened(server, connection, *pieces, *END) as download:
        assert hashlib.sha256(download.read()).digest() == hashlib.sha256(content).digest()
    with opened(server, connection, procedure=UPLOAD) as upload:
        assert upload.send(content) == size
        assert upload.write(memoryview(b"tail")) == 4
    assert sent_to(server) == content + b"tail"
    assert ends_of(server) == [StreamFinishAsked] * 2
    sizes = {len(each.data) for each in server.events if isinstance(each, StreamDataReceived)}
    assert max(sizes) == 262120


def test_looping_gives_all_the_pieces(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    pieces = [SendStreamData(bytes([number]) * 1000) for number in range(50)]
    with opened(server, connection, *pieces, *END) as stream:
        assert b"".join(stream) == b"".join(piece.data for piece in pieces)


def test_reading_like_a_file(server: ScriptedServer, connection: virtproto.Connection) -> None:
    with opened(server, connection, SendStreamData(b"abc"), SendStreamData(b"def"), *END) as stream:
        assert stream.read(0) == b""
        assert stream.read(2) == b"ab"
        assert stream.read() == b"cdef"
        assert stream.read() == b""


def test_an_exception_aborts_and_the_connection_goes_on(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    endless = [SendStreamData(bytes(200_000)) for _ in range(20)]
    stream = opened(server, connection, *endless)

    def fail_while_reading() -> None:
        with stream:
            assert stream.recv(10) == bytes(10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_reading()
    assert ends_of(server) == [StreamAbortAsked]
    assert is_usable(connection)
    for use in (stream.abort, stream.finish, lambda: stream.recv(1), lambda: stream.send(b"x")):
        with pytest.raises(UsageError, match="over"):
            use()
    assert is_usable(connection)


def test_the_daemons_error_ends_the_stream(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    failure = FailStream(ReplyError("no space", code=38, domain=18, int1=28))
    stream = opened(server, connection, SendStreamData(b"data"), failure)
    assert is_usable(connection)
    for use in (
        lambda: stream.recv(10),
        lambda: stream.send(b"x"),
        stream.recv_hole,
        stream.finish,
    ):
        with pytest.raises(LibvirtError, match="no space") as caught:
            use()
        assert (caught.value.code, caught.value.int1) == (38, 28)
        assert caught.value.procedure == "STORAGE_VOL_DOWNLOAD"
    assert not stream.is_open
    stream.abort()
    # The daemon would not answer: nothing is sent on a stream that failed.
    assert ends_of(server) == []
    assert is_usable(connection)


def test_an_error_while_finishing_is_raised_by_finish(
    server: ScriptedServer, uri: str, tmp_path: Path, open_in_colour: Open
) -> None:
    server.confirm_streams = False
    with open_in_colour(uri) as connection:
        stream = opened(server, connection, procedure=UPLOAD)
        (call,) = server.calls[-1:]
        from virtproto.protocol.framing import pack_packet
        from virtproto.protocol.server import pack_error

        failure = pack_packet(
            call.program, 1, call.procedure, 3, call.serial, 1, pack_error("late", code=38)
        )

        def fail() -> None:
            server.wait_until(lambda seen: len(ends_of(seen)) == 1)
            server.send(SendRaw(failure))

        thread = threading.Thread(target=fail)
        thread.start()
        with pytest.raises(LibvirtError, match="late"):
            stream.finish()
        thread.join()


def test_a_stream_that_does_not_open(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(DOWNLOAD, ReplyError("no such volume", code=50))
    stream = connection.new_stream()
    assert repr(stream) == "<Stream, not open>"
    with pytest.raises(LibvirtError, match="no such volume"):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, stream)
    with pytest.raises(UsageError, match="not open"):
        stream.recv(1)
    # It may be tried again with the same one.
    server.handle(DOWNLOAD, [*OPEN, *END])
    connection._exchange_with_stream(DOWNLOAD, PLAIN, stream)
    with pytest.raises(UsageError, match="in use already"):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, stream)
    assert stream.read() == b""
    stream.finish()


def test_opening_meets_the_deadline_and_is_undone(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    held = threading.Event()

    def late(call: object) -> Answer:
        held.wait(10)
        return [*OPEN, SendStreamData(b"nobody's")]

    server.handle(DOWNLOAD, late)
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, connection.new_stream())
    connection.call_timeout_s = 10.0
    held.set()
    assert is_usable(connection)
    # A blocking connection may have taken in the late reply with the one to this call.
    assert is_usable(connection)
    server.wait_until(lambda seen: ends_of(seen) == [StreamAbortAsked])
    assert is_usable(connection)


def test_a_daemon_that_never_confirms_meets_the_deadline(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.confirm_streams = False
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError):
        opened(server, connection, *END).finish()
    with pytest.raises(DeadlineError):
        opened(server, connection, *END).abort()
    connection.call_timeout_s = 10.0
    assert is_usable(connection)


def test_a_connection_lost_midway(server: ScriptedServer, connection: virtproto.Connection) -> None:
    stream = opened(server, connection)
    timer = threading.Timer(0.05, lambda: server.send(CloseConnection()))
    timer.start()
    with pytest.raises(ConnectionLostError, match="the daemon closed it"):
        stream.read()
    timer.join()
    with pytest.raises(ConnectionLostError):
        stream.finish()
    with pytest.raises(ConnectionClosedError):
        is_usable(connection)


def test_closing_the_connection_ends_its_streams(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection)
    connection.close()
    with pytest.raises(ConnectionClosedError):
        stream.recv(1)
    with pytest.raises(ConnectionClosedError):
        stream.send(b"x")


def test_a_stream_that_does_not_wait(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, flags=1)
    assert stream.recv(10) is None
    assert stream.recv_hole() == 0
    with pytest.raises(UsageError, match="NONBLOCK"):
        stream.recv_all(lambda stream, data: None)
    stream.abort()


def test_misuse_is_refused_by_name(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    with pytest.raises(UsageError, match="opens no stream"):
        connection._exchange_with_stream(CONNECT_GET_LIB_VERSION, b"", connection.new_stream())
    with pytest.raises(ArgumentTypeError, match="stream: expected a Stream, not int"):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, 3)  # type: ignore[arg-type]
    stream = opened(server, connection)
    with pytest.raises(UsageError, match="nbytes"):
        stream.recv(0)
    with pytest.raises(ArgumentTypeError, match="handler"):
        stream.recv_all(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="length"):
        stream.send_hole(-1)
    for data in ("text", None, 5):
        with pytest.raises(ArgumentTypeError, match="data: expected bytes"):
            stream.send(data)
    for size in ("x", None):
        with pytest.raises(ArgumentTypeError, match="size"):
            stream.read(size)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="size: -5"):
        stream.read(-5)
    stream.abort()


def test_a_stream_of_another_connection_is_refused(
    server: ScriptedServer, uri: str, connection: virtproto.Connection, open_in_colour: Open
) -> None:
    with (
        open_in_colour(uri) as other,
        pytest.raises(UsageError, match=r"stream: .* belongs to another connection"),
    ):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, other.new_stream())


def test_two_streams_and_calls_at_once(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    one = opened(server, connection, SendStreamData(b"1"), SendStreamData(b"11"), *END)
    two = opened(server, connection, SendStreamData(b"2"), *END)
    assert is_usable(connection)
    assert two.read() == b"2"
    assert one.read() == b"111"
    assert is_usable(connection)
    one.finish()
    two.abort()
    assert is_usable(connection)


def test_a_callback_is_called_while_there_is_something(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, SendStreamData(b"abcdef"), *END, flags=1)
    seen: list[tuple[int, bytes | None]] = []

    def ready(raw: Any, events: int) -> Any:
        result = raw.recv(4)
        if isinstance(result, bytes):
            note(raw, events, result)
            return None
        return finish_noting(raw, events, result)

    async def finish_noting(raw: Any, events: int, result: Any) -> None:
        note(raw, events, await result)

    def note(raw: Any, events: int, data: bytes) -> None:
        seen.append((events, data))
        if not data:
            raw.remove_callback()

    stream.add_callback(1, ready)
    with pytest.raises(UsageError, match="a callback already"):
        stream.add_callback(1, ready)
    until(connection, lambda: len(seen) == 3)
    assert seen == [(1, b"abcd"), (1, b"ef"), (1, b"")]
    with pytest.raises(UsageError, match="no callback"):
        stream.update_callback(1)
    stream.finish()
    assert is_usable(connection)


def test_a_callback_for_writing(server: ScriptedServer, connection: virtproto.Connection) -> None:
    stream = opened(server, connection, procedure=UPLOAD)
    seen: list[int] = []
    stream.add_callback(0, lambda raw, events: seen.append(events))
    assert is_usable(connection)
    assert seen == []
    stream.update_callback(2)
    until(connection, lambda: len(seen) > 3)
    assert set(seen) == {2}
    stream.remove_callback()
    stream.finish()


def test_a_forgotten_stream_is_warned_of(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    with pytest.warns(ResourceWarning, match="STORAGE_VOL_DOWNLOAD was neither finished nor"):
        opened(server, connection, SendStreamData(b"x"))
    assert is_usable(connection)


def test_calls_are_answered_while_a_stream_is_not_read(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    many = [SendStreamData(bytes(262120)) for _ in range(60)]
    stream = opened(server, connection, *many, *END)
    assert is_usable(connection)
    assert len(stream.read()) == 60 * 262120
    stream.finish()
    assert is_usable(connection)


def test_no_reply_is_no_stream(server: ScriptedServer, connection: virtproto.Connection) -> None:
    server.handle(DOWNLOAD, [NoReply(), CloseConnection()])
    with pytest.raises(ConnectionLostError):
        connection._exchange_with_stream(DOWNLOAD, PLAIN, connection.new_stream())
