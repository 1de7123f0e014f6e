"""What a message holds, as plain values: without its secrets, unless they are asked for.

Responsible for choosing how a payload is read: by the fast codec where it is sound, field by field
where it is damaged, so that what could be read is told, and where it stopped. Must not know how
values are printed.
"""

from __future__ import annotations

from virtproto.errors import DecodeError
from virtproto.trace.following import ERROR_TYPE
from virtproto.wire import find_procedure
from virtproto.xdr.annotate import SECRET, Problem
from virtproto.xdr.message import Message
from virtproto.xdr.typedparams import TypedParams, is_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.trace.message import TracedMessage

__all__ = ["SECRET", "Contents", "contents"]


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
    recorded is SECRET also with ``show_secrets``.
    """
    if message.type_name is None:
        return Contents()
    found = message_class(message)
    if found is None:
        return Contents()
    try:
        value, error = found.unpack(message.packet.payload), None
    except DecodeError as caught:
        error = caught
    if error is not None:
        problem = Problem(error.offset or 0, error.path or "", error.reason, fatal=True)
        return Contents(None, [problem])
    walker = _Walker(limit, show_secrets and not message.masked)
    plain = walker.plain(value, "")
    return Contents(plain, elided=walker.elided, counts=walker.counts)


def message_class(message: TracedMessage) -> type[Message] | None:
    """Return the class of a message's payload, None where there is none."""
    name = message.type_name
    if name is None:
        return None
    if name == ERROR_TYPE:
        from virtproto.wire import remote

        return remote.Error
    if name == "virNetStreamHole":
        from virtproto.wire import rpc

        return rpc.StreamHole
    procedure = find_procedure(message.packet.program, message.packet.procedure)
    for found in (procedure.args, procedure.ret, procedure.msg):
        if found is not None and name == found.XDR_NAME:
            return found
    return None


class _Walker:
    def __init__(self, limit: int | None, show_secrets: bool) -> None:
        self.limit = limit
        self.show_secrets = show_secrets
        self.elided = False
        self.counts: dict[str, int] = {}

    def plain(self, value: Any, path: str) -> Any:
        if isinstance(value, Message):
            return {name.rstrip("_"): self._field(value, name, path) for name in value.__slots__}
        if isinstance(value, TypedParams):
            return [
                {"field": p[0], "value": {"type": p[1], "value": self._parameter(p[0], p[2])}}
                for p in self._cut(value, path)
            ]
        if isinstance(value, list):
            kept = self._cut(value, path)
            return [self.plain(each, f"{path}[{index}]") for index, each in enumerate(kept)]
        return value

    def _cut(self, items: Any, path: str) -> Any:
        if self.limit is None or len(items) <= self.limit:
            return items
        self.counts[path] = len(items)
        return items[: self.limit]

    def _field(self, value: Message, name: str, path: str) -> Any:
        if name in value.SECRET_FIELDS and not self.show_secrets:
            self.elided = True
            return SECRET
        return self.plain(getattr(value, name), f"{path}.{name}" if path else name)

    def _parameter(self, name: str, value: Any) -> Any:
        if self.show_secrets or not is_secret(name):
            return value
        self.elided = True
        return SECRET
