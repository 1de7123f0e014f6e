"""The table of events against the contract, and what callbacks are made of each payload."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto import wire
from virtproto.errors import NoSupportError, UsageError
from virtproto.model.event_kinds import (
    CLOSED,
    DOMAIN,
    HOMES,
    KINDS,
    EventKind,
    check_event_id,
    deregistration,
    registration,
)
from virtproto.model.records.events import GraphicsAddress, GraphicsIdentity
from virtproto.wire import remote
from virtproto.wire.remote.types import DomainEventGraphicsAddress, DomainEventGraphicsIdentity
from virtproto.xdr.typedparams import UINT, TypedParams

DOM = remote.NonnullDomain(name="d", uuid=b"u" * 16, id=3)
IDS = [f"{key[1]}-{kind.name}" for key, kind in KINDS.items()]


def events_of(program: str) -> set[tuple[int, int, str]]:
    module: Any = wire.remote.procedures if program == "remote" else getattr(wire, program)
    rows = {name: row[0] for name, row in module.PROCEDURES.items()}
    return {
        (wire.PROGRAMS[program], number, name)
        for name, number in rows.items()
        if wire.find_procedure(program, name).is_event
    }


def test_every_event_of_the_contract_is_here() -> None:
    here = {(*key, kind.name) for key, kind in KINDS.items()}
    here.add((*CLOSED, "CONNECT_EVENT_CONNECTION_CLOSED"))
    assert here == events_of("remote") | events_of("qemu")


@pytest.mark.parametrize(("key", "kind"), KINDS.items(), ids=IDS)
def test_the_table_fits_the_messages(key: tuple[int, int], kind: EventKind) -> None:
    procedure = kind.procedure
    assert (procedure.program, procedure.number) == key
    message: Any = procedure.msg
    members = set(message.__slots__)
    assert ("callbackID" in members) == kind.by_id
    if "msg" in members:
        older = wire.find_procedure("remote", kind.name.replace("CALLBACK_", ""))
        assert older.msg is not None
        members |= set(older.msg.__slots__)
    fields = [field.partition(":")[0] for field in kind.fields]
    concerned = {"dom", "net", "pool", "dev", "secret"}
    left = members - {"callbackID", "msg"} - set(fields)
    assert len(left) == 1
    assert left <= concerned
    # Power management events of the older way have no reason.
    absent = {field.partition(":")[0] for field in kind.fields if field.endswith(":absent")}
    assert set(fields) - members == absent
    assert absent <= {"reason"}
    assert kind.family in HOMES


def blank(kind: Any) -> Any:
    """Return a message, and the ones in it, with something in each member."""
    message = kind.__new__(kind)
    for name in kind.__slots__:
        setattr(message, name, f"a {name}")
    return message


@pytest.mark.parametrize(("key", "kind"), KINDS.items(), ids=IDS)
def test_every_field_of_every_event_is_read(key: tuple[int, int], kind: EventKind) -> None:
    message = blank(kind.procedure.msg)
    if hasattr(message, "msg"):
        older = wire.find_procedure("remote", kind.name.replace("CALLBACK_", ""))
        message.msg = blank(older.msg)
    names = [field.partition(":")[0] for field in kind.fields]
    # By the contract, three older messages are without what their newer ones have.
    old = key in {(wire.PROGRAMS["remote"], number) for number in (269, 270, 292)}
    if old:
        assert kind.arguments_in(message) == (0,)
    else:
        found = kind._replace(fields=tuple(names)).arguments_in(message)
        assert found == tuple(f"a {name}" for name in names)


def test_a_field_that_no_message_has_is_no_zero() -> None:
    lifecycle = KINDS[wire.PROGRAMS["remote"], 107]
    older = remote.DomainEventLifecycleMsg(dom=DOM, event=5, detail=1)
    newer = remote.DomainEventCallbackLifecycleMsg(callbackID=0, msg=older)
    for message in (older, newer):
        for name in ("reason", "detial"):
            with pytest.raises(AttributeError, match=name):
                lifecycle._replace(fields=(name,)).arguments_in(message)


def arguments(number: int, message: Any) -> tuple[Any, ...]:
    kind = KINDS[wire.PROGRAMS["remote"], number]
    read = kind.unpack(message.pack())
    assert kind.object_in(read).pack()
    return kind.arguments_in(read)


def test_details_are_named_by_their_event() -> None:
    inner = remote.DomainEventLifecycleMsg(dom=DOM, event=5, detail=1)
    newer = remote.DomainEventCallbackLifecycleMsg(callbackID=0, msg=inner)
    for found in (arguments(107, inner), arguments(318, newer)):
        assert [each.name for each in found] == ["STOPPED", "DESTROYED"]
    unknown = remote.DomainEventLifecycleMsg(dom=DOM, event=99, detail=-7)
    assert arguments(107, unknown) == (99, -7)


def test_graphics_are_records() -> None:
    end = DomainEventGraphicsAddress(family=0, node="::1", service="5900")
    identity = DomainEventGraphicsIdentity(type="x509dname", name="CN=me")
    message = remote.DomainEventGraphicsMsg(
        dom=DOM, phase=1, local=end, remote=end, authScheme="none", subject=[identity]
    )
    address = GraphicsAddress(0, "::1", "5900")
    wanted = (1, address, address, "none", [GraphicsIdentity("x509dname", "CN=me")])
    assert arguments(173, message) == wanted


def test_typed_parameters_are_a_dict() -> None:
    params = TypedParams.from_items([("cputune.vcpupin0", UINT, 3)])
    message = remote.DomainEventCallbackTunableMsg(callbackID=1, dom=DOM, params=params)
    assert arguments(346, message) == ({"cputune.vcpupin0": 3},)


def test_the_reason_of_power_management_events() -> None:
    older = remote.DomainEventPmwakeupMsg(dom=DOM)
    assert arguments(269, older) == (0,)
    newer = remote.DomainEventCallbackPmwakeupMsg(callbackID=1, reason=4, msg=older)
    assert arguments(329, newer) == (4,)


def test_what_may_be_missing_is_none() -> None:
    message = remote.DomainEventDiskChangeMsg(
        dom=DOM, oldSrcPath=None, newSrcPath="/new", devAlias="ide0", reason=0
    )
    found = arguments(248, message)
    assert found[:3] == (None, "/new", "ide0")


@pytest.mark.parametrize("family", HOMES)
def test_ids_without_an_event_are_refused(family: str) -> None:
    known = {kind.event_id for kind in KINDS.values() if kind.family == family}
    assert known == set(range(len(known)))
    for wrong in (-1, len(known)):
        with pytest.raises(UsageError, match="event_id"):
            check_event_id(family, wrong)


def test_the_older_way_knows_the_older_events_only() -> None:
    check_event_id(DOMAIN, 15, by_id=False)
    check_event_id(DOMAIN, 16)
    with pytest.raises(NoSupportError):
        check_event_id(DOMAIN, 16, by_id=False)
    with pytest.raises(UsageError):
        check_event_id(DOMAIN, 30, by_id=False)


@pytest.mark.parametrize("family", [name for name in HOMES if name != "qemu"])
def test_registration_and_deregistration_belong_together(family: str) -> None:
    procedure, args = registration(family, 1, None)
    assert type(args).unpack(args.pack()).eventID == 1
    end, end_args = deregistration(family, 1, 77)
    assert end_args.callbackID == 77
    assert end.number == procedure.number + 1
    assert family.upper() in procedure.name
