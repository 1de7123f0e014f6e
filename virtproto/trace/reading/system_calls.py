"""What a program wrote and read, out of strace's lines.

Responsible for one line at a time, and for calls that strace prints in two. Must not know what the
bytes are, nor how other texts show bytes.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SystemCalls", "strings", "unescape"]

_CALL = re.compile(
    r"\b(write|writev|send|sendto|sendmsg|sendmmsg|read|readv|recv|recvfrom|recvmsg|recvmmsg)"
    r"\((\d+)"
)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>")
# The number of the thread, where several are watched.
_THREAD = re.compile(r"(?:\[pid\s+)?(\d+)")
_LITERAL = re.compile(
    r'"(?P<double>(?:[^"\\]|\\.)*+)"(?P<cut>\.\.\.)?|\'(?P<single>(?:[^\'\\]|\\.)*+)\''
)
_QUOTE = re.compile("[\"']")
_RETURNED = re.compile(r"\)\s*=\s*(-?\d+)")
_ANY_CALL = re.compile(r"^.{0,60}?\b[a-z_0-9]+\(.*\)\s*=\s*(?:-?\d|0x|\?)")
_UNFINISHED = "<unfinished ...>"
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_SINGLE = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", "a": "\a", "b": "\b", "e": "\x1b"}
_MOST_UNFINISHED = 4096

_Found = tuple[str, bool, bytes, int]


class SystemCalls:
    """The lines of one text, in their order."""

    def __init__(self) -> None:
        # By thread and name: the descriptor, and what was written.
        self._unfinished: dict[tuple[str, str], tuple[str, bytes, bool]] = {}

    def read(self, line: str) -> _Found | None:
        """Return what a line says was written or read; None if it is no system call's.

        It is the descriptor, whether it was written, the bytes, and how many more there were that
        are not shown. A call that moved nothing, or is not one of these, has a descriptor of "".
        """
        call, resumed = _CALL.search(line), _RESUMED.search(line)
        if call is not None and '"' in line[call.end() :]:
            return self._begun(line, call)
        if call is not None and _UNFINISHED in line:
            self._remember(line, call[1], (call[2], b"", False))
            return _NOTHING
        if resumed is not None:
            return self._resumed(line, resumed)
        return _NOTHING if _ANY_CALL.match(line) else None

    def _begun(self, line: str, call: re.Match[str]) -> _Found:
        data, cut, end = _literals(line, call.end())
        wrote = call[1][0] in "ws"
        if _UNFINISHED in line:
            self._remember(line, call[1], (call[2], data, cut))
            return _NOTHING
        return _moved(call[2], wrote, data, cut, _RETURNED.search(line, end))

    def _resumed(self, line: str, resumed: re.Match[str]) -> _Found:
        name = resumed[1]
        before = self._unfinished.pop((_thread(line), name), None)
        if before is None:
            return _NOTHING
        descriptor, data, cut = before
        more, more_cut, end = _literals(line, resumed.end())
        returned = _RETURNED.search(line, end)
        return _moved(descriptor, name[0] in "ws", data + more, cut or more_cut, returned)

    def _remember(self, line: str, name: str, what: tuple[str, bytes, bool]) -> None:
        if len(self._unfinished) < _MOST_UNFINISHED:
            self._unfinished[_thread(line), name] = what


_NOTHING: _Found = ("", False, b"", 0)


def _thread(line: str) -> str:
    match = _THREAD.match(line)
    return match[1] if match is not None else ""


def _literals(line: str, start: int) -> tuple[bytes, bool, int]:
    """Return the bytes of a line's strings, whether the last was cut, and where it ends."""
    data, cut, end = b"", False, start
    for match in strings(line, start):
        data += unescape(match["double"] or "")
        cut, end = match["cut"] is not None, match.end()
    return data, cut, end


def strings(line: str, start: int = 0) -> Iterator[re.Match[str]]:
    """Yield the quoted strings in a line: groups double, single, cut.

    Quotes that nothing closes, as apostrophes are, begin none; each is looked for once.
    """
    open_ended: set[str] = set()
    while (quote := _QUOTE.search(line, start)) is not None:
        start = quote.end()
        if quote[0] not in open_ended:
            match = _LITERAL.match(line, quote.start())
            if match is None:
                open_ended.add(quote[0])
            else:
                yield match
                start = match.end()


def _moved(
    descriptor: str, wrote: bool, data: bytes, cut: bool, returned: re.Match[str] | None
) -> _Found:
    size = int(returned[1]) if returned is not None else len(data)
    if size <= 0:
        return _NOTHING
    return descriptor, wrote, data[:size], max(size - len(data), 0) if cut else 0


def unescape(text: str) -> bytes:
    """Return the bytes of a string with C's escapes; each character is one byte."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        return _SINGLE.get(code, code)

    return _ESCAPE.sub(one, text).encode("latin-1")
