"""Where two answers differ, field by field.

Responsible for comparing values, texts of many lines, and errors, and for saying each difference in
a place and two short texts. Must not know packets: it is given plain values, secrets left out.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher

from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ABSENT", "MOST", "Difference", "differences", "shown"]

# What one of the two does not have.
ABSENT = "(not there)"

# Differences that are told of one answer, and characters of each value.
MOST = 200
_WIDTH = 100
_UUID_SIZE = 16
# Of those, how many stand before the first that differs.
_BEFORE = 30
# Lines of two texts that are compared each with each.
_MOST_LINES = 4000

_ELEMENT = re.compile(r"\s*<([A-Za-z_][\w:.-]*)")


class Difference:
    """``path`` is the field ("params[cpu.time]", "xml:12<memory>"), the others are short texts."""

    __slots__ = ("now", "path", "recorded")

    def __init__(self, path: str, recorded: str, now: str) -> None:
        self.path = path
        self.recorded = recorded
        self.now = now

    def __repr__(self) -> str:
        return f"Difference({self.path!r}, {self.recorded!r}, {self.now!r})"


def differences(recorded: Any, now: Any) -> list[Difference]:
    """Return where two plain values differ, at most MOST places, in the order of the fields.

    Elements of lists are compared by name where they have one, such as typed parameters and
    objects, else by their number.
    """
    found: list[Difference] = []
    _compare("", recorded, now, found)
    return found[:MOST]


def shown(value: Any) -> str:
    """Return a value as one short line."""
    if isinstance(value, bytes) and len(value) == _UUID_SIZE:
        return uuid_to_text(value)
    if isinstance(value, bytes):
        text = value[: _WIDTH // 2].hex() + ("..." if len(value) > _WIDTH // 2 else "")
        return text or "(empty)"
    if isinstance(value, str):
        return json.dumps(
            value if len(value) <= _WIDTH else value[:_WIDTH] + "...", ensure_ascii=False
        )
    if isinstance(value, list):
        # Never printed whole: it may have a million elements.
        return f"[{len(value)} elements]" if value else "[]"
    if isinstance(value, dict):
        inner = ", ".join(f"{name}={shown(item)}" for name, item in list(value.items())[:8])
        return f"{{{inner}}}" if len(inner) <= _WIDTH else f"{{{inner[:_WIDTH]}...}}"
    return str(value)


def _compare(path: str, recorded: Any, now: Any, found: list[Difference]) -> None:
    if len(found) > MOST or recorded == now:
        return
    if isinstance(recorded, dict) and isinstance(now, dict):
        _compare_fields(path, recorded, now, found)
    elif isinstance(recorded, list) and isinstance(now, list):
        _compare_lists(path, recorded, now, found)
    elif isinstance(recorded, str) and isinstance(now, str) and "\n" in recorded and "\n" in now:
        _compare_lines(path, recorded.splitlines(), now.splitlines(), found)
    else:
        found.append(_told(path, recorded, now))


def _told(path: str, recorded: Any, now: Any) -> Difference:
    """Return a difference, of two long texts from shortly before where it begins."""
    if isinstance(recorded, str) and isinstance(now, str) and len(recorded + now) > _WIDTH:
        shorter = min(len(recorded), len(now))
        first = next((i for i in range(shorter) if recorded[i] != now[i]), shorter)
        start = first - _BEFORE
        if start > 0:
            recorded, now = f"...{recorded[start:]}", f"...{now[start:]}"
    return Difference(path, shown(recorded), shown(now))


def _compare_fields(
    path: str, recorded: dict[str, Any], now: dict[str, Any], found: list[Difference]
) -> None:
    for name in (*recorded, *(name for name in now if name not in recorded)):
        place = f"{path}.{name}" if path else name
        if name not in now:
            found.append(Difference(place, shown(recorded[name]), ABSENT))
        elif name not in recorded:
            found.append(Difference(place, ABSENT, shown(now[name])))
        else:
            _compare(place, recorded[name], now[name], found)


def _compare_lists(path: str, recorded: list[Any], now: list[Any], found: list[Difference]) -> None:
    names, other_names = _names(recorded), _names(now)
    if names is None or other_names is None:
        for index in range(min(len(recorded), len(now))):
            _compare(f"{path}[{index}]", recorded[index], now[index], found)
        if len(recorded) != len(now):
            found.append(
                Difference(f"{path}[]", f"{len(recorded)} elements", f"{len(now)} elements")
            )
        return
    places = {name: index for index, name in enumerate(other_names)}
    for index, name in enumerate(names):
        place = f"{path}[{name}]"
        if name in places:
            _compare(place, _bare(recorded[index]), _bare(now[places[name]]), found)
        else:
            found.append(Difference(place, shown(_bare(recorded[index])), ABSENT))
    known = frozenset(names)
    for index, name in enumerate(other_names):
        if name not in known:
            found.append(Difference(f"{path}[{name}]", ABSENT, shown(_bare(now[index]))))
    before = [name for name in names if name in places]
    after = [name for name in other_names if name in known]
    if before != after:
        first = next(index for index, name in enumerate(before) if after[index] != name)
        found.append(Difference(f"{path} order", before[first], after[first]))


def _names(items: list[Any]) -> list[str] | None:
    """Return the names of a list's elements, None where one has none or two have the same."""
    names = [_name(item) for item in items]
    if None in names or len(set(names)) != len(names):
        return None
    return [name for name in names if name is not None]


def _name(item: Any) -> str | None:
    """Return what tells an element from others: a typed parameter's name, an object's."""
    if not isinstance(item, dict):
        return None
    for name in (item.get("field"), item.get("name")):
        if isinstance(name, str):
            return name
    for value in item.values():
        # The record of an object begins with it.
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return str(value["name"])
    return None


def _bare(item: Any) -> Any:
    """Return a typed parameter's value, anything else as it is."""
    if isinstance(item, dict) and set(item) == {"field", "value"}:
        value = item["value"]
        if isinstance(value, dict) and set(value) == {"type", "value"}:
            return value["value"]
        return value
    return item


def _compare_lines(path: str, recorded: list[str], now: list[str], found: list[Difference]) -> None:
    """Compare two texts line by line, counted as they were recorded, from 1."""
    start, end = 0, min(len(recorded), len(now))
    while start < end and recorded[start] == now[start]:
        start += 1
    tail = 0
    while tail < end - start and recorded[-1 - tail] == now[-1 - tail]:
        tail += 1
    old, new = recorded[start : len(recorded) - tail], now[start : len(now) - tail]
    if len(old) > _MOST_LINES or len(new) > _MOST_LINES:
        place = f"{path}:{start + 1}"
        found.append(Difference(place, f"{len(old)} lines from here", f"{len(new)} lines"))
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        for offset in range(max(i2 - i1, j2 - j1)):
            was = old[i1 + offset] if i1 + offset < i2 else None
            now_is = new[j1 + offset] if j1 + offset < j2 else None
            line = start + min(i1 + offset, i2) + 1
            found.append(_line_difference(path, line, was, now_is))
            if len(found) > MOST:
                return


def _line_difference(path: str, line: int, was: str | None, now_is: str | None) -> Difference:
    text = was if was is not None else now_is or ""
    element = _ELEMENT.match(text)
    place = f"{path}:{line}" + (f"<{element[1]}>" if element else "")
    if was is not None and now_is is not None:
        return _told(place, was.strip(), now_is.strip())
    return Difference(
        place,
        ABSENT if was is None else shown(was.strip()),
        ABSENT if now_is is None else shown(now_is.strip()),
    )
