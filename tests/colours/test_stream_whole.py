"""Streams of both colours taken and given whole: holes, and handlers."""

from __future__ import annotations

import pytest

import virtproto
from tests.colours.streaming import (
    END,
    SPARSE,
    UPLOAD,
    ends_of,
    is_usable,
    opened,
    sent_to,
)
from virtproto.errors import (
    ArgumentTypeError,
    SequenceError,
    UsageError,
)
from virtproto.protocol.events import (
    StreamAbortAsked,
    StreamDataReceived,
    StreamHoleReceived,
)
from virtproto.sync.stream import Stream
from virtproto.testing import (
    ScriptedServer,
    SendStreamData,
    SendStreamHole,
)
from virtproto.testing.actions import Action


def test_holes_are_zeros_or_stops(server: ScriptedServer, connection: virtproto.Connection) -> None:
    script: list[Action] = [
        SendStreamData(b"ab"),
        SendStreamHole(5),
        SendStreamData(b"c"),
        SendStreamHole(3),
    ]
    stream = opened(server, connection, *script, *END, packed=SPARSE)
    assert stream.read() == b"ab" + bytes(5) + b"c" + bytes(3)
    stream.finish()
    stream = opened(server, connection, *script, *END, packed=SPARSE)
    assert stream.recv(100, 1) == b"ab"
    assert stream.recv_hole() == 5
    assert stream.recv(100, 1) == b"c"
    assert stream.recv(100, 1) is None
    assert stream.recv(2) == bytes(2)
    assert stream.recv_hole() == 1
    assert stream.recv_hole() == 0
    assert stream.recv(100, 1) == b""
    stream.finish()


def test_sparse_content_by_handlers(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    script: list[Action] = [SendStreamHole(7), SendStreamData(b"data"), SendStreamHole(1 << 40)]
    came: list[object] = []
    with opened(server, connection, *script, *END, packed=SPARSE) as stream:
        stream.sparse_recv_all(
            lambda stream, data: came.append(data), lambda stream, length: came.append(length)
        )
    assert came == [7, b"data", 1 << 40]

    sections = iter([(True, 4), (False, 9), (True, 3), (False, 0)])
    data = iter([b"ab", b"cd", b"efg", b""])
    skipped: list[int] = []
    with opened(server, connection, procedure=UPLOAD, packed=SPARSE) as stream:
        stream.sparse_send_all(
            lambda stream, nbytes: next(data)[:nbytes],
            lambda stream: next(sections),
            lambda stream, length: skipped.append(length),
        )
        stream.send_hole(2)
    traffic = [
        each.data if isinstance(each, StreamDataReceived) else each.length
        for each in server.events
        if isinstance(each, StreamDataReceived | StreamHoleReceived)
    ]
    assert traffic == [b"ab", b"cd", 9, b"efg", 2]
    assert skipped == [9]


def test_a_hole_on_a_plain_stream_is_not_sent(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, procedure=UPLOAD)
    with pytest.raises(UsageError, match="flag for sparse streams"):
        stream.send_hole(10)
    stream.finish()
    stream = opened(server, connection, SendStreamHole(10))
    with pytest.raises(SequenceError, match="a hole"):
        stream.recv(1)
    stream.abort()
    assert is_usable(connection)


def test_handlers_take_and_give_all(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    parts: list[bytes] = []

    def take_three(stream: Stream, data: bytes) -> int:
        parts.append(data[:3])
        return min(3, len(data))

    with opened(server, connection, SendStreamData(b"abcdefg"), *END) as stream:
        stream.recv_all(take_three)
    assert parts == [b"abc", b"def", b"g"]
    left = [b"1", b"2", b""]
    with opened(server, connection, procedure=UPLOAD) as stream:
        stream.send_all(lambda stream, nbytes: left.pop(0))
    assert sent_to(server) == b"12"


@pytest.mark.parametrize("answer", [0, -1, 99, "all"])
def test_a_handler_that_answers_nonsense_aborts(
    server: ScriptedServer, connection: virtproto.Connection, answer: object
) -> None:
    stream = opened(server, connection, SendStreamData(b"abc"))
    with pytest.raises(UsageError, match="handler"):
        stream.recv_all(lambda stream, data: answer)
    assert ends_of(server) == [StreamAbortAsked]
    stream = opened(server, connection, procedure=UPLOAD)
    with pytest.raises(ArgumentTypeError, match="handler"):
        stream.send_all(lambda stream, nbytes: None)
    assert ends_of(server) == [StreamAbortAsked] * 2
    assert is_usable(connection)
