"""Writes the pages of the API reference, one for each class of object and one for each other topic.

Responsible for which pages there are and in what order methods stand on them: by groups, as the
classes are made of them. What they say comes from the docstrings. Must not know: how pages are
rendered.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path

from virtproto import admin, constants, events, records, sync

__all__ = ["write"]


def write(folder: Path) -> None:
    """Write every page below ``folder`` and remove pages that are none any more."""
    texts = {"records": _records(), "events": _events(), "constants": _constants()}
    for module in (sync, admin):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) and name not in records.__all__:
                texts[name] = _class_page(module.__name__, value)
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.stem not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        # An unchanged page is not rendered again.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _title(text: str, line: str = "=") -> list[str]:
    return [text, line * len(text), ""]


def _class_page(module: str, cls: type) -> str:
    """Return a page with the class's methods, a section for each group of them."""
    name = f"{module}.{cls.__name__}"
    lines = [*_title(cls.__name__), f".. autoclass:: {name}", "   :no-members:", ""]
    shown: set[str] = set()
    last = ""
    for heading, methods in _sections(cls):
        # What a class says anew of a method stands before what it was made of says.
        own = [each for each in methods if each not in shown]
        shown.update(own)
        if own and heading != last:
            lines += _title(heading, "-")
            last = heading
        for each in own:
            value = inspect.getattr_static(cls, each)
            kind = "autoproperty" if isinstance(value, property) else "automethod"
            lines += [f".. {kind}:: {name}.{each}", ""]
    return "\n".join(lines)


def _sections(cls: type) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and the methods below it, for each class that ``cls`` is made of."""
    dir(cls)  # loads what is loaded when it is first used
    for part in cls.__mro__:
        groups: dict[str, tuple[str, str]] = vars(part).get("_METHOD_GROUPS", {})
        for module, (group, methods) in groups.items():
            loaded = importlib.import_module(f"{vars(part)['_METHODS_PACKAGE']}.{module}")
            yield _heading(cls, getattr(loaded, group)), methods.split()
        own = [each for each, value in vars(part).items() if _is_documented(each, value)]
        if own and not groups and part is not object:
            yield _heading(cls, part), own


def _is_documented(name: str, value: object) -> bool:
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return not name.startswith("_") and (
        inspect.isfunction(function) or isinstance(value, property)
    )


def _heading(cls: type, group: type) -> str:
    if group is cls:
        return "The object itself"
    if "._methods." in group.__module__:
        return (inspect.getdoc(group) or group.__name__).splitlines()[0].rstrip(".")
    if group.__module__.startswith("virtproto.model."):
        return "Without a call"
    return "Calls and connection"


def _records() -> str:
    lines = [
        *_title("Records"),
        "What methods return where several values belong together. Each is a tuple with names.",
        "",
    ]
    for name in sorted(records.__all__):
        lines += [f".. autoclass:: virtproto.records.{name}", "   :no-members:", ""]
    return "\n".join(lines)


def _events() -> str:
    lines = [
        *_title("Events"),
        "What events are made of: ``virtproto.events`` has these classes for blocking connections,",
        "``virtproto.aio.events`` the same for asyncio. Each is a tuple with names, and stands for",
        "its kind of event where events are asked for. ``Gap``, among the records, stands where",
        "the connection was lost and came back. ``Events``, at the end, is what gives them.",
        "",
    ]
    for name in events.__all__:
        # What is a record as well stands on the page of those.
        if name not in records.__all__:
            members = "members" if name == "Events" else "no-members"
            lines += [f".. autoclass:: virtproto.events.{name}", f"   :{members}:", ""]
    return "\n".join(lines)


def _constants() -> str:
    lines = [
        *_title("Constants"),
        "Every enum and flag set, made when it is first used: ``from virtproto import constants``,",
        "``constants.DomainState.RUNNING``. Methods take members and plain numbers alike, and give",
        "back the plain number where a newer daemon sends one that has no name here.",
        "",
    ]
    plain: list[str] = []
    for name in dir(constants):
        if name.startswith("_"):
            continue
        value = getattr(constants, name)
        if not isinstance(value, EnumType):
            if isinstance(value, str | int):
                plain.append(f"* ``{name}`` = ``{value!r}``")
            continue
        lines += [*_title(name, "-"), inspect.getdoc(value) or "", ""]
        members: dict[str, int] = dict(value.__members__)
        lines += [f"* ``{each}`` = {int(one)}" for each, one in members.items()]
        lines.append("")
    return "\n".join(
        [*lines, *_title("Names of parameters and statistics, and limits", "-"), *plain, ""]
    )
