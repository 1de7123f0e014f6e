"""Memory of the host: ranges of cells, and what is refused before a daemon could miscount them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import ArgumentTypeError, LibvirtError, UsageError
from virtproto.model.recipes.host_memory import (
    get_node_cells_free_memory,
    get_node_free_pages,
    get_node_memory_parameters,
    node_alloc_pages,
    set_node_memory_parameters,
)
from virtproto.wire import remote
from virtproto.xdr.typedparams import UINT, ULLONG, TypedParam, TypedParams


def test_cells_are_counted_from_the_first_to_the_last() -> None:
    answer = remote.NodeGetCellsFreeMemoryRet(cells=[10, 20])
    calls, found = drive(get_node_cells_free_memory(start=1, end=3), [answer])
    assert [(name, args.startCell, args.maxcells) for name, args in calls] == [
        ("NODE_GET_CELLS_FREE_MEMORY", 1, 3)
    ]
    # The host had two of the three.
    assert found == [10, 20]


def test_free_pages_are_put_in_order_by_cell_and_size() -> None:
    answer = remote.NodeGetFreePagesRet(counts=[100, 1, 200, 2])
    calls, found = drive(
        get_node_free_pages(page_sizes=[4, 2048], start=0, end=1, flags=0), [answer]
    )
    ((name, args),) = calls
    assert name == "NODE_GET_FREE_PAGES"
    assert (args.pages, args.startCell, args.cellCount, args.flags) == ([4, 2048], 0, 2, 0)
    assert found == [{4: 100, 2048: 1}, {4: 200, 2048: 2}]


def test_pages_go_out_as_two_lists() -> None:
    answer = remote.NodeAllocPagesRet(ret=2)
    calls, found = drive(
        node_alloc_pages(pages={2048: 512, 1048576: 0}, start=0, end=0, flags=1), [answer]
    )
    ((name, args),) = calls
    assert name == "NODE_ALLOC_PAGES"
    assert (args.pageSizes, args.pageCounts) == ([2048, 1048576], [512, 0])
    assert (args.startCell, args.cellCount, args.flags) == (0, 1, 1)
    assert found == 2


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"start": 2, "end": 1}, r"^end: the last cell, 1, comes before the first, 2$"),
        ({"start": 0, "end": 1024}, r"^end: 1025 cells are more than the 1024 allowed$"),
        ({"start": 2**31, "end": 2**31}, r"^start: 2147483648 is not within 0 to 2147483647$"),
    ],
)
def test_ranges_that_are_none(given: dict[str, Any], complaint: str) -> None:
    for asking in (
        get_node_cells_free_memory(**given),
        get_node_free_pages(page_sizes=[4], flags=0, **given),
        node_alloc_pages(pages={4: 1}, flags=0, **given),
    ):
        with pytest.raises(UsageError, match=complaint):
            drive(asking, [])


def test_sizes_times_cells_are_limited() -> None:
    # In 32 bits, two sizes of 2**31 cells are none at all: a daemon must not get to see that.
    with pytest.raises(UsageError, match=r"^end: 2147483648 cells of 2 values are more than"):
        drive(get_node_free_pages(page_sizes=[4, 2048], start=0, end=2**31 - 1, flags=0), [])
    with pytest.raises(UsageError, match=r"^end: 513 cells of 2 values are more than the 1024"):
        drive(get_node_free_pages(page_sizes=[4, 2048], start=0, end=512, flags=0), [])


def test_at_least_one_size_is_required() -> None:
    with pytest.raises(UsageError, match=r"^page_sizes: "):
        drive(get_node_free_pages(page_sizes=[], start=0, end=0, flags=0), [])
    with pytest.raises(UsageError, match=r"^pages: "):
        drive(node_alloc_pages(pages={}, start=0, end=0, flags=0), [])


MERGING = TypedParams.from_items([("shm_full_scans", ULLONG, 3), ("shm_later", UINT, 5)])
COUNTED = remote.NodeGetMemoryParametersRet(params=TypedParams(), nparams=2)
READ = remote.NodeGetMemoryParametersRet(params=MERGING, nparams=2)


def test_parameters_are_read_in_two_calls_that_take_texts() -> None:
    calls, found = drive(get_node_memory_parameters(flags=0), [COUNTED, READ])
    assert [(args.nparams, args.flags) for _, args in calls] == [(0, 4), (2, 4)]
    assert found == {"shm_full_scans": 3, "shm_later": 5}


def sent(calls: list[tuple[str, Any]]) -> list[TypedParam]:
    name, args = calls[-1]
    assert name == "NODE_SET_MEMORY_PARAMETERS"
    return list(args.params)


def test_parameters_that_are_known_are_set_in_one_call() -> None:
    calls, found = drive(
        set_node_memory_parameters(params={"shm_pages_to_scan": 7}, flags=1), [None]
    )
    assert sent(calls) == [("shm_pages_to_scan", UINT, 7)]
    assert calls[0][1].flags == 1
    assert found is None


def test_the_type_of_a_parameter_that_is_not_known_is_the_daemons() -> None:
    setting = set_node_memory_parameters(params={"shm_later": 6}, flags=0)
    calls, _ = drive(setting, [COUNTED, READ, None])
    assert sent(calls) == [("shm_later", UINT, 6)]


def test_without_the_daemons_word_a_number_is_a_long_one() -> None:
    setting = set_node_memory_parameters(params={"shm_later": 6}, flags=0)
    calls, _ = drive(setting, [LibvirtError("not here", code=3), None])
    assert sent(calls) == [("shm_later", ULLONG, 6)]


def test_values_that_do_not_fit_send_nothing() -> None:
    with pytest.raises(UsageError, match=r"^params\['shm_pages_to_scan'\]: -1 is not within"):
        drive(set_node_memory_parameters(params={"shm_pages_to_scan": -1}, flags=0), [])
    with pytest.raises(ArgumentTypeError, match=r"^params\['shm_sleep_millisecs'\]: "):
        drive(set_node_memory_parameters(params={"shm_sleep_millisecs": "1"}, flags=0), [])
