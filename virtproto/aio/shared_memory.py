"""What all connections of an event loop share: the memory that they read into, and a context.

Responsible for there being one of each. Must not know what is read.

The loop asks for the memory, fills it and reports within one step, so two connections never hold it
at a time. Timers, which call nothing of the user's, would have a context each otherwise.
"""

from __future__ import annotations

from contextvars import Context
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["BUFFER_SIZE", "shared_in"]

# A larger buffer per loop would gain nothing: libvirtd writes at most this much at once.
BUFFER_SIZE = 65536

_shared: WeakKeyDictionary[AbstractEventLoop, tuple[memoryview, Context]] = WeakKeyDictionary()


def shared_in(loop: AbstractEventLoop) -> tuple[memoryview, Context]:
    """Return the memory and the context of ``loop``."""
    shared = _shared.get(loop)
    if shared is None:
        shared = _shared[loop] = (memoryview(bytearray(BUFFER_SIZE)), Context())
    return shared
