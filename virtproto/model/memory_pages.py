"""Numbers of memory pages by their size, on their way in.

Everything here happens before a byte is sent. Knows nothing of procedures or of cells.
"""

from __future__ import annotations

from _collections_abc import Mapping

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import to_uint, to_ulong

__all__ = ["to_page_counts"]


def to_page_counts(parameter: str, pages: Mapping[int, int], limit: int) -> dict[int, int]:
    """Return numbers of pages by the size of a page in KiB, for at most ``limit`` sizes."""
    if not isinstance(pages, Mapping):
        raise ArgumentTypeError(
            f"{parameter}: expected a mapping of numbers by page size, not {type(pages).__name__}"
        )
    if len(pages) > limit:
        raise UsageError(f"{parameter}: more than the {limit} allowed")
    return {
        to_uint(f"{parameter}: page size", size): to_ulong(f"{parameter}[{size!r}]", count)
        for size, count in pages.items()
    }
