"""Letting time pass while a daemon is busy, in the calling thread.

Responsible for waiting where no daemon offers anything to wait for, and nothing else.
"""

from __future__ import annotations

from time import sleep

__all__ = ["pause"]


def pause(seconds: float) -> None:
    """Wait so long; interrupts end it."""
    sleep(seconds)
