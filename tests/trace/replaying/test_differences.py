"""Where two answers differ, field by field, and which of those fields count."""

from __future__ import annotations

import pytest

from virtproto.errors import UsageError
from virtproto.trace.replaying.differences import ABSENT, MOST, differences, shown
from virtproto.trace.replaying.field_patterns import VOLATILE, Patterns


def _found(recorded: object, now: object) -> list[tuple[str, str, str]]:
    return [(each.path, each.recorded, each.now) for each in differences(recorded, now)]


def _parameter(name: str, value: object, kind: int = 4) -> dict[str, object]:
    return {"field": name, "value": {"type": kind, "value": value}}


def test_equal_values_do_not_differ() -> None:
    assert _found({"a": [1, {"b": b"x"}]}, {"a": [1, {"b": b"x"}]}) == []


def test_fields_are_named_by_their_paths() -> None:
    assert _found({"a": {"b": 1}, "c": [1, 2]}, {"a": {"b": 2}, "c": [1, 3]}) == [
        ("a.b", "1", "2"),
        ("c[1]", "2", "3"),
    ]


def test_typed_parameters_are_compared_by_name() -> None:
    recorded = [_parameter("cpu.time", 5), _parameter("gone", "x")]
    now = [_parameter("new", 1), _parameter("cpu.time", 6)]
    assert _found({"params": recorded}, {"params": now}) == [
        ("params[cpu.time]", "5", "6"),
        ("params[gone]", '"x"', ABSENT),
        ("params[new]", ABSENT, "1"),
    ]


def test_objects_are_compared_by_name_and_their_order_is_told_once() -> None:
    web, mail = {"name": "web", "id": 1}, {"name": "mail", "id": 2}
    assert _found([web, mail], [mail, {"name": "web", "id": 7}]) == [
        ("[web].id", "1", "7"),
        (" order", "web", "mail"),
    ]
    stats = {"dom": web, "params": []}
    assert _found([stats], [{"dom": web, "params": [_parameter("a", 1)]}]) == [
        ("[web].params[a]", ABSENT, "1")
    ]


def test_lists_without_names_are_compared_by_number() -> None:
    assert _found([1, 2, 3], [1, 5]) == [("[1]", "2", "5"), ("[]", "3 elements", "2 elements")]


def test_texts_of_many_lines_are_compared_by_line() -> None:
    recorded = "<a>\n  <memory>1</memory>\n  <b/>\n</a>\n"
    now = "<a>\n  <memory>2</memory>\n  <b/>\n  <c/>\n</a>\n"
    assert _found({"xml": recorded}, {"xml": now}) == [
        ("xml:2<memory>", '"<memory>1</memory>"', '"<memory>2</memory>"'),
        ("xml:4<c>", ABSENT, '"<c/>"'),
    ]


def test_long_texts_are_told_from_where_they_differ() -> None:
    ((_, recorded, now),) = _found("x" * 500 + "old", "x" * 500 + "new")
    assert recorded.endswith('xold"')
    assert now.endswith('xnew"')
    assert len(recorded) < 60


def test_what_is_told_is_bounded() -> None:
    assert len(_found(list(range(10_000)), [0] * 10_000)) == MOST
    texts = "\n".join(map(str, range(9000))), "\n".join(map(str, range(1, 18_000, 2)))
    assert len(_found(*texts)) <= MOST
    assert len(shown("x" * 10_000)) < 200
    assert len(shown(b"x" * 10_000)) < 200
    assert shown(bytes(15) + b"a") == "00000000-0000-0000-0000-000000000061"
    assert shown(list(range(10_000))) == "[10000 elements]"


@pytest.mark.parametrize(
    ("pattern", "procedure", "path", "matches"),
    [
        ("*.uuid", "X", "dom.uuid", True),
        ("*.uuid", "X", "uuid", False),
        ("info.cpu", "X", "info[3].cpu", True),
        ("params[cpu.time]", "X", "params[cpu.time]", True),
        ("params[cpu?time]", "X", "params[cpu.time]", True),
        ("params.cpu", "X", "paramsXcpu", False),
        ("DOMAIN_GET_INFO:memory", "DOMAIN_GET_INFO", "memory", True),
        ("DOMAIN_GET_INFO:memory", "DOMAIN_GET_STATE", "memory", False),
        ("DOMAIN_*:*", "DOMAIN_GET_STATE", "reason", True),
        ("memory", "DOMAIN_GET_INFO", "maxmemory", False),
    ],
)
def test_patterns(pattern: str, procedure: str, path: str, matches: bool) -> None:
    assert Patterns([pattern]).match(procedure, path) is matches


def test_no_pattern_matches_nothing_and_an_empty_one_is_refused() -> None:
    assert not Patterns([]).match("X", "a")
    with pytest.raises(UsageError, match="ignore"):
        Patterns([" "])


@pytest.mark.parametrize(
    ("procedure", "path"),
    [
        ("DOMAIN_GET_INFO", "cpuTime"),
        ("DOMAIN_LOOKUP_BY_NAME", "dom.id"),
        ("CONNECT_LIST_ALL_DOMAINS", "domains[web].id"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "retStats[web].params[vcpu.0.time]"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "retStats[web].params[block.1.rd.bytes]"),
        ("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", "callbackID"),
        ("STORAGE_VOL_GET_XML_DESC", "xml:12<mtime>"),
        ("CONNECT_LIST_ALL_DOMAINS", "domains order"),
    ],
)
def test_times_and_counters_are_volatile(procedure: str, path: str) -> None:
    assert Patterns(VOLATILE).match(procedure, path)


@pytest.mark.parametrize(
    ("procedure", "path"),
    [
        ("DOMAIN_GET_INFO", "memory"),
        ("DOMAIN_GET_STATE", "state"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "retStats[web].params[vcpu.current]"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "retStats[web].params[balloon.maximum]"),
        ("DOMAIN_GET_XML_DESC", "xml:2<memory>"),
        ("DOMAIN_LOOKUP_BY_NAME", "dom.uuid"),
    ],
)
def test_what_means_something_is_not(procedure: str, path: str) -> None:
    assert not Patterns(VOLATILE).match(procedure, path)
