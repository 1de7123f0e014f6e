"""The three ways of reading typed parameters give one result, whatever was learned before."""

from __future__ import annotations

import struct
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xdr.sample import CONTRACT
from virtproto.errors import DecodeError
from virtproto.xdr import paramshapes
from virtproto.xdr.paramlayouts import Segment, Whole
from virtproto.xdr.paramshapes import STRING_MAX, VALUE_CODES, forget
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import (
    DOUBLE,
    INT,
    STRING,
    UINT,
    ULLONG,
    TypedParams,
    unpack_typed_params,
)

CODEC = ReferenceCodec(CONTRACT)

Item = tuple[str, int, Any]

# After how many times the same list is read by shape, and as a whole if it has strings.
SHAPED = paramshapes._MIN_SEEN
WHOLE = SHAPED + 1 + paramshapes._MIN_REPEATS


@pytest.fixture(autouse=True)
def _nothing_learned() -> Iterator[None]:
    forget()
    yield
    forget()


def read(data: bytes) -> list[Item]:
    """Read a list with nothing but struct; whatever goes wrong is a ValueError or struct.error."""

    def word(pos: int) -> int:
        number: int = struct.unpack_from(">I", data, pos)[0]
        return number

    def text(pos: int) -> tuple[str, int]:
        size = word(pos)
        end = pos + 4 + (size + 3) // 4 * 4
        if size > STRING_MAX or end > len(data):
            raise ValueError
        return data[pos + 4 : pos + 4 + size].decode("utf-8", "surrogateescape"), end

    items: list[Item] = []
    pos = 4
    for _ in range(word(0)):
        name, pos = text(pos)
        kind = word(pos)
        value: Any
        if kind == STRING:
            value, pos = text(pos + 4)
        elif kind in VALUE_CODES:
            code = struct.Struct(">" + VALUE_CODES[kind])
            (value,) = code.unpack_from(data, pos + 4)
            pos += 4 + code.size
        else:
            raise ValueError
        items.append((name, kind, value))
    return items


def agree(data: bytes) -> bool:
    """Check that all readers agree on these bytes; tell whether they hold a list."""
    try:
        expected = [(n, k, _comparable(v)) for n, k, v in read(data)]
    except (ValueError, struct.error):
        with pytest.raises(DecodeError) as caught:
            unpack_typed_params(data, 0)
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= len(data)
        with pytest.raises(DecodeError):
            CODEC.check("param_list", data)
        return False
    params, end = unpack_typed_params(data, 0)
    assert [(n, k, _comparable(v)) for n, k, v in params] == expected
    assert end == CODEC.check("param_list", data)
    return True


def _comparable(value: Any) -> Any:
    """Return a float by its bits, so that a NaN equals itself."""
    return struct.pack(">d", value) if isinstance(value, float) else value


def pack(items: list[Item], *, padding: bytes = b"\0\0\0") -> bytes:
    out = [struct.pack(">I", len(items))]

    def text(value: str) -> bytes:
        raw = value.encode("utf-8", "surrogateescape")
        return struct.pack(">I", len(raw)) + raw + padding[: -len(raw) % 4]

    for name, kind, value in items:
        out.append(text(name) + struct.pack(">I", kind))
        out.append(text(value) if kind == STRING else struct.pack(">" + VALUE_CODES[kind], value))
    return b"".join(out)


def numbers(count: int, *, prefix: str = "n") -> list[Item]:
    return [(f"{prefix}.{i}", (UINT, ULLONG, INT, DOUBLE)[i % 4], i) for i in range(count)]


def disks(count: int, *, path: str = "/a") -> list[Item]:
    items: list[Item] = [("block.count", UINT, count)]
    for i in range(count):
        items.append((f"block.{i}.name", STRING, f"vd{i}"))
        items.append((f"block.{i}.path", STRING, path * (i + 1)))
        items += [(f"block.{i}.{what}", ULLONG, i) for what in ("rd", "wr", "fl")]
    return items


def shapes_of(count: int) -> list[Segment]:
    shapes = paramshapes._shapes.get(count)
    return [] if shapes is None else shapes.segments


def wholes_of(count: int) -> list[Whole]:
    shapes = paramshapes._shapes.get(count)
    return [] if shapes is None else shapes.wholes


def named(path: str, number: int = 0) -> bytes:
    return pack([("name", STRING, "vda"), ("path", STRING, path), ("reads", ULLONG, number)])


@pytest.mark.parametrize(
    "items",
    [
        numbers(60),
        disks(3),
        [*disks(2), *numbers(3)],
        [(f"s{i}", STRING, "x" * i) for i in range(9)],
        [*numbers(8), ("s", STRING, "")],
        [("same", INT, 1)] * 10,
        [("", INT, 1), ("", STRING, ""), ("", DOUBLE, 0.5)],
    ],
    ids=["numbers", "disks", "mixed", "strings", "last", "same", "nameless"],
)
def test_a_list_that_keeps_coming_is_read_by_its_shape(items: list[Item]) -> None:
    data = pack(items)
    first, end = unpack_typed_params(data, 0)
    unpack_typed_params(data, 0)
    assert not shapes_of(len(items))
    unpack_typed_params(data, 0)
    assert shapes_of(len(items))
    found = paramshapes._decode_by_shape(shapes_of(len(items)), data, 4)
    assert found is not None
    heading, values, position = found
    assert heading.names is first.names
    assert (values, position) == (first.values, end)
    assert agree(data)
    # Nothing behind the payload is needed or looked at.
    assert unpack_typed_params(data + b"\xff" * 40, 0) == (first, end)


@pytest.mark.parametrize(
    "items",
    [
        disks(3),
        [*disks(2), *numbers(3)],
        [(f"s{i}", STRING, "x" * i) for i in range(9)],
        [*numbers(8), ("s", STRING, "")],
        [("", INT, 1), ("", STRING, ""), ("", DOUBLE, 0.5)],
    ],
    ids=["disks", "mixed", "strings", "last", "nameless"],
)
def test_a_list_whose_strings_keep_their_sizes_is_read_as_a_whole(items: list[Item]) -> None:
    data = pack(items)
    for _ in range(WHOLE - 1):
        first, end = unpack_typed_params(data, 0)
    assert not wholes_of(len(items))
    unpack_typed_params(data, 0)
    shapes = paramshapes._shapes[len(items)]
    found = paramshapes._decode_whole(shapes, data, 4)
    assert found is not None
    heading, values, position = found
    assert heading.names is first.names
    assert (values, position) == (first.values, end)
    assert unpack_typed_params(data + b"\xff" * 40, 0) == (first, end)
    # Whatever the strings are, as long as their sizes are the same.
    agree(pack([(n, k, v.replace("x", "\udcff") if k == STRING else v) for n, k, v in items]))


def test_wholes_that_do_not_fit_are_not_tried_for_a_while() -> None:
    for _ in range(WHOLE):
        assert agree(named("/same"))
    shapes = paramshapes._shapes[3]
    for size in range(paramshapes._MAX_MISSES - 1):
        assert agree(named("x" * 4 * size))
    assert agree(named("/same"))
    for size in range(paramshapes._MAX_MISSES):
        assert not shapes.pause
        assert agree(named("x" * 4 * size))
    for left in range(paramshapes._PAUSE, 0, -1):
        assert shapes.pause == left
        assert agree(named("/same"))
    assert agree(named("/same"))
    assert (shapes.pause, shapes.misses, len(shapes.wholes)) == (0, 0, 1)


def test_each_further_whole_takes_twice_as_many_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramshapes, "_MAX_MISSES", 10**6)
    for _ in range(SHAPED):
        unpack_typed_params(named(""), 0)
    wanted = paramshapes._MIN_REPEATS
    for size in range(1, paramshapes._MAX_WHOLES + 1):
        for _ in range(wanted):
            assert len(wholes_of(3)) == size - 1
            assert agree(named("x" * 4 * size))
        assert agree(named("x" * 4 * size))
        assert len(wholes_of(3)) == size
        wanted *= 2


def test_few_wholes_are_kept_the_one_used_last_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramshapes, "_MAX_MISSES", 10**6)
    lists = [named("x" * 4 * size) for size in range(paramshapes._MAX_WHOLES + 2)]
    for _ in range(100):
        for data in lists:
            assert agree(data)
            assert agree(data)
    wholes = list(wholes_of(3))
    assert len(wholes) == paramshapes._MAX_WHOLES
    (last,) = [data for data in lists if len(data) == 4 + wholes[-1].size]
    assert agree(last)
    assert wholes_of(3) == [wholes[-1], *wholes[:-1]]


def test_wholes_of_equal_size_are_told_apart_by_their_length_words() -> None:
    one = pack([("a", STRING, "x" * 4), ("b", STRING, "y" * 8), ("c", INT, 1)])
    two = pack([("a", STRING, "x" * 8), ("b", STRING, "y" * 4), ("c", INT, 1)])
    three = pack([("a", STRING, "x" * 3), ("b", STRING, "y" * 7), ("c", INT, 1)])
    for data in [one] * WHOLE + [two] * WHOLE + [one, two, three] * WHOLE:
        assert agree(data)


def test_threads_that_share_what_is_learned_read_right() -> None:
    lists = [named("x" * (size % 7), size) for size in range(40)]
    lists += [pack([("name", STRING, "x"), *numbers(2, prefix=f"p{i % 5}")]) for i in range(40)]
    expected = [read(data) for data in lists]
    wrong: list[object] = []

    def work(first: int) -> None:
        try:
            for i in range(first, first + 3000):
                place = i // 9 % len(lists)
                if list(unpack_typed_params(lists[place], 0)[0]) != expected[place]:
                    wrong.append(place)
        except Exception as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(i * 97,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


@pytest.mark.parametrize("items", [numbers(20), disks(4)], ids=["numbers", "disks"])
@pytest.mark.parametrize("times", [SHAPED, WHOLE])
def test_every_cut_of_a_learned_list_is_refused(items: list[Item], times: int) -> None:
    data = pack(items)
    for _ in range(times):
        assert agree(data)
    for size in range(len(data)):
        assert not agree(data[:size])
    assert not wholes_of(20), "a list of numbers is no whole"


@pytest.mark.parametrize("items", [numbers(12), disks(2)], ids=["numbers", "disks"])
@pytest.mark.parametrize("times", [SHAPED, WHOLE])
def test_every_flipped_byte_of_a_learned_list_is_read_as_it_is(
    items: list[Item], times: int
) -> None:
    data = pack(items)
    for _ in range(times):
        assert agree(data)
    for position in range(4, len(data)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            agree(bytes(changed))
    assert agree(data)


@pytest.mark.parametrize("length", [3, 27, 2**22 + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("place", ["name", "value"])
@pytest.mark.parametrize("times", [SHAPED, WHOLE])
def test_hostile_length_words_in_a_learned_list(length: int, place: str, times: int) -> None:
    items = disks(2, path="/path/")
    data = pack(items)
    for _ in range(times):
        assert agree(data)
    key = b"block.1.path"
    position = data.index(key) - 4 if place == "name" else data.index(key) + len(key) + 4
    changed = data[:position] + struct.pack(">I", length) + data[position + 4 :]
    assert not agree(changed)


def test_keys_that_differ_in_the_length_word_alone_are_told_apart() -> None:
    # "abc" with its padding and "abc\0" have equal bytes behind their lengths.
    short = struct.pack(">II4sIi", 1, 3, b"abc\0", INT, 5)
    long = struct.pack(">II4sIi", 1, 4, b"abc\0", INT, 5)
    for data, name in ((short, "abc"), (long, "abc\0"), (short, "abc")):
        assert unpack_typed_params(data, 0)[0].names == (name,)


def test_padding_is_ignored_whatever_it_is() -> None:
    items = disks(2)
    plain = pack(items)
    padded = pack(items, padding=b"\x01\x02\x03")
    assert plain != padded
    for data in (plain, padded) * WHOLE:
        assert agree(data)
    assert wholes_of(len(items))
    assert unpack_typed_params(padded, 0)[0]._pack() == plain


def test_strings_that_are_not_utf8_survive() -> None:
    items: list[Item] = [("\udcff\udcfe", STRING, "\udc80"), ("a", STRING, "\u00e4"), ("b", INT, 1)]
    data = pack(items)
    for _ in range(WHOLE + 1):
        params, _ = unpack_typed_params(data, 0)
        assert list(params) == items
        assert params._pack() == data
    assert wholes_of(3)


def test_shapes_of_one_count_are_told_apart() -> None:
    variants = [pack(numbers(16, prefix=f"p{i}")) for i in range(30)]
    for _ in range(4):
        for data in variants:
            assert agree(data)
    assert 0 < len(shapes_of(16)) <= 16


def test_the_shape_used_last_is_tried_first() -> None:
    variants = [pack(numbers(16, prefix=f"p{i}")) for i in range(3)]
    for data in variants * 4:
        assert agree(data)
    front = shapes_of(16)[0]
    agree(variants[0])
    assert shapes_of(16)[0] is not front


def test_shapes_that_begin_alike_share_the_beginning() -> None:
    one = pack([("name", STRING, "x"), *numbers(9)])
    two = pack([("name", STRING, "y"), *numbers(9, prefix="m")])
    for data in (one, one, one, two, two, two, one, two):
        assert agree(data)
    (root,) = shapes_of(10)
    assert len(root.following) == 2


def test_a_dropped_shape_comes_back_without_being_built_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = []
    original = Segment

    class Counting(original):  # type: ignore[valid-type, misc]
        def __init__(self, keys: Any) -> None:
            built.append(keys)
            super().__init__(keys)

    monkeypatch.setattr(paramshapes, "Segment", Counting)
    variants = [pack(numbers(8, prefix=f"p{i}")) for i in range(12)]
    for _ in range(6):
        for data in variants:
            assert agree(data)
    assert len(shapes_of(8)) == 2
    assert len(built) == len(variants)


def test_what_is_learned_is_bounded() -> None:
    for i in range(3000):
        data = pack([(f"name-{i}-{j}", INT, j) for j in range(20)])
        for _ in range(3):
            unpack_typed_params(data, 0)
    assert len(paramshapes._keys) <= paramshapes._MAX_KEYS
    known = sum(len(keys) for keys in paramshapes._headings)
    assert known <= paramshapes._MAX_LEARNED_PARAMS + 20


def test_wholes_count_among_what_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramshapes, "_MAX_LEARNED_PARAMS", 100)
    for i in range(200):
        data = pack([(f"n{i}.{j}", STRING, "x") for j in range(3 + i % 7)])
        for _ in range(WHOLE + 1):
            assert agree(data)
        known = sum(len(keys) for keys in paramshapes._headings)
        known += sum(len(w.keys) for s in paramshapes._shapes.values() for w in s.wholes)
        assert known <= 100 + 2 * 9


def test_long_names_are_read_but_not_kept() -> None:
    items: list[Item] = [("x" * size, UINT, size) for size in (79, 80, 500, 100_000)]
    data = pack(items)
    for _ in range(3):
        assert agree(data)
    assert {key.name for key in paramshapes._keys.values()} == {"x" * 79, "x" * 80}
    assert not paramshapes._headings
    assert not shapes_of(4)


def test_memory_is_a_small_multiple_of_a_hostile_list() -> None:
    peaks = []
    for start in (0x1000, 0x2000):
        # The smallest parameters there are, each with a name of its own.
        items: list[Item] = [(f"{start + i:x}", INT, 10**6 + i) for i in range(3000)]
        data = pack(items)
        tracemalloc.start()
        params, _ = unpack_typed_params(data, 0)
        peaks.append(tracemalloc.get_traced_memory()[1] / len(data))
        tracemalloc.stop()
        assert len(params) == 3000
    # The interpreter's own table of interned strings may grow in one of the two, by its size: that
    # of the whole process.
    assert min(peaks) < 40


NAMES = st.sampled_from(
    ["a", "b", "vcpu.0", "vcpu.1", "vcpu.10", "block.0.path", "\u00e4", "x" * 200]
)
VALUES: dict[int, st.SearchStrategy[Any]] = {
    1: st.integers(-(2**31), 2**31 - 1),
    2: st.integers(0, 2**32 - 1),
    3: st.integers(-(2**63), 2**63 - 1),
    4: st.integers(0, 2**64 - 1),
    5: st.floats(),
    6: st.integers(0, 1),
    7: st.sampled_from(["", "a", "vda", "four", "\udc80", "/var/lib/x.qcow2", "\u00e4\u00f6"]),
}


@st.composite
def sessions(draw: st.DrawFn) -> list[bytes]:
    """Draw lists as a daemon sends them: a few outlines, often repeated, with ever new values."""
    outline = st.lists(st.tuples(NAMES, st.sampled_from(list(VALUES))), max_size=12)
    outlines = draw(st.lists(outline, min_size=1, max_size=4))
    payloads = []
    for outline_drawn in draw(st.lists(st.sampled_from(outlines), max_size=16)):
        items = [(name, kind, draw(VALUES[kind])) for name, kind in outline_drawn]
        payload = pack(items, padding=draw(st.sampled_from([b"\0\0\0", b"abc"])))
        payloads += [payload] * draw(st.sampled_from([1, 1, WHOLE]))
    return payloads


@settings(max_examples=300)
@given(sessions())
def test_any_sequence_of_lists_is_read_right(payloads: list[bytes]) -> None:
    forget()
    for data in payloads:
        assert agree(data)


@settings(max_examples=300)
@given(sessions(), st.data())
def test_any_damage_is_read_alike_or_refused(payloads: list[bytes], data: st.DataObject) -> None:
    forget()
    for payload in payloads:
        agree(payload)
        changed = bytearray(payload)
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position] = data.draw(st.integers(0, 255))
        end = data.draw(st.sampled_from([len(changed), len(changed) - 1, position]))
        agree(bytes(changed[:end]))


def test_both_ways_pack_back_to_the_same_bytes() -> None:
    data = pack([*disks(3), *numbers(7)])
    records = [unpack_typed_params(data, 0)[0] for _ in range(4)]
    assert all(isinstance(record, TypedParams) and record._pack() == data for record in records)
