"""Annotated dumps: every byte in its place, with what it means."""

from __future__ import annotations

import re

import pytest

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
from virtproto.model.screen_text import columns, visible
from virtproto.protocol.framing import Packet
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.as_hex import HexDump, packet_bytes
from virtproto.trace.printing.lines import text_of
from virtproto.trace.secrets.masking import mask
from virtproto.trace.telling import Note

_ROW = re.compile(r"  ([0-9a-f]{4,})  ((?:[0-9a-f]{2} ?)*)")


def _rows(message: TracedMessage, *, width: int = 0, show_secrets: bool = False) -> list[str]:
    dump = HexDump(width=width, show_secrets=show_secrets)
    return [text_of(row) for row in dump.rows(message)]


def _bytes_of(rows: list[str]) -> bytes:
    found = b""
    for row in rows:
        match = _ROW.match(row)
        assert match is not None, row
        piece = bytes.fromhex(match[2])
        if piece:
            assert int(match[1], 16) == len(found), row
        found += piece
    return found


def test_dump_has_header_fields_and_what_they_mean() -> None:
    script = Script()
    serial = script.call("DOMAIN_GET_XML_DESC", {"dom": WEB, "flags": 2})
    shown = _rows(script.messages()[0], width=110)
    assert serial == 1
    assert [" ".join(row.split()) for row in shown] == [
        "0000 00 00 00 3c length header 60",
        "0004 20 00 80 86 program header 0x20008086 remote",
        "0008 00 00 00 01 version header 1",
        "000c 00 00 00 0e procedure header 14 DOMAIN_GET_XML_DESC",
        "0010 00 00 00 00 type header 0 call",
        "0014 00 00 00 01 serial header 1",
        "0018 00 00 00 00 status header 0 ok",
        '001c 00 00 00 03 77 65 62 00 dom.name string<4194304> "web"',
        "0024 c7 a5 fd bd 4f 3f 4a 5b dom.uuid opaque[16] c7a5fdbd-4f3f-4a5b-9c1d-0123456789ab",
        "002c 9c 1d 01 23 45 67 89 ab |...#Eg..|",
        "0034 00 00 00 03 dom.id int 3",
        "0038 00 00 00 02 flags unsigned int 2 INACTIVE",
    ]


@pytest.mark.parametrize("width", [0, 60, 100, 140])
def test_no_byte_is_missing(width: int) -> None:
    for script in (listing(40), eventful(), uploading(pieces=2, size=333)):
        for message in script.messages():
            rows = _rows(message, width=width)
            assert _bytes_of(rows) == packet_bytes(message) == message.packet.pack()
            assert all(columns(row) <= width for row in rows) or not width


def test_damage_is_told_where_it_is_and_the_rest_is_shown() -> None:
    payload = CODEC.encode("remote_domain_get_xml_desc_args", {"dom": WEB, "flags": 1})
    for data in (payload[:-3], payload + b"more", b"\xff" * 40, b"\0\0\0\x09abc"):
        each = packet(0, "DOMAIN_GET_XML_DESC", 1, payload=data)
        message = Follower().follow(each, from_client=True, time_s=0.0)
        rows = _rows(message, show_secrets=True)
        assert _bytes_of(rows) == each.pack()
        assert any("  ! " in row for row in rows)


def test_errors_have_the_names_of_their_codes() -> None:
    [error] = [each for each in eventful().messages() if each.packet.status == 1]
    rows = [" ".join(row.split()) for row in _rows(error)]
    assert "001c 00 00 00 2a code int 42 NO_DOMAIN" in rows
    assert "0020 00 00 00 0a domain int 10 QEMU" in rows


def test_what_has_no_type_is_shown_with_its_characters() -> None:
    message = Follower().follow(
        Packet(7, 1, 1, 0, 1, 0, b"GET / HTTP\x1b[2J"), from_client=True, time_s=0.0
    )
    rows = _rows(message, show_secrets=True)
    assert rows[-1].endswith("|GET / HTTP.[2J|")
    assert all(row.isprintable() for row in rows)


def test_descriptors_have_their_count() -> None:
    each = packet(4, "DOMAIN_OPEN_GRAPHICS", 1, nfds=1)
    message = Follower().follow(each, from_client=True, time_s=0.0)
    rows = _rows(message)
    assert " ".join(rows[7].split()) == "001c 00 00 00 01 fds header 1"
    assert _bytes_of(rows) == each.pack()


def test_secrets_are_stars_unless_asked_for() -> None:
    secret = "hunter2-and-more"
    hidden, shown = [], []
    for message in secretive(secret).messages():
        hidden += _rows(message)
        shown += _rows(message, show_secrets=True)
    text = "\n".join(hidden)
    assert secret not in text
    assert secret.encode().hex(" ") not in text
    assert "** ** ** **" in text
    # In pieces of rows, too.
    assert "68 75 6e 74" not in text
    assert "68 75 6e 74" in "\n".join(shown)


def test_of_xml_only_the_passwords_are_stars() -> None:
    xml = "<domain>\n  <name>web</name>\n  <graphics passwd='geheim' port='5900'/>\n</domain>"
    payload = CODEC.encode("remote_domain_define_xml_args", {"xml": xml})
    each = packet(0, "DOMAIN_DEFINE_XML", 1, payload=payload)
    message = Follower().follow(each, from_client=True, time_s=0.0)
    rows = _rows(message)
    [first] = [row for row in rows if " xml " in row]
    assert first.endswith(visible(f'"{xml.replace("geheim", "<secret>")}"'))
    digits = " ".join(row[8:55].strip() for row in rows)
    assert "*" not in digits.replace("** ** ** ** ** **", "", 1)
    before, after = digits.split("** ** ** ** ** **")
    assert bytes.fromhex(before)[32:].decode() == xml.partition("geheim")[0]
    assert bytes.fromhex(after).rstrip(b"\0").decode() == xml.partition("geheim")[2]


@pytest.mark.parametrize("show_secrets", [False, True])
def test_stars_are_just_where_recordings_are_masked(show_secrets: bool) -> None:
    starred = False
    for message in secretive("geheim-4711").messages():
        masked = mask(message)
        if masked is not None and show_secrets:
            message.packet.payload, message.masked = masked, True
        dumped = b""
        for row in _rows(message, show_secrets=show_secrets):
            match = re.match(r"  [0-9a-f]{4,}  ((?:(?:[0-9a-f]{2}|\*\*) ?)*)", row)
            assert match is not None, row
            starred = starred or "*" in match[1]
            dumped += bytes.fromhex(match[1].replace("**", "78"))
        payload = message.packet.payload if masked is None else masked
        assert dumped == packet_bytes(message, payload)
    assert starred


def test_of_what_is_damaged_and_may_be_secret_only_the_place_is_told() -> None:
    payload = CODEC.encode("remote_domain_define_xml_args", {"xml": "<domain>geheim</domain>"})
    each = packet(0, "DOMAIN_DEFINE_XML", 1, payload=payload[:-4])
    rows = _rows(Follower().follow(each, from_client=True, time_s=0.0))
    assert [row.split("!")[1].strip() for row in rows if "!" in row] == [
        "what may be secret cannot be read"
    ]
    dump = " ".join(row[8:55].strip() for row in rows[7:])
    assert set(dump) <= {"*", " "}
    assert dump.count("**") == len(each.payload)


def test_bytes_that_are_no_packet_are_shown_when_secrets_are() -> None:
    note = Note(1, 0.0, "9 bytes", from_client=True, offset=32, size=9, data=b"\x16\x03secret\0")
    assert [text_of(row) for row in HexDump().bytes_of(note)] == []
    [row] = [text_of(row) for row in HexDump(show_secrets=True).bytes_of(note)]
    assert row.startswith("  0020  16 03 73 65")


def test_long_texts_are_cut_in_their_meaning_only() -> None:
    each = packet(
        0,
        "DOMAIN_LOOKUP_BY_NAME",
        1,
        payload=CODEC.encode("remote_domain_lookup_by_name_args", {"name": "n" * 5000}),
    )
    message = Follower().follow(each, from_client=True, time_s=0.0)
    rows = _rows(message)
    assert _bytes_of(rows) == each.pack()
    assert max(map(len, rows)) < 600
