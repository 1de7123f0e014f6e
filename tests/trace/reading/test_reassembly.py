"""TCP is put together as it was sent, whatever became of its segments on their way."""

from __future__ import annotations

import random

import pytest

from tests.trace.reading.capturing import ACK, RST, Connection, Sent
from virtproto.trace.reading.frames import Segment
from virtproto.trace.reading.reassembly import DATA, ENDED, GAP, Reassembly

CLIENT = ("192.0.2.1", 40001)


def _segments(sent: list[Sent]) -> list[tuple[bool, Segment]]:
    return [
        (
            each.source == CLIENT,
            Segment(
                (each.source[0].encode(), each.source[1]),
                (each.target[0].encode(), each.target[1]),
                each.seq,
                each.ack,
                each.flags,
                each.data,
                time_s=each.time_s,
            ),
        )
        for each in sent
    ]


def _told(sent: list[Sent]) -> list[tuple[str, bool, object]]:
    reassembly = Reassembly()
    found: list[tuple[str, bool, object]] = []
    for first, segment in _segments(sent):
        found += [
            (what, who, value) for what, who, _, value in reassembly.add(segment, first=first)
        ]
    found += [(what, who, value) for what, who, _, value in reassembly.finish("the end")]
    return found


def _bytes(told: list[tuple[str, bool, object]], who: bool) -> bytes:
    return b"".join(
        value for what, first, value in told if first is who and isinstance(value, bytes)
    )


def _talk(seed: int, start: tuple[int, int], rounds: int = 15) -> tuple[Connection, bytes, bytes]:
    rng = random.Random(seed)
    connection = Connection(start=start, size=rng.choice((3, 7, 100, 1448))).open()
    said: list[list[bytes]] = [[], []]
    for _ in range(rounds):
        for who in (True, False):
            data = rng.randbytes(rng.randrange(1, 200))
            connection.send(who, data)
            said[who].append(data)
    return connection.close(), b"".join(said[1]), b"".join(said[0])


@pytest.mark.parametrize("start", [(1000, 5000), ((1 << 32) - 700, (1 << 32) - 3), (0, 1 << 31)])
@pytest.mark.parametrize("seed", range(6))
def test_disorder_changes_nothing(seed: int, start: tuple[int, int]) -> None:
    connection, asked, answered = _talk(seed, start)
    rng = random.Random(seed)
    sent = list(connection.sent)
    # Some come again, some of them in other pieces, and all out of order by a little.
    for each in reversed(connection.sent[3:]):
        if each.data and rng.random() < 0.2:
            half = len(each.data) // 2
            again = Sent(
                each.time_s,
                each.source,
                each.target,
                (each.seq + half) % (1 << 32),
                each.ack,
                each.flags,
                each.data[half:],
            )
            place = connection.sent.index(each) + 1
            sent.insert(rng.randrange(place, len(sent)), again)
            sent.insert(rng.randrange(place, len(sent)), each)
    places = [place + rng.random() * 6 for place in range(len(sent))]
    order = sorted(range(3, len(sent)), key=places.__getitem__)
    shuffled = sent[:3] + [sent[place] for place in order]
    told = _told(shuffled)
    assert (_bytes(told, True), _bytes(told, False)) == (asked, answered)
    assert not any(what is GAP for what, _, _ in told)
    assert sorted(who for what, who, _ in told if what is ENDED) == [False, True]


def test_order_between_the_two_sides_is_kept() -> None:
    connection = Connection().open()
    for number in range(20):
        connection.send(True, b"call %02d" % number).send(False, b"answer %02d" % number)
    rng = random.Random(7)
    sent = connection.sent
    # The capture has the two sides by different ways, so that answers may come before questions.
    shuffled = sent[:3] + sorted(sent[3:], key=lambda each: each.time_s + rng.random() * 0.004)
    told = _told(shuffled)
    told_texts = [value for what, _, value in told if what is DATA]
    assert told_texts == [each.data for each in sent[3:]]


def test_what_was_not_captured_is_told_in_its_place() -> None:
    connection = Connection(size=10).open()
    connection.send(True, b"a" * 10).send(True, b"b" * 10).send(True, b"c" * 10)
    connection.send(False, b"yes")
    sent = [each for each in connection.sent if each.data != b"b" * 10]
    told = [(what, value) for what, _, value in _told(sent)]
    assert told[:4] == [(DATA, b"a" * 10), (GAP, 10), (DATA, b"c" * 10), (DATA, b"yes")]


def test_what_the_other_side_has_is_not_waited_for_long() -> None:
    connection = Connection(size=10).open()
    connection.send(True, b"first").send(True, b"lost").send(False, b"yes")
    for _ in range(200):
        connection.send(True, b"more").send(False, b"good")
    sent = [each for each in connection.sent if each.data != b"lost"]
    reassembly = Reassembly()
    told = [
        count
        for count, (first, segment) in enumerate(_segments(sent))
        if list(reassembly.add(segment, first=first))
    ]
    # The client's first word, and then, after some patience, all that came since, as it comes.
    assert told[0] == 3
    assert 60 < told[1] < 80
    assert len(told) > 300


def test_memory_is_bounded_where_nothing_comes_again() -> None:
    sent = Connection().open().send(True, b"x").send(True, bytes(40 << 20)).sent
    reassembly = Reassembly()
    told = 0
    for first, segment in _segments(sent[:3] + sent[4:]):
        told += sum(
            len(value)
            for *_, value in reassembly.add(segment, first=first)
            if isinstance(value, bytes)
        )
    assert told > 20 << 20


def test_connection_that_is_reset_is_over() -> None:
    connection = Connection().open().send(True, b"hello")
    sent = [*connection.sent, connection.sent[-1]]
    sent[-1] = Sent(1.0, CLIENT, ("192.0.2.2", 16509), 1006, 5001, RST | ACK)
    assert _told(sent)[1:] == [
        (ENDED, True, "the connection was reset"),
        (ENDED, False, "the connection was reset"),
    ]


def test_nonsense_ends() -> None:
    rng = random.Random(3)
    for _ in range(300):
        reassembly = Reassembly()
        for _ in range(40):
            segment = Segment(
                (b"a", 1),
                (b"b", 2),
                rng.choice((0, 5, 1 << 31, (1 << 32) - 1, rng.randrange(1 << 32))),
                rng.choice((0, 5, 1 << 31, rng.randrange(1 << 32))),
                rng.randrange(64),
                rng.randbytes(rng.randrange(20)),
                missing=rng.choice((0, 0, 9)),
            )
            for what, _, _, value in reassembly.add(segment, first=rng.random() < 0.5):
                assert what is not GAP or (isinstance(value, int) and value > 0)
        ends = [what for what, *_ in reassembly.finish("over") if what is ENDED]
        assert reassembly.is_over
        assert len(ends) <= 2
