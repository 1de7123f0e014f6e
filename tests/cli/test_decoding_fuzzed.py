"""A hundred thousand damaged files: `decode` says what it can of each, and never breaks.

Every input goes the whole way, from a file's bytes to what is printed, in each of the ways of
showing. ``python -m tests.cli.test_decoding_fuzzed SEED COUNT`` tries others, as many as one likes.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import pytest

from tests.trace.reading.capturing import Connection, frame, pcap, pcapng
from tests.trace.secrets.planting import CONTRACT, Planter
from virtproto.cli.decoding import run_decode
from virtproto.cli.showing_options import ShowingOptions
from virtproto.protocol.framing import Packet
from virtproto.trace.recording import FROM_CLIENT, pack_head, pack_record
from virtproto.xdr.reference import ReferenceCodec

COUNT = 100_000
PARTS = 8
# What one small file may take before it counts as hanging.
PATIENCE_S = 20.0

OPTIONS = (
    ShowingOptions(),
    ShowingOptions(as_json=True),
    ShowingOptions(as_hex=True),
    ShowingOptions(summary=True),
    ShowingOptions(as_json=True, as_hex=True, show_secrets=True),
    ShowingOptions(wanted="odd or latency > 1ms or ~ sesame", every_packet=True),
)
KINDS = ((0, True), (1, False), (2, False))


def _corpus() -> list[tuple[bool, bytes]]:
    """Return a call, a reply and an event of every procedure, packets of streams and oddities."""
    codec = ReferenceCodec(CONTRACT)
    found = []
    for program, version, rows in CONTRACT.programs.values():
        for row in rows:
            for (kind, from_client), name in zip(KINDS, row[2:5], strict=True):
                payload = codec.encode(name, Planter("sesame").planted(name)) if name else b""
                if len(payload) < 2000:
                    packet = Packet(program, version, row[0], kind, 3, 0, payload)
                    found.append((from_client, packet.pack()))
    error = codec.encode("remote_error", Planter("sesame").planted("remote_error"))
    for kind, status, payload in (
        (1, 1, error),
        (3, 2, b"data"),
        (3, 2, b""),
        (3, 0, b""),
        (3, 1, error),
        (6, 2, bytes(12)),
        (4, 0, b"\0\0\0\2"),
        (5, 0, b"\0\0\0\1" + error),
    ):
        found.append((kind == 4, Packet(0x20008086, 1, 208, kind, 3, status, payload).pack()))
    for number in (1, 2):
        found.append((False, Packet(0x6B656570, 1, number, 2, 0, 0, b"").pack()))
    return found


CORPUS = _corpus()


class Fuzzer:
    """Makes damaged files, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._makers: tuple[Callable[[], bytes], ...] = (
            self._recording,
            self._broken_recording,
            self._capture,
            self._text,
            self._raw,
            self._noise,
        )

    def files(self, count: int) -> Iterator[bytes]:
        """Yield so many."""
        for number in range(count):
            yield self._makers[number % len(self._makers)]()

    def _said(self, most: int = 3) -> list[tuple[bool, bytes]]:
        rng = self._rng
        return [
            (from_client if rng.random() < 0.9 else not from_client, data)
            for from_client, data in rng.choices(CORPUS, k=rng.randrange(1, most + 1))
        ]

    def _damaged(self, data: bytes, most: int = 4) -> bytes:
        """Return bytes with some changed, left out, put in, doubled, or the end missing."""
        rng = self._rng
        changed = bytearray(data)
        for _ in range(rng.randrange(most + 1)):
            place = rng.randrange(len(changed) + 1)
            how = rng.randrange(7)
            if how == 0:
                changed[place : place + 1] = bytes([rng.randrange(256)])
            elif how == 1:
                changed[place : place + 4] = rng.choice(
                    (b"\0\0\0\0", b"\xff" * 4, b"\x7f\xff\xff\xff")
                )
            elif how == 2:
                del changed[place : place + rng.randrange(1, 9)]
            elif how == 3:
                changed[place:place] = rng.randbytes(rng.randrange(1, 9))
            elif how == 4:
                changed[place:place] = changed[place : place + rng.randrange(64)]
            elif how == 5:
                del changed[place:]
            elif changed:
                changed[min(place, len(changed) - 1)] ^= 1 << rng.randrange(8)
        return bytes(changed)

    def _records(self, damage: Callable[[bytes], bytes]) -> bytes:
        rng = self._rng
        started = rng.choice((1e9, 1e9, 0, 2.5e11))
        parts = [pack_head({"started_s": started, "masked": True})]
        for from_client, data in self._said():
            flags = rng.choice((0, 0, 0, 2, 4, 6)) | (FROM_CLIENT if from_client else 0)
            kind = rng.choice((2, 2, 2, 2, 2, 2, 1, 3, 4, 5, 9))
            body = (
                damage(data) if kind == 2 else damage(rng.choice((b'{"a":1}', b"[1]", b"\xffno")))
            )
            when = rng.choice((rng.randrange(10**6), 0, 1 << 50, 1 << 63))
            parts.append(pack_record(kind, flags, rng.choice((1, 1, 1, 0, 2, 1 << 31)), when, body))
        return b"".join(parts)

    def _recording(self) -> bytes:
        # Sound records of damaged packets: so the damage comes to where packets are read.
        return self._records(self._damaged)

    def _broken_recording(self) -> bytes:
        data = self._damaged(self._records(bytes))
        return gzip.compress(data, 1) if self._rng.random() < 0.1 else data

    def _capture(self) -> bytes:
        rng = self._rng
        connection = Connection(size=rng.choice((100, 1448)), time_s=rng.choice((1e9, 0.0)))
        if rng.random() < 0.7:
            connection.open()
        for from_client, data in self._said(2):
            connection.send(from_client, self._damaged(data, 1))
        sent = connection.close().sent
        if rng.random() < 0.3:
            rng.shuffle(sent)
        link = rng.choice((1, 1, 1, 113, 276, 101, 0, 7))
        frames = [(each.time_s, frame(each, link)) for each in sent]
        if rng.random() < 0.5:
            return self._damaged(pcap(frames, link, order=rng.choice("<>")))
        return self._damaged(pcapng([(*each, 0) for each in frames], (link,)))

    def _text(self) -> bytes:
        rng = self._rng
        data = b"".join(self._damaged(data, 1) for _, data in self._said(2))
        how = rng.randrange(6)
        if how == 0:
            text = data.hex(" ")
        elif how == 1:
            text = "\n".join(
                f"{at:08x}: {data[at : at + 16].hex(' ', 2)}  ...."
                for at in range(0, len(data), 16)
            )
        elif how == 2:
            text = "\n".join(
                f"{at:07o} {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16)
            )
        elif how == 3:
            text = ", ".join(f"0x{byte:02x}" for byte in data)
        elif how == 4:
            text = f"write(3, {str(data)[1:]}, {len(data)}) = {len(data) + rng.randrange(-9, 9)}"
        else:
            text = "\n".join(
                rng.choice(("00 00", "*", "0000", f"{n:04x}  00", "x: 1")) for n in range(9)
            )
        return self._damaged(text.encode())

    def _raw(self) -> bytes:
        return self._damaged(b"".join(data for _, data in self._said()))

    def _noise(self) -> bytes:
        rng = self._rng
        start = rng.choice(
            (b"", b"\x1f\x8b\x08", b"\n\r\r\n", b"\xd4\xc3\xb2\xa1", b"\x89VPREC\r\n")
        )
        return start + rng.randbytes(rng.choice((0, 1, 11, 28, 100, 600)))


class _Input:
    """What stands in for stdin: only its bytes are asked for."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def _try(data: bytes, number: int, codes: dict[int, int]) -> None:
    """Decode one file; its bytes are in the error, should there be one."""
    begun = time.monotonic()
    try:
        with mock.patch.object(sys, "stdin", _Input(data)):
            code = run_decode("-", OPTIONS[number // 6 % len(OPTIONS)])
    except BaseException as error:
        error.add_note(f"file {number}: {data.hex()}")
        raise
    assert time.monotonic() - begun < PATIENCE_S, f"file {number}: {data.hex()}"
    codes[code] = codes.get(code, 0) + 1


def _try_all(seed: int, count: int) -> dict[int, int]:
    codes: dict[int, int] = {}
    with (
        contextlib.redirect_stdout(io.StringIO()) as printed,
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        for number, data in enumerate(Fuzzer(seed).files(count)):
            _try(data, number, codes)
            if number % 500 == 0:
                # What was printed is looked at now and then, and not kept.
                assert "Traceback" not in printed.getvalue() + said.getvalue()
                for stream in (printed, said):
                    stream.seek(0)
                    stream.truncate()
    return codes


@pytest.mark.parametrize("seed", range(PARTS))
def test_no_damage_breaks_it(seed: int) -> None:
    codes = _try_all(seed, COUNT // PARTS)
    # Some are not damaged where it matters, most are, and none is taken for misuse.
    assert set(codes) == {0, 1}
    assert sum(codes.values()) == COUNT // PARTS
    assert codes[0] > COUNT // PARTS // 50


def test_corpus_has_every_procedure() -> None:
    said = {(data[4:8], data[12:16]) for _, data in CORPUS}
    every = sum(len(rows) for _, _, rows in CONTRACT.programs.values())
    assert len(said) > every * 0.95


if __name__ == "__main__":
    print(_try_all(int(sys.argv[1]), int(sys.argv[2])))
