"""Everything at once on one connection, in each colour: what a test then takes the daemon from.

Responsible for having many calls, an upload, a download and an iterator over events under way, each
in a thread or task of its own, and for noting when and how each of them ended. Both colours are
used from a test's thread alike. Must not know what happens to the daemon.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import virtproto
from tests.lab.daemon import PrivateDaemon
from virtproto import aio
from virtproto.aio.events import DomainLifecycle as AioDomainLifecycle
from virtproto.events import DomainLifecycle

__all__ = ["CALLS", "LONG", "STORMS", "BlockingStorm", "Ended", "LoopStorm", "Storm", "besieged"]

URI = "qemu:///system"
POOL = "<pool type='dir'><name>storm</name><target><path>{}</path></target></pool>"
VOLUME = """<volume><name>{}</name><capacity unit='GiB'>64</capacity>
<allocation>0</allocation><target><format type='raw'/></target></volume>"""
DOMAIN = """<domain type='qemu'><name>{}</name><memory>1024</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""

PIECE = bytes(65536)
# Pause between two pieces of an upload, whose data are really written.
_PAUSE_S = 0.002
_LOOK_AGAIN_S = 0.002
# How long anything may take that is no subject of a test.
_PATIENCE_S = 30.0

# What is asked, in turn: one call of these four is of the kind that may take long.
CALLS = ("get_library_version", "get_hostname", "get_capabilities", "list_all_domains")
LONG = "get_capabilities"


class Ended(NamedTuple):
    """How something under way ended: its name, what it returned or raised, and when."""

    what: str
    value: object
    error: BaseException | None
    at: float


class Storm:
    """What is under way on one connection; the colours say how."""

    connection: Any
    # A domain that there is after a restart, too.
    kept: Any = None

    def __init__(self) -> None:
        # Appended to by many threads, or by the event loop's; read by the test's.
        self.ended: list[Ended] = []
        self.reasons: list[tuple[int, float]] = []
        self.heard: list[Any] = []
        self.moved: Counter[str] = Counter()
        self.started = 0

    def open(self, uri: str, **options: Any) -> None:
        """Open the connection, and listen for its end."""
        raise NotImplementedError

    def start(self, work: str, *args: Any) -> None:
        """Begin one of the works below, on a thread or in a task of its own."""
        raise NotImplementedError

    def ask(self, method: str, *args: Any, of: Any = None) -> Any:
        """Call a method of the connection, or of an object of it, and return its result."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection, end what the colour needed, and forget all that refers to it."""
        try:
            self.end()
        finally:
            self.connection = self.kept = None
            self.ended.clear()
            self.heard.clear()

    def end(self) -> None:
        """Close the connection and end what the colour needed."""
        raise NotImplementedError

    def noted(self, connection: Any, reason: int) -> None:
        """Take note of the connection's end."""
        self.reasons.append((reason, time.monotonic()))

    def of(self, what: str) -> list[Ended]:
        """Return how all that have a name have ended."""
        return [each for each in self.ended if each.what == what]

    def calls(self) -> list[Ended]:
        """Return how the calls have ended."""
        return [each for each in self.ended if each.what in CALLS]

    def wait(self, condition: Callable[[], object], limit_s: float = _PATIENCE_S) -> None:
        """Wait until something holds; what goes on is told by nothing but looking."""
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, (self.moved, self.heard, self.ended)
            time.sleep(_LOOK_AGAIN_S)

    def wait_for_all(self, limit_s: float = _PATIENCE_S) -> None:
        """Wait until nothing is under way."""
        self.wait(lambda: len(self.ended) == self.started, limit_s)


class BlockingStorm(Storm):
    """The blocking colour: a thread for each work."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: list[threading.Thread] = []

    def open(self, uri: str, **options: Any) -> None:
        self.connection = virtproto.open(uri, **options)
        self.connection.register_close_callback(self.noted)

    def start(self, work: str, *args: Any) -> None:
        self.started += 1
        thread = threading.Thread(target=self._run, args=(work, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def ask(self, method: str, *args: Any, of: Any = None) -> Any:
        return getattr(of or self.connection, method)(*args)

    def end(self) -> None:
        self.connection.close()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), self.ended

    def _run(self, work: str, *args: Any) -> None:
        what = args[0] if work == "call" else work
        try:
            ended = Ended(what, getattr(self, work)(*args), None, time.monotonic())
        except BaseException as error:
            ended = Ended(what, None, error, time.monotonic())
        self.ended.append(ended)

    def call(self, method: str) -> Any:
        return getattr(self.connection, method)()

    def on_guest(self, name: str) -> Any:
        return self.connection.get_domain_by_name(name).suspend()

    def up(self) -> None:
        stream = self.connection.new_stream()
        pool = self.connection.get_storage_pool_by_name("storm")
        pool.get_volume_by_name("up").upload(stream, 0, 0)
        while True:
            stream.send(PIECE)
            self.moved["up"] += len(PIECE)
            time.sleep(_PAUSE_S)

    def down(self) -> None:
        stream = self.connection.new_stream()
        pool = self.connection.get_storage_pool_by_name("storm")
        pool.get_volume_by_name("down").download(stream, 0, 0)
        while data := stream.recv(len(PIECE)):
            self.moved["down"] += len(data)

    def listen(self) -> None:
        with self.connection.events(DomainLifecycle) as events:
            self.moved["listen"] += 1
            for event in events:
                self.heard.append(event)


class LoopStorm(Storm):
    """The asyncio colour: a task for each work, in an event loop on a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open(self, uri: str, **options: Any) -> None:
        async def opened() -> None:
            self.connection = await aio.open(uri, **options)
            await self.connection.register_close_callback(self.noted)

        self._do(opened())

    def start(self, work: str, *args: Any) -> None:
        self.started += 1
        self._loop.call_soon_threadsafe(self._begin, work, *args)

    def ask(self, method: str, *args: Any, of: Any = None) -> Any:
        return self._do(getattr(of or self.connection, method)(*args))

    def end(self) -> None:
        async def leave() -> None:
            await self.connection.close()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
            # What the connection had going has come to its end with it.
            await asyncio.sleep(0.01)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left

        try:
            self._do(leave())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE_S)
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def _begin(self, work: str, *args: Any) -> None:
        task = self._loop.create_task(self._run(work, *args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: str, *args: Any) -> None:
        what = args[0] if work == "call" else work
        try:
            ended = Ended(what, await getattr(self, work)(*args), None, time.monotonic())
        except BaseException as error:
            ended = Ended(what, None, error, time.monotonic())
        self.ended.append(ended)

    async def call(self, method: str) -> Any:
        return await getattr(self.connection, method)()

    async def on_guest(self, name: str) -> Any:
        return await (await self.connection.get_domain_by_name(name)).suspend()

    async def up(self) -> None:
        stream = self.connection.new_stream()
        pool = await self.connection.get_storage_pool_by_name("storm")
        await (await pool.get_volume_by_name("up")).upload(stream, 0, 0)
        while True:
            await stream.send(PIECE)
            self.moved["up"] += len(PIECE)
            await asyncio.sleep(_PAUSE_S)

    async def down(self) -> None:
        stream = self.connection.new_stream()
        pool = await self.connection.get_storage_pool_by_name("storm")
        await (await pool.get_volume_by_name("down")).download(stream, 0, 0)
        while data := await stream.recv(len(PIECE)):
            self.moved["down"] += len(data)

    async def listen(self) -> None:
        async with self.connection.events(AioDomainLifecycle) as events:
            self.moved["listen"] += 1
            async for event in events:
                self.heard.append(event)


STORMS: dict[str, Callable[[], Storm]] = {"sync": BlockingStorm, "aio": LoopStorm}


def prepare(daemon: PrivateDaemon) -> None:
    """Give a daemon what a storm uses, so that it is there after a restart as well."""
    folder = daemon.folder / "storm"
    folder.mkdir()
    with virtproto.open(daemon.uri(URI)) as connection:
        pool = connection.define_storage_pool(POOL.format(folder))
        pool.create()
        pool.set_autostart(True)
        for name in ("up", "down"):
            pool.create_volume(VOLUME.format(name))
        connection.define_domain(DOMAIN.format("kept"))


def cause_event(daemon: PrivateDaemon) -> None:
    """Have the daemon send events about domains."""
    with virtproto.open(daemon.uri(URI)) as connection:
        connection.define_domain(DOMAIN.format("caused")).undefine()


@contextmanager
def besieged(make: Callable[[], Storm], daemon: PrivateDaemon, **options: Any) -> Iterator[Storm]:
    """A storm of a ``prepare``d daemon whose streams are moving and whose iterator hears."""
    storm = make()
    storm.open(daemon.uri(URI), **options)
    try:
        for work in ("up", "down", "listen"):
            storm.start(work)
        storm.wait(lambda: len(storm.moved) == 3 or storm.ended)
        cause_event(daemon)
        storm.wait(lambda: min(storm.moved["up"], storm.moved["down"]) > 4 * len(PIECE))
        storm.wait(lambda: storm.heard)
        yield storm
    finally:
        storm.close()


def freeze_and_ask(storm: Storm, daemon: PrivateDaemon, count: int) -> float:
    """Freeze the daemon, have ``count`` calls under way there, and return when it was frozen."""
    daemon.freeze()
    frozen = time.monotonic()
    for number in range(count):
        storm.start("call", CALLS[number % len(CALLS)])
    # Nothing tells when the last of them has got as far as waiting.
    time.sleep(0.1)
    return frozen
