"""A libvirt daemon for tests that says what its script says.

Responsible for: serving connections on one thread, handlers by procedure, faults on the way out, a
record of what the clients sent. Must not know what procedures mean: handlers do.

::

    with ScriptedServer({(0x20008086, 157): GetLibVersionRet(9000000)}) as server:
        sock = server.connect()              # one end of a socket pair, already served
        path = server.listen(tmp_path / "s") # or a socket to connect to
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from virtproto.errors import DeadlineError, UsageError
from virtproto.protocol.events import CallReceived, Event
from virtproto.protocol.framing import Packet
from virtproto.protocol.limits import LIBVIRTD_PROGRAMS
from virtproto.testing.actions import Action, Handler
from virtproto.testing.connection import ScriptedConnection
from virtproto.testing.faults import Faults
from virtproto.testing.opening import opening_handlers

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from virtproto.xdr.procedure import Procedure

    Key: TypeAlias = tuple[int, int] | Procedure[Any, Any]

__all__ = ["ScriptedServer"]

_STOP_S = 10.0


class ScriptedServer:
    """A daemon on a thread of its own, for any number of connections.

    ``handlers`` maps a procedure, or (program, procedure number), to its answer or to a function of
    the CallReceived that returns it; see `actions` for what an answer can be. Functions run on the
    server's thread. A call without a handler is answered as an unknown procedure. ``opening`` adds
    handlers for opening and closing a connection. With ``confirm_streams`` every finish and abort
    of a stream is confirmed.

    A handler that raises closes its connection, and `stop` raises what it raised.
    """

    def __init__(
        self,
        handlers: Mapping[Key, Handler] | None = None,
        *,
        faults: Faults | None = None,
        programs: frozenset[tuple[int, int]] = LIBVIRTD_PROGRAMS,
        opening: bool = True,
        confirm_streams: bool = True,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.programs = programs
        self.confirm_streams = confirm_streams
        self._defaults = opening_handlers() if opening else {}
        self._handlers: dict[tuple[int, int], Handler] = {}
        for key, handler in (handlers or {}).items():
            self.handle(key, handler)
        # What clients sent; written on the server's thread under the condition.
        self._news = threading.Condition()
        self._calls: list[CallReceived] = []
        self._packets: list[Packet] = []
        self._bytes = bytearray()
        self._events: list[Event] = []
        self._fds: list[int] = []
        self._ended = 0
        self._failure: BaseException | None = None
        # For the thread.
        self._commands: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._connections: list[ScriptedConnection] = []
        self._listeners: list[tuple[socket.socket, str]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scripted-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # For the test's thread.

    def handle(self, key: Key, handler: Handler) -> None:
        """Set or replace a handler; it holds for the next call of the procedure."""
        if not isinstance(key, tuple):
            key = (key.program, key.number)
        self._handlers[key] = handler

    def connect(self) -> socket.socket:
        """Return a blocking socket whose other end is served; the caller closes it."""
        ours, theirs = socket.socketpair()
        try:
            self._do(lambda: self._adopt(ours))
        except UsageError:
            ours.close()
            theirs.close()
            raise
        return theirs

    def listen(self, path: str | Path) -> str:
        """Serve whoever connects to a UNIX socket at ``path``; return the path."""
        listener = socket.socket(socket.AF_UNIX)

        def start() -> None:
            self._listeners.append((listener, str(path)))
            self._selector.register(listener, selectors.EVENT_READ)

        try:
            listener.setblocking(False)
            listener.bind(str(path))
            listener.listen(16)
            self._do(start)
        except BaseException:
            listener.close()
            raise
        return str(path)

    def send(self, *actions: Action) -> None:
        """Carry out actions that belong to no call (events, pings, raw bytes, closing) everywhere.

        Raises UsageError for an action that needs a call.
        """
        for action in actions:
            ScriptedConnection.check_callless(action)
        self._do(lambda: self._send_everywhere(actions))

    def release(self) -> None:
        """Send the replies that ``faults.reorder`` still holds, in the order of their calls."""
        self._do(self._release_everywhere)

    @property
    def calls(self) -> list[CallReceived]:
        """Every call so far, in order of arrival."""
        with self._news:
            return list(self._calls)

    @property
    def packets(self) -> list[Packet]:
        """Every packet so far, calls and all others, in order of arrival."""
        with self._news:
            return list(self._packets)

    @property
    def bytes_received(self) -> bytes:
        """Every byte so far, of all connections in order of arrival."""
        with self._news:
            return bytes(self._bytes)

    @property
    def events(self) -> list[Event]:
        """What the sessions reported besides calls: stream packets, failures, closings."""
        with self._news:
            return list(self._events)

    @property
    def fds_received(self) -> list[int]:
        """Every descriptor so far, in order of arrival; they are open until `stop`."""
        with self._news:
            return list(self._fds)

    @property
    def connections_ended(self) -> int:
        """Connections that are over."""
        with self._news:
            return self._ended

    def wait_until(
        self, condition: Callable[[ScriptedServer], bool], timeout_s: float = 10.0
    ) -> None:
        """Wait until ``condition(server)`` holds; it is asked again whenever something arrived.

        Raises DeadlineError.
        """
        with self._news:
            if not self._news.wait_for(lambda: condition(self), timeout_s):
                raise DeadlineError(f"the condition did not come true in {timeout_s:g} s")

    def stop(self) -> None:
        """Close everything and end the thread; raise what a handler raised. Harmless twice."""
        self._stopping = True
        self._wake()
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise DeadlineError("the scripted server did not stop: a handler hangs")
        self._wake_out.close()
        while self._fds:
            os.close(self._fds.pop())
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _do(self, command: Callable[[], None]) -> None:
        """Have the thread run ``command``."""
        if self._stopping or not self._thread.is_alive():
            raise UsageError("the scripted server is stopped")
        self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except (BlockingIOError, OSError):
            # Full: the thread is about to wake anyway. Closed: it has ended.
            return

    # For the connections, on the thread.

    def handler_for(self, call: CallReceived) -> tuple[Handler, bool] | None:
        """Return the handler of a call and whether it is one of the opening's, None without one."""
        key = (call.program, call.procedure)
        if key in self._handlers:
            return self._handlers[key], False
        if key in self._defaults:
            return self._defaults[key], True
        return None

    def record(self, data: bytes, packets: list[Packet], events: list[Event]) -> None:
        """Note what came in."""
        with self._news:
            self._bytes += data
            self._packets += packets
            for event in events:
                if isinstance(event, CallReceived):
                    self._calls.append(event)
                else:
                    self._events.append(event)
            self._news.notify_all()

    def keep(self, fds: list[int]) -> None:
        """Keep descriptors that came until the server stops."""
        with self._news:
            self._fds += fds
            self._news.notify_all()

    def fail(self, error: BaseException) -> None:
        """Keep the first exception of a handler for `stop`."""
        if self._failure is None:
            self._failure = error

    # The thread.

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:
            self.fail(error)
        finally:
            self._close_all()

    def _turn(self) -> None:
        """Wait for something to do, do it."""
        for key, _ in self._selector.select(self._timeout_s()):
            if isinstance(key.data, ScriptedConnection):
                key.data.ready()
            elif key.fileobj is self._wake_in:
                self._wake_in.recv(4096)
            else:
                self._accept(key.fileobj)
        while self._commands:
            self._commands.popleft()()
        for connection in list(self._connections):
            connection.flush(time.monotonic())
            if connection.over:
                self._drop(connection)
            else:
                self._selector.modify(connection.sock, connection.interest, connection)

    def _timeout_s(self) -> float | None:
        due = [each.due for each in self._connections if each.due is not None]
        return max(min(due) - time.monotonic(), 0) if due else None

    def _accept(self, listener: object) -> None:
        assert isinstance(listener, socket.socket)
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # gone again before it was accepted
        self._adopt(sock)

    def _adopt(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        connection = ScriptedConnection(self, sock)
        self._connections.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _send_everywhere(self, actions: tuple[Action, ...]) -> None:
        for connection in self._connections:
            connection.perform_callless(actions)

    def _release_everywhere(self) -> None:
        for connection in self._connections:
            connection.release()

    def _drop(self, connection: ScriptedConnection) -> None:
        self._connections.remove(connection)
        self._selector.unregister(connection.sock)
        connection.close()
        with self._news:
            self._ended += 1
            self._news.notify_all()

    def _close_all(self) -> None:
        # Sockets of connections that nobody has adopted yet come with their commands.
        while self._commands:
            self._commands.popleft()()
        for connection in list(self._connections):
            self._drop(connection)
        for listener, path in self._listeners:
            self._selector.unregister(listener)
            listener.close()
            os.unlink(path)
        self._selector.close()
        self._wake_in.close()
