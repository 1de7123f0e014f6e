"""Letting time pass while a daemon is busy, and the event loop go on.

Responsible for waiting where no daemon offers anything to wait for, and nothing else.
"""

from __future__ import annotations

from asyncio import sleep

__all__ = ["pause"]


async def pause(seconds: float) -> None:
    """Wait so long; a cancelled task ends it."""
    await sleep(seconds)
