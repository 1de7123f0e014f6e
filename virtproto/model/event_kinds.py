"""Every event of the contract: whose it is, what its payload holds, how one asks for it.

Responsible for what is read by the table of events, which is generated, in both colours. Must not
know who wants an event, nor how a call is made.

A payload of the newer kind begins with the registration's ID; of the older kind it does not, and
a daemon sends it only to who registered the older way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from virtproto.constants import member
from virtproto.errors import ArgumentTypeError, UsageError, error_class
from virtproto.model.records.events import GraphicsAddress, GraphicsIdentity
from virtproto.wire import PROGRAMS
from virtproto.xdr.typedparams import TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from virtproto.xdr.procedure import Procedure

__all__ = [
    "CLOSED",
    "DOMAIN",
    "HOMES",
    "KINDS",
    "LIFECYCLE_DETAILS",
    "NETWORK",
    "NODE_DEVICE",
    "QEMU",
    "SECRET",
    "STORAGE_POOL",
    "EventKind",
    "check_event_id",
    "deregistration",
    "kind_of_record",
    "monitor_registration",
    "no_object",
    "records_of",
    "registration",
]

# The families, by the kind of object that an event is about; QEMU's monitor has its own.
DOMAIN = "domain"
NETWORK = "network"
STORAGE_POOL = "storage_pool"
NODE_DEVICE = "node_device"
SECRET = "secret"
QEMU = "qemu"

# The member of an event's message that names the object.
_OBJECTS = {
    DOMAIN: "dom",
    NETWORK: "net",
    STORAGE_POOL: "pool",
    NODE_DEVICE: "dev",
    SECRET: "secret",
    QEMU: "dom",
}

# Where the class of these objects is, in each colour: (module, class).
HOMES = {
    DOMAIN: ("domain", "Domain"),
    NETWORK: ("network", "Network"),
    STORAGE_POOL: ("storage_pool", "StoragePool"),
    NODE_DEVICE: ("node_device", "NodeDevice"),
    SECRET: ("secret", "Secret"),
    QEMU: ("domain", "Domain"),
}

# The procedures by which registrations are made and ended, where the daemon gives them IDs.
_BEGIN_AND_END = {
    DOMAIN: (
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
        "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
    ),
    NETWORK: ("CONNECT_NETWORK_EVENT_REGISTER_ANY", "CONNECT_NETWORK_EVENT_DEREGISTER_ANY"),
    STORAGE_POOL: (
        "CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY",
        "CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY",
    ),
    NODE_DEVICE: (
        "CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY",
        "CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY",
    ),
    SECRET: ("CONNECT_SECRET_EVENT_REGISTER_ANY", "CONNECT_SECRET_EVENT_DEREGISTER_ANY"),
    QEMU: ("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER"),
}

# CONNECT_EVENT_CONNECTION_CLOSED, which is about no object and comes without an ID.
CLOSED = (PROGRAMS["remote"], 362)

# The highest event ID that can be registered for the older way.
_LAST_OLD = 15

# Of more kinds of event than these only the number is shown.
_NAMED = 4

# virErrorNumber.
_NO_SUPPORT = 3

# Classes of messages that were read, by the procedure's name.
_MESSAGES: dict[str, Any] = {}


class EventKind(NamedTuple):
    """One kind of event.

    ``name`` is the procedure's in the contract, ``record`` the class's of `virtproto.events`;
    ``fields`` are what follows the object, in the order of a callback's arguments and of the
    record, each as "member" or "member:" and what it becomes; ``by_id`` says that the payload
    begins with the registration's ID.
    """

    family: str
    event_id: int
    name: str
    record: str
    fields: tuple[str, ...]
    by_id: bool

    @property
    def procedure(self) -> Procedure[Any, Any]:
        """The event's procedure; loads its part of the contract."""
        from virtproto.wire import qemu, remote

        found: Procedure[Any, Any] = getattr(qemu if self.family == QEMU else remote, self.name)
        return found

    def unpack(self, payload: bytes) -> Any:
        """Return the message in a payload. Raises DecodeError."""
        message: Any = _MESSAGES.get(self.name)
        if message is None:
            message = _MESSAGES[self.name] = self.procedure.msg
        return message.unpack(payload)

    def object_in(self, message: Any) -> Any:
        """Return the daemon's name for the object that the event is about."""
        return _value(message, _OBJECTS[self.family])

    def arguments_in(self, message: Any) -> tuple[Any, ...]:
        """Return what a callback gets besides the connection and the object."""
        found: list[Any] = []
        for field in self.fields:
            name, _, enum = field.partition(":")
            if enum == "absent":
                found.append(0)
                continue
            value = _value(message, name)
            if enum == "detail":
                value = _detail(self.family, found[-1], value)
            elif enum in _SHAPES:
                value = _SHAPES[enum](value)
            elif enum:
                value = member(enum, value)
            found.append(value)
        return tuple(found)


def _value(message: Any, name: str) -> Any:
    """Return a member of an event; newer messages wrap the older ones of the same event."""
    members = type(message).__slots__
    if name in members:
        return getattr(message, name)
    if "msg" in members:
        return getattr(message.msg, name)
    raise AttributeError(f"{type(message).__name__} has no member {name!r}")


# What tells more of a domain's lifecycle event, by the event's own number.
LIFECYCLE_DETAILS = (
    "DomainEventDefinedDetailType",
    "DomainEventUndefinedDetailType",
    "DomainEventStartedDetailType",
    "DomainEventSuspendedDetailType",
    "DomainEventResumedDetailType",
    "DomainEventStoppedDetailType",
    "DomainEventShutdownDetailType",
    "DomainEventPMSuspendedDetailType",
    "DomainEventCrashedDetailType",
)


def _detail(family: str, event: int, value: int) -> int:
    if family != DOMAIN or not 0 <= event < len(LIFECYCLE_DETAILS):
        return value
    return member(LIFECYCLE_DETAILS[event], value)


def _address(value: Any) -> GraphicsAddress:
    family = member("DomainEventGraphicsAddressType", value.family)
    return GraphicsAddress(family, value.node, value.service)


def _identities(values: list[Any]) -> list[GraphicsIdentity]:
    return [GraphicsIdentity(value.type, value.name) for value in values]


def _params(value: TypedParams) -> dict[str, Any]:
    return value.to_dict()


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "address": _address,
    "identities": _identities,
    "params": _params,
}


def _table() -> dict[tuple[int, int], EventKind]:
    from virtproto.model.event_table import ROWS

    return {
        (PROGRAMS[program], number): EventKind(family, event_id, name, record, fields, by_id)
        for (program, number), (family, event_id, name, record, fields, by_id) in ROWS.items()
    }


# By (program, procedure number).
KINDS = _table()

# The IDs of each family's events, once somebody asked.
_IDS: dict[str, frozenset[int]] = {}

# By the name of the record; how one registers the older way is not another kind.
_BY_RECORD = {kind.record: kind for kind in KINDS.values() if kind.by_id}


def kind_of_record(name: str) -> EventKind:
    """Return the kind of the events that a record of this name stands for. Raises KeyError."""
    return _BY_RECORD[name]


def records_of(wanted: Iterable[tuple[str, int]]) -> str:
    """Return what kinds of event are called, by their families and IDs, for who reads it."""
    numbers = set(wanted)
    names = [name for name, each in _BY_RECORD.items() if (each.family, each.event_id) in numbers]
    if len(names) > _NAMED:
        return f"{len(names)} kinds"
    return ", ".join(names) or "no kind"


def no_object(parameter: str, value: object) -> ArgumentTypeError:
    """Return the error for an argument that no event is about."""
    found = type(value).__name__
    names = list(dict.fromkeys(name for _, name in HOMES.values()))
    if found in names:
        found = f"the {found} of another front end"
    return ArgumentTypeError(
        f"{parameter}: expected a {names[0]} (or a {', '.join(names[1:-1])} or {names[-1]}), or "
        f"several, not {found}"
    )


def check_event_id(family: str, event_id: int, *, by_id: bool = True) -> None:
    """Raise UsageError for an ID that no event of the family has.

    Raises NoSupportError for one that a daemon without ``by_id`` cannot send.
    """
    known = _IDS.get(family)
    if known is None:
        every = (kind for kind in KINDS.values() if kind.family == family and kind.by_id)
        known = _IDS[family] = frozenset(kind.event_id for kind in every)
    if event_id not in known:
        raise UsageError(f"event_id: {int(event_id)} is not within 0 to {len(known) - 1}")
    if not by_id and event_id > _LAST_OLD:
        raise error_class(_NO_SUPPORT)(
            f"the daemon is too old for events of the ID {int(event_id)}", code=_NO_SUPPORT
        )


def registration(
    family: str, event_id: int, wire: Any, *, by_id: bool = True
) -> tuple[Procedure[Any, Any], Any]:
    """Return the call that asks for events; ``wire`` names the object, None is for all of them."""
    from virtproto.wire.remote import connect_event as calls

    if family == DOMAIN and not by_id:
        if event_id == 0:
            return calls.CONNECT_DOMAIN_EVENT_REGISTER, None
        return calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY, (
            calls.ConnectDomainEventRegisterAnyArgs(eventID=event_id)
        )
    procedure = getattr(calls, _BEGIN_AND_END[family][0])
    return procedure, procedure.args(event_id, wire)


def gives_id_for_domain(procedure: Procedure[Any, Any]) -> bool:
    """Return whether this is the call for a domain's events that older daemons do not know."""
    return procedure.name == _BEGIN_AND_END[DOMAIN][0]


def monitor_registration(
    wire: Any, event: str | None, flags: int
) -> tuple[Procedure[Any, Any], Any]:
    """Return the call that asks for events of QEMU's monitor."""
    from virtproto.wire import qemu

    return qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, (
        qemu.ConnectDomainMonitorEventRegisterArgs(dom=wire, event=event, flags=flags)
    )


def deregistration(
    family: str, event_id: int, server_id: int | None
) -> tuple[Procedure[Any, Any], Any]:
    """Return the call that ends a registration; without ``server_id`` it was the older way."""
    from virtproto.wire import qemu
    from virtproto.wire.remote import connect_event as calls

    if server_id is None:
        if event_id == 0:
            return calls.CONNECT_DOMAIN_EVENT_DEREGISTER, None
        return calls.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, (
            calls.ConnectDomainEventDeregisterAnyArgs(eventID=event_id)
        )
    procedure = getattr(qemu if family == QEMU else calls, _BEGIN_AND_END[family][1])
    return procedure, procedure.args(callbackID=server_id)
