"""Records on a domain, made of the daemon's messages."""

from __future__ import annotations

import pytest

from virtproto.constants import DomainControlErrorReason, DomainControlState
from virtproto.errors import DecodeError
from virtproto.model.records.domain_condition import DomainControlInfo, DomainTime
from virtproto.model.records.vcpus import GuestVcpus, IOThreadInfo
from virtproto.model.shapes.domain_condition import control_info, guest_time
from virtproto.model.shapes.domain_state import domain_info, domain_state
from virtproto.model.shapes.vcpus import guest_vcpus, iothreads
from virtproto.wire import remote as wire
from virtproto.xdr.typedparams import STRING, TypedParams


def test_summary_and_state() -> None:
    ret = wire.DomainGetInfoRet(state=1, maxMem=4096, memory=2048, nrVirtCpu=2, cpuTime=99)
    info = domain_info(ret)
    assert info == (1, 4096, 2048, 2, 99)
    assert (info.max_memory_kib, info.memory_kib, info.cpu_time_ns) == (4096, 2048, 99)
    assert domain_state(wire.DomainGetStateRet(state=3, reason=5)) == (3, 5)


def test_control() -> None:
    made = control_info(wire.DomainGetControlInfoRet(state=3, details=2, stateTime=1500))
    assert made == DomainControlInfo(
        DomainControlState.ERROR, DomainControlErrorReason.MONITOR, 1500
    )
    assert isinstance(made.state, DomainControlState)
    newer = control_info(wire.DomainGetControlInfoRet(state=77, details=78, stateTime=0))
    assert (newer.state, newer.details) == (77, 78)


def test_clock() -> None:
    made = guest_time(wire.DomainGetTimeRet(seconds=-5, nseconds=999))
    assert made == DomainTime(seconds=-5, nanoseconds=999)


def test_threads() -> None:
    ret = wire.DomainGetIothreadInfoRet(
        info=[
            wire.DomainIothreadInfo(iothread_id=1, cpumap=b"\x03"),
            wire.DomainIothreadInfo(iothread_id=9, cpumap=b"\0\x01"),
        ],
        ret=2,
    )
    assert iothreads(ret) == [
        IOThreadInfo(1, frozenset({0, 1})),
        IOThreadInfo(9, frozenset({8})),
    ]


def test_what_a_guest_makes_of_its_cpus() -> None:
    lists = [("vcpus", STRING, "0-3"), ("online", STRING, "0,2"), ("offlinable", STRING, "1-3")]
    ret = wire.DomainGetGuestVcpusRet(params=TypedParams.from_items(lists))
    assert guest_vcpus(ret) == GuestVcpus(
        vcpus=frozenset({0, 1, 2, 3}), online=frozenset({0, 2}), offlinable=frozenset({1, 2, 3})
    )
    some = wire.DomainGetGuestVcpusRet(params=TypedParams.from_items(lists[:1]))
    assert guest_vcpus(some).online == frozenset()
    bad = wire.DomainGetGuestVcpusRet(params=TypedParams.from_items([("vcpus", STRING, "many")]))
    with pytest.raises(DecodeError, match="many"):
        guest_vcpus(bad)
