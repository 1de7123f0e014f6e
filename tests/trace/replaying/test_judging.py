"""What is told of answers that differ, and what is not."""

from __future__ import annotations

import pytest

from tests.trace.conversations import CODEC, WEB, packet
from virtproto.errors import UsageError
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.judging import Judge
from virtproto.trace.secrets.masking import mask

_CALL = CODEC.encode("remote_domain_get_xml_desc_args", {"dom": WEB, "flags": 1})


def _answer(xml: str, *, cut: int = 0) -> tuple[TracedMessage, TracedMessage]:
    """Return the call for a domain's XML with its passwords, and the answer."""
    follower = Follower()
    call = packet(0, "DOMAIN_GET_XML_DESC", 1, payload=_CALL)
    payload = CODEC.encode("remote_domain_get_xml_desc_ret", {"xml": xml})
    reply = packet(1, "DOMAIN_GET_XML_DESC", 1, payload=payload[: len(payload) - cut])
    asked = follower.follow(call, from_client=True, time_s=0.0)
    return asked, follower.follow(reply, from_client=False, time_s=0.1)


def _masked(message: TracedMessage) -> TracedMessage:
    payload = mask(message)
    assert payload is not None
    message.packet.payload, message.masked = payload, True
    return message


@pytest.mark.parametrize("cut", [0, 4], ids=["whole", "cut"])
def test_what_was_overwritten_when_it_was_recorded_is_no_difference(cut: int) -> None:
    told: list[Deviation] = []
    judge = Judge(told.append)
    call, now = _answer("<domain passwd='geheim'/>", cut=cut)
    recorded = _masked(_answer("<domain passwd='geheim'/>", cut=cut)[1])
    assert recorded.packet.payload != now.packet.payload
    judge.compare(recorded, now, call)
    assert (told, judge.compared) == ([], 1)


def test_no_deviation_tells_a_secret() -> None:
    told: list[Deviation] = []
    call, now = _answer("<domain passwd='geheim'/>")
    Judge(told.append).compare(_answer("<domain passwd='streng'/><!-- -->")[1], now, call)
    text = "\n".join(line for each in told for line in each.lines())
    assert "geheim" not in text
    assert "streng" not in text


def test_fields_that_do_not_count_are_passed_over() -> None:
    told: list[Deviation] = []
    follower = Follower()

    def info(memory: int, cpu_time: int) -> TracedMessage:
        plain = {"state": 1, "maxMem": 9, "memory": memory, "nrVirtCpu": 1, "cpuTime": cpu_time}
        payload = CODEC.encode("remote_domain_get_info_ret", plain)
        reply = packet(1, "DOMAIN_GET_INFO", 1, payload=payload)
        return follower.follow(reply, from_client=False, time_s=0.0)

    for judge, differing in (
        (Judge(told.append), ["memory"]),
        (Judge(told.append, strict=True), ["memory", "cpuTime"]),
        (Judge(told.append, ignore=["DOMAIN_GET_INFO:memory"]), []),
    ):
        told.clear()
        judge.compare(info(1, 5), info(2, 6), info(1, 5))
        assert [each.path for found in told for each in found.differences] == differing
        assert judge.passed_over == 2 - len(differing)
    with pytest.raises(UsageError, match="ignore"):
        Judge(told.append, ignore=[" "])
