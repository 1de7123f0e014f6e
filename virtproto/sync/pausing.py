"""Letting time pass while a daemon is busy, in the calling thread.

Responsible for waiting where no daemon offers anything to wait for, and nothing else.
"""

from __future__ import annotations

from time import sleep

from virtproto.transport.deadline import time_left

__all__ = ["pause"]


def pause(seconds: float) -> None:
    """Wait so long, or until a block's deadline; interrupts end it."""
    left = time_left(seconds)
    if left is not None and left > 0:
        sleep(left)
