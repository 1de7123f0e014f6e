"""Ports of the loopback device that nobody uses.

Responsible for finding one; what listens there has to be started soon.
"""

from __future__ import annotations

import socket

__all__ = ["free_port"]


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port of ``address`` on which nobody listens at this moment.

    The system gives numbers out in an order of its own, and not the same one again soon.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as found:
        found.bind((address, 0))
        port: int = found.getsockname()[1]
        return port
