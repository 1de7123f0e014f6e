"""Secrets overwritten in payloads: all of them, nothing else, and what is masked still decodes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trace.conversations import Script, eventful, listing, packet, secretive, uploading
from tests.trace.secrets.planting import CONTRACT, PAYLOADS, Planter, message_of
from tests.wire.messages import REFERENCE
from tests.wire.values import strategy
from virtproto.errors import DecodeError
from virtproto.trace.contents import contents
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import BYTES, MASKED, NOTE, PACKET, Record
from virtproto.trace.secrets.masking import mask, mask_bytes, mask_record
from virtproto.trace.telling import Teller
from virtproto.xdr.annotate import SECRET, annotate

SAID = "geheim-4711"
_TOKEN = re.compile(r"[^.\[\]]+|\[\d+\]")


def at(plain: Any, path: str) -> Any:
    """Return the value at a path."""
    for token in _TOKEN.findall(path):
        plain = plain[int(token[1:-1]) if token[0] == "[" else token]
    return plain


def put(plain: Any, path: str, value: Any) -> None:
    """Set the value at a path."""
    *above, last = _TOKEN.findall(path)
    at(plain, ".".join(above))[int(last[1:-1]) if last[0] == "[" else last] = value


def leaks(data: bytes | str) -> bool:
    """Tell whether the secret is in bytes, also where each byte of it takes a word."""
    raw = data.encode() if isinstance(data, str) else data
    return SAID.encode() in raw or SAID.encode() in raw[3::4]


def secure_call(type_name: str, *, secure: bool) -> TracedMessage | None:
    """Return the call that asked for XML, with its security flag or without."""
    args = type_name.removesuffix("_ret") + "_args"
    if args not in CONTRACT.types or not type_name.endswith("xml_desc_ret"):
        return None
    plain = Planter("").planted(args)
    if "flags" in plain:
        plain["flags"] = 1 if secure else 2
    return message_of(args, REFERENCE.encode(args, plain), kind="call")


@pytest.mark.parametrize("secure", [True, False], ids=["secure", "open"])
@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_planted_secret_is_overwritten_and_elided_and_nothing_else_is(
    name: str, secure: bool
) -> None:
    planter = Planter(SAID, secure=secure)
    plain = planter.planted(name)
    payload = REFERENCE.encode(name, plain)
    message = message_of(name, payload, call=secure_call(name, secure=secure))
    told = contents(message)
    assert told.elided == bool(planter.whole or planter.inside)
    assert not leaks(repr(told.plain))
    masked = mask(message)
    if not told.elided:
        assert masked is None
        assert told.plain == plain
        return
    assert masked is not None
    assert (len(masked), leaks(masked)) == (len(payload), False)
    decoded = REFERENCE.decode(name, masked, exact=True)
    for path in planter.whole:
        assert at(told.plain, path) == SECRET
        value = at(decoded, path)
        assert value == ("x" if isinstance(value, str) else b"x") * len(at(plain, path))
    for path in planter.inside:
        assert SECRET in at(told.plain, path)
        assert at(decoded, path) == at(plain, path).replace(SAID, "x" * len(SAID))
    # What was recorded so is told in the same way later on, also to who would see secrets.
    later = message_of(name, masked, call=message.call, masked=True)
    for asked in (False, True):
        assert contents(later, show_secrets=asked).plain == told.plain
    assert mask(later) in (None, masked)
    shown = contents(message, show_secrets=True)
    assert (shown.plain, shown.elided, shown.problems) == (plain, False, [])
    for path in (*planter.whole, *planter.inside):
        put(told.plain, path, None)
        put(plain, path, None)
    assert told.plain == plain


@given(st.sampled_from(sorted(PAYLOADS)).flatmap(lambda n: st.tuples(st.just(n), strategy(n))))
def test_any_value_is_told_as_the_reference_reads_it(case: tuple[str, Any]) -> None:
    name, plain = case
    payload = REFERENCE.encode(name, plain)
    message = message_of(name, payload)
    assert contents(message, show_secrets=True).plain == REFERENCE.decode(name, payload)
    told = contents(message)
    assert (told.problems, told.counts) == ([], {})
    masked = mask(message)
    assert (masked is not None) == told.elided
    if masked is not None:
        assert len(masked) == len(payload)
        REFERENCE.decode(name, masked, exact=True)
        assert contents(message_of(name, masked, masked=True)).plain == told.plain


SECRETIVE = [n for n in sorted(PAYLOADS) if Planter(SAID).planted(n) and CONTRACT.secrets.get(n)]
PARAMETERS = ["remote_domain_set_launch_security_state_args", "remote_domain_get_guest_info_ret"]
TEXTS = ["remote_network_define_xml_args", "remote_error", "qemu_domain_monitor_command_ret"]
_WORDS = (0, 1, 4, 7, 8, 12, 13, 2**31, 2**32 - 1)


@pytest.mark.parametrize("name", [*SECRETIVE, *PARAMETERS, *TEXTS])
def test_wrong_lengths_counts_and_cuts_show_no_part_of_a_secret(name: str) -> None:
    payload = REFERENCE.encode(name, Planter(SAID).planted(name))
    read = annotate(CONTRACT, name, payload, show_secrets=True)
    words = [field.offset for field in read.fields if field.size >= 4][:60]
    damaged = [payload[:size] for size in range(0, len(payload), 4)] + [payload + b"more"]
    for start in words:
        damaged += [
            payload[:start] + word.to_bytes(4, "big") + payload[start + 4 :]
            for word in _WORDS
            # The beginning of a secret of a fixed size would be hidden by chance only.
            if payload[start : start + 4] not in (b"", b"x" * 4)
        ]
    for bad in damaged:
        message = message_of(name, bad)
        told = contents(message)
        seen = repr(told.plain) + repr(told.problems)
        assert not parts_in(seen), (bad, seen)
        masked = mask(message)
        kept = bad if masked is None else masked
        assert not parts_in(kept.decode("latin-1")), (bad, kept)
        assert len(kept) == len(bad)
        contents(message, show_secrets=True)
        contents(message_of(name, kept, masked=masked is not None))


def parts_in(seen: str) -> bool:
    """Tell whether four characters of the secret are somewhere, as text or as a number."""
    raw = SAID.encode()
    parts = [raw[at : at + 4] for at in range(len(raw) - 3)]
    numbers = [str(int.from_bytes(part, "big")) for part in parts]
    return any(part.decode() in seen for part in parts) or any(n in seen for n in numbers)


@given(
    st.sampled_from(sorted(PAYLOADS)),
    st.binary(max_size=120),
    st.booleans(),
    st.sampled_from([None, 0, 1, 3]),
)
def test_no_bytes_are_an_error(name: str, payload: bytes, masked: bool, limit: int | None) -> None:
    message = message_of(name, payload, masked=masked)
    told = contents(message, limit=limit)
    try:
        plain = REFERENCE.decode(name, payload)
    except DecodeError:
        assert told.problems
    else:
        assert limit is not None or told.elided or told.plain == plain
    found = mask(message)
    assert found is None or len(found) == len(payload)


@pytest.mark.parametrize("script", [listing(), eventful(), uploading()])
def test_conversation_without_secrets_is_recorded_as_it_is(script: Script) -> None:
    assert [mask(message) for message in script.messages()] == [None] * len(script.messages())


def test_conversation_full_of_secrets_is_recorded_without() -> None:
    script = secretive(SAID)
    teller = Teller()
    masked = []
    for record in script.records:
        told = teller.tell(record)
        masked.append(mask_record(record, told[0]))
    assert not any(leaks(each.body) for each in masked)
    assert sum(bool(each.flags & MASKED) for each in masked) == 13
    later = Teller()
    messages = [each for record in masked for each in later.tell(record)]
    first = [contents(m).plain for m in script.messages()]
    assert [contents(m).plain for m in messages if isinstance(m, TracedMessage)] == first


def test_what_is_not_known_is_overwritten_whole() -> None:
    strange = packet(0, 9999, 1, payload=b"geheim")
    (message,) = Script().send(strange, from_client=True).messages()
    assert mask(message) == b"xxxxxx"
    (message,) = Script().send(packet(0, 9999, 1), from_client=True).messages()
    assert mask(message) is None


def test_data_of_streams_stays() -> None:
    data = packet(3, "STORAGE_VOL_UPLOAD", 1, status=2, payload=b"password='geheim'")
    (message,) = Script().send(data, from_client=True).messages()
    assert mask(message) is None


def test_bytes_that_are_no_packet_keep_their_beginning_or_all_if_they_are_protected() -> None:
    assert mask_bytes(b"GET /?password=a") == b"GET xxxxxxxxxxxx"
    assert mask_bytes(b"\x17\x03\x03\0\x10" + b"?" * 16) is None
    assert mask_bytes(b"abcd") is None
    for kind in (BYTES, PACKET):
        record = Record(kind, 1, 1, 0.5, b"GET / of somebody")
        masked = mask_record(record, Teller().tell(record)[0])
        assert (masked.body, masked.flags, masked.time_s) == (b"GET " + b"x" * 13, 1 | MASKED, 0.5)
    note = Record(NOTE, 0, 1, 0.5, b"something to know")
    assert mask_record(note, None) is note


def test_record_with_descriptors_keeps_their_count() -> None:
    xml = "<domain><graphics passwd='geheim-4711'/></domain>"
    name = "remote_domain_create_xml_with_files_args"
    payload = REFERENCE.encode(name, {"xml_desc": xml, "flags": 0})
    call = packet(4, "DOMAIN_CREATE_XML_WITH_FILES", 1, payload=payload, nfds=2)
    record = Record(PACKET, 1, 1, 0.0, call.pack())
    masked = mask_record(record, Teller().tell(record)[0])
    assert masked.body == record.body.replace(SAID.encode(), b"x" * len(SAID))
