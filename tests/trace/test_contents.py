"""What messages hold: sound ones, long ones, damaged ones, and those that have secrets."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.trace.conversations import UUID, WEB, Script, packet
from tests.trace.secrets.planting import message_of
from tests.wire.messages import REFERENCE
from virtproto.trace.contents import SECRET, contents
from virtproto.trace.message import TracedMessage
from virtproto.trace.secrets.masking import mask

LIST = "remote_connect_list_all_domains_ret"
STATS = "remote_connect_get_all_domain_stats_ret"
WITH_PASSWORD = "<domain><graphics passwd='geheim'/></domain>"
WITHOUT = "<domain><graphics passwd='<secret>'/></domain>"


def domains(count: int) -> TracedMessage:
    found = [{"name": f"guest-{n}", "uuid": UUID, "id": n} for n in range(count)]
    return message_of(LIST, REFERENCE.encode(LIST, {"domains": found, "ret": count}))


def stats(count: int, **values: Any) -> TracedMessage:
    given = [("cpu.time", 4, 1), *((name, 7, value) for name, value in values.items())]
    params = [{"field": f, "value": {"type": t, "value": v}} for f, t, v in given]
    plain = {"retStats": [{"dom": WEB, "params": params}] * count}
    return message_of(STATS, REFERENCE.encode(STATS, plain))


def asked(procedure: str, reply: Any, **arguments: Any) -> TracedMessage:
    """Return the reply to a call."""
    script = Script()
    script.reply(script.call(procedure, arguments), reply)
    return script.messages()[-1]


def test_what_has_no_type_has_no_contents() -> None:
    for each in (
        packet(0, 9999, 1, payload=b"what?"),
        packet(3, "STORAGE_VOL_UPLOAD", 1, status=2, payload=b"data"),
        packet(77, "DOMAIN_CREATE", 1, payload=b"data"),
        packet(2, 1, 0, program="keepalive"),
    ):
        (message,) = Script().send(each, from_client=True).messages()
        told = contents(message)
        assert (told.plain, told.problems, told.elided, told.counts) == (None, [], False, {})


def test_lists_are_told_up_to_the_limit_and_counted() -> None:
    told = contents(domains(10_000), limit=3)
    assert [each["name"] for each in told.plain["domains"]] == ["guest-0", "guest-1", "guest-2"]
    assert (told.plain["ret"], told.counts) == (10_000, {"domains": 10_000})
    assert contents(domains(3), limit=3).counts == {}
    assert contents(domains(2), limit=0).plain == {"domains": [], "ret": 2}
    told = contents(stats(5, a="b", c="d"), limit=2)
    assert len(told.plain["retStats"][1]["params"]) == 2
    assert told.counts == {"retStats": 5, "retStats[0].params": 3, "retStats[1].params": 3}
    assert contents(domains(10_000)).counts == {}


@pytest.mark.parametrize("cut", [0, 4], ids=["sound", "cut"])
def test_long_list_takes_no_second_in_short_form(cut: int) -> None:
    message = domains(16_000)
    message.packet.payload = message.packet.payload[: len(message.packet.payload) - cut]
    started = time.perf_counter()
    told = contents(message, limit=10)
    assert time.perf_counter() - started < 1
    assert len(told.plain["domains"]) == 10
    assert told.counts == {"domains": 16_000}
    assert bool(told.problems) == bool(cut)


def test_cut_payload_is_told_as_far_as_it_goes() -> None:
    message = stats(1, name="web")
    payload = message.packet.payload
    ends = []
    for size in range(0, len(payload), 4):
        message.packet.payload = payload[:size]
        told = contents(message)
        assert told.problems[-1].offset <= size
        assert not told.elided
        ends.append(told.plain)
    message.packet.payload = payload[:-4]
    params = contents(message).plain["retStats"][0]["params"]
    assert params == [
        {"field": "cpu.time", "value": {"type": 4, "value": 1}},
        {"field": "name", "value": {"type": 7}},
    ]
    assert ends[0] is None
    assert ends[1] == {"retStats": []}
    assert ends[3]["retStats"][0]["dom"] == {"name": "web"}


def test_damage_is_told_with_its_place_and_what_is_behind_it_where_that_is_clear() -> None:
    name = "remote_domain_get_info_args"
    payload = REFERENCE.encode(name, {"dom": WEB})
    told = contents(message_of(name, b"\0\xff\xff\xff" + payload[4:]))
    assert [(each.offset, each.path) for each in told.problems] == [(0, "dom.name")] * 2
    assert told.plain is None
    told = contents(message_of(name, payload + b"\0\0\0\1"))
    assert told.plain == {"dom": WEB}
    (problem,) = told.problems
    assert (problem.offset, problem.reason, problem.legal) == (
        len(payload),
        "4 bytes after the end",
        True,
    )


def test_count_that_cannot_be_is_told() -> None:
    payload = (5000).to_bytes(4, "big") + REFERENCE.encode("remote_nonnull_domain", WEB)
    told = contents(message_of(LIST, payload))
    assert told.plain["domains"][0] == WEB
    assert [problem.path for problem in told.problems][:1] == ["domains"]


@pytest.mark.parametrize(
    ("procedure", "arguments"),
    [
        ("DOMAIN_GET_XML_DESC", {"dom": WEB}),
        ("DOMAIN_SAVE_IMAGE_GET_XML_DESC", {"file": "/saved"}),
        ("DOMAIN_MANAGED_SAVE_GET_XML_DESC", {"dom": WEB}),
        ("DOMAIN_SNAPSHOT_GET_XML_DESC", {"snap": {"name": "s", "dom": WEB}}),
        ("DOMAIN_CHECKPOINT_GET_XML_DESC", {"checkpoint": {"name": "c", "dom": WEB}}),
    ],
)
def test_xml_asked_for_with_passwords_is_not_shown_at_all(
    procedure: str, arguments: dict[str, Any]
) -> None:
    reply = {"xml": WITH_PASSWORD}
    secure = asked(procedure, reply, **arguments, flags=3)
    assert contents(secure).plain == {"xml": SECRET}
    assert contents(secure, show_secrets=True).plain == reply
    plain = asked(procedure, reply, **arguments, flags=2)
    assert contents(plain).plain == {"xml": WITHOUT}
    # Nobody knows how it was asked for.
    call = plain.call
    assert call is not None
    call.left_out, call.packet.payload = 4, call.packet.payload[:-4]
    for known in (call, None):
        plain.call = known
        assert contents(plain).plain == {"xml": SECRET}
        masked = mask(plain)
        assert masked is not None
        assert b"graphics" not in masked


def test_xml_given_is_shown_without_its_passwords_and_what_is_no_xml_not_at_all() -> None:
    for given, shown in ((WITH_PASSWORD, WITHOUT), ("vnc=geheim", SECRET), ("", "")):
        script = Script()
        script.call("DOMAIN_DEFINE_XML", {"xml": given})
        (message,) = script.messages()
        assert contents(message).plain == {"xml": shown}
        assert contents(message).elided == (given != shown)
        assert contents(message, show_secrets=True).plain == {"xml": given}


def test_migrations_xml_counts_as_asked_for_with_passwords() -> None:
    told = contents(
        asked(
            "DOMAIN_MIGRATE_BEGIN3_PARAMS",
            {"cookie_out": b"<qemu-migration><domain/></qemu-migration>", "xml": "<domain/>"},
            dom=WEB,
            params=[],
            flags=0,
        )
    )
    assert told.plain == {"cookie_out": SECRET, "xml": SECRET}
    told = contents(
        asked(
            "DOMAIN_MIGRATE_BEGIN3_PARAMS",
            {"cookie_out": b"<qemu-migration><name>web</name></qemu-migration>", "xml": ""},
            dom=WEB,
            params=[],
            flags=0,
        )
    )
    assert told.plain["cookie_out"] == b"<qemu-migration><name>web</name></qemu-migration>"


@pytest.mark.parametrize("secret", ["geheim", "abc", "a b'c\"", "g\u00e9heim"])
def test_error_does_not_quote_what_its_call_kept_secret(secret: str) -> None:
    script = Script()
    arguments = {"dom": WEB, "user": "root", "password": secret, "flags": 0}
    text = f"it did not like {secret}, and {secret} again"
    script.refuse(script.call("DOMAIN_SET_USER_PASSWORD", arguments), text)
    (_, error) = script.messages()
    told = contents(error)
    assert told.plain["message"] == f"it did not like {SECRET}, and {SECRET} again"
    assert (told.plain["code"], told.elided) == (42, True)
    masked = mask(error)
    assert masked is not None
    assert secret.encode() not in masked
    assert contents(error, show_secrets=True).plain["str2"] == text


def test_error_does_not_quote_passwords_of_its_calls_xml_or_command() -> None:
    for name, arguments, program in (
        ("DOMAIN_DEFINE_XML", {"xml": WITH_PASSWORD}, "remote"),
        (
            "DOMAIN_AGENT_COMMAND",
            {"dom": WEB, "cmd": '{"password": "geheim"}', "timeout": 1, "flags": 0},
            "qemu",
        ),
    ):
        script = Script()
        script.refuse(script.call(name, arguments, program=program), "no geheim!", program=program)
        assert contents(script.messages()[-1]).plain["message"] == f"no {SECRET}!"


def test_error_that_answers_nothing_secret_is_shown_as_it_is() -> None:
    script = Script()
    script.refuse(script.call("DOMAIN_LOOKUP_BY_NAME", {"name": "web"}), "no domain web")
    told = contents(script.messages()[-1])
    assert (told.plain["message"], told.elided) == ("no domain web", False)


def test_typed_parameters_that_are_named_so_are_not_shown() -> None:
    told = contents(stats(1, password="geheim", other="https://a:geheim@b", plain="web"))
    values = [each["value"]["value"] for each in told.plain["retStats"][0]["params"]]
    assert values == [1, SECRET, f"https://a:{SECRET}@b", "web"]


def test_damage_where_secrets_may_be_shows_nothing_but_its_place() -> None:
    script = Script()
    arguments = {"dom": WEB, "user": "root", "password": "geheim", "flags": 0}
    script.call("DOMAIN_SET_USER_PASSWORD", arguments)
    (message,) = script.messages()
    whole = message.packet.payload
    message.packet.payload = whole[:-8]
    told = contents(message)
    assert (told.plain, told.elided) == (None, True)
    assert [(each.offset, each.path) for each in told.problems] == [(44, "")]
    assert mask(message) == b"x" * (len(whole) - 8)
    shown = contents(message, show_secrets=True)
    assert shown.plain == {"dom": WEB, "user": "root"}
    message.packet.payload, message.masked = b"x" * (len(whole) - 8), True
    for ask in (False, True):
        told = contents(message, show_secrets=ask)
        assert (told.plain, told.elided) == (None, True)
        assert [each.reason for each in told.problems] == ["overwritten"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ge&amp;heim&lt;", "ge&heim<"),
        ("ge&#38;heim", "ge&heim"),
        ("ge&heim", "ge&amp;heim"),
        ("ge'heim", "ge&apos;heim"),
    ],
)
def test_error_does_not_quote_a_password_that_is_written_otherwise(written: str, said: str) -> None:
    """One that was read out of XML, or put into it."""
    script = Script()
    xml = f'<graphics passwd="{written}"/>'
    serial = script.call("DOMAIN_DEFINE_XML_FLAGS", {"xml": xml, "flags": 0})
    script.refuse(serial, f"no {said} for VNC")
    plain = contents(script.messages()[-1]).plain
    assert isinstance(plain, dict)
    assert plain["message"] == f"no {SECRET} for VNC"


def test_error_does_not_quote_a_call_that_cannot_be_read() -> None:
    script = Script()
    arguments = {"dom": WEB, "user": "root", "password": "geheim", "flags": 0}
    serial = script.call("DOMAIN_SET_USER_PASSWORD", arguments)
    record = script.records[-1]
    record.body = record.body[:-4]
    script.refuse(serial, "it did not like geheim")
    (_, error) = script.messages()
    assert contents(error).plain["message"] == f"it did not like {SECRET}"
