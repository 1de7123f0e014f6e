"""One procedure, all that is known of it: ``virtproto procs NAME``.

Responsible for what is gathered (contract, first release, methods and events that use it, names of
constants and typed parameters) and for how that reads. Must not know how procedures are searched.
"""

from __future__ import annotations

from virtproto.cli.references import SPELLINGS
from virtproto.constants.enums import ENUMS as CONSTANTS
from virtproto.errors import UsageError
from virtproto.model.call_arguments import is_typed_parameters, named_numbers
from virtproto.model.calls import check_plain_call
from virtproto.model.event_table import ROWS as EVENTS
from virtproto.model.parameters import KNOWN
from virtproto.model.procedure_terms import parameters_of
from virtproto.model.procedure_uses import METHODS
from virtproto.model.written_values import TYPE_NAMES
from virtproto.wire import find_procedure
from virtproto.xdr.contract import Member, Struct, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from virtproto.xdr.contract import Contract

__all__ = ["describe", "page"]

# Methods written by hand, and what the connection does of its own accord, by program and number.
_BY_HAND = {
    ("remote", 1): ("virtproto.open",),
    ("remote", 2): ("Connection.close",),
    ("remote", 3): ("Connection.get_type",),
    ("remote", 110): ("Connection.get_uri",),
    ("remote", 115): ("NodeDevice.get_parent",),
    ("remote", 149): ("Connection.is_secure",),
    ("remote", 344): ("Connection.get_all_domain_stats",),
    ("admin", 1): ("virtproto.admin.open",),
    ("admin", 2): ("AdminConnection.close",),
}
_LOGIN = "virtproto.open, where the daemon asks for it"
_LISTENING = "Connection.events, and what registers callbacks"
_BETWEEN_DAEMONS = "none: one daemon calls it at another"

# A set of constants with more members is named only: `procs` is no reference of them.
_SHOWN = 40
_PRIORITIES = {
    "high": "high: the daemon keeps threads for it",
    "low": "low: it may take long",
    "event": "an event: the daemon sends it of its own accord",
}
_STREAMS = {"read": "from the daemon", "write": "to the daemon"}
_TYPE_WORDS = {number: word for word, number in TYPE_NAMES.items()}
_WIDTH = 11


def describe(contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    """Return all that is known of a procedure, beginning with its ``row`` in the list of all."""
    program, number, name = row["program"], row["number"], row["name"]
    annotations = contract.procedure(program, number).annotations
    event = EVENTS.get((program, number))
    described = {
        **row,
        "enumerator": f"{program.upper()}_PROC_{name}",
        "acl": list(annotations.get("acl", ())),
        "acl_filter": list(annotations.get("aclfilter", ())),
        "sparse_flag": next(iter(annotations.get("sparseflag", ())), None),
        "arguments": _arguments(contract, program, number, row["args"]),
        "reply": _reply(contract, row["ret"], event[4] if event is not None else ()),
        "methods": list(_methods(program, number)),
        "events": [] if event is None else [event[3]],
    }
    described["call"] = _how_to_call(program, number, described)
    return described


def _arguments(
    contract: Contract, program: str, number: int, type_name: str | None
) -> list[dict[str, Any]]:
    fields = []
    for member, field in _fields(contract, type_name, written=True):
        names = named_numbers(contract, program, number, member)
        if names is not None:
            field["constants"] = {"set": names[0], "flags": names[2], "members": dict(names[1])}
        known = parameters_of(program, number, member.name)
        if known is not None:
            field["parameters"] = {each: _TYPE_WORDS[kind] for each, kind in KNOWN[known].items()}
        fields.append(field)
    return fields


def _reply(
    contract: Contract, type_name: str | None, told: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the fields of a reply, or of an event, of which ``told`` says what they hold."""
    enums = dict(each.split(":", 1) for each in told if ":" in each)
    fields = []
    for member, field in _fields(contract, type_name, written=False):
        name = enums.get(member.name)
        if name in CONSTANTS:
            flags, _c_name, _about, members = CONSTANTS[name]
            field["constants"] = {"set": name, "flags": flags, "members": dict(members)}
        fields.append(field)
    return fields


def _fields(
    contract: Contract, type_name: str | None, *, written: bool
) -> Iterator[tuple[Member, dict[str, Any]]]:
    target = contract.type(type_name) if type_name is not None else None
    if isinstance(target, Struct):
        for member in target.members:
            secret = member.name in target.secrets
            yield member, _field(contract, member, secret=secret, written=written)


def _field(
    contract: Contract, member: Member, *, secret: bool = False, written: bool = False
) -> dict[str, Any]:
    """Return a field as a tree: its type as the .x language writes it, and what is within.

    Where it is ``written`` by people, it is said how.
    """
    resolved = contract.resolve(member)
    optional = resolved.shape == "optional"
    if optional:
        resolved = contract.resolve(Member(member.name, resolved.type, "scalar", None))
    field: dict[str, Any] = {
        "name": member.name,
        "type": resolved.spelling,
        "optional": optional,
        "secret": secret,
    }
    if written and resolved.type in SPELLINGS:
        field["written"] = SPELLINGS[resolved.type]
    if is_typed_parameters(resolved):
        return field
    inner = contract.type(resolved.type) if resolved.type in contract.types else None
    if isinstance(inner, Member):
        # An array of something that has a name of its own.
        field["of"] = contract.resolve(inner).spelling
    if isinstance(inner, Struct):
        field["fields"] = [
            _field(contract, each, secret=each.name in inner.secrets, written=written)
            for each in inner.members
        ]
    elif isinstance(inner, Union):
        field["cases"] = {
            str(case): _field(contract, arm) for case, arm in sorted(inner.arms.items())
        }
    return field


def _how_to_call(program: str, number: int, described: dict[str, Any]) -> str:
    """Return a command line, or why there is none."""
    if program == "admin":
        return "it is spoken on the daemon's own socket: use a method of virtproto.admin"
    procedure = find_procedure(program, number)
    try:
        check_plain_call(procedure)
    except UsageError as error:
        return str(error)
    name = described["name"] if program == "remote" else f"{program}:{described['name']}"
    words = [_word(field) for field in described["arguments"] if not field["optional"]]
    return " ".join(["virtproto call", name, *filter(None, words)])


def _word(field: dict[str, Any]) -> str:
    name = field["name"]
    if name in ("flags", "need_results"):
        # They need not be said.
        return ""
    if "constants" in field:
        return f"{name}={next(iter(field['constants']['members']), '0')}"
    if field["type"].startswith("remote_typed_param"):
        known = list(field.get("parameters", ())) or ["NAME"]
        return f"{name}.{known[0]}=VALUE"
    if "written" in field and "<" not in field["type"]:
        spelling = field["written"].split(",")[0]
        return f"{name}={spelling if '/' in spelling else 'NAME'}"
    if field.get("fields") is not None or "<" in field["type"].replace("string<", ""):
        return f"{name}=JSON"
    return f"{name}={'TEXT' if field['type'].startswith('string') else 'VALUE'}"


def page(described: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page about a procedure."""
    yield f"{described['name']}, number {described['number']} of program {described['program']}"
    yield f"{described['enumerator']}"
    yield ""
    since = described["since"] or "unknown"
    yield _entry("Since", since.replace("<=", "") + (" or before" if "<=" in since else ""))
    yield _entry("Priority", _PRIORITIES.get(described["priority"], described["priority"]))
    if described["stream"]:
        sparse = described["sparse_flag"]
        holes = f", with holes where {sparse} is set" if sparse else ""
        yield _entry("Stream", f"{_STREAMS[described['stream']]}{holes}")
    yield _entry("Access", "; ".join(map(_access, described["acl"])) or "not checked")
    if described["acl_filter"]:
        shown = "; ".join(map(_access, described["acl_filter"]))
        yield _entry("Filtered", f"only objects are returned for which there is {shown}")
    is_event = described["priority"] == "event"
    if not is_event:
        yield ""
        yield from _tree("Arguments", described["args"], described["arguments"])
    yield ""
    yield from _tree("Message" if is_event else "Reply", described["ret"], described["reply"])
    yield ""
    if described["events"]:
        yield _entry("Events", ", ".join(described["events"]))
    elif is_event:
        yield _entry("Events", "none; the connection itself heeds it")
    else:
        yield _entry("Methods", ", ".join(described["methods"]) or _used_by(described["name"]))
        yield _entry("Call", described["call"])


def _methods(program: str, number: int) -> tuple[str, ...]:
    key = (program, number)
    return METHODS[key] if key in METHODS else _BY_HAND.get(key, ())


def _used_by(name: str) -> str:
    """Return what makes a call that no method has."""
    if name.startswith("AUTH_"):
        return _LOGIN
    if name.endswith(("REGISTER", "REGISTER_ANY", "CLOSE_CALLBACK")):
        return _LISTENING
    return _BETWEEN_DAEMONS


def _entry(head: str, text: str) -> str:
    return f"{head:<{_WIDTH}}{text}"


def _access(rule: str) -> str:
    """Return "domain:write if VIR_X is set" for "domain:write:VIR_X"."""
    kind, _colon, rest = rule.partition(":")
    permission, _colon, flag = rest.partition(":")
    if not permission:
        return "not checked" if kind == "none" else kind
    if not flag:
        return f"{kind}:{permission}"
    unset = flag.startswith("!")
    return f"{kind}:{permission} if {flag.lstrip('!')} is {'not ' if unset else ''}set"


def _tree(head: str, type_name: str | None, fields: list[dict[str, Any]]) -> Iterator[str]:
    yield _entry(head, type_name or "none")
    rows = list(_rows(fields, 1))
    names = max((len(name) for name, _, _ in rows), default=0)
    types = max((len(kind) for _, kind, _ in rows), default=0)
    for name, kind, notes in rows:
        yield f"{name:<{names}}  {kind:<{types}}  {notes}".rstrip()


def _rows(fields: list[dict[str, Any]], depth: int) -> Iterator[tuple[str, str, str]]:
    for field in fields:
        yield "  " * depth + field["name"], field["type"], "; ".join(_notes(field))
        yield from _rows(field.get("fields", []), depth + 1)
        for case, arm in field.get("cases", {}).items():
            told = {**arm, "name": f"{case}: {arm['name']}"}
            yield from _rows([told], depth + 1)


def _notes(field: dict[str, Any]) -> Iterator[str]:
    if field["optional"]:
        yield "optional"
    if field["secret"]:
        yield "secret"
    if "of" in field:
        yield f"each {field['of']}"
    if "written" in field:
        yield f"written as {field['written']}"
    constants = field.get("constants")
    if constants is not None:
        members = constants["members"]
        joined = " | " if constants["flags"] else ", "
        listed = f": {joined.join(members)}" if len(members) <= _SHOWN else ""
        yield f"{constants['set']}{listed}"
    if "parameters" in field:
        known = ", ".join(f"{name} ({kind})" for name, kind in field["parameters"].items())
        yield f"known are {known}"
