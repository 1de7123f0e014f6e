"""One connection of a scripted server.

Responsible for: a session on a socket, carrying out a script's actions. Must not know other
connections or threads: its server calls it when there is something to read or to write.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from virtproto.errors import UsageError
from virtproto.protocol.events import (
    CallReceived,
    PeerClosed,
    SessionFailed,
    StreamAbortAsked,
    StreamFinishAsked,
)
from virtproto.protocol.framing import PacketReader
from virtproto.protocol.keepalive import PING_PACKET
from virtproto.protocol.limits import FDS_MAX
from virtproto.protocol.server import ServerSession, pack_error
from virtproto.testing.actions import (
    Action,
    Answer,
    CloseConnection,
    FailStream,
    NoReply,
    OpenStream,
    ReplyError,
    ReplyUnknownProcedure,
    ReplyWithFds,
    SendEvent,
    SendPing,
    SendRaw,
    SendStreamData,
    SendStreamEnd,
    SendStreamHole,
)
from virtproto.testing.faults import Outlet

if TYPE_CHECKING:
    from virtproto.testing.scripted import ScriptedServer

__all__ = ["ScriptedConnection"]

_READ_SIZE = 65536
_CALLLESS = (SendEvent, SendPing, SendRaw, CloseConnection)


class ScriptedConnection:
    """One client of a scripted server."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self.sock = sock
        self.over = False
        self.due: float | None = None
        self._server = server
        fd_passing = sock.family == socket.AF_UNIX
        self._session = ServerSession(programs=server.programs, fd_passing=fd_passing)
        self._recorder = PacketReader(fd_passing=fd_passing)
        self._outlet = Outlet(sock, server.faults)
        self._held: list[bytes] = []
        self._closing = False

    @property
    def interest(self) -> int:
        """The selector events to wait for."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outlet.blocked else 0)

    @staticmethod
    def check_callless(action: Action) -> None:
        """Raise UsageError for an action that needs a call."""
        if not isinstance(action, _CALLLESS):
            raise UsageError(f"{type(action).__name__} belongs into a handler's answer")

    def ready(self) -> None:
        """Read what there is and answer it."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, _READ_SIZE, FDS_MAX)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        self._server.keep(fds)
        if data:
            self._session.receive_data(data)
        else:
            self._session.receive_eof()
            self.over = True
        events = self._session.events_received()
        self._recorder.feed(data)
        packets = []
        while (packet := self._recorder.next_packet()) is not None:
            packets.append(packet)
        # Before answering: who waits for an answer finds the call recorded.
        self._server.record(data, packets, events)
        self._put_queued()
        if any(isinstance(event, (SessionFailed, PeerClosed)) for event in events):
            # Nothing can be answered any more, as with a daemon that drops the client.
            self._closing = True
            return
        for event in events:
            if isinstance(event, CallReceived):
                self._answer(event)
            elif self._server.confirm_streams and isinstance(
                event, (StreamFinishAsked, StreamAbortAsked)
            ):
                self._session.send_stream_confirm(event.serial)
                self._put_queued()

    def flush(self, now: float) -> None:
        """Write what may be written; note when to come again and whether this is the end."""
        try:
            self.due = self._outlet.flush(now)
        except OSError:
            self.over = True
        if self._outlet.cut or (self._closing and self._outlet.empty):
            self.over = True

    def close(self) -> None:
        """Close the socket so that the client reads an end of file and never a reset.

        A UNIX socket that is closed with unread input resets its peer, which would make it a matter
        of luck what a client sees.
        """
        with self.sock:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
                while self.sock.recv(_READ_SIZE):
                    pass
            except OSError:
                return

    def perform_callless(self, actions: Sequence[Action]) -> None:
        """Carry out actions that belong to no call."""
        for action in actions:
            self._perform_callless(action)
            self._put_queued()

    def release(self) -> None:
        """Send the replies that are held back."""
        held, self._held = self._held, []
        for data in held:
            self._outlet.put(data)

    def _put_queued(self) -> None:
        self._outlet.put(self._take_queued())

    def _take_queued(self) -> bytes:
        return b"".join(self._session.data_to_send())

    def _answer(self, call: CallReceived) -> None:
        found = self._server.handler_for(call)
        if found is None:
            self._perform_all(call, ReplyUnknownProcedure(), held=True)
            return
        handler, is_opening = found
        try:
            answer: Answer = handler(call) if callable(handler) else handler
            self._perform_all(call, answer, held=not is_opening)
        except Exception as error:
            self._server.fail(error)
            self._closing = True

    def _perform_all(self, call: CallReceived, answer: Answer, *, held: bool) -> None:
        """Carry out an answer; hold it back if replies are to be reordered."""
        if answer is None:
            answer = b""
        actions = (
            answer if isinstance(answer, Sequence) and not isinstance(answer, bytes) else [answer]
        )
        written = bytearray()
        for action in actions:
            if isinstance(action, SendRaw):
                written += action.data
            else:
                self._perform(call, action)
                written += self._take_queued()
        order = self._server.faults.reorder
        if not (held and order):
            self._outlet.put(bytes(written))
            return
        self._held.append(bytes(written))
        if len(self._held) == len(order):
            self._held = [self._held[place] for place in order]
            self.release()

    def _perform(self, call: CallReceived, action: Action) -> None:
        session = self._session
        if isinstance(action, bytes):
            session.send_reply(call, action)
        elif isinstance(action, ReplyError):
            session.send_error(call, pack_error(**asdict(action)))
        elif isinstance(action, ReplyWithFds):
            self._reply_with_fds(call, action)
        elif isinstance(action, ReplyUnknownProcedure):
            session.send_unknown_procedure(call)
        elif isinstance(action, OpenStream):
            session.open_stream(call, sparse=action.sparse)
        elif isinstance(action, SendStreamData):
            session.send_stream_data(call.serial, action.data)
        elif isinstance(action, SendStreamHole):
            session.send_stream_hole(call.serial, action.length)
        elif isinstance(action, SendStreamEnd):
            session.send_stream_end(call.serial)
        elif isinstance(action, FailStream):
            session.send_stream_error(call.serial, pack_error(**asdict(action.error)))
        elif isinstance(action, _CALLLESS):
            self._perform_callless(action)
        elif not isinstance(action, NoReply):
            session.send_reply(call, action.pack())

    def _reply_with_fds(self, call: CallReceived, action: ReplyWithFds) -> None:
        payload = action.payload if isinstance(action.payload, bytes) else action.payload.pack()
        self._session.send_reply(call, payload, nfds=len(action.fds))
        self._put_queued()
        for carried in action.fds if action.carried is None else action.carried:
            if isinstance(carried, tuple):
                self._outlet.put_carrier(*carried)
            elif carried is None:
                self._outlet.put_carrier()
            else:
                self._outlet.put_carrier(carried)

    def _perform_callless(self, action: Action) -> None:
        if isinstance(action, SendEvent):
            payload = action.payload if isinstance(action.payload, bytes) else action.payload.pack()
            self._session.send_event(action.program, action.version, action.procedure, payload)
        elif isinstance(action, SendPing):
            self._outlet.put(PING_PACKET)
        elif isinstance(action, SendRaw):
            self._outlet.put(action.data)
        else:
            self._closing = True
