"""A domain's conversations of several calls: disks, memory, CPUs, saving."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.constants import DomainDiskErrorCode, VcpuHostCpuState, VcpuState
from virtproto.errors import (
    ArgumentTypeError,
    DecodeError,
    LibvirtError,
    OperationInvalidError,
    UsageError,
)
from virtproto.model.bitmaps import pack_cpumap
from virtproto.model.recipes.cpu_stats import get_cpu_stats
from virtproto.model.recipes.domain_state import get_disk_errors
from virtproto.model.recipes.memory import memory_peek, memory_stats
from virtproto.model.recipes.save import save
from virtproto.model.recipes.vcpus import (
    get_emulator_pin_info,
    get_vcpu_info,
    set_guest_vcpus,
    set_vcpu,
)
from virtproto.model.records.domain_condition import DomainDiskError
from virtproto.model.records.vcpus import VcpuInfo
from virtproto.wire import remote as wire
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import INT, STRING, ULLONG, TypedParams

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)
NOT_RUNNING = OperationInvalidError("not running", code=55)


def test_disk_errors_are_counted_first() -> None:
    ret = wire.DomainGetDiskErrorsRet
    bad = [wire.DomainDiskError(disk="vda", error=2), wire.DomainDiskError(disk="vdb", error=99)]
    calls, result = drive(
        get_disk_errors(DOMAIN, flags=0), [ret(errors=[], nerrors=4), ret(errors=bad, nerrors=2)]
    )
    assert [args.maxerrors for _, args in calls] == [0, 4]
    assert result == [
        DomainDiskError("vda", DomainDiskErrorCode.NO_SPACE),
        DomainDiskError("vdb", 99),
    ]
    assert isinstance(result[0].error, DomainDiskErrorCode)


def test_a_domain_without_disks_has_no_errors() -> None:
    none = wire.DomainGetDiskErrorsRet(errors=[], nerrors=0)
    calls, result = drive(get_disk_errors(DOMAIN, flags=0), [none])
    assert (len(calls), result) == (1, [])


def test_memory_figures_have_their_documented_names() -> None:
    stats = [wire.DomainMemoryStat(tag=tag, val=tag * 10) for tag in (*range(13), 13, -1)]
    calls, result = drive(memory_stats(DOMAIN, flags=0), [wire.DomainMemoryStatsRet(stats=stats)])
    assert calls[0][1].maxStats == 1024
    assert result["swap_in"] == 0
    assert result["actual_balloon"] == 60
    assert result["last_update"] == 90
    assert result["hugetlb_pgfail"] == 120
    assert (result["tag_13"], result["tag_-1"]) == (130, -10)
    assert len(result) == 15


def test_memory_comes_whole_or_not_at_all() -> None:
    recipe = memory_peek(DOMAIN, offset=4096, size=3, flags=2)
    calls, result = drive(recipe, [wire.DomainMemoryPeekRet(buffer=b"abc")])
    assert calls == [
        (
            "DOMAIN_MEMORY_PEEK",
            wire.DomainMemoryPeekArgs(dom=DOMAIN, offset=4096, size=3, flags=2),
        )
    ]
    assert result == b"abc"
    recipe = memory_peek(DOMAIN, offset=0, size=4, flags=1)
    with pytest.raises(DecodeError, match="3 bytes of memory came, 4 were asked for"):
        drive(recipe, [wire.DomainMemoryPeekRet(buffer=b"abc")])


def test_more_memory_than_a_call_brings_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^size: 4194305 bytes are more"):
        next(memory_peek(DOMAIN, offset=0, size=4194305, flags=1))
    procedure, args = next(memory_peek(DOMAIN, offset=0, size=4194304, flags=1))
    assert (procedure.name, args.size) == ("DOMAIN_MEMORY_PEEK", 4194304)


def node(**counts: int) -> Any:
    filled = {"nodes": 1, "sockets": 1, "cores": 1, "threads": 1, **counts}
    return wire.NodeGetInfoRet(model=bytes(32), memory=1, cpus=1, mhz=1, **filled)


def info(vcpus: int) -> Any:
    return wire.DomainGetInfoRet(state=1, maxMem=1, memory=1, nrVirtCpu=vcpus, cpuTime=1)


def test_virtual_cpus_of_a_running_domain() -> None:
    running = wire.DomainGetVcpusRet(
        info=[
            wire.VcpuInfo(number=0, state=1, cpu_time=5, cpu=3),
            wire.VcpuInfo(number=2, state=9, cpu_time=6, cpu=-1),
            wire.VcpuInfo(number=3, state=0, cpu_time=0, cpu=-2),
        ],
        # The last map is cut off: what is missing is no CPU.
        cpumaps=bytes([0xFF, 0x01, 0x02, 0x00, 0x01]),
    )
    recipe = get_vcpu_info(DOMAIN, flags=0)
    calls, result = drive(recipe, [node(sockets=3, cores=3), info(3), running])
    assert calls == [
        ("NODE_GET_INFO", None),
        ("DOMAIN_GET_INFO", wire.DomainGetInfoArgs(dom=DOMAIN)),
        ("DOMAIN_GET_VCPUS", wire.DomainGetVcpusArgs(dom=DOMAIN, maxinfo=3, maplen=2)),
    ]
    assert result == [
        VcpuInfo(0, VcpuState.RUNNING, 5, 3, frozenset(range(9))),
        VcpuInfo(2, 9, 6, VcpuHostCpuState.OFFLINE, frozenset({1})),
        VcpuInfo(3, VcpuState.OFFLINE, 0, VcpuHostCpuState.UNAVAILABLE, frozenset({0})),
    ]
    assert isinstance(result[1].cpu, VcpuHostCpuState)


@pytest.mark.parametrize(("flags", "refused"), [(0, [NOT_RUNNING]), (2, [])])
def test_virtual_cpus_of_which_the_affinity_alone_is_known(
    flags: int, refused: list[LibvirtError]
) -> None:
    pinned = wire.DomainGetVcpuPinInfoRet(cpumaps=bytes([3, 1]), num=2)
    recipe = get_vcpu_info(DOMAIN, flags=flags)
    calls, result = drive(recipe, [node(cores=8), info(2), *refused, pinned])
    assert calls[-1] == (
        "DOMAIN_GET_VCPU_PIN_INFO",
        wire.DomainGetVcpuPinInfoArgs(dom=DOMAIN, ncpumaps=2, maplen=1, flags=flags),
    )
    assert result == [
        VcpuInfo(0, None, None, None, frozenset({0, 1})),
        VcpuInfo(1, None, None, None, frozenset({0})),
    ]


def test_another_refusal_is_the_answer() -> None:
    gone = LibvirtError("gone", code=42)
    with pytest.raises(LibvirtError) as caught:
        drive(get_vcpu_info(DOMAIN, flags=0), [node(), info(1), gone])
    assert caught.value is gone


def test_where_the_emulator_may_run() -> None:
    found = wire.DomainGetEmulatorPinInfoRet(cpumaps=bytes([0x05, 0x80]), ret=1)
    recipe = get_emulator_pin_info(DOMAIN, flags=2)
    calls, result = drive(recipe, [node(nodes=2, cores=4, threads=2), found])
    assert calls[1][1] == wire.DomainGetEmulatorPinInfoArgs(dom=DOMAIN, maplen=2, flags=2)
    assert result == frozenset({0, 2, 15})


@pytest.mark.parametrize("recipe", [set_vcpu, set_guest_vcpus])
def test_chosen_cpus_are_sent_as_text(recipe: Any) -> None:
    chosen = pack_cpumap("cpumap", {0, 1, 2, 5}, 2048)
    [(_, args)], result = drive(recipe(DOMAIN, cpumap=chosen, state=1, flags=1), [None])
    assert (args.cpumap, args.state, args.flags) == ("0-2,5", 1, 1)
    assert result is None


def stats(*times: int, width: int = 1) -> Any:
    names = ("cpu_time", "vcpu_time")
    items = [(name, ULLONG, time) for time in times for name in names[:width]]
    return wire.DomainGetCpuStatsRet(params=TypedParams.from_items(items), nparams=width)


def asked(calls: list[tuple[str, Any]]) -> list[tuple[int, int, int]]:
    assert {args.flags for _, args in calls} == {4}
    return [(args.nparams, args.start_cpu, args.ncpus) for _, args in calls]


def counted(number: int) -> Any:
    return wire.DomainGetCpuStatsRet(params=TypedParams(), nparams=number)


def test_cpu_time_in_total() -> None:
    recipe = get_cpu_stats(DOMAIN, start_cpu=-1, num_cpus=None, flags=0)
    calls, result = drive(recipe, [counted(2), stats(7, width=2)])
    assert asked(calls) == [(0, -1, 1), (2, -1, 1)]
    assert result == [{"cpu_time": 7, "vcpu_time": 7}]


def test_cpu_time_of_each_cpu_in_as_many_calls_as_it_takes() -> None:
    recipe = get_cpu_stats(DOMAIN, start_cpu=2, num_cpus=None, flags=0)
    calls, result = drive(
        recipe,
        [counted(302), counted(2), stats(*range(128), width=2), stats(*range(128), width=2),
         stats(*range(44), width=2)],
    )  # fmt: skip
    assert asked(calls) == [(0, 0, 0), (0, 2, 1), (2, 2, 128), (2, 130, 128), (2, 258, 44)]
    assert len(result) == 300
    assert result[128] == {"cpu_time": 0, "vcpu_time": 0}


def test_cpus_past_the_last_one_are_left_out() -> None:
    recipe = get_cpu_stats(DOMAIN, start_cpu=0, num_cpus=200, flags=0)
    calls, result = drive(recipe, [counted(1), stats(1, 2, 3)])
    assert asked(calls) == [(0, 0, 1), (1, 0, 128)]
    assert result == [{"cpu_time": 1}, {"cpu_time": 2}, {"cpu_time": 3}]


@pytest.mark.parametrize("answers", [[counted(0)], [counted(1), counted(1)]])
def test_no_figures_are_no_cpus(answers: list[Any]) -> None:
    recipe = get_cpu_stats(DOMAIN, start_cpu=0, num_cpus=3, flags=0)
    assert drive(recipe, answers)[1] == []


def test_none_of_the_cpus_asks_nothing() -> None:
    assert drive(get_cpu_stats(DOMAIN, start_cpu=0, num_cpus=0, flags=0), []) == ([], [])


@pytest.mark.parametrize(("given", "each"), [(3, 2), (2, 0), (8, 2), (4, 5)])
def test_a_list_that_cannot_be_cut_is_no_answer(given: int, each: int) -> None:
    broken = wire.DomainGetCpuStatsRet(params=stats(*range(given)).params, nparams=each)
    recipe = get_cpu_stats(DOMAIN, start_cpu=0, num_cpus=3, flags=0)
    with pytest.raises(DecodeError, match=f"^{given} parameters, {each} for each CPU"):
        drive(recipe, [counted(2), broken])


@pytest.mark.parametrize(
    ("start_cpu", "num_cpus", "words"),
    [(-2, 1, "^start_cpu: -2"), (-1, 2, "^num_cpus: "), (-1, 0, "^num_cpus: ")],
)
def test_cpus_that_cannot_be_are_refused(start_cpu: int, num_cpus: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        next(get_cpu_stats(DOMAIN, start_cpu=start_cpu, num_cpus=num_cpus, flags=0))


@pytest.mark.parametrize(
    ("dxml", "params", "flags", "expected"),
    [
        (None, None, 0, ("DOMAIN_SAVE", wire.DomainSaveArgs(dom=DOMAIN, to="/f"))),
        (
            None,
            None,
            2,
            (
                "DOMAIN_SAVE_FLAGS",
                wire.DomainSaveFlagsArgs(dom=DOMAIN, to="/f", dxml=None, flags=2),
            ),
        ),
        (
            "<domain/>",
            None,
            0,
            (
                "DOMAIN_SAVE_FLAGS",
                wire.DomainSaveFlagsArgs(dom=DOMAIN, to="/f", dxml="<domain/>", flags=0),
            ),
        ),
        (
            "<domain/>",
            {"image_format": "raw", "parallel.channels": 3},
            4,
            (
                "DOMAIN_SAVE_PARAMS",
                wire.DomainSaveParamsArgs(
                    dom=DOMAIN,
                    params=TypedParams.from_items(
                        [
                            ("file", STRING, "/f"),
                            ("dxml", STRING, "<domain/>"),
                            ("image_format", STRING, "raw"),
                            ("parallel.channels", INT, 3),
                        ]
                    ),
                    flags=4,
                ),
            ),
        ),
        (
            None,
            {},
            0,
            (
                "DOMAIN_SAVE_PARAMS",
                wire.DomainSaveParamsArgs(
                    dom=DOMAIN,
                    params=TypedParams.from_items([("file", STRING, "/f")]),
                    flags=0,
                ),
            ),
        ),
    ],
)
def test_a_domain_is_saved_by_the_oldest_call_that_can(
    dxml: str | None, params: dict[str, Any] | None, flags: int, expected: tuple[str, Any]
) -> None:
    recipe = save(DOMAIN, file="/f", dxml=dxml, params=params, flags=flags)
    assert drive(recipe, [None]) == ([expected], None)


def test_what_has_an_argument_of_its_own_is_no_parameter() -> None:
    with pytest.raises(UsageError, match=r"^params\['file'\]"):
        next(save(DOMAIN, file="/f", dxml=None, params={"file": "/g"}, flags=0))
    with pytest.raises(UsageError, match=r"^params\['dxml'\]"):
        next(save(DOMAIN, file="/f", dxml="<a/>", params={"dxml": "<b/>"}, flags=0))
    with pytest.raises(ArgumentTypeError, match=r"^params\['parallel.channels'\]"):
        next(save(DOMAIN, file="/f", dxml=None, params={"parallel.channels": "2"}, flags=0))
