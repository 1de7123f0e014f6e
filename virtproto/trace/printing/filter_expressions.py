"""Which messages are wanted: the expressions of ``--filter``.

Responsible for reading expressions, and for keeping replies with their calls. Must not know how
messages are printed.

An expression is made of tests with ``and``, ``or``, ``not`` and parentheses. Tests are:

* a procedure: part of a name, or a whole name with ``*`` and ``?``, of another program as
  ``qemu:*``; ``#212`` by number;
* what it is: call, reply, event, stream (all of data, end, hole, finish, abort), keepalive (ping,
  pong); ok, error, odd; who sends it: client, daemon;
* a number: latency, size, serial, conversation, in_flight, fds, error (a code or its name), with
  ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``; times as 10ms, sizes as 64K;
* ``~ text``: the fields have that text somewhere.

A reply, and what passes on a stream, is kept with its call; a call with a reply that is wanted for
itself, as one that is an error or late is. What only a reply can tell is not known of a call until
then. An expression that says call, reply, client or daemon, or for streams any of their words, is
taken at its word instead.
"""

from __future__ import annotations

import operator
import re
from fnmatch import fnmatchcase

from virtproto.errors import UsageError
from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.printing.lines import fields_text
from virtproto.wire import load_contract
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR, MESSAGE_STATUS_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from virtproto.trace.message import TracedMessage

    # None is for what is not known yet: of a call, what its reply will be.
    Test = Callable[[TracedMessage], bool | None]

__all__ = ["Filter"]

_TOKEN = re.compile(
    r"""\s*(?:(&&|\|\||[()~]|[<>!=]=|[<>=!])|"([^"]*)"|'([^']*)'|([^\s()<>=!~"'&|]+))"""
)
_COMPARISONS = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_JOINS = {"&&": "and", "||": "or", "!": "not"}
_STREAM = (kinds.DATA, kinds.END, kinds.HOLE, kinds.FINISH, kinds.ABORT)
_KINDS: dict[str, tuple[str, ...]] = {
    "call": (kinds.CALL,),
    "reply": (kinds.REPLY,),
    "event": (kinds.EVENT,),
    "stream": _STREAM,
    **{kind: (kind,) for kind in _STREAM},
    "keepalive": (kinds.PING, kinds.PONG),
    "ping": (kinds.PING,),
    "pong": (kinds.PONG,),
}
_VALUES: dict[str, Callable[[TracedMessage], float | None]] = {
    "latency": lambda message: message.latency_s,
    "size": lambda message: message.size,
    "serial": lambda message: message.packet.serial,
    "conversation": lambda message: message.conversation,
    "in_flight": lambda message: message.in_flight,
    "fds": lambda message: message.packet.nfds,
    "error": lambda message: _error_code(message),
}
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "": 1.0, "b": 1.0}
_UNITS |= {"k": 1024.0, "kib": 1024.0, "m": 1024.0**2, "mib": 1024.0**2, "g": 1024.0**3}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-zµ]*)", re.IGNORECASE)
_DEEPEST = 50
_THERE_IS = (
    "there are names of procedures (DOMAIN_*, qemu:*), "
    f"{', '.join(_KINDS)}, ok, error, odd, client, daemon, "
    f"{', '.join(name for name in _VALUES if name != 'error')} with < <= = != >= >, ~ TEXT, "
    "and, or, not, ( )"
)


class Filter:
    """An expression, such as ``DOMAIN_* and latency > 10ms``, read."""

    def __init__(self, text: str) -> None:
        """Read an expression. Raises UsageError that says where it is wrong and what there is."""
        self.text = text
        reader = _Reader(text)
        self._test = reader.expression()
        # Whether replies are kept with their calls, and what passes on streams.
        self._pairs = not reader.says_sides
        self._pairs_streams = self._pairs and not reader.says_streams

    def wants(self, message: TracedMessage) -> bool:
        """Tell whether a message is to be shown: for itself, or because of its call."""
        if self._test(message):
            return True
        call = self._call_of(message)
        return call is not None and bool(self._test(call))

    def pick(self, message: TracedMessage) -> list[TracedMessage]:
        """Return what is to be shown now that a message has come, in order.

        Before a reply that is wanted for itself there is its call, which was not shown.
        """
        call = self._call_of(message)
        if call is None:
            return [message] if self._test(message) else []
        if self._test(call):
            return [message]
        if not self._test(message):
            return []
        return [call, message] if message.kind is kinds.REPLY else [message]

    def _call_of(self, message: TracedMessage) -> TracedMessage | None:
        """Return the call that a message is kept with, if any."""
        together = self._pairs if message.kind is kinds.REPLY else self._pairs_streams
        return message.call if together else None


class _Reader:
    """Reads one expression by recursive descent."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self.says_sides = False
        self.says_streams = False

    def expression(self) -> Test:
        test = self._either(0)
        if self._next < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._next][0]!r} was not expected")
        return test

    def _wrong(self, reason: str) -> UsageError:
        return UsageError(f"--filter: {reason} in {self._text!r}; {_THERE_IS}")

    def _peek(self) -> str:
        """Return the next token in small letters, "" at the end and for a quoted text."""
        if self._next >= len(self._tokens):
            return ""
        token, quoted = self._tokens[self._next]
        return "" if quoted else _JOINS.get(token, token.lower())

    def _take(self, after: str) -> tuple[str, bool]:
        if self._next >= len(self._tokens):
            if not self._tokens:
                raise UsageError(f"--filter: the expression is empty; {_THERE_IS}")
            raise self._wrong(f"something is missing after {after}")
        self._next += 1
        return self._tokens[self._next - 1]

    def _either(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise UsageError("--filter: more parentheses than anybody can read")
        tests = [self._both(depth)]
        while self._peek() == "or":
            self._next += 1
            tests.append(self._both(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda message: _any(test(message) for test in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._single(depth)]
        while self._peek() == "and":
            self._next += 1
            tests.append(self._single(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda message: _all(test(message) for test in tests)

    def _single(self, depth: int) -> Test:
        turned = False
        while self._peek() == "not":
            self._next += 1
            turned = not turned
        test = self._test(depth)
        return _not(test) if turned else test

    def _test(self, depth: int) -> Test:
        token, quoted = self._take("the last word" if self._next else "--filter")
        word = token.lower()
        if quoted:
            raise self._wrong(f"{token!r} stands alone: fields that have a text are ~ {token!r}")
        if word == "(":
            test = self._either(depth + 1)
            if self._peek() != ")":
                raise self._wrong("a parenthesis is not closed")
            self._next += 1
            return test
        if word == "~":
            return _has_text(self._take("~")[0])
        if word in _VALUES and self._peek() in _COMPARISONS:
            return self._comparison(word)
        if word in _WORDS:
            self.says_sides = self.says_sides or word in _SIDES
            return _WORDS[word]
        if word in _KINDS:
            wanted = _KINDS[word]
            self.says_sides = self.says_sides or word in _SIDES
            self.says_streams = self.says_streams or wanted[0] in _STREAM
            return lambda message: message.kind in wanted
        if word in _VALUES:
            raise self._wrong(f"{token} has to be compared, as in {token} > 10")
        if not re.match(r"[\w*?#:\[]", word) or word in ("and", "or"):
            raise self._wrong(f"{token!r} was not expected")
        return self._procedure(token)

    def _comparison(self, word: str) -> Test:
        sign = self._peek()
        self._next += 1
        compare, value_of = _COMPARISONS[sign], _VALUES[word]
        limit = self._limit(word, self._take(f"{word} {sign}")[0])

        def test(message: TracedMessage) -> bool | None:
            value = value_of(message)
            if value is None:
                return None if message.kind is kinds.CALL and word in _OF_REPLIES else False
            return bool(compare(value, limit))

        return test

    def _limit(self, word: str, text: str) -> float:
        if word == "error":
            code = _error_codes().get(text.upper().removeprefix("VIR_ERR_"))
            if code is not None:
                return code
        found = _NUMBER.fullmatch(text)
        unit = found.group(2).lower() if found is not None else ""
        timed = unit in ("us", "µs", "ms", "s", "min")
        if found is None or unit not in _UNITS or (unit and timed != (word == "latency")):
            example = {"latency": "10ms", "size": "64K", "error": "NO_DOMAIN"}.get(word, "3")
            raise UsageError(f"--filter: {word}: expected a number such as {example}, not {text!r}")
        return float(found.group(1)) * _UNITS[unit]

    def _procedure(self, text: str) -> Test:
        program, mark, name = text.rpartition(":")
        if name.startswith("#") and name[1:].isdecimal():
            number = int(name[1:])
            return lambda message: (
                message.packet.procedure == number and (not mark or message.program == program)
            )
        wanted = _matching(program.lower(), name.upper())
        if not wanted:
            raise self._wrong(f"no procedure matches {text!r}")
        return lambda message: (message.packet.program, message.packet.procedure) in wanted


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Return the words and signs of an expression, each with whether it was quoted."""
    tokens = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise UsageError(f"--filter: {text[at:].strip()[:20]!r} cannot be read; {_THERE_IS}")
        sign, double, single, word = found.groups()
        quoted = double if double is not None else single
        tokens.append((sign or word, False) if quoted is None else (quoted, True))
        at = found.end()
    return tokens


def _matching(program: str, pattern: str) -> frozenset[tuple[int, int]]:
    """Return the numbers of the procedures that a pattern means."""
    spelled, mark, rest = pattern.partition("_PROC_")
    contract = load_contract()
    if mark and spelled.lower() in contract.programs:
        program, pattern = spelled.lower(), rest
    if not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"
    return frozenset(
        (number, row[0])
        for name, (number, _version, rows) in contract.programs.items()
        for row in rows
        if (not program or fnmatchcase(name, program)) and fnmatchcase(row[1], pattern)
    )


def _has_text(text: str) -> Test:
    return lambda message: message.type_name is not None and text in fields_text(message)


def _error_code(message: TracedMessage) -> int | None:
    if message.type_name != ERROR_TYPE:
        return None
    plain = contents(message).plain
    code = plain.get("code") if isinstance(plain, dict) else None
    return code if isinstance(code, int) else None


def _error_codes() -> dict[str, int]:
    from virtproto.constants.enums import ENUMS

    return ENUMS["ErrorNumber"][3]


def _is_ok(message: TracedMessage) -> bool | None:
    if message.kind is kinds.CALL:
        return None
    return message.kind is kinds.REPLY and message.packet.status == MESSAGE_STATUS_OK


def _is_error(message: TracedMessage) -> bool | None:
    if message.kind is kinds.CALL:
        return None
    answers = message.kind in (kinds.REPLY, kinds.ABORT)
    return answers and message.packet.status == MESSAGE_STATUS_ERROR


def _is_odd(message: TracedMessage) -> bool:
    return message.oddity is not None or bool(contents(message).problems)


def _any(results: Iterable[bool | None]) -> bool | None:
    """Return True if any is, else None if any might be."""
    found: bool | None = False
    for result in results:
        if result:
            return True
        if result is None:
            found = None
    return found


def _all(results: Iterable[bool | None]) -> bool | None:
    """Return False if any is, else None if any might be."""
    found: bool | None = True
    for result in results:
        if result is None:
            found = None
        elif not result:
            return False
    return found


def _not(test: Test) -> Test:
    def turned(message: TracedMessage) -> bool | None:
        result = test(message)
        return None if result is None else not result

    return turned


_SIDES = ("call", "reply", "client", "daemon")
_OF_REPLIES = ("latency", "error")
_WORDS: dict[str, Test] = {
    "ok": _is_ok,
    "error": _is_error,
    "odd": _is_odd,
    "client": lambda message: message.from_client,
    "daemon": lambda message: not message.from_client,
}
