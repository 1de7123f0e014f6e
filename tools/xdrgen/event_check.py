"""Judges described events: whether they are the contract's, all of them, and whole.

The pass between ``event_read`` and ``emit_events``, which prints what it is given. Every error
names file, line and event, and what was expected. Must not know: how code is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdrgen.api_bound import Program, programs_of
from xdrgen.constants import EnumDef
from xdrgen.emit_nodes import Number
from xdrgen.event_model import FAMILIES, Event
from xdrgen.model import Contract, Declaration

__all__ = ["CALLBACK_ID", "DETAIL", "check_events", "members_of"]

# The member with the registration's ID, which the older messages lack.
CALLBACK_ID = "callbackID"
# The older message, in the newer one of the same event.
_WRAPPED = "msg"
# The set of constants of a lifecycle event's detail is told by the event.
DETAIL = "detail"
# About no object, and for the connection itself: word that the daemon has closed it.
_OF_THE_CONNECTION = frozenset({"CONNECT_EVENT_CONNECTION_CLOSED"})


def check_events(events: Sequence[Event], contract: Contract, enums: Mapping[str, EnumDef]) -> None:
    """Raise ContractError at the first thing of a description that cannot be."""
    programs = programs_of(contract)
    described: dict[str, str] = {}
    for event in events:
        program = programs[FAMILIES[event.family].program]
        for name in event.procedures:
            found = program.procedures.get(name)
            if found is None or found.msg is None:
                raise event.error(f"expected an event's procedure, found {name}", "procedures")
            if name in described:
                raise event.error(f"{name} is described as {described[name]}", "procedures")
            described[name] = event.name
            _check_message(event, name, program)
        _check_enums(event, program, enums)
    _check_ids(events, enums)
    for program in programs.values():
        for name, procedure in program.procedures.items():
            if procedure.msg and name not in described and name not in _OF_THE_CONNECTION:
                raise events[0].file.error(f"expected a description of the event {name}")


def members_of(program: Program, procedure: str) -> dict[str, Declaration]:
    """Return the members of an event's message, and of the message that it wraps."""
    name = program.procedures[procedure].msg
    assert name is not None
    found: dict[str, Declaration] = {}
    for member in program.types.structs[name].members:
        if member.name == _WRAPPED:
            inner = program.types.structs[member.type]
            found |= {each.name: each for each in inner.members}
        else:
            found[member.name] = member
    return found


def _check_message(event: Event, procedure: str, program: Program) -> None:
    """Hold one message against the description: each member described, or known to all events."""
    members = members_of(program, procedure)
    family = FAMILIES[event.family]
    is_older = len(event.procedures) == 2 and procedure == event.procedures[0]
    if (CALLBACK_ID in members) == is_older:
        expected = "no registration's ID" if is_older else "a registration's ID"
        raise event.error(f"expected {expected} in the message of {procedure}", "procedures")
    concerned = members.get(family.member)
    if concerned is None or concerned.type != family.reference:
        raise event.error(f"expected the {event.family} in the message of {procedure}", "family")
    left = members.keys() - {CALLBACK_ID, family.member}
    for field in event.fields:
        if field.member in left:
            left.remove(field.member)
        elif not is_older or field.older is None:
            raise event.error(f"there is no {field.member} in that of {procedure}", field.name)
    if left:
        raise event.error(f"expected fields for {', '.join(sorted(left))} of {procedure}")


def _check_enums(event: Event, program: Program, enums: Mapping[str, EnumDef]) -> None:
    members = members_of(program, event.procedures[-1])
    for field in event.fields:
        if not field.enum:
            continue
        if field.enum != DETAIL and field.enum not in enums:
            raise event.error(f"there is no set of constants {field.enum}", field.name)
        if not isinstance(program.types.node(members[field.member]), Number):
            raise event.error(f"expected a number for {field.enum}", field.name)


def _check_ids(events: Sequence[Event], enums: Mapping[str, EnumDef]) -> None:
    """Hold the IDs of each family against libvirt's: every number once."""
    for name, family in FAMILIES.items():
        own = [event for event in events if event.family == name]
        known = set(enums[family.ids].members.values()) if family.ids in enums else {0}
        seen: set[int] = set()
        for event in own:
            if event.id not in known or event.id in seen:
                raise event.error(f"expected an ID of its own in {family.ids}", "id")
            seen.add(event.id)
        if own and seen != known:
            missing = ", ".join(map(str, sorted(known - seen)))
            raise own[-1].error(f"expected all IDs of {family.ids}, found none of {missing}")
