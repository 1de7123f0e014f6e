"""What the numbers of a message are called: flags, states, kinds of events, error codes.

Responsible for finding the enum that the API's description names for a field. Must not know how
names are shown. A number that has no name here stays what it is.
"""

from __future__ import annotations

from virtproto.trace import message as kinds
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.printing.value_text import Naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from virtproto.trace.message import TracedMessage

__all__ = ["error_domain", "error_number", "names_of", "with_detail"]

# Results whose members are of an enum: what their methods return is no plain member of the reply.
_RESULTS = {
    ("remote", "DOMAIN_GET_INFO"): {"state": "DomainState"},
    ("remote", "DOMAIN_GET_STATE"): {"state": "DomainState"},
    ("remote", "DOMAIN_GET_CONTROL_INFO"): {"state": "DomainControlState"},
    ("remote", "DOMAIN_GET_JOB_INFO"): {"type": "DomainJobType"},
    ("remote", "DOMAIN_GET_JOB_STATS"): {"type": "DomainJobType"},
    ("remote", "DOMAIN_GET_BLOCK_JOB_INFO"): {"type": "DomainBlockJobType"},
    ("remote", "STORAGE_POOL_GET_INFO"): {"state": "StoragePoolState"},
    ("remote", "STORAGE_VOL_GET_INFO"): {"type": "StorageVolType"},
    ("remote", "STORAGE_VOL_GET_INFO_FLAGS"): {"type": "StorageVolType"},
}
_ERROR = {"code": "ErrorNumber", "domain": "ErrorDomain", "level": "ErrorLevel"}
# The contract's own enum, by hand: its members repeat the name of the program.
_AUTH_TYPES = {"types": Naming({0: "NONE", 1: "SASL", 2: "POLKIT"}, flags=False)}

_found: dict[tuple[str | None, int, str], Mapping[str, Naming]] = {}
_namings: dict[str, Naming | None] = {}
_NOTHING: Mapping[str, Naming] = {}


def names_of(message: TracedMessage) -> Mapping[str, Naming]:
    """Return what ints are called in the fields of a message, by the field's name."""
    if message.type_name == ERROR_TYPE:
        errors = {field: _naming(enum) for field, enum in _ERROR.items()}
        return {field: naming for field, naming in errors.items() if naming is not None}
    if message.procedure is None:
        return _NOTHING
    key = message.program, message.packet.procedure, message.kind
    found = _found.get(key)
    if found is None:
        found = _found[key] = _look_up(message)
    return found


def with_detail(names: Mapping[str, Naming], plain: Mapping[str, Any]) -> Mapping[str, Naming]:
    """Return the names of an event's fields, with those that go by the kind of a lifecycle event.

    ``plain`` are the fields.
    """
    event = plain.get("event")
    if "event" not in names or "detail" not in plain or not isinstance(event, int):
        return names
    from virtproto.model.event_kinds import LIFECYCLE_DETAILS

    if not 0 <= event < len(LIFECYCLE_DETAILS):
        return names
    naming = _naming(LIFECYCLE_DETAILS[event])
    return names if naming is None else {**names, "detail": naming}


def error_number(code: int) -> str | None:
    """Return the name of an error's code, such as NO_DOMAIN; None where there is none."""
    return _member("ErrorNumber", code)


def error_domain(code: int) -> str | None:
    """Return which part of libvirt an error's domain is, such as QEMU."""
    return _member("ErrorDomain", code)


def _look_up(message: TracedMessage) -> Mapping[str, Naming]:
    program, procedure = message.program or "", message.procedure or ""
    number = message.packet.procedure
    if message.kind is kinds.CALL:
        from virtproto.model.procedure_uses import ENUMS

        enums: Mapping[str, str] = ENUMS.get((program, number), {})
    elif message.kind is kinds.EVENT:
        enums = _of_event(program, number)
    elif procedure == "AUTH_LIST":
        return _AUTH_TYPES
    else:
        enums = _RESULTS.get((program, procedure), {})
    namings = {field: _naming(enum) for field, enum in enums.items()}
    return {field: naming for field, naming in namings.items() if naming is not None}


def _of_event(program: str, number: int) -> dict[str, str]:
    from virtproto.model.event_table import ROWS

    row = ROWS.get((program, number))
    pairs = [field.partition(":") for field in row[4]] if row is not None else []
    return {field: enum for field, _, enum in pairs if enum}


def _naming(enum: str) -> Naming | None:
    if enum not in _namings:
        from virtproto.constants.enums import ENUMS

        row = ENUMS.get(enum)
        made = None
        if row is not None:
            # Of several names for one value the first is the one to show.
            members: dict[int, str] = {}
            for name, value in row[3].items():
                members.setdefault(value, name)
            made = Naming(members, flags=row[0])
        _namings[enum] = made
    return _namings[enum]


def _member(enum: str, value: int) -> str | None:
    naming = _naming(enum)
    return None if naming is None else naming.members.get(value)
