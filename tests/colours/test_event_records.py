"""Records of events: which kind each stands for, and how a message becomes one, in both colours."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError
from virtproto.model.event_kinds import KINDS
from virtproto.model.records.events import Gap

COLOURS = ("sync", "aio")
PUBLIC = {"sync": "virtproto.events", "aio": "virtproto.aio.events"}
OTHER = {"sync": "aio", "aio": "sync"}


def public(colour: str) -> Any:
    return importlib.import_module(PUBLIC[colour])


def of_colour(colour: str) -> Any:
    return importlib.import_module(f"virtproto.{colour}.event_records")


@pytest.mark.parametrize("colour", COLOURS)
def test_every_kind_of_event_has_a_record(colour: str) -> None:
    events, records = public(colour), of_colour(colour)
    assert len(set(events.__all__)) == len(events.__all__)
    names = {kind.record for kind in KINDS.values()}
    others = {"Gap", "GraphicsAddress", "GraphicsIdentity", "Events", "Overflow"}
    assert names == set(events.__all__) - others
    for name in names:
        kind = records.kind_of("kinds", getattr(events, name))
        assert kind.record == name
        assert kind.by_id


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_record_has_the_object_and_what_a_callback_gets(colour: str, kind: Any) -> None:
    fields = getattr(public(colour), kind.record)._fields
    assert len(fields) == 1 + len(kind.fields)
    assert fields[0] == {
        "storage_pool": "pool",
        "node_device": "device",
        "qemu": "domain",
    }.get(kind.family, kind.family)


@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_no_record_of_this_colour_is_refused(colour: str) -> None:
    kind_of = of_colour(colour).kind_of
    wrong: Any
    for wrong in (Gap, "DomainLifecycle", 0, None, int, public(OTHER[colour]).DomainLifecycle):
        with pytest.raises(ArgumentTypeError, match=r"^kinds: "):
            kind_of("kinds", wrong)


@pytest.mark.parametrize("colour", COLOURS)
def test_names_that_are_none_are_not_there(colour: str) -> None:
    events = public(colour)
    assert "Gap" in dir(events)
    with pytest.raises(AttributeError, match="DomainNothing"):
        events.DomainNothing  # noqa: B018
