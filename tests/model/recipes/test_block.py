"""Recipes on disks: which counters are asked for, and what is refused before any call."""

from __future__ import annotations

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import (
    DecodeError,
    InvalidArgError,
    NoSupportError,
    UnknownProcedureError,
    UsageError,
)
from virtproto.model.recipes.block import block_peek, block_stats
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import LLONG, TypedParams

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)
PLAIN = remote.DomainBlockStatsRet(rd_req=1, rd_bytes=2, wr_req=3, wr_bytes=4, errs=-1)
PLAIN_DICT = {"rd_req": 1, "rd_bytes": 2, "wr_req": 3, "wr_bytes": 4, "errs": -1}

NO_COUNTERS = remote.DomainBlockStatsFlagsRet(params=TypedParams(), nparams=0)


def counters(**values: int) -> remote.DomainBlockStatsFlagsRet:
    params = TypedParams.from_items([(name, LLONG, value) for name, value in values.items()])
    return remote.DomainBlockStatsFlagsRet(params=params, nparams=len(values))


def test_counters_are_asked_for_once_their_number_is_known() -> None:
    newer = counters(rd_operations=5, rd_bytes=6, wr_operations=7, wr_bytes=8, flush_operations=9)
    counted = remote.DomainBlockStatsFlagsRet(params=TypedParams(), nparams=5)
    calls, stats = drive(block_stats(DOMAIN, disk="vda"), [counted, newer])
    asked = [
        remote.DomainBlockStatsFlagsArgs(dom=DOMAIN, path="vda", nparams=count, flags=4)
        for count in (0, 5)
    ]
    assert calls == [("DOMAIN_BLOCK_STATS_FLAGS", args) for args in asked]
    assert stats == {
        "rd_operations": 5,
        "rd_req": 5,
        "rd_bytes": 6,
        "wr_operations": 7,
        "wr_req": 7,
        "wr_bytes": 8,
        "flush_operations": 9,
    }


def test_a_counter_that_is_missing_is_not_made_up() -> None:
    counted = remote.DomainBlockStatsFlagsRet(params=TypedParams(), nparams=1)
    _, stats = drive(block_stats(DOMAIN, disk="vda"), [counted, counters(rd_bytes=6)])
    assert stats == {"rd_bytes": 6}


@pytest.mark.parametrize(
    "answer",
    [
        NoSupportError("the driver has it not", code=3),
        UnknownProcedureError("the daemon is too old", code=3),
        NO_COUNTERS,
    ],
    ids=["driver", "daemon", "none"],
)
def test_without_the_newer_counters_the_older_call_is_made(answer: object) -> None:
    calls, stats = drive(block_stats(DOMAIN, disk="vda"), [answer, PLAIN])
    assert [name for name, _ in calls] == ["DOMAIN_BLOCK_STATS_FLAGS", "DOMAIN_BLOCK_STATS"]
    assert calls[1][1] == remote.DomainBlockStatsArgs(dom=DOMAIN, path="vda")
    assert stats == PLAIN_DICT


def test_another_refusal_of_the_newer_counters_is_final() -> None:
    with pytest.raises(InvalidArgError):
        drive(block_stats(DOMAIN, disk="vdz"), [InvalidArgError("no such disk", code=8)])


def test_peeking_returns_what_was_asked_for() -> None:
    recipe = block_peek(DOMAIN, disk="vda", offset=512, size=3, flags=0)
    calls, data = drive(recipe, [remote.DomainBlockPeekRet(buffer=b"abc")])
    assert calls == [
        (
            "DOMAIN_BLOCK_PEEK",
            remote.DomainBlockPeekArgs(dom=DOMAIN, path="vda", offset=512, size=3, flags=0),
        )
    ]
    assert data == b"abc"


def test_peeking_refuses_what_no_reply_could_carry() -> None:
    with pytest.raises(UsageError, match=r"^size: 4194305 bytes"):
        next(block_peek(DOMAIN, disk="vda", offset=0, size=4194305, flags=0))
    next(block_peek(DOMAIN, disk="vda", offset=0, size=4194304, flags=0))


@pytest.mark.parametrize("data", [b"ab", b"abcd"])
def test_peeking_does_not_pass_on_another_number_of_bytes(data: bytes) -> None:
    recipe = block_peek(DOMAIN, disk="vda", offset=0, size=3, flags=0)
    with pytest.raises(DecodeError, match=f"buffer: {len(data)} bytes came, 3 were asked for"):
        drive(recipe, [remote.DomainBlockPeekRet(buffer=data)])
