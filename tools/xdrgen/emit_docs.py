"""Prints the docstring of a method: its description, its parameters, what it raises, its source.

Responsible for the form (Google style, which the API reference is rendered from) and for line
width. Must not know: what the method does.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

from xdrgen.api_model import Method, Parameter
from xdrgen.constants import EnumDef

__all__ = ["docstring"]

_WIDTH = 100
_MARGIN = " " * 8

# What is said of flags that no set of constants goes with.
_NO_FLAGS = "None are defined; 0."
_REFUSED = "OperationDeniedError"


def docstring(
    method: Method, release: Callable[[str], str], enums: Mapping[str, EnumDef]
) -> list[str]:
    """Return the docstring's lines; ``release`` tells since which libvirt a procedure exists."""
    lines = _paragraphs(method.doc)
    if method.parameters:
        lines += ["", "Args:"]
        for parameter in method.parameters:
            lines += _item(parameter.name, _parameter_text(parameter))
    raises = dict(method.raises)
    if refused := _refused(method, enums):
        raises.setdefault(_REFUSED, refused)
    if raises:
        lines += ["", "Raises:"]
        for name, text in raises.items():
            lines += _item(name, _sentence(text))
    lines += ["", *_source(method, release)]
    if len(lines) == 1:
        return [f'{_MARGIN}"""{lines[0]}"""']
    body = [f"{_MARGIN}{line}" if line else "" for line in lines[1:]]
    return [f'{_MARGIN}"""{lines[0]}', *body, f'{_MARGIN}"""']


def _paragraphs(text: str) -> list[str]:
    """Return a description's lines, filled; lists and indented text are kept as they are."""
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        if lines:
            lines.append("")
        if any(line.startswith(("* ", " ", "- ")) for line in paragraph.splitlines()):
            lines += [line.rstrip() for line in paragraph.splitlines()]
        else:
            lines += _filled(" ".join(paragraph.split()))
    return lines


def _filled(text: str, indent: str = "") -> list[str]:
    room = _WIDTH - len(_MARGIN)
    return textwrap.wrap(
        text,
        room,
        initial_indent="",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _item(name: str, text: str) -> list[str]:
    room = _WIDTH - len(_MARGIN)
    return textwrap.wrap(
        f"{name}: {text}",
        room,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parameter_text(parameter: Parameter) -> str:
    if parameter.name == "flags" and not parameter.enum:
        return _NO_FLAGS
    text = _sentence(" ".join(parameter.doc.split())) if parameter.doc else ""
    if not parameter.enum:
        return text
    return f"{text} See ``{parameter.enum}``.".strip()


def _refused(method: Method, enums: Mapping[str, EnumDef]) -> str:
    """Return when a read-only connection is refused, "" for never."""
    asked: list[str] = []
    if method.writes_with_flags:
        names = _members(method, "flags", enums)
        flags = [names[bit] for bit in names if bit & method.writes_with_flags]
        asked = [f"flags have {' or '.join(flags)}"]
    for name, value in method.writes_with.items():
        asked.append(f"{name} is {_members(method, name, enums).get(value, value)}")
    if not asked:
        return "The connection is read-only." if method.writes else ""
    return f"The connection is read-only, and {' and '.join(asked)}."


def _members(method: Method, name: str, enums: Mapping[str, EnumDef]) -> dict[int, str]:
    """Return the constants that a parameter may be, by value."""
    parameter = method.parameter(name)
    enum = enums.get(parameter.enum) if parameter else None
    return {value: f"``{each}``" for each, value in enum.members.items()} if enum else {}


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _source(method: Method, release: Callable[[str], str]) -> list[str]:
    named = [f"{name} ({release(name)})" for name in method.calls]
    word = "Procedure" if len(named) == 1 else "Procedures"
    return _filled(f"{word}: {', '.join(named)}.")
