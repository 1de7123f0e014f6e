"""What is counted of conversations, and how it is told."""

from __future__ import annotations

import json

import pytest

from tests.trace.conversations import Script, eventful, secretive, uploading
from virtproto.trace.printing.summary import Summary
from virtproto.trace.printing.summary_tables import summary_object, summary_tables, totals


def _summary(*scripts: Script) -> Summary:
    found = Summary()
    for script in scripts:
        for told in script.told():
            found.add(told)
    return found


def _slow_and_refused() -> Script:
    script = Script(step_s=0.001)
    for _ in range(3):
        script.reply(script.call("CONNECT_SUPPORTS_FEATURE", {"feature": 1}), {"supported": 1})
    slow = script.call("CONNECT_GET_TYPE")
    for _ in range(4):
        script.ping()
    script.refuse(slow, "no such thing", code=3, domain=10)
    return script


def test_calls_are_counted_and_sorted_by_time() -> None:
    summary = _summary(_slow_and_refused())
    [table, errors, flights] = summary_tables(summary)
    labels = [label for label, _, _ in table.columns]
    assert labels == [
        *("% time", "total", "calls", "errors", "min", "median", "p95", "p99", "max"),
        *("sent", "received", "procedure"),
    ]
    assert table.summed
    first, second, last = (dict(zip(labels, row, strict=True)) for row in table.rows)
    assert (first["procedure"], first["% time"]) == ("remote:CONNECT_GET_TYPE", "75.00")
    assert (first["calls"], first["errors"], first["max"]) == ("1", "1", "9.00 ms")
    assert second == {
        "% time": "25.00",
        "total": "3.00 ms",
        "calls": "3",
        "errors": "",
        "min": "1.00 ms",
        "median": "1.00 ms",
        "p95": "1.00 ms",
        "p99": "1.00 ms",
        "max": "1.00 ms",
        "sent": "96 B",
        "received": "96 B",
        "procedure": "remote:CONNECT_SUPPORTS_FEATURE",
    }
    assert (last["procedure"], last["calls"], last["errors"]) == ("total", "4", "1")
    assert errors.rows == [
        ["1", "3", "NO_SUPPORT", "QEMU", "remote:CONNECT_GET_TYPE", "no such thing"]
    ]
    assert flights.rows[0][:3] == ["0", "3.00 ms", "20.0"]
    assert flights.rows[1][:3] == ["1", "12.0 ms", "80.0"]
    assert totals(summary) == (
        "1 conversation, 16 messages in 15.0 ms, 236 B to the daemon, "
        f"{summary.bytes[False]} B from it, at most 1 call in flight, "
        "8 of keepalive"
    )


def test_calls_of_several_conversations_are_in_flight_together() -> None:
    scripts = [Script(number) for number in (1, 2, 3)]
    for script in scripts:
        script.call("NODE_GET_INFO")
        script.call("CONNECT_GET_TYPE")
    summary = Summary()
    for both in zip(*(script.messages() for script in scripts), strict=True):
        for message in both:
            summary.add(message)
    assert summary.most_in_flight == 6
    assert summary.in_flight_s == {3: pytest.approx(0.001, rel=0.01)}
    for script in scripts:
        for told in script.told()[2:]:
            summary.add(told)
    assert summary.unanswered == 6
    assert "6 calls without an answer" in totals(summary)
    [calls, _] = summary_tables(summary)
    assert [row[-1] for row in calls.rows[:-1]] == [
        "remote:CONNECT_GET_TYPE",
        "remote:NODE_GET_INFO",
    ]
    assert "no answer" in [label for label, _, _ in calls.columns]
    # They are waited for no more.
    assert summary._now == 0


def test_events_streams_and_oddities_have_tables() -> None:
    strange = Script(2).strange(b"x" * 100)
    summary = _summary(eventful(), uploading(pieces=4, size=1000), strange)
    tables = {table.title: table for table in summary_tables(summary)}
    assert tables["Events"].rows == [["1", "68 B", "remote:DOMAIN_EVENT_CALLBACK_LIFECYCLE"]]
    [stream] = tables["Streams"].rows
    assert stream[:3] == ["1", "4", "3.9 KiB"]
    assert stream[-1] == "remote:STORAGE_VOL_UPLOAD"
    assert tables["Oddities"].rows == [["1", "bytes that are no packet"]]
    assert tables["Errors"].rows[0][1:3] == ["42", "NO_DOMAIN"]
    # The call that opens a stream is a call like others.
    assert "remote:STORAGE_VOL_UPLOAD" in [row[-1] for row in tables[""].rows]


def test_summary_is_json_too() -> None:
    found = summary_object(_summary(eventful(), uploading(pieces=4, size=1000)))
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "summary"
    lookup = next(each for each in found["calls"] if "LOOKUP" in each["procedure"])
    assert (lookup["calls"], lookup["errors"]) == (1, 1)
    times = {"total", "min", "p50", "p95", "p99", "max"}
    assert set(lookup["latency_s"]) == times
    assert found["streams"][0]["sent"] == 4000
    assert found["events"] == [
        {"event": "remote:DOMAIN_EVENT_CALLBACK_LIFECYCLE", "count": 1, "bytes": 68}
    ]
    assert found["unanswered"] == 1


def test_secrets_are_not_counted_among_the_words_of_errors() -> None:
    summary = _summary(secretive("hunter2-and-more"))
    assert summary.errors
    assert "hunter2" not in json.dumps(summary_object(summary))


def test_memory_does_not_grow_with_names() -> None:
    from virtproto.protocol.framing import Packet
    from virtproto.trace.following import Follower

    summary, follower = Summary(), Follower()
    for number in range(10_000):
        for kind in (0, 2):
            each = Packet(0x20008086, 1, 10_000 + number, kind, 1, 0)
            summary.add(follower.follow(each, from_client=True, time_s=0.0))
    assert len(summary.calls) <= 4097
    assert len(summary.events) <= 4097
    assert len(summary.oddities) <= 4097
    assert summary.calls["(others)"].calls == 10_000 - 4096


def test_memory_does_not_grow_with_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtproto.trace.printing.summary._MOST_CONVERSATIONS", 10)
    summary = Summary()
    for number in range(1, 51):
        script = Script(number)
        script.call("NODE_GET_INFO")
        [call] = script.messages()
        summary.add(call)
    assert len(summary.conversations) == 10
    assert summary.most_in_flight == 10
    assert summary.messages == 50
