"""``virtproto decode``: what it prints of each kind of file, what it says of damage, exit codes."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trace.reading.capturing import Connection, conversation, frame, pcap, pcapng
from virtproto.cli import main
from virtproto.protocol.framing import Packet
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    END,
    FROM_CLIENT,
    LEFT_OUT,
    NOTE,
    PACKET,
    pack_head,
    pack_record,
)
from virtproto.wire import remote

SAID = conversation(3)


def recording(said: list[tuple[bool, bytes]] = SAID, *, flags: int = 0) -> bytes:
    """Return a recording of one conversation."""
    parts = [pack_head({"started_s": 1e9}), pack_record(BEGIN, 0, 1, 0, b'{"client":"me"}')]
    for number, (from_client, data) in enumerate(said, 1):
        who = FROM_CLIENT if from_client else 0
        parts.append(pack_record(PACKET, who | flags, 1, number * 1000, data))
    parts.append(pack_record(END, FROM_CLIENT, 1, 99_000, b"it left"))
    return b"".join(parts)


def capture() -> bytes:
    """Return a pcap of one conversation."""
    connection = Connection().open()
    for from_client, data in SAID:
        connection.send(from_client, data)
    return pcap([(each.time_s, frame(each)) for each in connection.close().sent])


def decode(path: Path, data: bytes, *options: str) -> int:
    """Decode a file and return the exit code."""
    path.write_bytes(data)
    return main(["decode", str(path), *options])


FORMATS = {
    "recording": recording(),
    "pcap": capture(),
    "raw": b"".join(data for _, data in SAID),
    "hex": b"\n\n".join(data.hex().encode() for _, data in SAID),
    "packed": gzip.compress(recording()),
    "twice": gzip.compress(recording()[:99]) + gzip.compress(recording()[99:]) + bytes(512),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_the_same_messages(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decode(tmp_path / "file", FORMATS[name], "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = [json.loads(line) for line in said.out.splitlines()]
    messages = [line for line in lines if line["kind"] in ("call", "reply")]
    assert [line["from"] for line in messages] == ["client", "daemon"] * 3
    assert {line["procedure"] for line in messages} == {"DOMAIN_LOOKUP_BY_NAME"}
    assert [line["size"] for line in messages] == [len(data) for _, data in SAID]
    assert messages[0]["fields"] == {"name": "web0"}
    assert messages[1]["fields"]["dom"]["name"] == "web0"


@pytest.mark.parametrize("option", ["--json", "--hex", "--summary", "--every-packet"])
def test_every_way_of_showing_can_be_had(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decode(tmp_path / "file", recording(), option) == 0
    assert "DOMAIN_LOOKUP_BY_NAME" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--hex"], ["--json", "--hex"]])
def test_what_was_printed_byte_by_byte_is_read_again(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decode(tmp_path / "file", recording(), *options)
    printed = capsys.readouterr().out
    assert decode(tmp_path / "again", printed.encode(), "--json", "--hex") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [bytes.fromhex(line["bytes"]) for line in lines if "bytes" in line] == [
        data for _, data in SAID
    ]


def test_input_is_read_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recording())))
    assert main(["decode", "-"]) == 0
    assert capsys.readouterr().out.count("DOMAIN_LOOKUP_BY_NAME") == 6
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(["decode", "-"]) == 1
    assert "the input: there is not one byte in it" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["decode", "-"]) == 2
    assert "the input is closed" in capsys.readouterr().err


def test_misuse_is_told_from_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode"]) == 2
    assert main(["decode", str(tmp_path / "none")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert main(["decode", str(tmp_path)]) == 2
    assert "directory" in capsys.readouterr().err
    path = tmp_path / "file"
    assert decode(path, recording(), "--filter", "((") == 2
    assert decode(path, recording(), "-o", str(path)) == 2
    assert "is the file that is to be decoded" in capsys.readouterr().err
    assert path.read_bytes() == recording()


def test_damage_is_told_with_its_place_and_what_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(recording())
    data[-20] ^= 1
    assert decode(tmp_path / "file", bytes(data)) == 1
    said = capsys.readouterr()
    assert said.out.count("DOMAIN_LOOKUP_BY_NAME") == 6
    last = len(data) - len(pack_record(END, 0, 1, 0, b"it left"))
    assert f"file: byte {last}: record 8 is damaged: its checksum is another" in said.err
    assert "6 messages could be read before" in said.err
    assert decode(tmp_path / "file", recording()[:-3]) == 1
    assert f"file: byte {last}: the recording is cut off" in capsys.readouterr().err
    assert decode(tmp_path / "file", capture()[:-3]) == 1
    assert "the capture is cut off within a frame" in capsys.readouterr().err


def test_packed_file_that_is_damaged_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = [(True, Packet(7, 1, 1, 0, 1, 0, random.Random(1).randbytes(9000)).pack())] * 60
    packed = gzip.compress(recording(noise))
    assert decode(tmp_path / "file", packed[:-2000]) == 1
    said = capsys.readouterr()
    assert "what gzip packed is cut off" in said.err
    assert 10 < said.out.count("0x7:#1") < 60
    packed = gzip.compress(random.Random(2).randbytes(100_000).hex().encode())
    broken = packed[:9000] + b"\xff" * 3000 + packed[12000:]
    assert decode(tmp_path / "file", broken) == 1
    assert "what gzip packed is damaged" in capsys.readouterr().err
    assert decode(tmp_path / "file", gzip.compress(recording()[:-3])) == 1
    assert "file, unpacked: byte" in capsys.readouterr().err


OK_PAYLOAD = remote.DomainLookupByNameArgs(name="web").pack()


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (Packet(0x20008086, 1, 9999, 0, 9, 0, b""), "no procedure 9999"),
        (Packet(0x12345678, 1, 5, 0, 9, 0, b""), "0x12345678"),
        (Packet(0x20008086, 1, 23, 9, 9, 0, b""), "type 9"),
        (Packet(0x20008086, 1, 23, 0, 9, 0, OK_PAYLOAD[:-2]), "its payload: byte 0: name"),
        (Packet(0x20008086, 1, 23, 0, 9, 0, b"\xff" * 8), "its payload: byte 0: name"),
    ],
)
def test_what_is_not_understood_is_told_and_the_rest_is_shown(
    packet: Packet, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recording([*SAID[:2], (True, packet.pack()), *SAID[2:]])
    assert decode(tmp_path / "file", data) == 1
    said = capsys.readouterr()
    assert "message 3 of conversation 1" in said.err
    assert words in said.err
    assert said.out.count("DOMAIN_LOOKUP_BY_NAME") >= 6


def test_cut_packets_are_damage_unless_it_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = [(who, data[:40]) for who, data in SAID]
    assert decode(tmp_path / "file", recording(cut, flags=LEFT_OUT)) == 0
    assert capsys.readouterr().err == ""
    assert decode(tmp_path / "file", recording(cut)) == 1
    assert "are missing" in capsys.readouterr().err


def test_bytes_that_are_no_packets_are_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recording() + pack_record(NOTE, 0, 1, 0, b"be that as it may")
    assert decode(tmp_path / "file", data) == 0
    assert "be that as it may" in capsys.readouterr().out
    data += pack_record(BYTES, 0, 1, 0, b"GET / HTTP/1.1")
    assert decode(tmp_path / "file", data) == 1
    assert "HTTP" in capsys.readouterr().err


def test_capture_that_begins_midway_is_no_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = Connection().open()
    for from_client, data in SAID:
        connection.send(from_client, data)
    sent = connection.close().sent[4:]
    data = pcapng([(each.time_s, frame(each), 0) for each in sent])
    assert decode(tmp_path / "file", data) == 0
    said = capsys.readouterr()
    assert "in the middle" in said.out
    assert said.out.count("DOMAIN_LOOKUP_BY_NAME") == 5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF" + bytes(50), "it looks like an ELF program"),
        (b"nothing here\n", "there are no bytes in the text"),
        (pcap([(1.0, bytes(60))]), "no conversation of libvirt's is in the capture"),
        (gzip.compress(b"", mtime=0), "there is not one byte in it"),
        (gzip.compress(b"PK\x03\x04" + bytes(40), mtime=0), "a zip archive"),
    ],
)
def test_file_that_is_nothing_of_the_kind_is_told(
    data: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decode(tmp_path / "file", data) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.count("\n") == 1


def test_secrets_stay_out_of_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = remote.SecretSetValueArgs(
        secret=remote.NonnullSecret(uuid=bytes(16), usageType=0, usageID=""),
        value=b"open sesame",
        flags=0,
    )
    data = Packet(0x20008086, 1, remote.SECRET_SET_VALUE.number, 0, 1, 0, args.pack()).pack()
    hidden = b"open sesame".hex()
    for form in (recording([(True, data)]), data, data.hex().encode()):
        for options in ([], ["--json"], ["--hex"], ["--json", "--hex"], ["--summary"]):
            assert decode(tmp_path / "file", form, *options) == 0
            said = capsys.readouterr()
            for text in (said.out, said.err):
                assert "sesame" not in text
                assert hidden not in text.replace(" ", "")
    assert decode(tmp_path / "file", data, "--json", "--hex", "--show-secrets") == 0
    assert hidden in capsys.readouterr().out


def test_reader_who_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(recording(SAID * 20000))
    command = "import sys; from virtproto.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "decode", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) in (0, 1)


def test_output_that_takes_no_more_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    assert decode(tmp_path / "file", recording(), "-o", "/dev/full") == 1
    assert "cannot be written" in capsys.readouterr().err
