"""The event loop of blocking connections: one thread that moves bytes for all of them.

Responsible for the thread's beginning with the first connection and its end with the last, and for
what threads and that loop have to tell each other. Must not know what is done there. It does not
exist in a forked process, and holds up nothing at the interpreter's end.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
from contextvars import copy_context
from queue import SimpleQueue
from threading import RLock, Thread

from virtproto.errors import TransportError

from .opening import open_bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from virtproto.model.credentials import Answers, Asker, CredentialRequest, Credentials
    from virtproto.model.endpoint import LibsshEndpoint
    from virtproto.transport.road import Road

    # Calls a function of the caller's on his own thread.
    Ask: TypeAlias = Callable[[Asker, Sequence[CredentialRequest]], Answers]

__all__ = ["connect_there"]

_NAME = "virtproto ssh"
_LAST_WAIT_S = 2.0


class _Kept:
    """The loop, while there is one, and who needs it."""

    def __init__(self) -> None:
        # Guards the rest, so that the loop does not end while a connection comes.
        self.guard = RLock()
        self.users: set[_Order] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        # The loop's, and those of earlier loops that are still about to end.
        self.threads: list[Thread] = []


_kept = _Kept()


class _Order:
    """A connection that a thread wants, from its beginning to its end."""

    def __init__(
        self,
        endpoint: LibsshEndpoint,
        sock: socket,
        timeout_s: float | None,
        credentials: Credentials | Asker | None,
        ask: Ask,
    ) -> None:
        self._endpoint = endpoint
        self._sock = sock
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._ask_here = ask
        # What the thread is told: a question, or what came of it all.
        self._told: SimpleQueue[tuple[str, Any, Any]] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the loop's thread."""
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def give_up(self) -> None:
        """End it, whether it has begun or not, on the loop's thread."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._sock.close()
            _leave(self)

    def wait(self) -> Road:
        """Wait for what comes of it, and answer questions meanwhile."""
        while True:
            what, told, answer = self._told.get()
            if what == "road":
                road: Road = told
                return road
            if what == "failed":
                raise told
            asker, requests = told
            try:
                answers = self._ask_here(asker, requests)
            except Exception as error:
                answer(None, error)
            else:
                answer(answers, None)

    async def _serve(self) -> None:
        bridge = None
        try:
            bridge = await open_bridge(
                self._endpoint, self._sock, self._timeout_s, self._credentials, self._ask
            )
            self._told.put(("road", bridge.road(), None))
            await bridge.wait_ended()
        except BaseException as error:
            if bridge is not None:
                bridge.forsake()
            self._told.put(("failed", error, None))
        finally:
            _leave(self)

    async def _ask(self, asker: Any, requests: Sequence[CredentialRequest]) -> Answers:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answers] = loop.create_future()

        def settle(answers: Answers, error: Exception | None) -> None:
            if answered.done():
                return
            if error is not None:
                answered.set_exception(error)
            else:
                answered.set_result(answers)

        def answer(answers: Answers, error: Exception | None) -> None:
            loop.call_soon_threadsafe(settle, answers, error)

        self._told.put(("ask", (asker, requests), answer))
        return await answered


def connect_there(
    endpoint: LibsshEndpoint,
    sock: socket,
    timeout_s: float | None,
    credentials: Credentials | Asker | None,
    ask: Ask,
) -> Road:
    """Return a road by the SSH server at the other end of ``sock``, served by the thread."""
    order = _Order(endpoint, sock, timeout_s, credentials, ask)
    loop: asyncio.AbstractEventLoop | None = None
    try:
        loop = _join(order)
        # In this thread's context: its time limits count there.
        loop.call_soon_threadsafe(order.start, context=copy_context())
        return order.wait()
    except BaseException:
        if loop is None:
            sock.close()
            _leave(order)
        else:
            # Behind the start, if that was ordered. A loop that has ended has ended all of its own.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(order.give_up)
        raise


def _join(order: _Order) -> asyncio.AbstractEventLoop:
    """Have the loop, begun if need be, run for as long as ``order`` has not left."""
    with _kept.guard:
        _kept.users.add(order)
        if _kept.loop is None:
            made: SimpleQueue[asyncio.AbstractEventLoop | OSError] = SimpleQueue()
            thread = Thread(target=_run, args=(_kept, made), name=_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise TransportError(f"no thread for ssh can be had: {error}") from error
            loop = made.get()
            if isinstance(loop, OSError):
                raise TransportError(f"no event loop for ssh can be had: {loop}") from loop
            _kept.threads = [*filter(Thread.is_alive, _kept.threads), thread]
            # Last: where a signal came before it there is none, as the thread finds out itself.
            _kept.loop = loop
        return _kept.loop


def _leave(order: _Order) -> None:
    """Have the loop end, if ``order`` was the last that needed it."""
    with _kept.guard:
        _kept.users.discard(order)
        loop = _kept.loop
        if _kept.users or loop is None:
            return
        _kept.loop = None
    loop.call_soon_threadsafe(loop.stop)


def _run(kept: _Kept, made: SimpleQueue[asyncio.AbstractEventLoop | OSError]) -> None:
    try:
        # Here, where no signal is in its way.
        loop = asyncio.new_event_loop()
    except OSError as error:
        made.put(error)
        return
    made.put(loop)
    with kept.guard:
        if kept.loop is not loop:
            loop.close()
            return
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _end_all() -> None:
    """At the interpreter's end: have everything closed, and wait for that for a moment."""
    with _kept.guard:
        loop, _kept.loop = _kept.loop, None
    if loop is not None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.stop)
    # One that went on while the interpreter is torn down would crash.
    for thread in _kept.threads:
        thread.join(_LAST_WAIT_S)


def _forget_parents() -> None:
    """In a forked process: there is no thread, and the loop is the parent's."""
    global _kept
    # Kept whole: to clear it away would be to close what the parent goes on using.
    _forgotten.append(_kept)
    _kept = _Kept()


_forgotten: list[_Kept] = []

atexit.register(_end_all)
os.register_at_fork(after_in_child=_forget_parents)
