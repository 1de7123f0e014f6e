"""libvirt's client configuration: what libvirt.conf and libvirt-admin.conf say.

Responsible for their grammar and for the settings that matter to a client; a fault is told by file
and line. Must not know where the files are, and opens nothing.
"""

from __future__ import annotations

from virtproto.errors import ConfigFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TypeAlias

    Value: TypeAlias = "int | str | list[Value]"

__all__ = ["ClientConfig", "parse_config"]

_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME = _LETTERS | _DIGITS | frozenset("_")
_ALIAS = _NAME | frozenset("-")
_ENDS = frozenset("\r\n")
_DEPTH = 20
_BLANKS = frozenset(" \t")


class ClientConfig:
    """The settings of one file; ``path`` is what messages call it.

    ``settings`` holds each setting's value and the line that it begins in. Each question may raise
    ConfigFileError, as a setting that nobody asks for may hold anything.
    """

    __slots__ = ("path", "settings")

    def __init__(self, path: str, settings: dict[str, tuple[Value, int]]) -> None:
        self.path = path
        self.settings = settings

    def __repr__(self) -> str:
        return f"<ClientConfig {self.path}: {', '.join(self.settings) or 'nothing'}>"

    def text(self, name: str) -> str | None:
        """Return a setting that is a text, None where it is not there."""
        if name not in self.settings:
            return None
        value = self.settings[name][0]
        if not isinstance(value, str):
            self._refuse(name, f'expected a text in quotes, as in {name} = "..."')
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return a setting that is one of a few words, None where it is not there."""
        value = self.text(name)
        if value is not None and value not in choices:
            self._refuse(name, f"{value!r} is none of {', '.join(choices)}")
        return value

    def default_uri(self) -> str | None:
        """Return ``uri_default``, None where it is not there."""
        value = self.text("uri_default")
        if value == "":
            self._refuse("uri_default", "it is empty; name a URI, or leave the line out")
        return value

    def alias(self, text: str) -> str | None:
        """Return what ``uri_aliases`` has for ``text``, None for nothing.

        The first entry that fits counts, and a wrong one before it is refused, one behind it is
        not looked at. Source: virURIFindAliasMatch.
        """
        if "uri_aliases" not in self.settings:
            return None
        entries = self.settings["uri_aliases"][0]
        if not isinstance(entries, list):
            self._refuse("uri_aliases", 'expected a list of texts, as in [ "alias=uri" ]')
        for entry in entries:
            if not isinstance(entry, str):
                self._refuse("uri_aliases", f"{entry!r} is no text in quotes")
            name, equals, uri = entry.partition("=")
            if not equals:
                self._refuse("uri_aliases", f"{name!r} has no =; expected alias=uri")
            if not _ALIAS.issuperset(name):
                self._refuse(
                    "uri_aliases", f"{name!r} is no alias: letters, digits, _ and - make one"
                )
            if name == text:
                return uri
        return None

    def _refuse(self, name: str, what: str) -> NoReturn:
        raise ConfigFileError(f"{self.path}, line {self.settings[name][1]}: {name}: {what}")


def parse_config(text: str, path: str) -> ClientConfig:
    """Read a file's text: ``name = value`` in a line or before ";", and remarks from "#" on.

    A value is a whole number, a text in quotes of either kind (within one line) or in three double
    ones, or a list of values in brackets, which may go over lines. Of one name's several values the
    first counts. Raises ConfigFileError, which names ``path`` and the line.
    Source: virConfReadString.
    """
    return ClientConfig(path, _Reader(text, path).read())


class _Reader:
    """One pass over the text of a file."""

    __slots__ = ("at", "depth", "path", "text")

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.at = 0
        self.depth = 0

    def read(self) -> dict[str, tuple[Value, int]]:
        settings: dict[str, tuple[Value, int]] = {}
        while True:
            self.skip(lines=True)
            while self.here == "#":
                self.remark()
                self.skip(lines=True)
            if not self.here:
                return settings
            line = self.line
            name = self.name()
            self.skip()
            if self.here != "=":
                self.refuse(f"expected = behind {name}")
            self.at += 1
            self.skip()
            value = self.value()
            settings.setdefault(name, (value, line))
            self.end_of_line()

    @property
    def here(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def refuse(self, what: str) -> NoReturn:
        raise ConfigFileError(f"{self.path}, line {self.line}: {what}")

    def skip(self, *, lines: bool = False) -> None:
        """Pass over blanks, and over the ends of lines where those mean nothing."""
        passed = _BLANKS | _ENDS if lines else _BLANKS
        while self.here and self.here in passed:
            self.at += 1

    def remark(self) -> None:
        while self.here and self.here not in _ENDS:
            self.at += 1

    def end_of_line(self) -> None:
        self.skip()
        if self.here == ";":
            self.at += 1
            return
        if self.here == "#":
            self.remark()
        if self.here and self.here not in _ENDS:
            self.refuse(f"{self.rest()!r} is too much: one setting stands in a line")

    def rest(self) -> str:
        """Return what is left of this line, at most a few words of it."""
        return self.text[self.at :].splitlines()[0][:30]

    def name(self) -> str:
        start = self.at
        if self.here not in _LETTERS:
            self.refuse(f"expected the name of a setting, not {self.rest()!r}")
        while self.here and self.here in _NAME:
            self.at += 1
        return self.text[start : self.at]

    def value(self) -> Value:
        here = self.here
        if here == "[":
            return self.list_of_values()
        if here in ("'", '"'):
            return self.quoted(here)
        if here in ("-", "+") or (here and here in _DIGITS):
            return self.number()
        what = repr(self.rest()) if here and here not in _ENDS else "the end of the line"
        return self.refuse(f"expected a number, a text in quotes or a list in brackets, not {what}")

    def number(self) -> int:
        start = self.at
        self.at += 1
        while self.here and self.here in _DIGITS:
            self.at += 1
        digits = self.text[start : self.at]
        if digits in ("-", "+"):
            self.refuse(f"{digits} is no number")
        # No setting takes a number that is longer.
        return int(digits[:20])

    def quoted(self, mark: str) -> str:
        if self.text.startswith('"""', self.at):
            mark, ends = '"""', ""
        else:
            ends = "\r\n"
        start = self.at + len(mark)
        end = self.text.find(mark, start)
        if end < 0 or any(char in self.text[start:end] for char in ends):
            self.refuse(f"a text that begins with {mark} does not end")
        self.at = end + len(mark)
        return self.text[start:end]

    def list_of_values(self) -> list[Value]:
        values: list[Value] = []
        self.depth += 1
        if self.depth > _DEPTH:
            self.refuse("lists within lists within lists: none goes that deep")
        self.at += 1
        self.skip(lines=True)
        while self.here != "]":
            values.append(self.value())
            self.skip(lines=True)
            if self.here == ",":
                self.at += 1
                self.skip(lines=True)
            elif self.here != "]":
                self.refuse("expected , or ] in a list")
        self.at += 1
        self.depth -= 1
        return values
