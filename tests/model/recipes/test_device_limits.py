"""Recipes on limits of disks and interfaces: each read in two calls, each sent with its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import ArgumentTypeError, InvalidArgError, UsageError
from virtproto.model.recipes.device_limits import (
    get_blkio_parameters,
    get_block_iotune,
    get_interface_parameters,
    set_blkio_parameters,
    set_block_iotune,
    set_interface_parameters,
)
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import DOUBLE, INT, STRING, UINT, ULLONG, TypedParams

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)


def params(*entries: tuple[str, int, Any]) -> TypedParams:
    return TypedParams.from_items(entries)


def blkio(count: int, flags: int) -> Any:
    return remote.DomainGetBlkioParametersArgs(dom=DOMAIN, nparams=count, flags=flags)


def iotune(count: int, flags: int) -> Any:
    return remote.DomainGetBlockIoTuneArgs(dom=DOMAIN, disk="vda", nparams=count, flags=flags)


def bandwidth(count: int, flags: int) -> Any:
    return remote.DomainGetInterfaceParametersArgs(
        dom=DOMAIN, device="vnet0", nparams=count, flags=flags
    )


GETTERS = [
    pytest.param(
        get_blkio_parameters(DOMAIN, flags=2),
        "DOMAIN_GET_BLKIO_PARAMETERS",
        blkio,
        remote.DomainGetBlkioParametersRet,
        id="blkio",
    ),
    pytest.param(
        get_block_iotune(DOMAIN, disk="vda", flags=2),
        "DOMAIN_GET_BLOCK_IO_TUNE",
        iotune,
        remote.DomainGetBlockIoTuneRet,
        id="iotune",
    ),
    pytest.param(
        get_interface_parameters(DOMAIN, intf="vnet0", flags=2),
        "DOMAIN_GET_INTERFACE_PARAMETERS",
        bandwidth,
        remote.DomainGetInterfaceParametersRet,
        id="bandwidth",
    ),
]


@pytest.mark.parametrize(("recipe", "name", "args", "ret"), GETTERS)
def test_reading_asks_for_the_number_and_for_texts(
    recipe: Any, name: str, args: Callable[[int, int], Any], ret: type[Any]
) -> None:
    values = params(("number", UINT, 5), ("text", STRING, "t"))
    calls, result = drive(
        recipe, [ret(params=TypedParams(), nparams=2), ret(params=values, nparams=2)]
    )
    # 4: texts are welcome among the values.
    assert calls == [(name, args(0, 2 | 4)), (name, args(2, 2 | 4))]
    assert result == {"number": 5, "text": "t"}


def test_each_value_goes_out_as_the_type_that_it_has() -> None:
    sent = params(("weight", UINT, 500), ("device_weight", STRING, "/dev/sda,500"))
    recipe = set_blkio_parameters(
        DOMAIN, params={"weight": 500, "device_weight": "/dev/sda,500"}, flags=1
    )
    args: Any = remote.DomainSetBlkioParametersArgs(dom=DOMAIN, params=sent, flags=1)
    assert drive(recipe, [None]) == ([("DOMAIN_SET_BLKIO_PARAMETERS", args)], None)

    sent = params(("total_bytes_sec", ULLONG, 1 << 40), ("group_name", STRING, "all"))
    tuned = set_block_iotune(
        DOMAIN, disk="vda", params={"total_bytes_sec": 1 << 40, "group_name": "all"}, flags=0
    )
    args = remote.DomainSetBlockIoTuneArgs(dom=DOMAIN, disk="vda", params=sent, flags=0)
    assert drive(tuned, [None]) == ([("DOMAIN_SET_BLOCK_IO_TUNE", args)], None)

    sent = params(("inbound.average", UINT, 1000))
    limited = set_interface_parameters(
        DOMAIN, intf="vnet0", params={"inbound.average": 1000}, flags=0
    )
    args = remote.DomainSetInterfaceParametersArgs(dom=DOMAIN, device="vnet0", params=sent, flags=0)
    assert drive(limited, [None]) == ([("DOMAIN_SET_INTERFACE_PARAMETERS", args)], None)


def test_a_number_that_no_table_knows_goes_out_as_the_daemon_reads_it() -> None:
    recipe = set_block_iotune(DOMAIN, disk="vda", params={"newer": 1, "total_iops_sec": 2}, flags=1)
    counted = remote.DomainGetBlockIoTuneRet(params=TypedParams(), nparams=1)
    read = remote.DomainGetBlockIoTuneRet(params=params(("newer", INT, 0)), nparams=1)
    calls, _ = drive(recipe, [counted, read, None])
    sent = params(("newer", INT, 1), ("total_iops_sec", ULLONG, 2))
    assert calls == [
        ("DOMAIN_GET_BLOCK_IO_TUNE", iotune(0, 1 | 4)),
        ("DOMAIN_GET_BLOCK_IO_TUNE", iotune(1, 1 | 4)),
        (
            "DOMAIN_SET_BLOCK_IO_TUNE",
            remote.DomainSetBlockIoTuneArgs(dom=DOMAIN, disk="vda", params=sent, flags=1),
        ),
    ]


@pytest.mark.parametrize(
    ("recipe", "reply"),
    [
        (
            set_blkio_parameters(DOMAIN, params={"newer": 1}, flags=0),
            remote.DomainGetBlkioParametersRet,
        ),
        (
            set_interface_parameters(DOMAIN, intf="vnet0", params={"newer": 1}, flags=0),
            remote.DomainGetInterfaceParametersRet,
        ),
    ],
    ids=["blkio", "bandwidth"],
)
def test_so_it_is_with_other_limits(recipe: Any, reply: type[Any]) -> None:
    counted = reply(params=TypedParams(), nparams=1)
    read = reply(params=params(("newer", DOUBLE, 0.0)), nparams=1)
    calls, _ = drive(recipe, [counted, read, None])
    assert calls[2][1].params == params(("newer", DOUBLE, 1.0))


def test_where_the_daemon_cannot_be_read_its_word_on_the_change_counts() -> None:
    recipe = set_block_iotune(DOMAIN, disk="vdz", params={"newer": 1}, flags=0)
    calls, _ = drive(recipe, [InvalidArgError("no such disk", code=8), None])
    assert calls[1][1].params == params(("newer", ULLONG, 1))


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"total_iops_sec": -1}, UsageError, r"params\['total_iops_sec'\]: -1 is not within"),
        ({"total_iops_sec": "2"}, ArgumentTypeError, r"params\['total_iops_sec'\]: expected"),
        ({"group_name": 2}, ArgumentTypeError, r"params\['group_name'\]: expected text"),
        ({"x" * 80: 2}, UsageError, r"params\['x+'\]: the name is longer than 79"),
        ({f"x{n}": 2 for n in range(33)}, UsageError, "params: more than the 32"),
        ([("total_iops_sec", 1)], ArgumentTypeError, "params: expected a mapping"),
    ],
)
def test_bad_values_are_refused_before_any_call(
    values: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"^{words}"):
        next(set_block_iotune(DOMAIN, disk="vda", params=values, flags=0))
