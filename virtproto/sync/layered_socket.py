"""A socket with a layer between it and the packets: TLS, or a security layer of SASL's.

Responsible for offering what a channel uses of a socket, so that reading and sending are the same
with a layer and without, deadlines and signals included. Must not know what the layer does.

What holds:

* One thread reads, the leader, and one sends, who has the channel's lock; a lock here keeps the two
  apart where they use the layer. It is not held while anybody waits.
* All that is readable is given at once, whatever size was asked for: what is kept here nobody would
  see who waits for the descriptor.
* What was wrapped cannot be taken back. So a piece counts as sent but for its last byte as soon as
  it is wrapped, and that byte counts when all has left: until then the packet is not done, and
  whoever looks after packets goes on with it.
* A signal's exception may come wherever the interpreter looks for one. What the socket gave is kept
  by the C call that read it. Torn while the layer works, or before its work was told of, the
  connection is broken, and whoever comes next is told so by ConnectionError.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, MSG_NOSIGNAL, SO_RCVTIMEO, SOL_SOCKET
from _thread import allocate_lock
from struct import Struct
from time import monotonic

from virtproto.transport.road import MOST_UNTAKEN, UNTAKEN
from virtproto.transport.unix import pack_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterable

    from virtproto.transport.road import Layer

__all__ = ["LayeredSocket"]

# As in `reading`, and what is read at once of a large packet's rest.
_READ_SIZE = 65536
_LARGE_READ_SIZE = 1 << 18
# More would only lie here while the socket takes the first of it.
_PIECE = 65536
# How often somebody who does not wait looks where nothing plain comes: a peer that says nothing
# without end must not keep him. What is left the descriptor shows.
_LOOKS = 16
_SEND_FLAGS = (MSG_NOSIGNAL | MSG_DONTWAIT,)
_TIMEVAL = Struct("@ll")


class LayeredSocket:
    """What a channel uses of a connected socket, by way of ``layer``."""

    __slots__ = (
        "_at_work",
        "_came",
        "_layer",
        "_left",
        "_limit_s",
        "_lock",
        "_plain",
        "_raw_limit_s",
        "_sending",
        "_sock",
        "_untold",
        "_wrapped",
    )

    def __init__(self, sock: socket, layer: Layer) -> None:
        self._sock = sock
        self._layer = layer
        self._lock = allocate_lock()
        # True while the layer works; and while a piece is wrapped and nobody was told of it.
        self._at_work = False
        self._sending = False
        # What was read and not unwrapped, at most one piece, and what was unwrapped and not told.
        self._came: list[bytes] = []
        self._plain: bytes | None = None
        # What was wrapped and not sent, and what each send took of it.
        self._wrapped = b""
        self._left: list[int] = []
        # How much of a wrapped piece has not been told to have left.
        self._untold = 0
        # How long reading may take, and how long the socket lets one read of it take.
        self._limit_s: float | None = None
        self._raw_limit_s: float | None = None
        self._limit(None)

    def fileno(self) -> int:
        """Return the descriptor, to be waited on; -1 once it is closed."""
        return self._sock.fileno()

    def getsockopt(self, level: int, option: int) -> int:
        """Return an option's value."""
        return self._sock.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option; a limit for receiving holds for all reads that one takes together."""
        if level == SOL_SOCKET and option == SO_RCVTIMEO and isinstance(value, bytes):
            seconds, micros = _TIMEVAL.unpack(value)
            limit_s = seconds + micros / 1e6
            self._limit_s = limit_s if limit_s > 0 else None
        else:
            self._sock.setsockopt(level, option, value)

    def shutdown(self, how: int) -> None:
        """Shut the socket down, as it is."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def recvmsg(
        self, size: int, room: int = 0, flags: int = 0
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        """Return all that can be read, b"" at the end; as a socket's, but for the size.

        Raises BlockingIOError when time is up, or at once with MSG_DONTWAIT, and ConnectionError
        for what the layer cannot go on from.
        """
        if self._plain is None:
            self._read(_READ_SIZE if size <= _READ_SIZE else _LARGE_READ_SIZE, flags)
        # Without a call in between: what is taken from here is given.
        plain, self._plain = self._plain, None
        return plain or b"", [], 0, None

    def _read(self, size: int, flags: int) -> None:
        """Read until something is plain, or the end."""
        flags &= MSG_DONTWAIT
        limit_s = None if flags else self._limit_s
        until = None if limit_s is None else monotonic() + limit_s
        came = self._came
        looks = _LOOKS
        while self._plain is None:
            if not came:
                if self._layer.has_ended:
                    self._plain = b""
                    return
                if not looks:
                    raise BlockingIOError
                if limit_s != self._raw_limit_s and not flags:
                    self._limit(limit_s)
                came.extend(map(self._sock.recv, (size,), (flags,)))
                if until is not None:
                    # For the next one, if it takes more than one.
                    limit_s = until - monotonic()
                elif flags:
                    looks -= 1
            with self._lock:
                self._unwrap()

    def _limit(self, left_s: float | None) -> None:
        """Set how long one read of the socket may take."""
        if left_s is not None and left_s <= 0:
            raise BlockingIOError
        # Unknown, should this be torn.
        self._raw_limit_s = -1.0
        self._sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack_timeout(left_s))
        self._raw_limit_s = left_s

    def _unwrap(self) -> None:
        """Unwrap what came, and send what the layer has to say to it. Needs the lock."""
        if self._at_work:
            raise ConnectionError(_TORN)
        layer, data = self._layer, self._came[0]
        self._at_work = True
        plain = layer.unwrap(data)
        answer = layer.wrap(b"")
        if answer:
            self._wrapped += answer
            if len(self._wrapped) > MOST_UNTAKEN:
                raise ConnectionError(UNTAKEN)
        del self._came[0]
        # b"" is the end, and otherwise that there is nothing yet.
        if plain or not data:
            self._plain = plain
        self._at_work = False
        if self._wrapped and not self._untold:
            try:  # noqa: SIM105 - contextlib takes long to import
                self._flush()
            except BlockingIOError:
                # It leaves before the next piece.
                pass

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        """Send at most as much as there is room for; return how much of it counts as sent.

        Waits for nothing. Raises BlockingIOError where there is no room for what was wrapped
        before, OSError where the socket or the layer broke.
        """
        with self._lock:
            if self._at_work or self._sending:
                raise ConnectionError(_TORN)
            untold = self._untold
            if self._wrapped:
                self._flush()
            if untold:
                self._untold = 0
            else:
                untold = len(data)
                if untold > _PIECE:
                    untold = _PIECE
                    data = memoryview(data)[:_PIECE]
                self._sending = self._at_work = True
                self._wrapped = self._layer.wrap(data)
                self._at_work = False
                try:
                    self._flush()
                except BlockingIOError:
                    self._untold = 1
                    untold -= 1
        # Without a call in between.
        self._sending = False
        return untold

    def sendmsg(
        self, parts: Iterable[bytes | memoryview], ancillary: object = (), flags: int = 0
    ) -> int:
        """Send what several parts are together; descriptors do not travel here."""
        return self.send(b"".join([part[:_PIECE] for part in parts]), flags)

    def _flush(self) -> None:
        """Send what is wrapped. Raises BlockingIOError where the socket does not take it all."""
        left, wrapped = self._left, self._wrapped
        done = sum(left) if left else 0
        while done < len(wrapped):
            rest = memoryview(wrapped)[done:] if done else wrapped
            left.extend(map(self._sock.send, (rest,), _SEND_FLAGS))
            done = sum(left)
        self._wrapped, self._left = b"", []


_TORN = "a signal came while a layer of the connection was at work"
