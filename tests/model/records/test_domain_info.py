"""Records: named, comparable, cheap."""

from __future__ import annotations

import copy
import pickle

import pytest

from virtproto import constants
from virtproto.constants import DomainState
from virtproto.model.records.domain_info import DomainInfo, DomainStateInfo, state_name


def test_domain_info_names_its_parts() -> None:
    info = DomainInfo(1, 8388608, 2097152, 2, 17)
    assert (info.state, info.max_memory_kib, info.memory_kib) == (1, 8388608, 2097152)
    assert (info.vcpus, info.cpu_time_ns) == (2, 17)
    assert info == (1, 8388608, 2097152, 2, 17)
    assert repr(info) == (
        "DomainInfo(state=1, max_memory_kib=8388608, memory_kib=2097152, vcpus=2, cpu_time_ns=17)"
    )


def test_domain_state_unpacks() -> None:
    state, reason = DomainStateInfo(3, 1)
    assert (state, reason) == (3, 1)
    assert DomainStateInfo(3, 1).state == 3
    assert DomainStateInfo(3, 1).reason == 1
    assert repr(DomainStateInfo(3, 1)) == "DomainStateInfo(state=3, reason=1)"


def test_states_are_members_and_still_their_numbers() -> None:
    for record in (DomainInfo(1, 2, 3, 4, 5), DomainStateInfo(1, 5)):
        assert record.state is DomainState.RUNNING
        assert type(record[0]) is int
    assert DomainInfo(99, 2, 3, 4, 5).state == 99
    assert type(DomainStateInfo(-1, 0).state) is int


@pytest.mark.parametrize("state", list(DomainState))
def test_a_reason_is_of_its_states_enum(state: DomainState) -> None:
    name = {
        DomainState.NOSTATE: "NostateReason",
        DomainState.SHUTOFF: "ShutoffReason",
        DomainState.SHUTDOWN: "ShutdownReason",
        DomainState.PMSUSPENDED: "PMSuspendedReason",
    }.get(state, f"{state.name.title()}Reason")
    kind = getattr(constants, f"Domain{name}")
    for reason in kind:
        assert DomainStateInfo(state, reason.value).reason is reason
    assert DomainStateInfo(state, 99).reason == 99
    assert type(DomainStateInfo(99, 1).reason) is int


def test_records_copy_and_pickle() -> None:
    for record in (DomainInfo(1, 2, 3, 4, 5), DomainStateInfo(1, 2)):
        for twin in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):
            assert twin == record
            assert type(twin) is type(record)


def test_states_have_names_and_new_ones_pass() -> None:
    assert state_name(1) == "running"
    assert state_name(5) == "shut off"
    assert state_name(99) == "state 99"
    assert state_name(-1) == "state -1"
