"""A packet byte by byte: where it is, what it is, what it means.

Responsible for dumps that miss no byte: header words, each field with its path and type as the .x
file has them, what is behind damage, and data of streams. Bytes of secrets are ``**``, just those
that a masked recording has overwritten. Must not know colours or terminals.

    0000  00 00 00 40              length       size            64
    001c  00 00 00 03 77 65 62 00  name         string<4194304> "web"
"""

from __future__ import annotations

import re
from struct import Struct

from virtproto.model.refs import uuid_to_text
from virtproto.model.screen_text import columns, cut, visible
from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MIN
from virtproto.trace.contents import contents
from virtproto.trace.printing.as_json import STATUSES, TYPES
from virtproto.trace.printing.naming import names_of
from virtproto.trace.printing.value_text import LineFull, SpanWriter
from virtproto.trace.secrets.masking import mask, masked_places
from virtproto.wire import load_contract
from virtproto.xdr.annotate import SECRET, annotate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.printing.value_text import Span
    from virtproto.trace.telling import Note
    from virtproto.xdr.annotate import Field

__all__ = ["HexDump", "packet_bytes"]

_HEADER = Struct(">IIIIIII")
_WORDS = ("length", "program", "version", "procedure", "type", "serial", "status")
_PATH, _TYPE = 20, 16
_LONGEST = 400
# What may be of an enum: counts of elements have the names of their lists.
_INTEGERS = ("int", "unsigned int")
_UUID_TYPE = "opaque[16]"
_STARRED = re.compile(b"\1+")
_ALL = 0xFFFFFFFF


def packet_bytes(message: TracedMessage, payload: bytes | None = None) -> bytes:
    """Return a packet as it was overheard, or with another payload; without what was left out."""
    packet = message.packet
    words = (packet.program, packet.version, packet.procedure, packet.type)
    head = _HEADER.pack(
        message.size & _ALL,
        *(word & _ALL for word in words),
        packet.serial & _ALL,
        packet.status & _ALL,
    )
    if packet.nfds is not None:
        head += (packet.nfds & _ALL).to_bytes(LENGTH_SIZE, "big")
    return head + (packet.payload if payload is None else payload)


def _stars(message: TracedMessage) -> bytes:
    """Return a byte for each of the payload: 1 for those that are overwritten, 0 for others."""
    stars = bytearray(len(message.packet.payload))
    for start, stop in masked_places(message):
        stars[start:stop] = b"\1" * (stop - start)
    return bytes(stars)


class HexDump:
    """Makes the rows of one output, ``width`` columns wide (0: as wide as it gets)."""

    def __init__(self, *, width: int = 0, show_secrets: bool = False) -> None:
        self._show_secrets = show_secrets
        self.fit(width)

    def fit(self, width: int) -> None:
        """Let rows be as wide as the terminal is."""
        self._width = width
        # So many bytes a row that there is room beside them for what they mean.
        self._per_row = 16 if not width or width >= 120 else 8

    def rows(self, message: TracedMessage) -> Iterator[list[Span]]:
        """Yield the rows of a packet."""
        payload = message.packet.payload
        stars = b""
        if message.masked or not self._show_secrets:
            # What is left of the secrets, as the recording has it or would have it.
            hidden = mask(message)
            if hidden is not None:
                payload, stars = hidden, _stars(message)
        yield from self._header(message)
        base = message.head_size
        if message.type_name is None:
            what = "data" if message.kind == "data" else "payload"
            yield from self._plain(base, payload, stars, what)
        else:
            yield from self._fields(message, base, payload, stars)
        if message.left_out:
            yield self._row(base + len(payload), b"", "", "", f"{message.left_out} bytes not kept")

    def bytes_of(self, note: Note) -> Iterator[list[Span]]:
        """Yield the rows of bytes that are no packet; they may be anything, secrets too."""
        if self._show_secrets or note.masked:
            yield from self._plain(note.offset or 0, note.data, b"", "bytes")

    def _header(self, message: TracedMessage) -> Iterator[list[Span]]:
        raw = packet_bytes(message, b"")
        packet = message.packet
        meanings = (
            str(message.size),
            f"{packet.program:#x} {message.program or 'unknown'}",
            str(packet.version),
            f"{packet.procedure} {message.procedure or 'unknown'}",
            f"{packet.type} {_word(TYPES, packet.type)}",
            str(packet.serial),
            f"{packet.status} {_word(STATUSES, packet.status)}",
        )
        for index, (name, meaning) in enumerate(zip(_WORDS, meanings, strict=True)):
            start = index * 4
            yield self._row(start, raw[start : start + 4], name, "header", meaning)
        if packet.nfds is not None:
            yield self._row(PACKET_MIN, raw[PACKET_MIN:], "fds", "header", str(packet.nfds))

    def _fields(
        self, message: TracedMessage, base: int, payload: bytes, stars: bytes
    ) -> Iterator[list[Span]]:
        hidden = contents(message, show_secrets=self._show_secrets, limit=1)
        if hidden.plain is None and hidden.elided:
            # It is damaged, and may have secrets anywhere.
            for problem in hidden.problems:
                yield self._problem(base + problem.offset, problem.reason)
            yield from self._plain(base, payload, stars, "not read")
            return
        # The secrets in ``payload`` are overwritten already.
        read = annotate(load_contract(), message.type_name or "", payload, show_secrets=True)
        names = names_of(message)
        problems: dict[int, list[str]] = {}
        for problem in read.problems:
            problems.setdefault(problem.offset, []).append(problem.reason)
        done = 0
        for field in read.fields:
            if field.offset > done:
                yield from self._plain(base, payload, stars, "", done, field.offset)
            for offset in [at for at in problems if at <= field.offset]:
                for reason in problems.pop(offset):
                    yield self._problem(base + offset, reason)
            yield from self._field(field, base, payload, stars, names)
            done = field.offset + field.size
        for offset, reasons in problems.items():
            for reason in reasons:
                yield self._problem(base + offset, reason)
        what = "not read" if read.complete else "not explained"
        yield from self._plain(base, payload, stars, what, done)

    def _field(
        self, field: Field, base: int, payload: bytes, stars: bytes, names: Any
    ) -> Iterator[list[Span]]:
        start, end = field.offset, field.offset + field.size
        name = field.path.rpartition(".")[2]
        value = _without_stars(field.value, stars[start:end])
        style = "string" if isinstance(value, str | bytes) else "number"
        is_uuid = field.type == _UUID_TYPE and isinstance(value, bytes)
        text = uuid_to_text(value) if is_uuid else _meaning(value)
        if value == SECRET:
            style = "secret"
        elif name in names and field.type in _INTEGERS:
            called = names[name].text(value)
            text = text if called == text else f"{text} {called}"
        if field.note:
            text = f"{text} ({field.note})"
        first = True
        for at in range(start, max(end, start + 1), self._per_row):
            piece = payload[at : min(end, at + self._per_row)]
            covered = stars[at : at + len(piece)]
            if first:
                yield self._row(
                    base + at, piece, field.path, field.type, text, style=style, stars=covered
                )
            else:
                yield self._row(
                    base + at, piece, "", "", _gutter(piece, covered), style="dim", stars=covered
                )
            first = False

    def _plain(
        self,
        base: int,
        payload: bytes,
        stars: bytes,
        what: str,
        start: int = 0,
        end: int | None = None,
    ) -> Iterator[list[Span]]:
        """Yield rows of bytes that have no fields."""
        end = len(payload) if end is None else end
        for at in range(start, end, self._per_row):
            piece = payload[at : min(end, at + self._per_row)]
            covered = stars[at : at + len(piece)]
            text = _gutter(piece, covered)
            yield self._row(base + at, piece, what, "", text, style="dim", stars=covered)
            what = ""

    def _problem(self, offset: int, reason: str) -> list[Span]:
        return self._row(offset, b"", "!", "", visible(reason), style="odd")

    def _row(
        self,
        offset: int,
        piece: bytes,
        path: str,
        type_name: str,
        text: str,
        *,
        style: str = "number",
        stars: bytes = b"",
    ) -> list[Span]:
        writer = SpanWriter(self._width)
        try:
            writer.add(f"  {offset:04x}  ", "time")
            digits = piece.hex(" ")
            if any(stars):
                pairs = zip(piece, stars, strict=True)
                digits = " ".join("**" if star else f"{byte:02x}" for byte, star in pairs)
            writer.add(digits.ljust(3 * self._per_row - 1), "secret" if any(stars) else "")
            if style == "odd":
                writer.add(f"  ! {text}", style)
            elif path or type_name:
                writer.add(f"  {_padded(visible(path), _PATH)}", "key")
                writer.add(f" {_padded(type_name, _TYPE)}", "dim")
                writer.add(f" {text}", style)
            else:
                writer.add(f"  {text}", style)
        except LineFull:
            pass
        return writer.spans


def _without_stars(value: Any, stars: bytes) -> Any:
    """Return a field's value with SECRET for what the ``stars`` of its bytes cover."""
    if not any(stars):
        return value
    if not isinstance(value, str):
        return SECRET
    raw = value.encode("utf-8", "surrogateescape")
    # A string's bytes stand behind its length.
    covered = stars[LENGTH_SIZE : LENGTH_SIZE + len(raw)]
    pieces: list[bytes] = []
    end = 0
    for run in _STARRED.finditer(covered):
        pieces += (raw[end : run.start()], SECRET.encode())
        end = run.end()
    return b"".join((*pieces, raw[end:])).decode("utf-8", "surrogateescape")


def _meaning(value: Any) -> str:
    """Return the value of a field, as far as one row may show it."""
    if isinstance(value, bytes):
        return value[:32].hex() + ("…" if len(value) > 32 else "")
    if isinstance(value, str) and value != SECRET:
        return f'"{cut(visible(value[:_LONGEST]), _LONGEST)}"' + (
            "…" if len(value) > _LONGEST else ""
        )
    return visible(str(value))


def _gutter(piece: bytes, stars: bytes) -> str:
    """Return bytes as ASCII, with dots for what has no sign."""
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    if any(stars):
        text = "".join("*" if star else sign for sign, star in zip(text, stars, strict=True))
    return f"|{text}|"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else "unknown"
