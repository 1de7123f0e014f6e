"""Typed parameters by recipe: how many, which, and of which type."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import LibvirtError, UsageError
from virtproto.model.recipes.memory import (
    get_memory_parameters,
    get_numa_parameters,
    set_memory_parameters,
    set_numa_parameters,
)
from virtproto.model.recipes.scheduler import get_scheduler_parameters, set_scheduler_parameters
from virtproto.model.recipes.vcpus import set_perf_events
from virtproto.wire import remote as wire
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import (
    BOOLEAN,
    INT,
    LLONG,
    STRING,
    UINT,
    ULLONG,
    TypedParams,
)

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)
NONE = TypedParams()


def typed(*items: Any) -> TypedParams:
    return TypedParams.from_items(items)


@pytest.mark.parametrize(
    ("recipe", "args", "ret"),
    [
        (
            get_memory_parameters,
            wire.DomainGetMemoryParametersArgs,
            wire.DomainGetMemoryParametersRet,
        ),
        (get_numa_parameters, wire.DomainGetNumaParametersArgs, wire.DomainGetNumaParametersRet),
    ],
)
def test_getting_is_two_calls_that_understand_texts(recipe: Any, args: Any, ret: Any) -> None:
    params = typed(("a", ULLONG, 2**60), ("b", STRING, "0-3"), ("c", BOOLEAN, 1))
    calls, result = drive(
        recipe(DOMAIN, flags=1),
        [ret(params=NONE, nparams=3), ret(params=params, nparams=0)],
    )
    assert [one for _, one in calls] == [
        args(dom=DOMAIN, nparams=0, flags=5),
        args(dom=DOMAIN, nparams=3, flags=5),
    ]
    assert result == {"a": 2**60, "b": "0-3", "c": True}
    assert result["c"] is True


def test_where_there_are_none_one_call_is_enough() -> None:
    nothing = wire.DomainGetMemoryParametersRet(params=NONE, nparams=0)
    calls, result = drive(get_memory_parameters(DOMAIN, flags=0), [nothing])
    assert (len(calls), result) == (1, {})


def test_known_numbers_are_sent_at_once() -> None:
    recipe = set_memory_parameters(DOMAIN, params={"hard_limit": 1, "soft_limit": 2}, flags=2)
    calls, result = drive(recipe, [None])
    params = typed(("hard_limit", ULLONG, 1), ("soft_limit", ULLONG, 2))
    args = wire.DomainSetMemoryParametersArgs(dom=DOMAIN, params=params, flags=2)
    assert calls == [("DOMAIN_SET_MEMORY_PARAMETERS", args)]
    assert result is None


def test_nodes_are_a_text_and_a_signed_number() -> None:
    params: dict[str, Any] = {"numa_nodeset": "0", "numa_mode": 1}
    [(name, args)], _ = drive(set_numa_parameters(DOMAIN, params=params, flags=0), [None])
    assert name == "DOMAIN_SET_NUMA_PARAMETERS"
    assert args.params == typed(("numa_nodeset", STRING, "0"), ("numa_mode", INT, 1))


def test_the_type_of_an_unknown_number_is_the_daemons() -> None:
    theirs = typed(("hard_limit", ULLONG, 5), ("next_limit", UINT, 7), ("other", LLONG, 1))
    ret = wire.DomainGetMemoryParametersRet
    recipe = set_memory_parameters(DOMAIN, params={"next_limit": 9, "hard_limit": 1}, flags=1)
    calls, _ = drive(recipe, [ret(params=NONE, nparams=3), ret(params=theirs, nparams=0), None])
    assert [name for name, _ in calls] == [
        "DOMAIN_GET_MEMORY_PARAMETERS",
        "DOMAIN_GET_MEMORY_PARAMETERS",
        "DOMAIN_SET_MEMORY_PARAMETERS",
    ]
    assert calls[2][1].params == typed(("next_limit", UINT, 9), ("hard_limit", ULLONG, 1))


def test_where_the_daemon_does_not_tell_a_type_it_gets_the_usual_one() -> None:
    recipe = set_memory_parameters(DOMAIN, params={"next_limit": 9}, flags=1)
    calls, _ = drive(recipe, [LibvirtError("no", code=55), None])
    assert calls[1][1].params == typed(("next_limit", ULLONG, 9))


def test_texts_and_truth_values_of_unknown_names_ask_nothing() -> None:
    recipe = set_memory_parameters(DOMAIN, params={"x": "y", "z": True}, flags=1)
    [(name, args)], _ = drive(recipe, [None])
    assert name == "DOMAIN_SET_MEMORY_PARAMETERS"
    assert args.params == typed(("x", STRING, "y"), ("z", BOOLEAN, 1))


@pytest.mark.parametrize(
    "params",
    [
        {"hard_limit": "1"},
        {"hard_limit": -1},
        {"unheard_of": 2**64},
        {"unheard_of": None},
        {f"p{n}": "x" for n in range(17)},
    ],
)
def test_bad_values_are_refused_before_anything_is_asked(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^params"):
        next(set_memory_parameters(DOMAIN, params=params, flags=0))


def test_events_are_truth_values() -> None:
    params = {"cmt": True, "page_faults": 0}
    [(_, args)], _ = drive(set_perf_events(DOMAIN, params=params, flags=2), [None])
    assert args.params == typed(("cmt", BOOLEAN, 1), ("page_faults", BOOLEAN, 0))
    with pytest.raises(UsageError, match=r"^params\['cmt'\]: expected True or False, not 2"):
        next(set_perf_events(DOMAIN, params={"cmt": 2}, flags=0))


def test_a_new_event_given_as_a_number_is_learned() -> None:
    theirs = wire.DomainGetPerfEventsRet(params=typed(("new", BOOLEAN, 0)))
    calls, _ = drive(set_perf_events(DOMAIN, params={"new": 1}, flags=2), [theirs, None])
    assert calls[0] == (
        "DOMAIN_GET_PERF_EVENTS",
        wire.DomainGetPerfEventsArgs(dom=DOMAIN, flags=2),
    )
    assert calls[1][1].params == typed(("new", BOOLEAN, 1))


KIND = wire.DomainGetSchedulerTypeRet(type="posix", nparams=2)
SHARES = typed(("cpu_shares", ULLONG, 1024), ("vcpu_quota", LLONG, -1))


def test_a_schedulers_parameters_are_counted_by_its_type() -> None:
    read = wire.DomainGetSchedulerParametersRet(params=SHARES)
    calls, result = drive(get_scheduler_parameters(DOMAIN, flags=0), [KIND, read])
    assert calls == [
        ("DOMAIN_GET_SCHEDULER_TYPE", wire.DomainGetSchedulerTypeArgs(dom=DOMAIN)),
        (
            "DOMAIN_GET_SCHEDULER_PARAMETERS",
            wire.DomainGetSchedulerParametersArgs(dom=DOMAIN, nparams=2),
        ),
    ]
    assert result == {"cpu_shares": 1024, "vcpu_quota": -1}


def test_a_schedulers_parameters_with_flags() -> None:
    read = wire.DomainGetSchedulerParametersFlagsRet(params=SHARES)
    calls, result = drive(get_scheduler_parameters(DOMAIN, flags=2), [KIND, read])
    assert calls[1] == (
        "DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS",
        wire.DomainGetSchedulerParametersFlagsArgs(dom=DOMAIN, nparams=2, flags=6),
    )
    assert result == {"cpu_shares": 1024, "vcpu_quota": -1}


def test_a_scheduler_without_parameters_is_asked_for_none() -> None:
    none = wire.DomainGetSchedulerTypeRet(type="none", nparams=0)
    calls, result = drive(get_scheduler_parameters(DOMAIN, flags=0), [none])
    assert (len(calls), result) == (1, {})


@pytest.mark.parametrize(("flags", "name"), [(0, ""), (2, "_FLAGS")])
def test_shares_are_set_with_and_without_flags(flags: int, name: str) -> None:
    params = {"cpu_shares": 1, "cap": 2}
    recipe = set_scheduler_parameters(DOMAIN, params=params, flags=flags)
    [(asked, args)], _ = drive(recipe, [None])
    assert asked == f"DOMAIN_SET_SCHEDULER_PARAMETERS{name}"
    assert args.params == typed(("cpu_shares", ULLONG, 1), ("cap", UINT, 2))
    if flags:
        assert args.flags == flags


def test_an_unknown_share_is_learned() -> None:
    theirs = typed(("boost", INT, 3))
    read = wire.DomainGetSchedulerParametersRet(params=theirs)
    recipe = set_scheduler_parameters(DOMAIN, params={"boost": 4}, flags=0)
    calls, _ = drive(recipe, [KIND, read, None])
    assert calls[2][1].params == typed(("boost", INT, 4))
