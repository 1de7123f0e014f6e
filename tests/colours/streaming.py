"""What the tests of streams in both colours have in common: opening one that a script serves."""

from __future__ import annotations

from typing import Any

import virtproto
from virtproto.protocol.events import (
    StreamAbortAsked,
    StreamDataReceived,
    StreamFinishAsked,
)
from virtproto.sync.stream import Stream
from virtproto.testing import (
    OpenStream,
    ScriptedServer,
    SendStreamEnd,
)
from virtproto.testing.actions import Action
from virtproto.wire import remote

DOWNLOAD, UPLOAD = remote.STORAGE_VOL_DOWNLOAD, remote.STORAGE_VOL_UPLOAD
PLAIN, SPARSE = b"\0\0\0\0", b"\0\0\0\1"
END: list[Action] = [SendStreamEnd()]
OPEN: list[Action] = [OpenStream(sparse=True), b""]


def opened(
    server: ScriptedServer,
    connection: virtproto.Connection,
    *actions: Action,
    procedure: Any = DOWNLOAD,
    packed: bytes = PLAIN,
    flags: int = 0,
) -> Stream:
    """Open a stream whose server does ``actions`` as soon as it is open."""
    server.handle(procedure, [*OPEN, *actions])
    stream = connection.new_stream(flags)
    connection._exchange_with_stream(procedure, packed, stream)
    return stream


def sent_to(server: ScriptedServer) -> bytes:
    events = server.events
    return b"".join(each.data for each in events if isinstance(each, StreamDataReceived))


def ends_of(server: ScriptedServer) -> list[type]:
    ends = (StreamFinishAsked, StreamAbortAsked)
    return [type(event) for event in server.events if isinstance(event, ends)]


def is_usable(connection: virtproto.Connection) -> bool:
    return connection.get_library_version() == 12008000
