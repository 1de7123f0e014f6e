"""Annotation of good and of damaged payloads."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import peak_memory
from tests.xdr.sample import CONTRACT
from virtproto.errors import DecodeError
from virtproto.xdr.annotate import MAX_PROBLEMS, MAX_VALUE, SECRET, Annotation, annotate
from virtproto.xdr.reference import ReferenceCodec

CODEC = ReferenceCodec(CONTRACT)
UUID = bytes(range(16))


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack(">I", number) for number in numbers)


def rows(annotation: Annotation) -> list[tuple[int, int, str, str, Any]]:
    return [(f.offset, f.size, f.path, f.type, f.value) for f in annotation.fields]


def machine(name: bytes = b"fv0", size: int | None = None) -> bytes:
    head = words(len(name) if size is None else size) + name + bytes(-len(name) % 4)
    return head + UUID + words(7)


def test_every_field_has_its_place() -> None:
    payload = machine() + words(1, 1) + b"a\0\0\0" + words(7, 2) + b"xy\0\0"
    annotation = CODEC.annotate("stats", payload)
    assert rows(annotation) == [
        (0, 8, "machine.name", "string<20>", "fv0"),
        (8, 16, "machine.uuid", "opaque[16]", UUID),
        (24, 4, "machine.id", "int", 7),
        (28, 4, "params", "count", 1),
        (32, 8, "params[0].field", "string<4194304>", "a"),
        (40, 4, "params[0].value", "int", 7),
        (44, 8, "params[0].value.s", "string<4194304>", "xy"),
    ]
    assert annotation.problems == []
    assert annotation.error is None
    assert (annotation.end, annotation.left_over, annotation.complete) == (len(payload), 0, True)


def test_fields_cover_the_payload_without_gap() -> None:
    plain = {
        "from": "a",
        "color": 1,
        "blob": b"12345",
        "label": b"abc",
        "model": b"abcd",
        "octets": b"xy",
        "numbers": [1, 2],
        "pair": [3, 4],
        "machines": [{"name": "n", "uuid": UUID, "id": 1}],
        "one": {"name": "", "uuid": UUID, "id": 2},
        "names": ["p", "q"],
    }
    payload = CODEC.encode("everything", plain)
    position = 0
    annotation = CODEC.annotate("everything", payload)
    for field in annotation.fields:
        assert field.offset == position
        position += field.size
    assert position == len(payload)
    notes = {field.path: field.note for field in annotation.fields if field.note}
    assert notes == {"color": "GREEN"}


def test_what_is_odd_but_legal_is_noted() -> None:
    payload = words(3) + b"\xff\xfeaZ" + UUID + words(1) + b"rest"
    annotation = CODEC.annotate("machine", payload)
    assert [str(problem) for problem in annotation.problems] == [
        "byte 0: name: the string is not UTF-8",
        "byte 7: name: the padding is 5a, not zero",
        "byte 28: 4 bytes after the end",
    ]
    assert all(problem.legal for problem in annotation.problems)
    assert annotation.error is None
    assert annotation.fields[0].value == "\udcff\udcfea"
    assert (annotation.end, annotation.left_over) == (28, 4)


def test_odd_numbers_are_noted() -> None:
    annotation = CODEC.annotate("maybe_name", words(9, 0))
    assert [p.reason for p in annotation.problems] == ["the optional flag is 9, not 0 or 1"]
    annotation = CODEC.annotate("color", words(7))
    assert [p.reason for p in annotation.problems] == ["7 is not in enum color"]
    annotation = CODEC.annotate("unsigned char", words(0x1C8))
    assert [p.reason for p in annotation.problems] == ["the word has bits beyond unsigned char"]
    assert annotation.fields[0].value == 0xC8


def test_a_length_over_its_limit_that_fits_does_not_stop() -> None:
    annotation = CODEC.annotate("machine", machine(b"x" * 24))
    assert str(annotation.error) == "byte 0: name: 24 bytes, 20 are allowed"
    assert [field.path for field in annotation.fields] == ["name", "uuid", "id"]
    assert annotation.fields[2].value == 7
    assert annotation.left_over == 0
    with pytest.raises(DecodeError, match="24 bytes, 20 are allowed"):
        CODEC.decode("machine", machine(b"x" * 24))


def test_an_unknown_arm_stops_there_and_counts_what_is_left() -> None:
    payload = machine() + words(2, 0, 9, 1, 0, 1, 1)
    annotation = CODEC.annotate("stats", payload)
    (problem,) = annotation.problems
    assert str(problem) == "byte 36: params[0].value: value has no arm 9"
    assert problem.fatal
    assert (annotation.end, annotation.left_over) == (40, 16)
    assert annotation.fields[-1].path == "params[0].value"


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "byte 0: machine.name: the length needs 4 bytes, 0 are left"),
        (words(9) + b"ab", "byte 0: machine.name: the length is 9, 2 bytes are left"),
        (words(2) + b"ab", "byte 4: machine.name: with its padding it needs 4 bytes, 2 are left"),
        (machine()[:20], "byte 8: machine.uuid: with its padding it needs 16 bytes, 12 are left"),
        (machine()[:26], "byte 24: machine.id: int needs 4 bytes, 2 are left"),
        (machine() + words(1, 0), "byte 28: params: 1 elements cannot be in 4 bytes"),
    ],
)
def test_where_the_bytes_run_out_is_told(payload: bytes, error: str) -> None:
    annotation = CODEC.annotate("stats", payload)
    assert str(annotation.error) == error
    assert annotation.problems[-1].fatal
    assert annotation.left_over == len(payload) - annotation.end


def test_a_cut_list_is_shown_as_far_as_it_goes() -> None:
    payload = words(3) + machine(b"a") + machine(b"b")[:10]
    annotation = CODEC.annotate("big", payload)
    assert [field.path for field in annotation.fields] == [
        "machines",
        "machines[0].name",
        "machines[0].uuid",
        "machines[0].id",
        "machines[1].name",
    ]
    assert str(annotation.problems[0]).startswith("byte 0: machines: 3 elements cannot be")
    assert annotation.problems[-1].path == "machines[1].uuid"


LOGIN = CODEC.encode("login", {"user": "fred", "password": "s3cret", "pin": 5353, "key": b"s3cret"})


def test_secrets_are_shown_only_on_demand() -> None:
    hidden = CODEC.annotate("login", LOGIN)
    assert [field.value for field in hidden.fields] == ["fred", SECRET, SECRET, 6, SECRET]
    assert "s3cret" not in repr(hidden.fields)
    shown = CODEC.annotate("login", LOGIN, show_secrets=True)
    assert [field.value for field in shown.fields] == ["fred", "s3cret", 5353, 6, b"s3cret"]


def test_secret_parameters_are_shown_only_on_demand() -> None:
    params = [("user", 7, "fred"), ("pass", 7, "s3cret"), ("pass", 1, 5353), ("count", 1, 3)]
    plain = [{"field": name, "value": {"type": t, "value": v}} for name, t, v in params]
    payload = CODEC.encode("param_list", {"params": plain})
    hidden = CODEC.annotate("param_list", payload)
    values = [f.value for f in hidden.fields if f.path.rpartition(".")[2] in ("s", "i")]
    assert values == ["fred", SECRET, SECRET, 3]
    assert "s3cret" not in repr(hidden.fields)
    assert "5353" not in repr(hidden.fields)
    shown = CODEC.annotate("param_list", payload, show_secrets=True)
    values = [f.value for f in shown.fields if f.path.rpartition(".")[2] in ("s", "i")]
    assert values == ["fred", "s3cret", 5353, 3]
    for size in range(len(payload)):
        cut = CODEC.annotate("param_list", payload[:size])
        assert "s3cr" not in f"{cut.fields}{cut.problems}{cut.error}"


def test_long_values_are_cut_and_say_so() -> None:
    payload = words(1, MAX_VALUE * 2) + b"x" * MAX_VALUE * 2 + words(1, 1)
    (field,) = [f for f in CODEC.annotate("param_list", payload).fields if f.path.endswith("field")]
    assert field.value == "x" * MAX_VALUE
    assert field.note == f"the first {MAX_VALUE} of {2 * MAX_VALUE}"
    assert field.size == 4 + 2 * MAX_VALUE


def test_the_list_of_fields_is_bounded() -> None:
    payload = words(16384) + bytes(24) * 16384

    def list_them() -> None:
        annotation = annotate(CONTRACT, "big", payload, max_fields=100)
        assert len(annotation.fields) == 100
        assert not annotation.complete
        assert annotation.left_over == len(payload) - annotation.end

    assert peak_memory(list_them) < 500_000


def test_the_list_of_problems_is_bounded() -> None:
    payload = words(3000) + (words(1) + b"aZZZ" + words(1, 1)) * 3000
    annotation = CODEC.annotate("param_list", payload)
    assert len(annotation.problems) == MAX_PROBLEMS


@given(st.binary(max_size=300), st.sampled_from(["everything", "stats", "big", "link", "login"]))
def test_any_bytes_can_be_annotated_and_agree_with_decoding(data: bytes, name: str) -> None:
    annotation = CODEC.annotate(name, data)
    position = 0
    for field in annotation.fields:
        assert field.offset >= position
        position = field.offset + field.size
    assert position <= annotation.end
    assert annotation.end + annotation.left_over == len(data)
    try:
        CODEC.decode(name, data)
    except DecodeError as error:
        assert str(annotation.error) == str(error)  # noqa: PT017
    else:
        assert annotation.error is None
        assert annotation.end == CODEC.check(name, data)
