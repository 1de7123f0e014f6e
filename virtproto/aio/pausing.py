"""Letting time pass while a daemon is busy, and the event loop go on.

Responsible for waiting where no daemon offers anything to wait for, and nothing else.
"""

from __future__ import annotations

from asyncio import sleep

from virtproto.transport.deadline import time_left

__all__ = ["pause"]


async def pause(seconds: float) -> None:
    """Wait so long, or until a block's deadline; a cancelled task ends it."""
    left = time_left(seconds)
    if left is not None and left > 0:
        await sleep(left)
