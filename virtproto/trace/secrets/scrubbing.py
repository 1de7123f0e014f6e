"""Passwords and the like inside of texts: XML, JSON, options of programs, URIs, words of errors.

Responsible for finding them by the names they stand behind, also in texts that are cut or wrong,
where rather too much is taken than too little. Must not know what a text belongs to.

Everything works on bytes in one pass: `spans` says where secrets are, `scrub` puts SECRET there.
What is the name of a secret (a password, passphrase, cookie, token, credential or key) is one only
in front of a value: an attribute's or option's, a JSON member's, an element's content, or a quoted
word.
"""

from __future__ import annotations

import re
from functools import lru_cache

from virtproto.xdr.annotate import SECRET

TYPE_CHECKING = False
if TYPE_CHECKING:
    Span = tuple[int, int]

__all__ = ["has_hint", "is_secret_name", "scrub", "scrub_bytes", "spans"]

# All expressions are for text in small letters. What names have in common is looked for first, as
# that is quick, and an expression tells whether it is one.
_KEYS = b"|".join(
    b"(?<=%s%s)" % (word, between)
    for word in (b"secret", b"private", b"api", b"auth", b"access")
    for between in (b"", b"-", b"_")
)
_NAMES = {
    b"pass": re.compile(rb"pass(?:w(?:or)?d|[-_]?phrase)s?"),
    b"cookie": re.compile(rb"cookies?"),
    b"token": re.compile(rb"tokens?"),
    b"credential": re.compile(rb"credentials?"),
    b"psk": re.compile(rb"(?<![a-z])psks?"),
    b"key": re.compile(rb"(?:" + _KEYS + rb")keys?|(?<=:)key(?==)"),
}
_WHOLE_NAME = re.compile(b"(?:%s)\\Z" % b"|".join(name.pattern for name in _NAMES.values()))
# What QEMU calls the content of its objects of the kind "secret".
_DATA = b"data"
_SECRET_OBJECT = b"secret"
_OBJECT_SIZE = 300
_NAMES[_DATA] = re.compile(rb"(?<![a-z0-9])data(?=\\*+[\"']?+\s*+[=:])")

# What stands between a name and its value. Whole runs of spaces are taken at once, so that none of
# this takes more than linear time. A quote that closes a JSON member's name may be escaped.
_CLOSED = rb"\\*+(?:[\"']|&(?:amp;)*+(?:quot|apos|#0*+3[49]|#x0*+2[27]);)?+"
_ASSIGNED = re.compile(_CLOSED + rb"\s*+[=:]\s*+")
_SAID = re.compile(
    rb"\s++(?:(?:is|was|to)\s++)?+(?=\\*[\"']|&(?:amp;)*+(?:quot|apos|#0*+3[49]|#x0*+2[27]);)"
)
_PAIRED = re.compile(_CLOSED + rb"\s*+,?+\s*+\\*+[\"']?+value\\*+[\"']?+\s*+[=:]\s*+")
_LISTED = re.compile(_CLOSED + rb"\s*+,?+\s*+")
_HELD = re.compile(rb"\\*+[\"']\s*+>")

# How a value begins, and how long one without quotes is.
_QUOTE = re.compile(rb"(\\*+)[\"']")
_ENTITY = re.compile(rb"&(?:amp;)*+(?:quot|apos|#0*+3[49]|#x0*+2[27]);")
_BARE = re.compile(rb"[^\s\"'<>]*+")
_REST = {
    b'"': re.compile(rb"(?:[^\"\\]|\\.)*+", re.DOTALL),
    b"'": re.compile(rb"(?:[^'\\]|\\.)*+", re.DOTALL),
}
_NESTING = re.compile(rb"\"(?:[^\"\\]|\\.)*+\"?+|[\[\]{}]", re.DOTALL)

# The rest of an element's tag, its attributes, and those that only say what it is.
_TAG = re.compile(rb"(?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*+>")
_ATTRIBUTE = re.compile(rb"([\w.:-]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')")
_TELLING = frozenset((b"name", b"type", b"uuid", b"usage", b"id", b"path", b"domain", b"file"))
_QUALIFIER = re.compile(rb"<[\w.:-]*+\Z")
_LONGEST_QUALIFIER = 64

# Secrets that have no such name: passwords in URIs, private keys, and what an entity of XML, which
# may stand for a password, is declared to be.
_IN_URI = re.compile(rb"://[^\s/:@\"'<>]{0,128}+:([^\s/\"'<>]{1,256})@")
_DECLARED = re.compile(
    rb"<!entity\s++(?:%\s++)?+[^\s<>\"']++\s++(?:[a-z]++\s++)?+[\"']([^\"'<>]*+)"
)
_PEM = re.compile(rb"-----begin [a-z ]{0,40}private key-----(.*?)(?:-----end|\Z)", re.DOTALL)
_UNNAMED = (_IN_URI, _DECLARED, _PEM)


def has_hint(raw: bytes) -> bool:
    """Tell quickly whether `spans` may find anything in ``raw``, or in a part of it."""
    low = raw.lower()
    if any(_names(low, stem, most=1) for stem in _NAMES):
        return True
    return any(each.search(low) is not None for each in _UNNAMED)


def _names(low: bytes, stem: bytes, most: int = 0) -> list[Span]:
    """Return where names of secrets are that begin with ``stem``; at most so many, 0 for all."""
    found: list[Span] = []
    name = _NAMES[stem]
    at = low.find(stem)
    while at >= 0:
        match = name.match(low, at)
        if match is not None and (stem is not _DATA or _in_object(low, at)):
            found.append(match.span())
            if len(found) == most:
                break
        at = low.find(stem, at + len(stem))
    return found


def _in_object(low: bytes, at: int) -> bool:
    """Tell whether an object is called secret not far in front of ``at``."""
    return low.rfind(_SECRET_OBJECT, max(0, at - _OBJECT_SIZE), at) >= 0


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a value of this name is a secret by what the name says."""
    return _WHOLE_NAME.search(name.lower().encode("utf-8", "surrogateescape")) is not None


def scrub(text: str, known: tuple[bytes, ...] = ()) -> str:
    """Return ``text`` with SECRET in place of each secret, and of those already ``known``."""
    raw = text.encode("utf-8", "surrogateescape")
    clean = scrub_bytes(raw, known)
    return text if clean is raw else clean.decode("utf-8", "surrogateescape")


def scrub_bytes(raw: bytes, known: tuple[bytes, ...] = ()) -> bytes:
    """Return ``raw`` with SECRET in place of each secret, itself where there is none."""
    found = spans(raw, known)
    if not found:
        return raw
    pieces: list[bytes] = []
    end = 0
    for start, stop in found:
        pieces += (raw[end:start], SECRET.encode())
        end = stop
    return b"".join((*pieces, raw[end:]))


def spans(raw: bytes, known: tuple[bytes, ...] = ()) -> list[Span]:
    """Return where secrets are in ``raw``, as (start, stop), in order; none is empty.

    ``known`` are secrets that were said before: they are found wherever they occur.
    """
    found = [span for each in known for span in _occurrences(raw, each)]
    low = raw.lower()
    position = 0
    for start, stop in sorted(span for stem in _NAMES for span in _names(low, stem)):
        # One that is inside of a value was hidden with it.
        if start >= position:
            position = _behind(low, start, stop, found)
    found += (match.span(1) for each in _UNNAMED for match in each.finditer(low))
    return _joined(found)


def _occurrences(raw: bytes, secret: bytes) -> list[Span]:
    found = []
    at = raw.find(secret)
    while at >= 0:
        found.append((at, at + len(secret)))
        at = raw.find(secret, at + len(secret))
    return found


def _joined(found: list[Span]) -> list[Span]:
    """Return spans in order, those that meet as one."""
    joined: list[Span] = []
    for start, stop in sorted(found):
        if stop <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _behind(low: bytes, start: int, end: int, found: list[Span]) -> int:
    """Find the secret behind the name at ``start`` to ``end``; return where to go on."""
    if low[end : end + 1] in (b"", b" ", b"\t", b"\r", b"\n", b"/", b">"):
        opened = _QUALIFIER.search(low, max(0, start - _LONGEST_QUALIFIER), start)
        if opened is not None:
            return _element(low, low[opened.start() + 1 : end], end, found)
    between = _ASSIGNED.match(low, end) or _SAID.match(low, end) or _PAIRED.match(low, end)
    if between is None and low[start - 1 : start] == b"-":
        between = _LISTED.match(low, end)
    if between is not None:
        value, stop = _value(low, between.end())
        found.append((value, stop))
        return stop
    held = _HELD.match(low, end)
    if held is not None:
        stop = _until(low, b"<", held.end())
        found.append((held.end(), stop))
        return stop
    return end


def _until(low: bytes, mark: bytes, start: int) -> int:
    """Return where ``mark`` is next, or the end."""
    at = low.find(mark, start)
    return len(low) if at < 0 else at


def _value(low: bytes, start: int) -> Span:
    """Return where the value at ``start`` is, quotes and brackets excluded."""
    quote = _QUOTE.match(low, start)
    if quote is not None:
        return quote.end(), _closing(low, quote)
    entity = _ENTITY.match(low, start)
    if entity is not None:
        return entity.end(), _until(low, entity[0], entity.end())
    if low[start : start + 1] in (b"[", b"{"):
        depth = 0
        for each in _NESTING.finditer(low, start):
            depth += 1 if each[0] in b"[{" else -1 if each[0] in b"]}" else 0
            if depth == 0:
                return start + 1, each.start()
        return start + 1, len(low)
    bare = _BARE.match(low, start)
    return start, start if bare is None else bare.end()


def _closing(low: bytes, quote: re.Match[bytes]) -> int:
    """Return where the value ends that ``quote`` opens: at the same quote, as much escaped."""
    mark = quote[0]
    if not quote[1]:
        rest = _REST[mark].match(low, quote.end())
        return len(low) if rest is None else rest.end()
    at = low.find(mark, quote.end())
    while at >= 0 and low[at - 1 : at] == b"\\":
        at = low.find(mark, at + len(mark))
    return len(low) if at < 0 else at


def _element(low: bytes, name: bytes, end: int, found: list[Span]) -> int:
    """Find the content of the element ``name``, and what its attributes say; ``end`` is its."""
    tag = _TAG.match(low, end)
    if tag is None:
        # Cut, or no XML: whatever comes until it is closed.
        stop = _until(low, b"</" + name, end)
        found.append((end + 1, stop))
        return stop
    for attribute in _ATTRIBUTE.finditer(low, end, tag.end()):
        if attribute[1].rpartition(b":")[2] not in _TELLING:
            found.append(attribute.span(3 if attribute[2] is None else 2))
    start = tag.end()
    if tag[0].endswith(b"/>"):
        return start
    # An element of many, such as <cookies>, holds others that are looked at one by one.
    stop = _until(low, b"<" if name.endswith(b"s") else b"</" + name, start)
    if low[start:stop].strip():
        found.append((start, stop))
        return stop
    return start
