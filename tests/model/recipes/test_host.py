"""Figures of the host: their number is asked first."""

from __future__ import annotations

from tests.model.recipes.driving import drive
from virtproto.model.recipes.host import (
    get_node_cpu_stats,
    get_node_memory_stats,
    get_node_sev_info,
)
from virtproto.wire import remote
from virtproto.wire.remote.types import NodeGetCpuStats, NodeGetMemoryStats
from virtproto.xdr.typedparams import STRING, UINT, TypedParams


def test_times_of_cpus_take_two_calls() -> None:
    times = [NodeGetCpuStats(field="user", value=7), NodeGetCpuStats(field="idle", value=2**63)]
    calls, found = drive(
        get_node_cpu_stats(cpu_num=3, flags=0),
        [
            remote.NodeGetCpuStatsRet(params=[], nparams=2),
            remote.NodeGetCpuStatsRet(params=times, nparams=2),
        ],
    )
    assert [name for name, _ in calls] == ["NODE_GET_CPU_STATS"] * 2
    assert [(args.cpuNum, args.nparams, args.flags) for _, args in calls] == [(3, 0, 0), (3, 2, 0)]
    assert found == {"user": 7, "idle": 2**63}


def test_sizes_of_memory_take_two_calls() -> None:
    sizes = [NodeGetMemoryStats(field="total", value=2048)]
    calls, found = drive(
        get_node_memory_stats(cell_num=-1, flags=1),
        [
            remote.NodeGetMemoryStatsRet(params=[], nparams=1),
            remote.NodeGetMemoryStatsRet(params=sizes, nparams=1),
        ],
    )
    assert [name for name, _ in calls] == ["NODE_GET_MEMORY_STATS"] * 2
    asked = [(args.nparams, args.cellNum, args.flags) for _, args in calls]
    assert asked == [(0, -1, 1), (1, -1, 1)]
    assert found == {"total": 2048}


def test_where_there_are_no_figures_one_call_is_enough() -> None:
    none = remote.NodeGetCpuStatsRet(params=[], nparams=0)
    assert drive(get_node_cpu_stats(cpu_num=-1, flags=0), [none])[1] == {}
    nothing = remote.NodeGetMemoryStatsRet(params=[], nparams=0)
    assert drive(get_node_memory_stats(cell_num=0, flags=0), [nothing])[1] == {}


def test_encryption_is_told_in_one_call_that_takes_texts() -> None:
    told = TypedParams.from_items([("pdh", STRING, "AAAA"), ("cbitpos", UINT, 47)])
    answer = remote.NodeGetSevInfoRet(params=told, nparams=2)
    calls, found = drive(get_node_sev_info(flags=0), [answer])
    # 4 says that texts are understood; a daemon leaves them out otherwise.
    assert [(name, args.nparams, args.flags) for name, args in calls] == [
        ("NODE_GET_SEV_INFO", 0, 4)
    ]
    assert found == {"pdh": "AAAA", "cbitpos": 47}
