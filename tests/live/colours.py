"""One way to drive both colours, so that each live test is written once.

Responsible for making the asyncio front end look blocking: a call that returns a coroutine is run
to its end on one event loop that lives as long as the connection. Between calls that loop stands
still. It must not know which methods there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import virtproto
from virtproto import aio

__all__ = ["COLOURS", "Open"]

# Opens a connection for a ``with`` block; what it yields is used as a blocking Connection is.
Open = Callable[..., AbstractContextManager[Any]]


class _Blocking:
    """An object of the asyncio front end whose methods wait for their result."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            if inspect.iscoroutine(result):
                result = self._runner.run(result)
            return self._wrap(result)

        return call

    def _wrap(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._wrap(item) for item in result]
        return _Blocking(result, self._runner) if isinstance(result, aio.Domain) else result


@contextlib.contextmanager
def _open_aio(uri: str, **options: Any) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        connection = _Blocking(runner.run(_opened(uri, options)), runner)
        try:
            yield connection
        finally:
            connection.close()


async def _opened(uri: str, options: dict[str, Any]) -> aio.Connection:
    return await aio.open(uri, **options)


COLOURS: dict[str, Open] = {"sync": virtproto.open, "aio": _open_aio}
