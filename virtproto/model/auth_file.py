"""``auth.conf``: user names and passwords by service and host, as libvirt's clients read them.

Responsible for its syntax and for which section is meant. Must not know where the file is. Nothing
here raises while it holds what the file says in the open.
"""

from __future__ import annotations

from virtproto.model.credentials import Concealed, Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Sections: TypeAlias = dict[str, dict[str, str]]

__all__ = ["find_credentials", "read_sections"]

_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def read_sections(text: str) -> tuple[Sections, str | None]:
    """Return the sections of a file, and what is wrong with it, None for nothing.

    A section that is there twice is one section; of a key that is there twice the last one counts.
    """
    sections: Sections = {}
    section: dict[str, str] | None = None
    for number, each in enumerate(text.split("\n"), 1):
        line = each.removesuffix("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            name, closed, rest = line[1:].partition("]")
            if not closed or rest.strip() or not name:
                return {}, f"line {number}: expected [section]"
            section = sections.setdefault(name, {})
            continue
        key, equals, value = line.partition("=")
        key = key.rstrip(" \t")
        if not equals or not key:
            return {}, f"line {number}: expected [section] or key=value"
        if section is None:
            return {}, f"line {number}: {key} stands before the first [section]"
        section[key] = Concealed(value.lstrip(" \t"))
    return sections, None


def find_credentials(
    sections: Sections, service: str, host: str
) -> tuple[Credentials | None, str, str | None]:
    """Return what the file knows for a service of a host, or None.

    With it come the section it was found in, or those that were looked for, and what is wrong with
    the file, None for nothing. Source: virAuthConfigLookup.
    """
    looked_for = (f"auth-{service}-{host}", f"auth-{service}-default")
    named = next((name for name in looked_for if name in sections), None)
    if named is None:
        return None, f"no [{looked_for[0]}] or [{looked_for[1]}]", None
    chosen = sections[named].get("credentials")
    if chosen is None:
        return None, "", f"[{named}]: no credentials=NAME"
    where = f"credentials-{chosen}"
    section = sections.get(where)
    if section is None:
        return None, "", f"[{named}]: there is no [{where}], which it names"
    values: dict[str, str] = {}
    for key in ("username", "authname", "password", "realm"):
        if key in section:
            value = _unescaped(section[key])
            if value is None:
                return None, "", f"[{where}]: {key}: not UTF-8"
            values[key] = Concealed(value) if key == "password" else value
    return Credentials(**values), f"[{where}]", None


def _unescaped(value: str) -> str | None:
    """Return a value without its escapes; None where it is no text."""
    parts = []
    rest = iter(value)
    for each in rest:
        if "\ud800" <= each <= "\udfff":
            return None
        if each == "\\":
            escaped = next(rest, "")
            # A backslash that means nothing stands for itself; as the last of all it does not.
            each = _ESCAPES.get(escaped, each + escaped if escaped else "")
        parts.append(each)
    return Concealed("".join(parts))
