"""A stream: bytes beside the calls of a connection, to or from one thing on the daemon's host.

Responsible for what a user can do with one, from the call that opens it to its end. How bytes
travel and how somebody waits is in `traffic`. Its twin of the other colour differs in ``async`` and
``await`` only.
"""

from __future__ import annotations

from contextlib import suppress
from sys import is_finalizing
from typing import overload

from virtproto.errors import ArgumentTypeError, UsageError, VirtprotoError
from virtproto.model.arguments import to_flags, to_long
from virtproto.model.calls import opens_sparse_stream
from virtproto.model.replies import CLOSE_TIMEOUT_S
from virtproto.model.stream_use import (
    CHUNK,
    NONBLOCK,
    STOP_AT_HOLE,
    check_handler,
    check_size,
    check_taken,
    pieces_of,
    room_in,
    section_of,
    view_of,
    warn_of_open_stream,
)

from .traffic import StreamEnd, run_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer, Callable  # type: ignore[attr-defined]
    from types import TracebackType
    from typing import Any, Literal, Self

    from virtproto.xdr.procedure import Procedure

    from .delivery import StreamWatch
    from .living import LivingCalls
    from .traffic import Chunks

__all__ = ["Stream"]


class Stream:
    """Bytes to or from the daemon, opened by the method that it is passed to.

    Made by ``Connection.new_stream``; one stream serves one such call. It is to be ended by
    ``finish``, which says that all went well, or ``abort``. As a context manager it does so itself:
    it aborts when the block raises, and finishes otherwise.

    What the daemon sends is kept until it is read. Unless a call or another stream makes it read
    on, the connection leaves with the daemon what goes beyond 4 MiB; where other traffic does, more
    is kept, without limit. What is sent waits while the daemon takes no more.

    Once the daemon has reported an error every method raises it as LibvirtError, except ``abort``,
    for which nothing is left to do. The connection goes on. A method of a stream that is not open
    yet, or over, raises UsageError.
    """

    def __init__(self, connection: LivingCalls, flags: int = 0) -> None:
        self._connection = connection
        self._flags = to_flags("flags", flags)
        self._end: StreamEnd | None = None
        self._over = False
        self._watch: StreamWatch | None = None

    def __del__(self) -> None:
        end: StreamEnd | None = getattr(self, "_end", None)
        if end is not None and not self._over:
            end.disown()
            if end.inbox.error is None and not is_finalizing():
                warn_of_open_stream(self, end.procedure)

    def __repr__(self) -> str:
        if self._end is None:
            return "<Stream, not open>"
        state = "over" if self._over else "failed" if self._end.inbox.error else "open"
        return f"<Stream of {self._end.procedure.name}, {state}>"

    @property
    def connection(self) -> LivingCalls:
        """The connection that the stream belongs to."""
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether data can go or come, as far as is known."""
        return self._end is not None and not self._over and self._end.inbox.error is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._end is None or self._over:
            return
        if error is None:
            self.finish()
        else:
            self._give_up()

    def _open(
        self, procedure: Procedure[Any, Any], packed: bytes, timeout_s: float | None
    ) -> bytes:
        """Make the call that opens the stream; return the payload of its reply."""
        if self._end is not None:
            raise UsageError("stream: it is in use already; every call takes a new one")
        self._end = StreamEnd(procedure, sparse=opens_sparse_stream(procedure, packed))
        channel = self._connection._channel
        try:
            return channel.call_opening_stream(procedure, packed, self._end, timeout_s)
        except BaseException:
            self._end = None
            raise

    def finish(self) -> None:
        """Say that all is sent, or enough read, and wait for the daemon's confirmation.

        Only then is an upload known to be written. What was not read is dropped. Waits as long as
        ``Connection.call_timeout_s`` allows.

        Raises LibvirtError if the daemon could not complete it, DeadlineError. Source:
        virStreamFinish.
        """
        end = self._usable()
        end.inbox.check()
        end.send_finish()
        self._conclude(end, self._connection.call_timeout_s)
        end.inbox.check()

    def abort(self) -> None:
        """Drop the stream: what was sent may be lost. Does nothing after an error of the stream.

        Waits as long as ``Connection.call_timeout_s`` allows. Raises DeadlineError. Source:
        virStreamAbort.
        """
        self._abort(self._usable(), self._connection.call_timeout_s)

    def _abort(self, end: StreamEnd, timeout_s: float | None) -> None:
        if end.inbox.error is not None:
            self._over = True
            end.disown()
            return
        end.send_abort()
        self._conclude(end, timeout_s)

    def _conclude(self, end: StreamEnd, timeout_s: float | None) -> None:
        """Wait for the confirmation of what ends the stream; it is over whatever comes."""
        self._over = True
        try:
            end.wait(lambda: end.inbox.over or end.inbox.error is not None, timeout_s)
        finally:
            if self._watch is not None:
                # Each has the other: what they hold open would stay so for some time.
                self._watch.remove()
                self._watch = None
            end.disown()

    def _give_up(self) -> None:
        """Abort because of an exception, which is to be heard of rather than what abort raises."""
        if self._end is None or self._over:
            return
        # A late confirmation is swallowed.
        with suppress(VirtprotoError):
            self._abort(self._end, CLOSE_TIMEOUT_S)

    # Data.

    def send(self, data: Buffer) -> int:
        """Send bytes, all of them, and return their number.

        Waits while the daemon takes no more. That they are sent does not mean that they are
        written: ``finish`` does. In a blocking connection the ``call_timeout_s`` that the stream
        was opened with is how long the daemon may take no more; the stream is dropped after that.

        Raises LibvirtError, ConnectionLostError, DeadlineError. Source: virStreamSend.
        """
        end = self._usable()
        view = view_of("data", data)
        for piece in pieces_of(view):
            end.send_data(piece)
        return len(view)

    @overload
    def recv(self, nbytes: int) -> bytes: ...

    @overload
    def recv(self, nbytes: int, flags: Literal[0]) -> bytes: ...

    @overload
    def recv(self, nbytes: int, flags: int) -> bytes | None: ...

    def recv(self, nbytes: int, flags: int = 0) -> bytes | None:
        """Return the next bytes, at least one and at most ``nbytes``; b"" when there are no more.

        Waits for them. A hole in a sparse stream is read as zeros unless ``flags`` has
        STOP_AT_HOLE (1): then None is returned where one begins, and ``recv_hole`` passes it. None
        is also what a stream of the flag NONBLOCK (1) returns where nothing has come.

        Raises LibvirtError, ConnectionLostError. Source: virStreamRecvFlags.
        """
        end = self._usable()
        if to_long("nbytes", nbytes) < 1:
            raise UsageError(f"nbytes: {nbytes} bytes cannot be read")
        stop_at_hole = bool(to_flags("flags", flags) & STOP_AT_HOLE)
        while True:
            data = end.read(nbytes, stop_at_hole=stop_at_hole)
            if data is not None or end.inbox.hole or self._flags & NONBLOCK:
                return data
            end.wait(lambda: end.inbox.has_news)

    def recv_hole(self, flags: int = 0) -> int:
        """Pass the hole at which ``recv`` stopped, and return its length in bytes.

        0 where no hole begins. ``flags`` must be 0. Raises LibvirtError. Source: virStreamRecvHole.
        """
        to_flags("flags", flags)
        return self._usable().take_hole()

    def send_hole(self, length: int, flags: int = 0) -> None:
        """Send a hole of ``length`` bytes: the daemon skips them, and they read as zeros.

        Only for a stream whose opening call had its flag for sparse streams: UsageError else.
        ``flags`` must be 0. Raises LibvirtError. Source: virStreamSendHole.
        """
        end = self._usable()
        if to_long("length", length) < 0:
            raise UsageError(f"length: a hole of {length} bytes")
        if not end.inbox.sparse:
            raise UsageError(f"{end.procedure.name} was called without its flag for sparse streams")
        end.send_hole(length, to_flags("flags", flags))

    # All of it.

    def recv_all(self, handler: Callable[[Stream, bytes], object]) -> None:
        """Pass everything that comes to ``handler(stream, data)``, to the end.

        The handler takes all of ``data``, or returns how many bytes it took and is called again
        with the rest. When it raises, the stream is aborted and the exception goes on; at the end
        the stream is still to be finished. Source: virStreamRecvAll.
        """
        self._for_all(handler)
        try:
            while data := self.recv(CHUNK):
                self._hand_over(handler, data)
        except BaseException:
            self._give_up()
            raise

    def send_all(self, handler: Callable[[Stream, int], Any]) -> None:
        """Send what ``handler(stream, nbytes)`` returns until it returns b"".

        ``nbytes`` is how many bytes are convenient. When the handler raises, the stream is aborted
        and the exception goes on; at the end the stream is still to be finished. Source:
        virStreamSendAll.
        """
        self._for_all(handler)
        try:
            while data := self._fetch(handler, CHUNK):
                self.send(data)
        except BaseException:
            self._give_up()
            raise

    def sparse_recv_all(
        self,
        handler: Callable[[Stream, bytes], object],
        hole_handler: Callable[[Stream, int], object],
    ) -> None:
        """Do as ``recv_all``, and call ``hole_handler(stream, length)`` for each hole.

        Source: virStreamSparseRecvAll.
        """
        self._for_all(handler)
        check_handler("hole_handler", hole_handler)
        try:
            while (data := self.recv(CHUNK, STOP_AT_HOLE)) != b"":
                if data is None:
                    run_handler(hole_handler, self, self.recv_hole())
                else:
                    self._hand_over(handler, data)
        except BaseException:
            self._give_up()
            raise

    def sparse_send_all(
        self,
        handler: Callable[[Stream, int], Any],
        hole_handler: Callable[[Stream], Any],
        skip_handler: Callable[[Stream, int], object],
    ) -> None:
        """Do as ``send_all``, and send holes where there are some.

        ``hole_handler(stream)`` returns (whether data comes next, the length of that data or hole).
        A hole is sent, and ``skip_handler(stream, length)`` called to pass it in the source. The
        end is where ``handler`` returns b"", or the length is 0. Source: virStreamSparseSendAll.
        """
        self._for_all(handler)
        check_handler("hole_handler", hole_handler)
        check_handler("skip_handler", skip_handler)
        try:
            while True:
                is_data, length = section_of(run_handler(hole_handler, self))
                if length and not is_data:
                    self.send_hole(length)
                    run_handler(skip_handler, self, length)
                elif not self._send_section(handler, length):
                    return
        except BaseException:
            self._give_up()
            raise

    def _send_section(self, handler: Callable[[Stream, int], Any], length: int) -> bool:
        """Send a stretch of data; return False at the end."""
        if not length:
            return False
        while length:
            data = self._fetch(handler, min(length, CHUNK))
            if not data:
                return False
            length -= self.send(data[:length])
        return True

    def _fetch(self, handler: Callable[[Stream, int], Any], nbytes: int) -> bytes:
        data = run_handler(handler, self, nbytes)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ArgumentTypeError(f"handler: it returned {type(data).__name__}, not bytes")
        return bytes(data)

    def _hand_over(self, handler: Callable[[Stream, bytes], object], data: bytes) -> None:
        while data:
            data = data[check_taken(run_handler(handler, self, data), len(data)) :]

    def _for_all(self, handler: object) -> None:
        check_handler("handler", handler)
        self._usable()
        if self._flags & NONBLOCK:
            raise UsageError("a stream of the flag NONBLOCK waits for nothing, and this would")

    # As a file, and as an iterable.

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size``, or with -1 all up to the end."""
        check_size("size", size)
        if size == 0:
            return b""
        if size > 0:
            return self.recv(size)
        parts = []
        while data := self.recv(CHUNK):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: Buffer) -> int:
        """Read into memory that can be written to; return how many bytes, 0 at the end."""
        view = room_in("buffer", buffer)
        if not view:
            return 0
        data = self.recv(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: Buffer) -> int:
        """Send bytes, all of them, and return their number."""
        return self.send(data)

    def close(self) -> None:
        """Finish the stream, unless it is over; drop it if it failed.

        Raises as ``finish`` does. Blocking streams are files enough for ``shutil.copyfileobj``, and
        for ``io.BufferedReader`` and ``io.BufferedWriter``, which close them.
        """
        end = self._end
        if end is None or self._over:
            return
        if end.inbox.error is not None:
            self.abort()
        else:
            self.finish()

    @property
    def closed(self) -> bool:
        """Whether the stream is over."""
        return self._over

    def flush(self) -> None:
        """Do nothing: what was written is on its way."""

    def readable(self) -> bool:
        """Return True: whether anything comes is the daemon's affair."""
        return True

    def writable(self) -> bool:
        """Return True: whether anything is taken is the daemon's affair."""
        return True

    def seekable(self) -> bool:
        """Return False: there is no way back."""
        return False

    def __iter__(self) -> Chunks:
        """Give the data in pieces as they come, up to the end."""
        while data := self.recv(CHUNK):
            yield data

    # Callbacks.

    def add_callback(self, events: int, callback: Callable[[Stream, int], object]) -> None:
        """Have ``callback(stream, events)`` called whenever the stream is ready for something.

        ``events`` and the callback's second argument are sets of READABLE (1: there is data, the
        end, or an error), WRITABLE (2), ERROR (4) and HANGUP (8). It is called again as long as the
        stream stays ready, and where the connection's other callbacks are: in the event loop
        (asyncio), on the connection's own thread for callbacks (blocking). Source:
        virStreamEventAddCallback.
        """
        from .delivery import StreamWatch

        end = self._usable()
        check_handler("callback", callback)
        if self._watch is not None and not self._watch.removed:
            raise UsageError("the stream has a callback already")
        self._watch = StreamWatch(self, end, to_flags("events", events), callback)

    def update_callback(self, events: int) -> None:
        """Change what the callback is called for. Source: virStreamEventUpdateCallback."""
        self._watched().update(to_flags("events", events))

    def remove_callback(self) -> None:
        """Have the callback not called any more. Source: virStreamEventRemoveCallback."""
        self._watched().remove()

    def _watched(self) -> StreamWatch:
        if self._watch is None or self._watch.removed:
            raise UsageError("the stream has no callback")
        return self._watch

    def _usable(self) -> StreamEnd:
        if self._end is None:
            raise UsageError("the stream is not open: pass it to the method that opens it")
        if self._over:
            raise UsageError("the stream is over")
        return self._end
