"""Conversations of more than one call, written once for both colours.

Each recipe is a generator: it yields (procedure, arguments), is sent the result, is thrown the
LibvirtError where the daemon refused, and returns what came of it all. Must not know who makes the
calls, or when.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from virtproto.xdr.procedure import Procedure

    T = TypeVar("T")
    Recipe = Generator[tuple[Procedure[Any, Any], Any], Any, T]

__all__ = ["Recipe"]
