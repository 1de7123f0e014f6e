"""Bytes as people paste them: hexadecimal digits, dumps, arrays, escaped strings, out of any text.

Responsible for seeing which lines of a text hold bytes, and for those bytes. What is said around
them is passed over. Must not know what the bytes are, except that it asks `plausible` where a dump
may have its words' bytes swapped.
"""

from __future__ import annotations

import re

from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.reading.packet_finding import plausible
from virtproto.trace.reading.system_calls import SystemCalls, strings, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Piece", "pieces_of"]

# A "*" in a dump stands for lines like the one before; more than the largest packet is a mistake.
_MOST_REPEATED = 40 << 20

# What stands for a byte that is not shown: an x.
_HIDDEN = "78"

# Of a dump, enough to see whether its words are the other way round.
_START = 32

# What mail puts before and into lines, as UTF-8: marks of quoting, and spaces that do not break.
_QUOTED = re.compile(r"\A(?:\xef\xbb\xbf)?(?:[ \t]*>[ \t]?)*")
_NO_BREAK = "\xc2\xa0"

_OFFSET = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,16})(:|(?=\s)|\s*$)(\s*)")
_ONLY_OFFSET = re.compile(r"\s*([0-9a-fA-F]{6,16})\s*$")
_TOKEN = re.compile(r"(\s*)(?:0x)?((?:[0-9a-fA-F]{2}|\*\*){1,8}|[0-7]{3}|[0-7]{6})(?=\s|$|-|\|)-?")
_DIGITS = re.compile(r"(?:0x)?[0-9a-fA-F]{2,}")
_SEPARATORS = re.compile(r"[\s:,;.\-]+")
_BETWEEN_BYTES = re.compile(r"\w[:.\-]\w")
_ARRAY = re.compile(r"0[xX]([0-9a-fA-F]{2})(?![0-9a-fA-F])")
_ARRAY_REST = re.compile(r"[\s,;{}()\[\]=*+<>:]*(?:(?:/\*.*?\*/|//.*|#.*)\s*)?")
_JSON = re.compile(r'"bytes": ?"((?:[0-9a-f]{2})+)"')
_BARE_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2}){2,}")
_DERIVED = re.compile(r"\s*(Reassembled|Decrypted|Uncompressed|De-chunked)\b")

_DUMP, _PLAIN, _ARRAYS = "dump", "plain", "array"


class Piece:
    """Bytes that stood together in the text, from its byte ``offset`` and ``line`` on.

    ``channel`` is None, or of a system call (which descriptor, whether it wrote). ``missing`` bytes
    followed that are not in the text; ``masked`` tells that some were not shown: they are ``x``.
    """

    __slots__ = ("channel", "data", "line", "masked", "missing", "offset")

    def __init__(self, offset: int, line: int, data: bytes) -> None:
        self.offset = offset
        self.line = line
        self.data = data
        self.channel: tuple[str, bool] | None = None
        self.missing = 0
        self.masked = False


class _Dump:
    """Lines with offsets; ``matches`` says whether a line belongs to the same dump."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.data = bytearray()
        # Size of the last line.
        self.last = 0
        self.repeats = False
        self.masked = False
        self._bases = [16, 8]

    def matches(self, offset: str) -> bool:
        """Return whether a line with this offset comes next, in one or the other notation."""
        return self._distance(offset) is not None

    def _distance(self, offset: str) -> int | None:
        for base in self._bases:
            number = _number(offset, base)
            if number is None:
                continue
            distance = number - self.first - len(self.data)
            size = self.last
            if self.repeats:
                if size and 0 <= distance < _MOST_REPEATED and not distance % size:
                    return distance
            elif distance == 0 or -size < distance < 0:
                # The line before had words of text beside its bytes that look like bytes.
                return distance
        return None

    def _learn(self, offset: str) -> None:
        """Remember whether offsets are hexadecimal or octal, once that shows."""
        if len(self._bases) > 1 and offset.strip("0"):
            size = len(self.data)
            fitting = [base for base in self._bases if _number(offset, base) == self.first + size]
            self._bases = fitting or self._bases

    def go_on(self, offset: str) -> None:
        """Take what the next line's offset says of the one before."""
        self._learn(offset)
        distance = self._distance(offset) or 0
        if self.repeats:
            self.data += self.data[-self.last :] * (distance // self.last)
            self.repeats = False
        elif distance < 0:
            del self.data[distance:]

    def add(self, tokens: list[str]) -> None:
        data = bytes.fromhex("".join(tokens).replace("**", _HIDDEN))
        self.last = len(data)
        self.masked = self.masked or any("*" in token for token in tokens)
        self.data += data


def _number(text: str, base: int) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None


def pieces_of(text: str) -> Iterator[Piece]:
    """Yield the bytes in ``text``, in its order.

    ``text`` has one character for each byte of the file: offsets count them.
    """
    reader = _Lines()
    offset = number = 0
    # One by one: all lines at once take many times the memory of the text.
    while offset <= len(text):
        end = text.find("\n", offset)
        end = len(text) if end < 0 else end
        number += 1
        bare = _QUOTED.sub("", text[offset:end].rstrip("\r"), 1).replace(_NO_BREAK, " ")
        yield from reader.line(bare, offset, number)
        offset = end + 1
    yield from reader.finish()


class _Lines:
    """What stands together, line by line."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._dump: _Dump | None = None
        self._data = bytearray()
        self._start = (0, 0)
        self._skip = False
        self._calls = SystemCalls()
        # Bytes that stood for "*" up to now.
        self._repeated = 0

    def line(self, line: str, offset: int, number: int) -> Iterator[Piece]:
        """Take a line; yield the pieces that end with it."""
        if self._kind is _DUMP and line.strip() == "*" and self._dump is not None:
            self._dump.repeats = self._dump.last > 0 and self._repeated < _MOST_REPEATED
            return
        called = self._calls.read(line)
        escaped = b"" if called is not None else _in_json(line) or _escaped(line)
        if called is not None or escaped:
            yield from self.finish()
            piece = Piece(offset, number, escaped)
            if called is not None:
                descriptor, wrote, piece.data, piece.missing = called
                piece.channel = descriptor, wrote
            if piece.data or piece.missing:
                yield piece
            return
        dumped = _dump_line(line, self._dump)
        if dumped is not None:
            yield from self._add_dump(*dumped, (offset, number))
            return
        for kind, data in ((_ARRAYS, _array(line)), (_PLAIN, _plain(line, self._kind is _PLAIN))):
            if data:
                if self._kind is not kind:
                    yield from self.finish()
                    self._kind, self._start = kind, (offset, number)
                self._data += data
                return
        skip = self._skip or _DERIVED.match(line) is not None
        yield from self.finish()
        self._skip = skip and not self._data

    def finish(self) -> Iterator[Piece]:
        """Yield what stood together up to here."""
        data = bytes(self._dump.data if self._dump is not None else self._data)
        if data and not self._skip:
            piece = Piece(*self._start, data)
            if self._dump is not None:
                piece.data = _in_order(data)
                piece.masked = self._dump.masked
            yield piece
        self._kind, self._dump, self._skip = None, None, False
        self._data.clear()

    def _add_dump(self, offset: str, tokens: list[str], start: tuple[int, int]) -> Iterator[Piece]:
        dump = self._dump
        if dump is None or not dump.matches(offset):
            skip = self._skip
            yield from self.finish()
            self._skip = skip and dump is None
            dump = self._dump = _Dump(int(offset, 16))
            self._kind, self._start = _DUMP, start
        else:
            before = len(dump.data)
            dump.go_on(offset)
            self._repeated += max(len(dump.data) - before, 0)
        dump.add(tokens)


def _dump_line(line: str, dump: _Dump | None) -> tuple[str, list[str]] | None:
    """Return the offset and the groups of digits in a line of a dump, None if it is none."""
    only = _ONLY_OFFSET.match(line)
    if only is not None:
        # The last line of some dumps, which says how long they are.
        return (only[1], []) if dump is not None and dump.matches(only[1]) else None
    match = _OFFSET.match(line)
    if match is None:
        return None
    offset, colon, gap = match.groups()
    tokens = _tokens(line, match.end() - len(gap))
    if len(offset) == 7:
        tokens = _from_octal(tokens)
    if not tokens or any(len(token) % 2 for token in tokens):
        return None
    goes_on = dump is not None and dump.matches(offset)
    uneven = len(offset) != len(tokens[0]) and len({len(token) for token in tokens[:-1]}) <= 1
    if colon == ":" or len(gap) > 1 or goes_on or (uneven and int(offset, 16) == 0):
        return offset, tokens
    return None


def _tokens(line: str, position: int) -> list[str]:
    """Return the groups of digits from ``position`` on, up to what is text beside them."""
    tokens: list[str] = []
    bounded = "|" in line or ">" in line
    while (match := _TOKEN.match(line, position)) is not None:
        gap = len(match[1].replace("\t", " ")) if tokens else 1
        size = len(match[2])
        if tokens and (size > len(tokens[0]) or len(tokens[-1]) < len(tokens[0])):
            break
        if not match[1] and tokens and line[position - 1] != "-":
            break
        # Dumps with a bar around their text leave more room in the middle.
        if gap > 2 or (gap == 2 and not (bounded and len(tokens) == 8)):
            break
        tokens.append(match[2])
        position = match.end()
        if len(tokens) >= 1024:
            break
    return tokens


def _from_octal(tokens: list[str]) -> list[str]:
    """Return od's bytes and words as hexadecimal digits, words with their lower byte first."""
    for size, most in ((3, 1), (6, 2)):
        if tokens and all(
            len(token) == size and not set(token) & set("89abcdefABCDEF*") for token in tokens
        ):
            values = [int(token, 8) & 0xFFFF for token in tokens]
            if max(values) < 1 << 8 * most:
                return [value.to_bytes(most, "little").hex() for value in values]
    return tokens


def _in_order(data: bytes) -> bytes:
    """Return a dump's bytes in their order, also where it shows words the other way round."""
    start = data[:_START]
    if len(start) < PACKET_MIN or plausible(start):
        return data
    for size in (2, 4, 8):
        if plausible(_swapped(start, size)):
            return _swapped(data, size)
    return data


def _swapped(data: bytes, size: int) -> bytes:
    """Return bytes with the order in each word of ``size`` turned round, but for a rest."""
    end = len(data) // size * size
    found = bytearray(data)
    for place in range(size):
        found[place:end:size] = data[size - 1 - place : end : size]
    return bytes(found)


def _array(line: str) -> bytes:
    """Return the bytes of ``0x00, 0x1c, ...``; empty where the line holds other things too."""
    found = _ARRAY.findall(line)
    if not found:
        return b""
    rest = _ARRAY.sub("", line.partition("{")[2] or line)
    return bytes.fromhex("".join(found)) if _ARRAY_REST.fullmatch(rest) else b""


def _plain(line: str, goes_on: bool) -> bytes:
    """Return the bytes of a line of digits alone; few of them count only where more came before."""
    words = _SEPARATORS.split(line.strip())
    if not all(map(_DIGITS.fullmatch, words)):
        return b""
    if _BETWEEN_BYTES.search(line) and any(len(word) != 2 for word in words):
        # A date, a time, a UUID.
        return b""
    digits = "".join(word.removeprefix("0x") for word in words)
    if len(digits) % 2 or len(digits) < (2 if goes_on else 8):
        return b""
    # Words of letters alone are words, and a few numbers are a date.
    if not any(map(str.isdigit, digits)) and not goes_on:
        return b""
    return bytes.fromhex(digits)


def _in_json(line: str) -> bytes:
    """Return the bytes of a line that decode or trace printed with --json --hex."""
    match = _JSON.search(line)
    return bytes.fromhex(match[1]) if match is not None and line.startswith("{") else b""


def _escaped(line: str) -> bytes:
    """Return the bytes of a line's quoted strings, or of what stands there alone, with escapes."""
    if "\\" not in line:
        return b""
    texts = [match["double"] or match["single"] or "" for match in strings(line)]
    texts = [text for text in texts if "\\x" in text or "\\0" in text]
    texts = texts or [match.group() for match in _BARE_ESCAPES.finditer(line)]
    return b"".join(map(unescape, texts))
