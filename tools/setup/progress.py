"""Lines that tell what is being done, with the seconds gone since the start.

Responsible for the format of what ./test and ./run say themselves, and for the error that ends
them.
"""

from __future__ import annotations

import time

__all__ = ["SetupError", "tell"]

_started = time.monotonic()


class SetupError(Exception):
    """Something that is needed cannot be had here; the message is one line: what, and why."""


def tell(line: str) -> None:
    """Print ``line`` behind the seconds gone."""
    print(f"[{time.monotonic() - _started:6.1f} s] {line}", flush=True)
