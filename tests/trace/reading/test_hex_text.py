"""Packets are found in what people paste into reports."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.trace.reading.capturing import RAW, Connection, conversation, frame
from virtproto.protocol.framing import Packet
from virtproto.trace.reading.hex_text import HexReader
from virtproto.trace.recording import BEGIN, MASKED, NOTE, PACKET, Record

SAID = conversation(5)
DATA = b"".join(data for _, data in SAID)


def _read(text: str | bytes) -> tuple[HexReader, list[Record]]:
    reader = HexReader()
    data = text if isinstance(text, bytes) else text.encode()
    records = []
    for start in range(0, len(data), 1000):
        records += reader.feed(data[start : start + 1000])
    records += reader.rest()
    reader.finish()
    return reader, records


def _packets(records: list[Record]) -> list[tuple[bool, bytes]]:
    return [(each.from_client, each.body) for each in records if each.kind == PACKET]


def _ascii(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def _lines(size: int) -> list[tuple[int, bytes]]:
    return [(at, DATA[at : at + size]) for at in range(0, len(DATA), size)]


def _plain() -> str:
    return DATA.hex()


def _wrapped() -> str:
    return "\n".join(row.hex() for _, row in _lines(30))


def _words() -> str:
    return "\n".join(row.hex(" ", -4) for _, row in _lines(16))


def _colons() -> str:
    return DATA.hex(":")


def _xxd() -> str:
    return "\n".join(f"{at:08x}: {row.hex(' ', -2):39}  {_ascii(row)}" for at, row in _lines(16))


def _hexdump_canonical() -> str:
    rows = [
        f"{at:08x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  |{_ascii(row)}|"
        for at, row in _lines(16)
    ]
    return "\n".join([*rows, f"{len(DATA):08x}"])


def _hexdump_words() -> str:
    rows = []
    for at, row in _lines(16):
        words = [row[place : place + 2][::-1].hex().zfill(4) for place in range(0, len(row), 2)]
        rows.append(f"{at:07x} {' '.join(words)}")
    return "\n".join([*rows, f"{len(DATA):07x}"])


def _tshark() -> str:
    return "\n".join(f"{at:04x}  {row.hex(' '):47}   {_ascii(row)}" for at, row in _lines(16))


def _tcpdump() -> str:
    return "\n".join(
        f"\t0x{at:04x}:  {row.hex(' ', -2):39}  {_ascii(row)}" for at, row in _lines(16)
    )


def _debugger() -> str:
    return "\n".join(
        f"0x{0x7FFD1000 + at:x}:\t" + "\t".join(f"0x{byte:02x}" for byte in row)
        for at, row in _lines(8)
    )


def _debugger_words() -> str:
    return "\n".join(
        f"0x{0x7FFD1000 + at:x}:\t"
        + "\t".join(f"0x{row[place : place + 4][::-1].hex()}" for place in range(0, len(row), 4))
        for at, row in _lines(16)
    )


def _c_array() -> str:
    rows = ",\n  ".join(", ".join(f"0x{byte:02x}" for byte in row) for _, row in _lines(12))
    return f"unsigned char packet[] = {{\n  {rows}\n}};\nunsigned int packet_len = {len(DATA)};"


def _escapes() -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in DATA) + '"'


def _python() -> str:
    return repr(DATA)


def _shell() -> str:
    return "printf '" + "".join(f"\\x{byte:02x}" for byte in DATA) + "' | nc"


def _od(*options: str) -> str:
    return subprocess.run(
        ["od", *options], input=DATA, capture_output=True, check=True
    ).stdout.decode()


FORMATS: list[Callable[[], str]] = [
    _plain,
    _wrapped,
    _words,
    _colons,
    _xxd,
    _hexdump_canonical,
    _hexdump_words,
    _tshark,
    _tcpdump,
    _debugger,
    _debugger_words,
    _c_array,
    _escapes,
    _python,
    _shell,
]
OD = [
    ("-t", "x1"),
    ("-A", "x", "-t", "x1z"),
    ("-A", "n", "-v", "-t", "x1"),
    ("-t", "x2"),
    ("-t", "x4"),
    ("-b",),
    (),
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__[1:])
def test_every_way_of_writing_bytes_is_read(form: Callable[[], str]) -> None:
    reader, records = _read(form())
    assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    # What is written around it changes nothing, be there letters of bytes or dates in it.
    talk = "Hello,\n\non 2024-05-01 12:00:00 I was fed a dead beef, see below (libvirt 9.0.0):\n\n"
    reader, records = _read(f"{talk}{form()}\n\nAny idea?\n8a3cd2f0-5f5e-4a51-8d6b-6a2d1f3c9b10\n")
    assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    assert _packets(_read(form().replace("\n", "\r\n"))[1]) == SAID
    # Nor does what mail makes of it.
    for quoted in ("> ", ">", "> >> "):
        lines = [f"{quoted}{line}" for line in form().split("\n")]
        reader, records = _read("\n".join(["Joe wrote:", *lines, "Any idea?"]))
        assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    assert _packets(_read("\ufeff" + form().replace(" ", "\u00a0"))[1]) == SAID


@pytest.mark.parametrize("options", OD, ids=" ".join)
def test_dumps_of_od_are_read(options: tuple[str, ...]) -> None:
    reader, records = _read(_od(*options))
    assert (_packets(records), reader.error) == (SAID, None)


def test_lines_that_dumps_leave_out_are_filled_in() -> None:
    data = Packet(0x20008086, 1, 209, 3, 9, 2, bytes(4000)).pack()
    first, last = data[:32], data[-16:]
    text = "\n".join(
        [
            *(f"{at:08x}  {data[at : at + 16].hex(' ')}  |x|" for at in (0, 16, 32)),
            "*",
            f"{len(data) // 16 * 16:08x}  {data[len(data) // 16 * 16 :].hex(' ')}  |x|",
            f"{len(data):08x}",
        ]
    )
    assert first + last
    [(_, found)] = _packets(_read(text)[1])
    assert found == data


def test_text_beside_a_dump_that_looks_like_bytes_is_no_byte() -> None:
    packet = Packet(0x20008086, 1, 23, 0, 9, 0, b"\0\0\0\x0cab cd ef 012").pack()
    rows = [packet[at : at + 16] for at in range(0, len(packet), 16)]
    text = "\n".join(f"{at * 16:08x} {row.hex(' ')} {_ascii(row)}" for at, row in enumerate(rows))
    assert _packets(_read(text + f"\n{len(packet):08x}")[1]) == [(True, packet)]


def test_frames_of_a_capture_are_taken_apart() -> None:
    connection = Connection(size=100).open()
    for from_client, data in SAID:
        connection.send(from_client, data)
    dumps = []
    for number, each in enumerate(connection.close().sent, 1):
        data = frame(each, RAW if number % 2 else 1)
        rows = [data[at : at + 16] for at in range(0, len(data), 16)]
        dump = "\n".join(
            f"{at * 16:04x}  {row.hex(' '):47}   {_ascii(row)}" for at, row in enumerate(rows)
        )
        dumps.append(f"Frame {number}: {len(data)} bytes\n{dump}\n")
    # What tshark joined itself is there already.
    dumps.append(f"Reassembled TCP ({len(SAID[2][1])} bytes):\n0000  {SAID[2][1].hex(' ')}\n")
    reader, records = _read("\n".join(dumps))
    assert (_packets(records), reader.error) == (SAID, None)


def test_pieces_of_one_packet_are_joined() -> None:
    data = SAID[8][1]
    reader, records = _read(f"first\n{data[:50].hex()}\nand then\n{data[50:].hex()}\n")
    assert (_packets(records), reader.incomplete) == ([SAID[8]], False)


def test_packet_without_its_end_is_told_with_its_line() -> None:
    reader, records = _read(
        f"see\n{SAID[0][1].hex()}\n\nthen\n{SAID[8][1][:60].hex()}\n\n{SAID[1][1].hex()}\n"
    )
    assert _packets(records) == [SAID[0], (True, SAID[8][1][:60]), SAID[1]]
    assert reader.incomplete
    assert any(b"line 5" in each.body for each in records if each.kind == NOTE)


def test_bytes_that_are_no_packets_are_told() -> None:
    reader, records = _read(f"{SAID[0][1].hex()}\n\n{'99' * 40}\n")
    assert _packets(records) == [SAID[0]]
    assert reader.incomplete
    assert any(b"line 3: 40 bytes are no packet" in each.body for each in records)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no bytes in the text"),
        ("The daemon crashed.\nWhat now?\n", "no bytes in the text"),
        ("12345678 9abcdef0\n", "no packets"),
        ("45" * 100, "no packets"),
        (frame(Connection().open().sent[0]).hex(), "no conversation of libvirt's"),
    ],
)
def test_text_without_packets_is_an_error(text: str, words: str) -> None:
    reader, records = _read(text)
    assert words in str(reader.error)
    assert _packets(records) == []


def test_bytes_that_were_not_shown_are_marked() -> None:
    packet = SAID[0][1]
    text = (
        f"0000  {packet[:28].hex(' ')}  header\n001c  {packet[28:32].hex(' ')} ** ** ** **  name\n"
    )
    _, records = _read(text)
    [found] = [each for each in records if each.kind == PACKET]
    assert found.flags & MASKED
    assert found.body == packet[:32] + b"xxxx"


def _c_string(data: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in data
    )


def test_system_calls_of_a_client_are_read_by_descriptor() -> None:
    lines = [
        'openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY) = 3',
        'read(3, "\\177ELF\\2\\1", 832) = 6',
    ]
    for from_client, data in SAID:
        if from_client:
            lines.append(f'write(5, "{_c_string(data)}", {len(data)}) = {len(data)}')
        else:
            lines.append('write(7, "\\1\\0\\0\\0\\0\\0\\0\\0", 8) = 8')
            lines.append(f'read(5<socket:[77]>, "{_c_string(data[:4])}", 4) = 4')
            lines.append(f'read(5, "{_c_string(data[4:])}", {len(data)}) = {len(data) - 4}')
            lines.append("read(5, 0x55, 4) = -1 EAGAIN (Resource temporarily unavailable)")
    reader, records = _read("\n".join(lines))
    assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    assert [each.body for each in records if each.kind == BEGIN] == [b'{"descriptor": 5}']


def test_system_calls_of_several_threads_are_joined() -> None:
    call, reply = SAID[0][1], SAID[1][1]
    text = f"""
[pid   11] sendto(5, "{_c_string(call)}", {len(call)}, 0, NULL, 0 <unfinished ...>
[pid   12] recvfrom(5,  <unfinished ...>
[pid   11] <... sendto resumed>)                 = {len(call)}
[pid   12] <... recvfrom resumed>"{_c_string(reply)}", 99, 0, NULL, NULL) = {len(reply)}
"""
    assert _packets(_read(text)[1]) == SAID[:2]


def test_daemon_is_told_from_a_client_by_what_it_writes() -> None:
    data = Packet(0x20008086, 1, 209, 3, 0, 2, b"some data").pack()
    call = Packet(0x20008086, 1, 209, 0, 0, 0, b"").pack()
    text = "\n".join(
        [
            f'read(9, "{_c_string(call)}", 99) = {len(call)}',
            f'write(9, "{_c_string(data)}", {len(data)}) = {len(data)}',
        ]
    )
    assert _packets(_read(text)[1]) == [(True, call), (False, data)]


def test_strings_that_were_cut_leave_the_place_of_the_next_packet() -> None:
    text = "\n".join(
        f'write(5, "{_c_string(data[:32])}"..., {len(data)}) = {len(data)}' for _, data in SAID[::2]
    )
    reader, records = _read(text)
    assert [body for _, body in _packets(records)] == [data[:32] for _, data in SAID[::2]]
    assert reader.incomplete


def test_who_sends_a_streams_data_is_known_by_what_it_is_for() -> None:
    def packet(procedure: int, status: int, payload: bytes = b"") -> bytes:
        return Packet(0x20008086, 1, procedure, 3, 4, status, payload).pack()

    upload, download = 208, 209
    said = [packet(upload, 2, b"up"), packet(upload, 0), packet(upload, 0)]
    said += [packet(download, 2, b"down"), packet(download, 2), packet(download, 0)]
    said += [packet(download, 0), packet(9999, 2, b"?")]
    _, records = _read(b"".join(said).hex())
    assert [who for who, _ in _packets(records)] == [
        True,
        True,
        False,
        False,
        False,
        True,
        False,
        False,
    ]


def test_apostrophes_hide_no_string() -> None:
    text = "it's \"" + "".join(f"\\x{byte:02x}" for byte in SAID[0][1]) + '"'
    assert _packets(_read(text)[1]) == [SAID[0]]


@pytest.mark.parametrize(
    "text",
    [
        '"\\' * 20_000,
        "'\\x" * 20_000,
        'read(1"' * 10_000,
        "f(1)=" * 10_000,
        "{" * 50_000 + "0x00",
        "00000000  00 00\n*\n02000000\n" * 5,
        "0x00/*" * 10_000,
    ],
    ids=["quotes", "apostrophes", "calls", "parentheses", "braces", "repeats", "comments"],
)
def test_no_text_takes_long(text: str) -> None:
    begun = time.monotonic()
    _read(text)
    # What is tried again and again at each place takes minutes.
    assert time.monotonic() - begun < 10


def test_rest_of_a_packet_in_very_many_pieces_is_joined_in_time() -> None:
    """Joined piece by piece, they would take a time that grows by the square."""
    pieces = 30_000
    header = Packet(0x20008086, 1, 350, 0, 1, 0, bytes(32 * pieces - 28)).pack()
    text = "\nand\n".join(header[at : at + 32].hex() for at in range(0, len(header), 32))
    began = time.process_time()
    _, records = _read(text)
    assert time.process_time() - began < 15
    assert _packets(records) == [(True, header)]
