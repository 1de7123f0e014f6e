"""What a piece of work leaves behind in this process: descriptors, threads, tasks, connections.

Responsible for taking stock before and after. What ends by itself a moment later is given that
moment. Must not know what the work is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

from virtproto.aio.channel import Channel as AioChannel
from virtproto.model.connection_handle import ConnectionHandle
from virtproto.sync.channel import Channel as SyncChannel

__all__ = ["Stock", "allocated_blocks", "nothing_left", "resident_kib"]

_LOOK_AGAIN_S = 0.005
_KINDS = (ConnectionHandle, AioChannel, SyncChannel, asyncio.Task)


class Stock:
    """Descriptors, threads, and objects that stand for something open, at one moment."""

    def __init__(self) -> None:
        gc.collect()
        self.descriptors = Counter(_descriptors())
        self.threads = {thread.ident: thread.name for thread in threading.enumerate()}
        self.objects = Counter(
            type(each).__qualname__ for each in gc.get_objects() if isinstance(each, _KINDS)
        )

    def more_than(self, before: Stock) -> list[str]:
        """Return what is here and was not there before, in words."""
        counts = self.descriptors - before.descriptors
        more = [f"{count} descriptors of {what}" for what, count in counts.items()]
        more += [
            f"thread {name}" for ident, name in self.threads.items() if ident not in before.threads
        ]
        more += [f"{count} {name}" for name, count in (self.objects - before.objects).items()]
        return more


@contextlib.contextmanager
def nothing_left(limit_s: float = 5.0) -> Iterator[None]:
    """Fail unless all that the block opens and starts is gone by ``limit_s`` after its end."""
    before = Stock()
    yield
    deadline = time.monotonic() + limit_s
    while more := Stock().more_than(before):
        assert time.monotonic() < deadline, f"left behind: {more}"
        time.sleep(_LOOK_AGAIN_S)


def allocated_blocks() -> int:
    """Return how many pieces of memory the interpreter has given out for objects."""
    gc.collect()
    return sys.getallocatedblocks()


def resident_kib() -> int:
    """Return how much memory this process has, in KiB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _descriptors() -> Iterator[str]:
    """Yield what each descriptor is of, pipes and sockets without their numbers."""
    for fd in os.listdir("/proc/self/fd"):
        # The descriptor of this very listing is gone by now.
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/self/fd/{fd}").partition("[")[0]
