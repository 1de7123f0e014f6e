"""Secrets overwritten in payloads, for what is written down and may be passed on.

Responsible for keeping sizes, counts and all else as they are, so that what is masked still
decodes, and for overwriting everything where nobody can know what is secret. Must not know how a
payload was overheard, or where it goes.
"""

from __future__ import annotations

import re

from virtproto.trace import message as kinds
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.looks import is_protected
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import BYTES, MASKED, PACKET, Record
from virtproto.trace.secrets.places import Damaged, Places, find_places
from virtproto.trace.secrets.plans import plan_of
from virtproto.trace.secrets.scrubbing import has_hint, spans
from virtproto.wire import load_contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.secrets.plans import Plan
    from virtproto.trace.telling import Told

__all__ = ["is_sensitive", "mask", "mask_record", "masked_places", "mask_bytes", "secrets_of_call"]

_MARK = b"x"
_NARROW_MARK = b"\0\0\0x"

# What is shorter is not looked for in an error's words: it would be found in most of them.
_SHORTEST = 3

# What XML writes otherwise.
_MARKUP = re.compile(rb"[&<>\"']")

_TEXTS = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")

# Enough to tell what bytes look like that are not libvirt's: a length word, or a magic number.
_BEGINNING = 4


def mask(message: TracedMessage) -> bytes | None:
    """Return the payload with its secrets overwritten by ``x``, None where nothing is secret.

    The size stays. What is sound still decodes, to the same but for the secrets. A payload whose
    type is not known, or that is damaged where secrets may be, is overwritten whole; a stream's
    data is nobody's but its user's, and stays.
    """
    places = _places(message)
    if places is None:
        return None
    masked = bytearray(message.packet.payload)
    for start, stop in places.secrets:
        masked[start:stop] = _MARK * (stop - start)
    for start, stop in places.narrow:
        masked[start:stop] = _NARROW_MARK * ((stop - start) // 4)
    return bytes(masked)


def masked_places(message: TracedMessage) -> list[tuple[int, int]]:
    """Return what `mask` overwrites, as (start, stop) in the payload."""
    places = _places(message)
    if places is None:
        return []
    # Of a word with one byte in it that byte.
    narrow = [(at + 3, at + 4) for span in places.narrow for at in range(*span, 4)]
    return places.secrets + narrow


def _places(message: TracedMessage) -> Places | None:
    payload = message.packet.payload
    if not payload or message.kind == kinds.DATA:
        return None
    plan = plan_of(message)
    whole = Places(len(payload))
    whole.secrets.append((0, len(payload)))
    if plan is None:
        return whole
    known = secrets_of_call(message)
    if not is_sensitive(plan, payload, known):
        return None
    try:
        places = find_places(plan, payload, known)
    except Damaged:
        return whole
    if places.end != len(payload):
        return whole
    return places if places.secrets or places.narrow else None


def mask_bytes(raw: bytes) -> bytes | None:
    """Return bytes that are no packet with all but their beginning overwritten.

    What they are nobody knows, so anything may be secret; None where TLS has protected them, or
    nothing is behind the beginning.
    """
    if is_protected(raw) or len(raw) <= _BEGINNING:
        return None
    return raw[:_BEGINNING] + _MARK * (len(raw) - _BEGINNING)


def mask_record(record: Record, told: Told | None) -> Record:
    """Return ``record`` as it may be written down: itself, or masked and marked so.

    ``told`` is what a Teller tells of a PACKET or BYTES.
    """
    if record.kind not in (PACKET, BYTES):
        return record
    if isinstance(told, TracedMessage):
        payload = mask(told)
        body = None if payload is None else record.body[: -len(payload)] + payload
    else:
        body = mask_bytes(record.body)
    if body is None:
        return record
    flags = record.flags | MASKED
    return Record(record.kind, flags, record.conversation, record.time_s, body)


def is_sensitive(plan: Plan, payload: bytes, known: tuple[bytes, ...] = ()) -> bool:
    """Tell whether a payload may hold secrets; looks at its bytes only where they may matter."""
    if plan.certain:
        return True
    if not plan.texts:
        return False
    if has_hint(payload) or any(each in payload for each in known):
        return True
    return any(name.encode() in payload for name in load_contract().secret_parameters)


def _as_markup(value: bytes) -> set[bytes]:
    """Return what a text is in XML, and what one out of XML means."""
    if not _MARKUP.search(value):
        return set()
    from html import escape, unescape

    text = value.decode("utf-8", "surrogateescape")
    written = escape(text, quote=False)
    quoted = written.replace('"', "&quot;").replace("'", "&apos;")
    forms = {unescape(text), written, quoted, escape(text)}
    return {form.encode("utf-8", "surrogateescape") for form in forms}


def secrets_of_call(message: TracedMessage) -> tuple[bytes, ...]:
    """Return the secrets of the call that an error answers, which the error may quote."""
    call = message.call
    if message.type_name != ERROR_TYPE or call is None or call.masked > message.masked:
        return ()
    plan = plan_of(call)
    payload = call.packet.payload
    if plan is None or not is_sensitive(plan, payload):
        return ()
    try:
        places = find_places(plan, payload)
    except Damaged:
        # Nobody knows where they are: whatever is a text may be one.
        return tuple(sorted(set(_TEXTS.findall(payload)), key=len, reverse=True))
    values = {payload[start:stop] for start, stop in places.secrets}
    values |= {payload[start + 3 : stop : 4] for start, stop in places.narrow}
    # An agent's command is secret as a whole: of its parts those that say so are.
    values |= {value[one:two] for value in list(values) for one, two in spans(value)}
    # What quotes them may have read or written them as XML.
    values |= {form for value in list(values) for form in _as_markup(value)}
    return tuple(sorted((each for each in values if len(each) >= _SHORTEST), key=len, reverse=True))
