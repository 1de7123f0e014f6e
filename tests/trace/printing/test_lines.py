"""Lines of overheard messages: what they say, in which columns, and how wide they get."""

from __future__ import annotations

import pytest

from tests.trace.conversations import WEB, Script, eventful, listing, secretive, uploading
from virtproto.model.screen_text import columns
from virtproto.protocol.framing import Packet
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.lines import STYLES, Liner, text_of
from virtproto.trace.printing.stream_runs import StreamRun
from virtproto.trace.telling import Note

REMOTE = 0x20008086


def _lines(script: Script, *, width: int = 0, longest: int = 0) -> list[str]:
    liner = Liner(width=width, longest=longest)
    return [text_of(line) for told in script.told() for line in liner.lines(told)]


def test_call_and_reply_stand_in_columns() -> None:
    shown = _lines(listing())
    assert shown[0] == ("  0.000000 -- conversation 1: program=virsh to=test:///default")
    assert shown[1] == "  0.001000 →    1 call       28B           remote:AUTH_LIST"
    assert shown[2] == "  0.002000 ←    1 ok         36B  1.00 ms  remote:AUTH_LIST types=[NONE]"
    assert shown[7:11] == [
        "  0.007000 →    4 call       36B           remote:CONNECT_LIST_ALL_DOMAINS "
        "need_results=1 flags=ACTIVE|INACTIVE",
        "  0.008000 ←    4 ok        108B  1.00 ms  remote:CONNECT_LIST_ALL_DOMAINS "
        'domains=["guest-00000"(0), "guest-00001"(1)] ret=2',
        '  0.009000 →    5 call       56B           remote:DOMAIN_GET_INFO dom="web"(3)',
        "  0.010000 ←    5 ok         60B  1.00 ms  remote:DOMAIN_GET_INFO state=RUNNING "
        "maxMem=1048576 memory=524288 nrVirtCpu=2 cpuTime=1000000000000",
    ]
    # That the daemon ends it too, right then, is not worth a line.
    assert shown[-1] == "  0.013000 -- conversation 1: the client ends it"


def test_events_errors_and_calls_without_an_answer_are_told() -> None:
    shown = _lines(eventful())
    assert any(
        line.endswith(
            "←    1 event      68B           remote:DOMAIN_EVENT_CALLBACK_LIFECYCLE "
            'dom="web"(3) event=STARTED detail=BOOTED callbackID=7'
        )
        for line in shown
    ), shown
    assert "keepalive:PING" in "".join(shown)
    error = next(line for line in shown if " error " in line)
    assert error.endswith(
        "remote:DOMAIN_LOOKUP_BY_NAME  error 42 NO_DOMAIN (QEMU): "
        "Domain not found: no domain with matching name 'nobody'"
    )
    assert shown[-1].endswith("→    6 no answer       2.00 ms  remote:NODE_GET_INFO")
    assert shown[-2].endswith("1 call without an answer")


def test_lines_are_as_wide_as_asked_and_say_that_they_are_cut() -> None:
    names = {"name": "名前" * 40}
    script = Script()
    script.call("DOMAIN_LOOKUP_BY_NAME", names)
    script.reply(
        script.call("CONNECT_LIST_ALL_DOMAINS", {"need_results": 1, "flags": 0}),
        {"domains": [WEB] * 5000, "ret": 5000},
    )
    for width in (1, 2, 5, 20, 40, 61, 80, 100, 132, 200):
        liner = Liner(width=width, longest=40)
        for told in script.told():
            for line in liner.lines(told):
                text = text_of(line)
                assert columns(text) <= width, (width, text)
                assert text
    wide = _lines(script, width=200, longest=24)
    assert "domains=[5000: " in wide[2]
    assert wide[2].endswith("…")
    # 24 characters of 80, which take two columns each.
    assert f'"{("名前" * 40)[:24]}"…(80)' in wide[0]
    everything = _lines(script)
    assert "名前" * 40 in everything[0]
    assert everything[2].count('"web"(3)') == 5000


def test_a_narrow_line_still_says_what_was_called() -> None:
    script = Script()
    script.reply(script.call("CONNECT_GET_TYPE"), {"type": "QEMU"})
    script.call("DOMAIN_LOOKUP_BY_NAME", {"name": "web"})
    shown = _lines(script.end(), width=40)
    assert shown[0].endswith("call   CONNECT_GET_TYPE")
    assert shown[1].endswith("ok     CONNECT_GET_TYPE …")
    assert "call   DOMAIN_LOOKUP" in shown[2]
    assert "no answer DOMAIN_LOOK" in shown[-1]
    heading = text_of(Liner(width=40).heading())
    assert heading.index("procedure") == shown[0].index("CONNECT")
    assert columns(text_of(Liner(width=20).heading())) <= 20


def test_what_went_wrong_is_never_cut() -> None:
    script = Script().begin(client="virsh", pid=4711, daemon="/run/libvirt/libvirt-sock", by="TLS")
    words = "Domain not found: no domain with matching name 'a-name-that-is-rather-long-仮想'"
    script.refuse(script.call("DOMAIN_LOOKUP_BY_NAME", {"name": "x" * 50}), words)
    for width in (40, 60, 80):
        shown = _lines(script, width=width)
        assert all(columns(line) <= width for line in shown)
        below = "".join(line for line in shown if line.startswith(" " * 12))
        told = f"error 42 NO_DOMAIN (QEMU): {words}"
        assert "".join(told.split()) in "".join(below.split())
    shown = _lines(script, width=60)
    assert shown[:2] == [
        "  0.000 -- conversation 1: virsh (4711) to",
        "            /run/libvirt/libvirt-sock by TLS",
    ]
    # Where it fits, it is one line.
    assert len(_lines(script, width=200)) == 3
    endless = Script()
    endless.refuse(endless.call("CONNECT_GET_TYPE"), "word " * 10_000)
    assert len(_lines(endless, width=80)) < 15


def test_nothing_of_the_wire_acts_on_a_terminal() -> None:
    bad = "\x1b[2J\x07\x9b31m\u202eevil\r\nline\x00"
    script = Script().begin(program=bad, to="\x1b]0;x\x07").note(bad)
    script.call("CONNECT_OPEN", {"name": "\x1b[31m\u202e\x7f", "flags": 0})
    serial = script.call("DOMAIN_GET_XML_DESC", {"dom": {**WEB, "name": "\x1b[1m"}, "flags": 0})
    script.refuse(serial, "no \x1b[2J\n\u2066such")
    script.strange(b"\x1b[2J" * 10).end("\x1b[2J\u202e")
    shown = _lines(script)
    assert shown
    for line in shown:
        assert line.isprintable(), line
    assert "\\x1b[31m\\u202e\\x7f" in "".join(shown)
    noted = Liner().lines(Note(1, 0.0, bad, from_client=True, offset=3, damage=True))
    assert text_of(noted[0]).isprintable()


def test_what_is_odd_is_said_before_the_fields() -> None:
    reply = Packet(REMOTE, 1, 23, 1, 9, 0, b"")
    message = Follower().follow(reply, from_client=False, time_s=1.0)
    text = text_of(Liner(width=400).message(message))
    assert "remote:DOMAIN_LOOKUP_BY_NAME  ! no call with serial 9 was seen  ! byte 28: " in text
    unknown = Packet(0x1234, 1, 999, 0, 1, 0, b"abc")
    message = Follower().follow(unknown, from_client=True, time_s=1.0)
    text = text_of(Liner().message(message))
    assert "0x1234:#999  ! program 0x1234 is not one of libvirt's" in text


def test_conversations_are_numbered_once_there_are_two() -> None:
    liner = Liner()
    first, second = Script(1), Script(2)
    for script in (first, second):
        script.call("CONNECT_CLOSE")
    alone = text_of(liner.lines(first.messages()[0])[0])
    other = text_of(liner.lines(second.messages()[0])[0])
    again = text_of(liner.lines(first.messages()[0])[0])
    assert alone == "  0.000000 →    1 call       28B           remote:CONNECT_CLOSE"
    assert other == "  0.000000   2 →    1 call       28B           remote:CONNECT_CLOSE"
    assert again == "  0.000000   1 →    1 call       28B           remote:CONNECT_CLOSE"


def test_times_may_be_those_of_day() -> None:
    liner = Liner(clock=lambda time_s: f"<{time_s:.3f}>")
    script = Script()
    script.call("CONNECT_CLOSE")
    assert text_of(liner.lines(script.messages()[0])[0]).startswith("<1700000000.001> → ")
    assert text_of(liner.heading()).split() == [
        *("time", "of", "day", "call", "what", "size", "latency", "procedure", "fields")
    ]


def test_packets_of_a_stream_are_one_line() -> None:
    pieces = [each for each in uploading(pieces=4, size=250_000).messages() if each.kind == "data"]
    run = StreamRun(pieces[0])
    run.count, run.size, run.last_s = 4, 1_000_000, pieces[0].time_s + 0.5
    liner = Liner()
    assert text_of(liner.run(run)) == (
        "  0.000000 →    4 data    977KiB   500 ms  remote:STORAGE_VOL_UPLOAD 4 packets, 1.9 MiB/s"
    )


def test_slow_replies_stand_out() -> None:
    def style_of(latency_s: float) -> str:
        script = Script(step_s=latency_s)
        script.reply(script.call("CONNECT_CLOSE"))
        spans = Liner().message(script.messages()[1])
        return next(style for text, style in spans if "s  " in text)

    assert [style_of(each) for each in (0.01, 0.2, 3.0)] == ["latency", "slow", "slower"]


def test_secrets_are_not_in_lines_and_every_style_is_known() -> None:
    liner = Liner()
    secret = "hunter2-and-more"
    spans = [
        span for told in secretive(secret).told() for line in liner.lines(told) for span in line
    ]
    assert secret not in "".join(text for text, _ in spans)
    assert "<secret>" in [text for text, _ in spans]
    assert {style for _, style in spans} <= {"", *STYLES}


@pytest.mark.parametrize("size", [100, 2000])
def test_long_lists_cost_no_more_than_the_line_shows(size: int) -> None:
    message = _listed(size)
    spans = Liner(width=120, longest=40).message(message)
    assert len(spans) < 100


def _listed(size: int) -> TracedMessage:
    return next(each for each in listing(size).messages() if each.size > size * 30)
