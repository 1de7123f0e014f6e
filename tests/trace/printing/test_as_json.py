"""What was overheard as JSON objects."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from tests.trace.conversations import (
    CODEC,
    WEB,
    Script,
    eventful,
    listing,
    packet,
    secretive,
    uploading,
)
from virtproto.protocol.framing import Packet
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing import as_json
from virtproto.trace.printing.as_json import JSONLines


def _objects(script: Script, **options: bool) -> list[dict[str, Any]]:
    lines = JSONLines(**options)
    texts = [lines.line(told) for told in script.told()]
    assert all(text.isascii() and "\n" not in text for text in texts)
    return [json.loads(text) for text in texts]


def test_messages_have_the_documented_keys() -> None:
    found = _objects(listing())
    assert found[9] == {
        "time": "2023-11-14T22:13:20.010000Z",
        "elapsed_s": 0.009,
        "conversation": 1,
        "kind": "call",
        "from": "client",
        "number": 9,
        "program": "remote",
        "procedure": "DOMAIN_GET_INFO",
        "program_number": 0x20008086,
        "procedure_number": 16,
        "version": 1,
        "type": "call",
        "status": "ok",
        "serial": 5,
        "size": 56,
        "offset": 28 + 32 + 56 + 36,
        "in_flight": 1,
        "fields": {"dom": {"name": "web", "uuid": "c7a5fdbd-4f3f-4a5b-9c1d-0123456789ab", "id": 3}},
    }
    reply = found[10]
    assert (reply["kind"], reply["from"], reply["latency_s"]) == ("reply", "daemon", 0.001)
    assert reply["fields"]["memory"] == 1 << 19


def test_every_key_is_documented() -> None:
    documented = set(re.findall(r"``(\w+)``", as_json.__doc__ or ""))
    for script in (eventful(), uploading(), secretive("hunter2-and-more"), _strange()):
        for found in _objects(script, with_bytes=True):
            assert set(found) <= documented, set(found) - documented


def test_errors_events_and_ends_are_told() -> None:
    found = _objects(eventful())
    error = next(each for each in found if each.get("status") == "error")
    assert error["error"] == {
        "code": 42,
        "name": "NO_DOMAIN",
        "domain": "QEMU",
        "message": "Domain not found: no domain with matching name 'nobody'",
    }
    event = next(each for each in found if each["kind"] == "event")
    assert event["fields"]["msg"]["event"] == 2
    assert found[0]["kind"] == "begin"
    assert found[0]["about"] == {"program": "virsh"}
    last = found[-1]
    assert (last["kind"], last["from"], last["last"]) == ("closed", "daemon", True)
    [waiting] = [call for each in found for call in each.get("unanswered", [])]
    assert waiting == {
        "number": 14,
        "serial": 6,
        "program": "remote",
        "procedure": "NODE_GET_INFO",
        "waited_s": waiting["waited_s"],
    }


def test_no_message_is_left_out_of_a_stream() -> None:
    found = _objects(uploading(pieces=50))
    assert len([each for each in found if each["kind"] == "data"]) == 50


def test_secrets_are_elided_also_from_bytes() -> None:
    secret = "hunter2-and-more"
    found = _objects(secretive(secret), with_bytes=True)
    text = json.dumps(found)
    assert secret not in text
    assert secret.encode().hex() not in text
    assert any(each.get("elided") for each in found)
    shown = _objects(secretive(secret), with_bytes=True, show_secrets=True)
    assert secret.encode().hex() in json.dumps(shown)
    assert secret in json.dumps(shown)


def test_bytes_are_those_of_the_packet() -> None:
    script = listing()
    shown = [each for each in _objects(script, with_bytes=True) if "bytes" in each]
    assert "".join(each["bytes"] for each in shown if each["from"] == "client") == (
        script.sent[True].hex()
    )
    assert "".join(each["bytes"] for each in shown if each["from"] == "daemon") == (
        script.sent[False].hex()
    )


def _strange() -> Script:
    return Script().strange(b"GET / HTTP/1.1\r\n").note("a remark")


def test_what_is_no_packet_has_its_place() -> None:
    found = _objects(_strange())
    assert found[0] | {"text": ""} == {
        "time": "2023-11-14T22:13:20.001000Z",
        "elapsed_s": 0.0,
        "conversation": 1,
        "kind": "note",
        "text": "",
        "damage": True,
        "from": "client",
        "offset": 0,
        "size": 16,
    }
    assert (found[1]["text"], found[1]["damage"]) == ("a remark", False)


def _message(packet: Packet, *, from_client: bool = True, time_s: float = 1.0) -> TracedMessage:
    return Follower().follow(packet, from_client=from_client, time_s=time_s)


def test_damage_is_told_with_its_offset_in_the_packet() -> None:
    payload = CODEC.encode("remote_domain_get_info_args", {"dom": WEB})
    cut = _message(Packet(0x20008086, 1, 16, 0, 1, 0, payload[:-2]))
    found = JSONLines().object(cut)
    [problem] = [each for each in found["problems"] if each["path"]]
    assert problem["offset"] >= 28
    assert problem["path"] == "dom.id"
    strange = JSONLines().object(_message(Packet(7, 1, 1, 77, 1, 9, b"x"), time_s=1e300))
    assert (strange["type"], strange["status"], strange["program"]) == (77, 9, None)
    assert strange["oddity"]


def test_numbers_that_json_lacks_are_texts() -> None:
    params = [{"field": "x", "value": {"type": 5, "value": math.nan}}]
    payload = CODEC.encode(
        "remote_domain_set_scheduler_parameters_args", {"dom": WEB, "params": params}
    )
    message = _message(packet(0, "DOMAIN_SET_SCHEDULER_PARAMETERS", 1, payload=payload))
    text = JSONLines().line(message)
    assert "NaN" not in text
    assert json.loads(text)["fields"]["params"][0]["value"]["value"] == "nan"
