"""The daemon's side of a recording, played to whoever connects.

Responsible for the sockets of those who do: bytes in and out, descriptors, and time. What is said
to whom, `virtproto.trace.replaying.daemon_player` knows. Must not know who prints what differs.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from select import EPOLLIN, EPOLLOUT
from time import monotonic

from virtproto.protocol.framing import PacketReader
from virtproto.protocol.limits import FDS_MAX
from virtproto.trace.replaying.daemon_player import DaemonPlayer
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.scripts import Scripts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from virtproto.trace.replaying.daemon_player import Said
    from virtproto.trace.replaying.recalling import Recalled
    from virtproto.trace.replaying.scripts import Script

    class Loop(Protocol):
        """What waits for descriptors and time: a `carriage.Carriage`, or what does so instead."""

        def watch(self, fd: int, callback: Callable[[], object], events: int = ...) -> None:
            """Have ``callback()`` called whenever ``fd`` is ready for ``events``."""

        def unwatch(self, fd: int) -> None:
            """End that."""

        def later(self, delay_s: float, callback: Callable[[], object]) -> None:
            """Have ``callback()`` called once, after so many seconds."""


__all__ = ["PlayingDaemon"]

_READ_SIZE = 1 << 18
# Bytes that are made ready for a client before he has taken those before them.
_AHEAD = 1 << 20


class PlayingDaemon:
    """A daemon that answers as a recording has it, for any number of clients.

    ``answered`` counts the calls of all clients, ``connections`` how many came, ``visitors`` how
    many are there. ``scripts`` are those that were played, in the order in which they began.
    """

    def __init__(
        self,
        recalled: Recalled,
        loop: Loop,
        tell: Callable[[Deviation], object],
        *,
        pace: bool = False,
        loose: bool = False,
        strict: bool = False,
        when_left: Callable[[], object] | None = None,
    ) -> None:
        """Play ``recalled`` in ``loop`` to the clients that `adopt` is given.

        ``tell`` is called with what a client does otherwise than recorded. With ``pace`` answers
        and events take as long as they did; ``loose`` has calls answered as recorded ones that had
        other arguments; with ``strict`` one that is made more often than recorded counts as a
        deviation. ``when_left`` is called whenever a client has gone.
        """
        self.answered = 0
        self.connections = 0
        self.scripts: list[Script] = []
        self._loop = loop
        self._tell = tell
        self._pace = pace
        self._strict = strict
        self._when_left = when_left
        self._source = Scripts(recalled, loose=loose)
        self._visitors: set[_Visitor] = set()

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the recording"

    @property
    def visitors(self) -> int:
        """How many clients are connected."""
        return len(self._visitors)

    @property
    def unplayed(self) -> int:
        """How many recorded conversations no client has begun yet."""
        return self._source.unplayed

    def adopt(self, client: socket.socket) -> None:
        """Play to ``client``, a connected socket, which is the daemon's from now on."""
        self.connections += 1
        player = DaemonPlayer(
            self._source.choose,
            self._tell,
            number=self.connections,
            pace=self._pace,
            strict=self._strict,
        )
        visitor = _Visitor(client, player, self._loop, self._leave)
        self._visitors.add(visitor)
        visitor.begin()

    def lead(
        self,
        carriage: object,
        client: socket.socket,
        about: dict[str, object],
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Do as `reaching.Destination.lead`, for whoever listens in its stead."""
        self.adopt(client)

    def close(self) -> None:
        """Send every client away; may be called twice."""
        self._when_left = None
        for visitor in list(self._visitors):
            visitor.leave()

    def _leave(self, visitor: _Visitor) -> None:
        self._visitors.discard(visitor)
        self.answered += visitor.player.calls
        if visitor.player.script is not None:
            self.scripts.append(visitor.player.script)
        if self._when_left is not None:
            self._when_left()


class _Visitor:
    """One client's socket."""

    def __init__(
        self,
        sock: socket.socket,
        player: DaemonPlayer,
        loop: Loop,
        left: Callable[[_Visitor], object],
    ) -> None:
        self.player = player
        self._sock = sock
        self._fd = sock.fileno()
        self._loop = loop
        self._left = left
        self._carries = sock.family == socket.AF_UNIX
        self._reader = PacketReader(fd_passing=self._carries)
        # What is to be said, and the bytes of what is said first; None stands for a descriptor.
        self._said: deque[Said] = deque()
        self._bytes: deque[memoryview | None] = deque()
        self._size = 0
        self._events = 0
        self._alarm: float | None = None
        self._gone = False

    def begin(self) -> None:
        self._sock.setblocking(False)
        self._watch(EPOLLIN)

    def leave(self) -> None:
        """Close the socket so that the client reads an end of file and never a reset."""
        if self._gone:
            return
        self._gone = True
        self._loop.unwatch(self._fd)
        self.player.gone()
        with self._sock:
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
                while self._sock.recv(_READ_SIZE):
                    pass
            except OSError:
                # He has closed it before, or there is nothing to read.
                pass
        self._left(self)

    def _watch(self, events: int) -> None:
        if events == self._events:
            return
        if self._events:
            self._loop.unwatch(self._fd)
        self._events = events
        self._loop.watch(self._fd, self._ready, events)

    def _ready(self) -> None:
        if self._read():
            self._step()
        else:
            self.leave()

    def _read(self) -> bool:
        """Take what came; return whether the client is still there."""
        try:
            data, fds, _, _ = socket.recv_fds(
                self._sock, _READ_SIZE, FDS_MAX if self._carries else 0
            )
        except BlockingIOError:
            return True
        except OSError:
            return False
        for fd in fds:
            # A recording cannot do anything with it.
            os.close(fd)
        self._reader.feed(data)
        now = monotonic()
        while (packet := self._reader.next_packet()) is not None:
            self.player.receive(packet, now)
        if self._reader.error is not None:
            self.player.complain(f"what the client sends is no packet: {self._reader.error}")
            return False
        return bool(data)

    def _step(self) -> None:
        """Say what is due, and see to it that the rest is said in time."""
        if self._gone:
            return
        now = monotonic()
        self._said.extend(self.player.take(now))
        try:
            self._write()
        except OSError:
            self.leave()
            return
        if self.player.closing and not self._said and not self._bytes:
            self.leave()
            return
        self._watch(EPOLLIN | EPOLLOUT if self._bytes else EPOLLIN)
        due = self.player.next_due_s
        if due is not None and (self._alarm is None or due < self._alarm):
            self._alarm = due
            self._loop.later(max(due - now, 0.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._step()

    def _write(self) -> None:
        while self._said or self._bytes:
            while self._said and self._size < _AHEAD:
                said = self._said.popleft()
                data = said.pack(carries_descriptors=self._carries)
                self._bytes.append(memoryview(data))
                self._bytes.extend([None] * said.descriptors)
                self._size += len(data)
            try:
                self._write_first()
            except BlockingIOError:
                return

    def _write_first(self) -> None:
        first = self._bytes[0]
        if first is None:
            self._send_descriptor()
            self._bytes.popleft()
            return
        sent = self._sock.send(first)
        self._size -= sent
        if sent == len(first):
            self._bytes.popleft()
        else:
            self._bytes[0] = first[sent:]

    def _send_descriptor(self) -> None:
        """Send one as the recording has none: of a socket that nobody is behind."""
        theirs, other = socket.socketpair()
        with theirs:
            other.close()
            socket.send_fds(self._sock, [b"\0"], [theirs.fileno()])
