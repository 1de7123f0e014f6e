"""What a filter leaves of conversations."""

from __future__ import annotations

from typing import Any

from tests.trace.conversations import Script, eventful, listing, told
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.filter_expressions import Filter
from virtproto.trace.printing.filtering import Filtering


def _chosen(text: str, *scripts: Script) -> list[Any]:
    filtering = Filtering(Filter(text))
    everything = told([record for script in scripts for record in script.records])
    return [chosen for each in everything for chosen in filtering.pick(each)]


def _names(chosen: list[Any]) -> list[str]:
    return [
        each.procedure or "?" if isinstance(each, TracedMessage) else type(each).__name__
        for each in chosen
    ]


def test_conversations_without_a_wanted_message_are_not_mentioned() -> None:
    assert _chosen("qemu:*", listing(), eventful()) == []
    assert _names(_chosen("DOMAIN_GET_INFO", listing())) == [
        *("Begin", "DOMAIN_GET_INFO", "DOMAIN_GET_INFO", "End", "End")
    ]
    other = eventful()
    for record in other.records:
        record.conversation = 2
    chosen = _chosen("DOMAIN_GET_INFO", listing(), other)
    assert {each.conversation for each in chosen} == {1}


def test_calls_without_an_answer_are_told_if_wanted() -> None:
    chosen = _chosen("NODE_GET_INFO", eventful())
    assert _names(chosen) == ["Begin", "NODE_GET_INFO", "End", "End"]
    assert [len(each.unanswered) for each in chosen[2:]] == [0, 1]
    chosen = _chosen("error", eventful())
    assert [len(each.unanswered) for each in chosen[-2:]] == [0, 0]
    assert [len(each.unanswered) for each in _chosen("AUTH_LIST", eventful())[-2:]] == [0, 0]


def test_notes_and_what_is_no_packet_are_always_told() -> None:
    script = Script().begin().note("something").strange(b"GET /").end()
    assert _names(_chosen("error", script)) == ["Begin", "Note", "Note", "End"]


def test_what_is_remembered_is_bounded() -> None:
    filtering = Filtering(Filter("error"))
    for number in range(20_000):
        for each in Script(number).begin().told():
            assert filtering.pick(each) == []
    assert len(filtering._held) <= 16384
    assert not filtering._told
