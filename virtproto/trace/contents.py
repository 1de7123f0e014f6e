"""What a message holds, as plain values: without its secrets, unless they are asked for.

Responsible for choosing how a payload is read: by the fast codec where it is sound, field by field
where it is damaged, so that what could be read is told, and where it stopped. Must not know how
values are printed.
"""

from __future__ import annotations

from struct import error as StructError

from virtproto.errors import ProtocolError
from virtproto.trace.damaged_contents import read_as_far
from virtproto.trace.secrets.masking import is_sensitive, secrets_of_call
from virtproto.trace.secrets.places import damage_offset, is_markup
from virtproto.trace.secrets.plans import (
    COOKIE,
    FIXED,
    MARKED,
    PARAMETER,
    PLAIN,
    STRUCT,
    TEXT,
    UNION,
    VARIABLE,
    hides_parameter,
    message_class,
    plan_of,
)
from virtproto.trace.secrets.scrubbing import scrub, scrub_bytes
from virtproto.xdr.annotate import SECRET, Problem
from virtproto.xdr.typedparams import TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.secrets.plans import Part, Plan
    from virtproto.xdr.message import Message

__all__ = ["SECRET", "Contents", "contents", "message_class"]

# What generated code raises for bytes that do not fit.
_UNREADABLE = (AttributeError, OverflowError, ProtocolError, StructError, TypeError, ValueError)


class Contents:
    """The payload of one message.

    ``plain`` are dicts, lists and scalars, keyed by the names in the .x files, bytes as bytes;
    None where there is no type for it, or nothing could be read. What is secret is SECRET instead,
    or has it inside a text; ``elided`` tells that there was something. ``problems`` are what is
    wrong with the payload, with offsets in it. ``counts`` are the lists that ``plain`` has only the
    beginning of: how many elements there are, by the path of the list.
    """

    __slots__ = ("counts", "elided", "plain", "problems")

    def __init__(
        self,
        plain: Any = None,
        problems: list[Problem] | None = None,
        *,
        elided: bool = False,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.plain = plain
        self.problems = [] if problems is None else problems
        self.elided = elided
        self.counts = {} if counts is None else counts


def contents(
    message: TracedMessage, *, show_secrets: bool = False, limit: int | None = None
) -> Contents:
    """Return what the payload of ``message`` holds; never raises for what that is.

    At most ``limit`` elements of each list are told, None for all. What was masked when it was
    recorded is SECRET also with ``show_secrets``. Where a payload is damaged that may hold secrets,
    nothing of it is told but where it cannot be read: nobody knows where they are.
    """
    payload = message.packet.payload
    found = message_class(message)
    if found is None:
        return Contents(elided=message.masked and bool(payload))
    hide = message.masked or not show_secrets
    try:
        value, end = found._unpack(payload, 0)
    except _UNREADABLE:
        return _damaged(message, hide, limit)
    if end > len(payload):
        return _damaged(message, hide, limit)
    plan = plan_of(message)
    assert plan is not None
    problems = []
    if end < len(payload):
        problems.append(Problem(end, "", f"{len(payload) - end} bytes after the end", legal=True))
    known: tuple[bytes, ...] = ()
    sensitive = False
    if hide and (plan.certain or plan.texts):
        known = secrets_of_call(message)
        sensitive = is_sensitive(plan, payload, known)
    if sensitive and damage_offset(plan, payload) != len(payload):
        return _damaged(message, hide, limit)
    teller = _Reader(limit, hide=hide, texts=sensitive, known=known)
    plain = teller.struct(value, plan, "")
    return Contents(plain, problems, elided=teller.elided, counts=teller.counts)


def _may_be_anywhere(message: TracedMessage) -> bool:
    """Tell whether a payload that is not what it should be may hold secrets, nobody knows where."""
    plan = plan_of(message)
    known = secrets_of_call(message)
    return message.masked or plan is None or is_sensitive(plan, message.packet.payload, known)


def _damaged(message: TracedMessage, hide: bool, limit: int | None) -> Contents:
    """Return what can be told of a payload that cannot be read."""
    plan = plan_of(message)
    assert plan is not None
    if hide and _may_be_anywhere(message):
        # Numbers that were read amiss, in a path or a reason, would be part of a secret as well.
        where = 0 if message.masked else damage_offset(plan, message.packet.payload)
        reason = "overwritten" if message.masked else "what may be secret cannot be read"
        return Contents(problems=[Problem(where, "", reason, fatal=True)], elided=True)
    plain, problems, counts = read_as_far(plan, message.packet.payload, limit)
    return Contents(plain, problems, counts=counts)


class _Reader:
    """From one message to its plain form; ``texts`` says that there are secrets to be found."""

    def __init__(
        self, limit: int | None, *, hide: bool, texts: bool, known: tuple[bytes, ...]
    ) -> None:
        self.limit = limit
        self.hide = hide
        self.texts = texts
        self.known = known
        self.elided = False
        self.counts: dict[str, int] = {}

    def struct(self, value: Message, plan: Plan, path: str) -> dict[str, Any]:
        if plan.getter is not None and (plan.is_plain or not self.texts):
            return dict(zip(plan.names, plan.getter(value), strict=True))
        plain = {}
        for part in plan.parts:
            item = getattr(value, part.attribute)
            if part.kind != PLAIN or part.shape == VARIABLE:
                item = self._part(item, part, f"{path}.{part.name}" if path else part.name)
            plain[part.name] = item
        return plain

    def _part(self, item: Any, part: Part, path: str) -> Any:
        if item is None:
            return None
        if part.shape != VARIABLE and part.shape != FIXED:
            return self._one(item, part, path)
        if type(item) is TypedParams:
            return self._parameters(item, path)
        if self.limit is not None and len(item) > self.limit:
            self.counts[path] = len(item)
            item = item[: self.limit]
        if part.kind == PLAIN or (part.kind == TEXT and not self.texts):
            return list(item)
        return [self._one(each, part, f"{path}[{index}]") for index, each in enumerate(item)]

    def _one(self, item: Any, part: Part, path: str) -> Any:
        kind = part.kind
        if kind == STRUCT and part.plan is not None:
            return self.struct(item, part.plan, path)
        if kind == TEXT:
            return self._text(item) if self.texts else item
        if kind == PARAMETER:
            value = self._value(item.field, item.value.value)
            return {"field": item.field, "value": {"type": item.value.type, "value": value}}
        if kind == UNION:
            return {"type": item.type, "value": self._value("", item.value)}
        if not self.hide or kind == PLAIN or not item:
            return item
        if kind == MARKED and is_markup(item.encode("utf-8", "surrogateescape")):
            return self._text(item)
        if kind == COOKIE and is_markup(item) and b"<domain" not in item:
            clean = scrub_bytes(item)
            self.elided |= clean is not item
            return clean
        self.elided = True
        return SECRET

    def _text(self, item: str) -> str:
        clean = scrub(item, self.known)
        self.elided |= clean is not item
        return clean

    def _parameters(self, item: TypedParams, path: str) -> list[dict[str, Any]]:
        names, types, values = item.names, item.types, item.values
        if self.limit is not None and len(values) > self.limit:
            self.counts[path] = len(values)
            values = values[: self.limit]
        if self.texts:
            values = tuple(map(self._value, names, values))
        # Names and types of what is not told are left over.
        rows = zip(names, types, values, strict=False)
        return [{"field": n, "value": {"type": t, "value": v}} for n, t, v in rows]

    def _value(self, name: str, value: Any) -> Any:
        """Return the value of a typed parameter as it may be told."""
        if not self.texts or value == "":
            return value
        if hides_parameter(name):
            self.elided = True
            return SECRET
        return self._text(value) if type(value) is str else value
