"""Each thing that was overheard as one JSON object, for programs.

Responsible for the keys, which are documented here and stay. Must not know who prints them.

Of every object: ``time`` (ISO 8601, UTC), ``elapsed_s`` (since the first that was overheard),
``conversation`` (from 1; 0 is none), ``kind``.

Of a message: ``from`` ("client" or "daemon"), ``number`` (its place in the conversation),
``program`` and ``procedure`` (the contract's names, null where it has none) with
``program_number``, ``procedure_number`` and ``version`` (of the program), ``type`` and ``status``
(words, or the numbers that have none), ``serial``, ``size`` (bytes of the packet), ``offset`` (in
the bytes of its direction), ``in_flight`` (calls without an answer once it has passed) and, where
there is one, ``fds`` (how many), ``latency_s`` (of a reply), ``fields`` (by the contract's names;
bytes as text, see `model.plain`), ``error`` (of a daemon's error: ``code``, ``name``, ``domain``,
``message``), ``left_out`` (bytes of the payload that were not kept), ``masked``, ``elided`` (true
where secrets are not shown), ``problems`` (each with ``offset`` in the packet, ``path``,
``reason``), ``oddity``, and with --hex ``bytes``. ``kind`` is call, reply, event, data, end, hole,
finish, abort (of streams), ping, pong or unknown.

Other kinds: "begin" has ``about``; "closed" has ``from``, ``last``, ``text`` and ``unanswered`` (a
list of calls: ``number``, ``serial``, ``program``, ``procedure``, ``waited_s``); "note" has
``text``, ``damage`` and, of bytes that are no packet, ``from``, ``offset`` and ``size``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import isfinite

from virtproto.model.plain import to_json
from virtproto.trace.contents import contents
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.naming import error_domain, error_number
from virtproto.trace.telling import Begin, End
from virtproto.wire import load_contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.trace.contents import Contents
    from virtproto.trace.telling import Note, Told

__all__ = ["STATUSES", "TYPES", "JSONLines"]

# By number, as the contract's virNetMessageType and virNetMessageStatus have them.
TYPES = ("call", "reply", "message", "stream", "call-with-fds", "reply-with-fds", "stream-hole")
STATUSES = ("ok", "error", "continue")


class JSONLines:
    """Makes the objects of one output; ``with_bytes`` adds each packet in hexadecimal."""

    def __init__(self, *, show_secrets: bool = False, with_bytes: bool = False) -> None:
        self._show_secrets = show_secrets
        self._with_bytes = with_bytes
        self._began_s: float | None = None
        # ISO 8601 of whole seconds, which most objects share with the one before.
        self._second = -1
        self._text = ""
        self._encode = json.JSONEncoder(
            separators=(",", ":"), default=_shown, allow_nan=False
        ).encode

    def count_from(self, time_s: float) -> None:
        """Tell times from this one on, not from the first object's."""
        self._began_s = time_s

    def line(self, told: Told) -> str:
        """Return the object as text, in ASCII, without a line end."""
        return self.text(self.object(told))

    def text(self, found: dict[str, Any]) -> str:
        """Return any object as text."""
        try:
            return self._encode(found)
        except ValueError:
            # JSON has no word for them; those on the wire are typed parameters.
            return self._encode(_finite(found))

    def object(self, told: Told) -> dict[str, Any]:
        """Return the object; what is in it is JSON's."""
        if isinstance(told, TracedMessage):
            return self._message(told)
        if isinstance(told, Begin):
            return {**self._head(told, "begin"), "about": told.about}
        if isinstance(told, End):
            return self._end(told)
        found = self._head(told, "note")
        found |= {"text": told.text, "damage": told.damage}
        if told.from_client is not None:
            found |= {"from": _from(told), "offset": told.offset, "size": told.size}
            if self._with_bytes and (self._show_secrets or not told.damage):
                found["bytes"] = told.data.hex()
        return found

    def _head(self, told: Told, kind: str) -> dict[str, Any]:
        time_s = told.time_s
        if self._began_s is None:
            self._began_s = time_s
        return {
            "time": self._iso(time_s),
            "elapsed_s": round(time_s - self._began_s, 6),
            "conversation": told.conversation,
            "kind": kind,
        }

    def _iso(self, time_s: float) -> str:
        micros = round(time_s * 1_000_000)
        second, rest = divmod(micros, 1_000_000)
        if second != self._second:
            try:
                self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            except (ValueError, OverflowError, OSError):
                # Of a damaged recording: no calendar has it.
                self._text = str(second)
            self._second = second
        return f"{self._text}.{rest:06}Z"

    def _message(self, message: TracedMessage) -> dict[str, Any]:
        packet = message.packet
        found = self._head(message, message.kind)
        found["from"] = _from(message)
        found["number"] = message.number
        found["program"] = message.program
        found["procedure"] = message.procedure
        found["program_number"] = packet.program
        found["procedure_number"] = packet.procedure
        found["version"] = packet.version
        found["type"] = _word(TYPES, packet.type)
        found["status"] = _word(STATUSES, packet.status)
        found["serial"] = packet.serial
        found["size"] = message.size
        found["offset"] = message.offset
        found["in_flight"] = message.in_flight
        if packet.nfds is not None:
            found["fds"] = packet.nfds
        if message.latency_s is not None:
            found["latency_s"] = round(message.latency_s, 6)
        if message.left_out:
            found["left_out"] = message.left_out
        if message.masked:
            found["masked"] = True
        if message.oddity is not None:
            found["oddity"] = message.oddity
        if message.type_name is not None:
            self._add_contents(found, message, message.type_name)
        if self._with_bytes:
            found["bytes"] = self._bytes(message)
        return found

    def _add_contents(self, found: dict[str, Any], message: TracedMessage, type_name: str) -> None:
        read: Contents = contents(message, show_secrets=self._show_secrets)
        plain = read.plain
        if plain is not None:
            found["fields"] = to_json(load_contract(), type_name, plain)
        if read.elided:
            found["elided"] = True
        if type_name == ERROR_TYPE and isinstance(plain, dict):
            code, domain = plain.get("code"), plain.get("domain")
            found["error"] = {
                "code": code,
                "name": error_number(code) if isinstance(code, int) else None,
                "domain": error_domain(domain) if isinstance(domain, int) else None,
                "message": plain.get("message"),
            }
        if read.problems:
            head = message.head_size
            found["problems"] = [
                {"offset": head + each.offset, "path": each.path, "reason": each.reason}
                for each in read.problems
            ]

    def _bytes(self, message: TracedMessage) -> str:
        from virtproto.trace.printing.as_hex import packet_bytes

        payload = None
        if not self._show_secrets:
            from virtproto.trace.secrets.masking import mask

            payload = mask(message)
        return packet_bytes(message, payload).hex()

    def _end(self, end: End) -> dict[str, Any]:
        found = self._head(end, "closed")
        found |= {"from": _from(end), "last": end.last, "text": end.text}
        found["unanswered"] = [
            {
                "number": call.number,
                "serial": call.packet.serial,
                "program": call.program,
                "procedure": call.procedure,
                "waited_s": round(end.time_s - call.time_s, 6),
            }
            for call in end.unanswered
        ]
        return found


def _from(told: TracedMessage | Note | End) -> str:
    return "client" if told.from_client else "daemon"


def _word(words: tuple[str, ...], number: int) -> str | int:
    return words[number] if 0 <= number < len(words) else number


def _shown(value: object) -> str:
    """Return what JSON has no word for: bytes of a payload that is damaged."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    """Return a value with what is no finite number as a text."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
