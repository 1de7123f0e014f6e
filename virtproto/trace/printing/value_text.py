"""Plain values as an engineer reads them in one line: short, in the contract's names, honest.

Responsible for spans, which are texts with the name of their style, and for stopping where a line
is full. What is left out is always marked. Must not know messages, colours or terminals.
"""

from __future__ import annotations

from virtproto.model.refs import uuid_to_text
from virtproto.model.screen_text import columns, cut, visible
from virtproto.xdr.annotate import SECRET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    # What an int is called: a set of flags or an enum (its members by value).
    Names = Mapping[str, "Naming"]
    Span = tuple[str, str]

__all__ = ["LineFull", "Naming", "SpanWriter", "counted", "duration", "shown_size"]

# What makes a field name one of a char array: bytes elsewhere are no text.
_TEXTS = frozenset({"data", "model", "doi", "label"})
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def duration(seconds: float) -> str:
    """Return a time in three figures: "87 µs", "1.23 ms", "12.3 s"; also one that is negative."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    value, unit = (seconds * 1e3, "ms") if seconds < 0.9995 else (seconds, "s")
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def counted(count: int, what: str) -> str:
    """Return "1 call", "2 calls"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def shown_size(count: float) -> str:
    """Return bytes in three figures or so: "731 B", "1.5 KiB", "256 MiB"."""
    if count < 1024:
        return f"{count:.0f} B"
    power = 0
    while count >= 1023.5 and power < len(_UNITS):
        count /= 1024
        power += 1
    return f"{count:.{1 if count < 99.95 else 0}f} {_UNITS[power - 1]}"


class Naming:
    """How the values of a field are called: ``members`` by value, combined if ``flags``."""

    __slots__ = ("flags", "members")

    def __init__(self, members: Mapping[int, str], *, flags: bool) -> None:
        self.members = members
        self.flags = flags

    def text(self, value: int) -> str:
        """Return "RUNNING" or "LIVE|CONFIG"; what has no name stays a number."""
        name = self.members.get(value)
        if name is not None:
            return name
        if not self.flags or value <= 0:
            return str(value)
        names = []
        for bit, name in self.members.items():
            if bit and value & bit == bit:
                names.append(name)
                value &= ~bit
        if value or not names:
            names.append(hex(value))
        return "|".join(names)


class LineFull(Exception):
    """The line has no room for more; what is there ends with a mark that says so."""


class SpanWriter:
    """Puts spans into one line of ``width`` columns (0: as wide as it gets).

    ``longest`` is how many characters of one string are shown, 0 for all of them.
    """

    __slots__ = ("_counts", "_longest", "_names", "_room", "spans")

    def __init__(self, width: int = 0, *, longest: int = 0) -> None:
        self.spans: list[Span] = []
        # One column is for the mark.
        self._room = width - 1 if width else 1 << 62
        self._longest = longest
        self._names: Names = {}
        self._counts: Mapping[str, int] = {}

    @property
    def is_full(self) -> bool:
        """Whether something did not fit."""
        return self._room < 0

    def add(self, text: str, style: str = "") -> None:
        """Add a visible text; raise LineFull, with the line marked, if it does not fit whole."""
        width = len(text) if text.isascii() else columns(text)
        if width > self._room:
            if self._room >= 0:
                # Two columns more than there are: it is cut also where the mark would be the text.
                self.spans.append((cut(f"{text}  ", self._room + 1), style))
                self._room = -1
            raise LineFull
        self._room -= width
        self.spans.append((text, style))

    def fields(
        self,
        plain: Mapping[str, Any],
        names: Names | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add ``name=value`` for each field.

        ``names`` tells what ints are called, by field; ``counts`` of lists that ``plain`` has only
        the beginning of how many elements there are, by path ("records[0].params").
        """
        self._names = names or {}
        self._counts = counts or {}
        for index, (name, value) in enumerate(plain.items()):
            self._field(name, value, name, first=not index)

    def _field(self, name: str, value: Any, path: str, *, first: bool) -> None:
        self.add(f"{'' if first else ' '}{visible(name)}=", "key")
        self._value(name, value, path)

    def _value(self, name: str, value: Any, path: str) -> None:
        kind = type(value)
        if kind is str:
            self._text(value)
        elif kind is int:
            naming = self._names.get(name)
            if naming is not None:
                self.add(naming.text(value), "flag")
            else:
                self.add(hex(value) if name == "flags" and value > 9 else str(value), "number")
        elif kind is list:
            self._list(name, value, path)
        elif kind is dict:
            self._struct(value, path)
        elif kind is bytes:
            self._bytes(name, value)
        elif value is None:
            self.add("null", "dim")
        else:
            self.add(visible(str(value)), "number")

    def _text(self, value: str) -> None:
        if value == SECRET:
            self.add(SECRET, "secret")
            return
        size = len(value)
        longest = self._longest
        # No more is looked at than a line can show.
        if not longest or longest > self._room:
            longest = self._room + 1
        part = value[: longest + 512]
        if part.startswith("<"):
            # Of XML the indentation tells nothing.
            part = " ".join(part.split())
        if len(part) <= longest and size == len(value[: longest + 512]):
            self.add(f'"{visible(part.translate(_ESCAPES))}"', "string")
        else:
            self.add(f'"{visible(part[:longest].translate(_ESCAPES))}"…', "string")
            self.add(f"({size})", "dim")

    def _bytes(self, name: str, value: bytes) -> None:
        if len(value) == 16 and name.lower().endswith("uuid"):
            self.add(uuid_to_text(value), "string")
            return
        if name in _TEXTS:
            text = value.rstrip(b"\0").decode(errors="surrogateescape")
            if text.isprintable():
                self._text(text)
                return
        shown = value[:16].hex()
        self.add(f"0x{shown}" if value else "[]", "string")
        if len(value) > 16:
            self.add(f"…({len(value)})", "dim")

    def _list(self, name: str, values: list[Any], path: str) -> None:
        total = self._counts.get(path, len(values))
        parameters = bool(values) and _is_parameter(values[0])
        self.add("{" if parameters else "[", "dim")
        if total > 3:
            # How many there are is what the end of a line that is cut would not tell.
            self.add(f"{total}: ", "dim")
        for index, each in enumerate(values):
            if parameters and _is_parameter(each):
                inner = each["value"]
                value = inner.get("value", inner) if isinstance(inner, dict) else inner
                self._field(str(each["field"]), value, path, first=not index)
                continue
            if index:
                self.add(", ", "dim")
            self._value(name, each, f"{path}[{index}]")
        if total > len(values):
            self.add(" …", "dim")
        self.add("}" if parameters else "]", "dim")

    def _struct(self, value: dict[str, Any], path: str) -> None:
        keys = value.keys()
        if "name" in keys and keys <= _HANDLE:
            self._handle(value)
            return
        self.add("{", "dim")
        for index, (name, each) in enumerate(value.items()):
            self._field(name, each, f"{path}.{name}", first=not index)
        self.add("}", "dim")

    def _handle(self, value: dict[str, Any]) -> None:
        """Add what names an object: ``"web"(3)`` is a domain with its number."""
        if isinstance(value.get("dom"), dict):
            self._handle(value["dom"])
            self.add("/", "dim")
        if isinstance(value.get("pool"), str):
            self._text(value["pool"])
            self.add("/", "dim")
        self._value("name", value["name"], "")
        number = value.get("id", -1)
        if number != -1:
            self.add(f"({number})", "dim")


# The members of the contract's handles that are told by their names.
_HANDLE = frozenset({"name", "uuid", "id", "mac", "pool", "key", "dom"})


def _is_parameter(value: Any) -> bool:
    return type(value) is dict and value.keys() == {"field", "value"}
