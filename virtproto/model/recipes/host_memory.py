"""Memory of the host by NUMA cell, and what is set for it.

Responsible for ranges of cells, which callers give by their first and last and the wire by their
number, and for putting the daemon's flat lists in order by cell.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import ParameterSet
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput, ParamValue

__all__ = [
    "get_node_cells_free_memory",
    "get_node_free_pages",
    "get_node_memory_parameters",
    "node_alloc_pages",
    "set_node_memory_parameters",
]

_MERGING = ParameterSet(
    wire.NODE_GET_MEMORY_PARAMETERS,
    wire.NODE_SET_MEMORY_PARAMETERS,
    known=KNOWN["NODE_MEMORY"],
    limit=wire.NODE_MEMORY_PARAMETERS_MAX,
)

# The wire counts cells from 0 in an int.
_LAST_CELL = 0x7FFFFFFF


def _cells(start: int, end: int, each: int = 1) -> int:
    """Return how many cells there are from ``start`` to ``end``, for each of which come ``each``.

    Daemons multiply before they compare, so nothing that they could get wrong may reach them.
    """
    if start > _LAST_CELL:
        raise UsageError(f"start: {start} is not within 0 to {_LAST_CELL}")
    if end < start:
        raise UsageError(f"end: the last cell, {end}, comes before the first, {start}")
    count = end - start + 1
    if count * each > wire.NODE_MAX_CELLS:
        asked = f"{count} cells" if each == 1 else f"{count} cells of {each} values"
        raise UsageError(f"end: {asked} are more than the {wire.NODE_MAX_CELLS} allowed")
    return count


def get_node_cells_free_memory(*, start: int, end: int) -> Recipe[list[int]]:
    """Return bytes of free memory by cell. Source: virNodeGetCellsFreeMemory."""
    args = wire.NodeGetCellsFreeMemoryArgs(startCell=start, maxcells=_cells(start, end))
    cells: list[int] = (yield wire.NODE_GET_CELLS_FREE_MEMORY, args).cells
    return cells


def get_node_free_pages(
    *, page_sizes: Sequence[int], start: int, end: int, flags: int
) -> Recipe[list[dict[int, int]]]:
    """Return numbers of free pages by cell and size. Source: virNodeGetFreePages."""
    if not page_sizes:
        raise UsageError("page_sizes: at least one size is required")
    args = wire.NodeGetFreePagesArgs(
        pages=list(page_sizes),
        startCell=start,
        cellCount=_cells(start, end, len(page_sizes)),
        flags=flags,
    )
    counts: list[int] = (yield wire.NODE_GET_FREE_PAGES, args).counts
    size = len(page_sizes)
    return [
        dict(zip(page_sizes, counts[place : place + size], strict=False))
        for place in range(0, len(counts), size)
    ]


def node_alloc_pages(*, pages: Mapping[int, int], start: int, end: int, flags: int) -> Recipe[int]:
    """Set numbers of huge pages by size in several cells. Source: virNodeAllocPages."""
    if not pages:
        raise UsageError("pages: at least one size is required")
    args = wire.NodeAllocPagesArgs(
        pageSizes=list(pages),
        pageCounts=list(pages.values()),
        startCell=start,
        cellCount=_cells(start, end),
        flags=flags,
    )
    changed: int = (yield wire.NODE_ALLOC_PAGES, args).ret
    return changed


def get_node_memory_parameters(*, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return how equal pages are merged. Source: virNodeGetMemoryParameters."""
    return _MERGING.get(flags=flags)


def set_node_memory_parameters(*, params: Mapping[str, ParamInput], flags: int) -> Recipe[None]:
    """Change how equal pages are merged. Source: virNodeSetMemoryParameters."""
    return _MERGING.set(params=params, flags=flags)
