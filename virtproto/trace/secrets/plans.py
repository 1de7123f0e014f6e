"""Which fields of a message are secret, and which are texts that may have secrets inside.

Responsible for the plan of each type of the contract, made once: what is done with each field. Must
not know values or bytes, but for the one question that the contract cannot answer: whether the call
asked for XML with its passwords.
"""

from __future__ import annotations

from functools import lru_cache
from keyword import iskeyword
from operator import attrgetter

from virtproto.errors import ProtocolError
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.secrets.scrubbing import is_secret_name
from virtproto.wire import find_procedure, load_contract
from virtproto.xdr.contract import Member, Struct
from virtproto.xdr.message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from virtproto.trace.message import TracedMessage

__all__ = [
    "COOKIE",
    "FIXED",
    "MARKED",
    "ONE",
    "OPTIONAL",
    "PARAMETER",
    "PLAIN",
    "STRUCT",
    "TEXT",
    "UNION",
    "VARIABLE",
    "WHOLE",
    "Part",
    "Plan",
    "hides_parameter",
    "message_class",
    "plan_of",
    "type_plan",
]

# What is done with a field. PLAIN: shown. TEXT: shown without the secrets inside. MARKED: the same
# if it is XML, which libvirt says may hold passwords; what is not XML there is not shown. COOKIE:
# what two daemons tell each other of a migration, XML as well; not shown with a domain's in it.
# WHOLE: not shown. STRUCT: as its own plan says. PARAMETER: a typed parameter, of which the name
# decides; UNION: a value of one.
PLAIN, TEXT, MARKED, COOKIE, WHOLE, STRUCT, PARAMETER, UNION = range(8)

# How often a field has a value.
ONE, OPTIONAL, FIXED, VARIABLE = range(4)

# Types of which an array is one value.
_BYTES = frozenset({"string", "opaque", "char", "unsigned char"})

# Replies with XML that holds passwords if bit 0 of the call's flags asked for them:
# VIR_DOMAIN_XML_SECURE and its namesakes.
_ASKED_FOR = frozenset(
    {
        "remote_domain_get_xml_desc_ret",
        "remote_domain_save_image_get_xml_desc_ret",
        "remote_domain_managed_save_get_xml_desc_ret",
        "remote_domain_snapshot_get_xml_desc_ret",
        "remote_domain_checkpoint_get_xml_desc_ret",
    }
)
_SECURE = 1

# Secret fields that are XML. Migration asks for the passwords always.
_XML_FIELDS = frozenset({"xml", "xml_desc", "dxml", "dom_xml", "xmlin", "domainXml"})
_MIGRATION = "remote_domain_migrate_"
_COOKIES = frozenset({"cookie", "cookie_in", "cookie_out"})

# Structs that name an object: nothing in them is a text.
_HANDLES = ("remote_nonnull_", "admin_nonnull_", "virNetMessageNonnull")
_PARAMETERS = frozenset({"remote_typed_param", "admin_typed_param"})
_HOLE_TYPE = "virNetStreamHole"


class Part:
    """What is done with one field: ``name`` is the contract's, ``attribute`` the class's.

    ``member`` declares one value without typedefs. ``shape`` says how many of them there are: ONE,
    OPTIONAL, or a list: FIXED or VARIABLE, of ``limit`` elements. Strings and arrays of bytes are
    one value. ``plan`` is that of a STRUCT.
    """

    __slots__ = ("attribute", "kind", "limit", "member", "name", "plan", "shape")

    def __init__(self, declared: Member) -> None:
        self.name = declared.name
        self.attribute = f"{self.name}_" if iskeyword(self.name) else self.name
        contract = load_contract()
        member = contract.resolve(declared)
        self.shape = ONE
        self.limit = 0
        if member.shape == "optional":
            self.shape = OPTIONAL
        elif member.shape != "scalar" and member.type not in _BYTES:
            self.shape = FIXED if member.shape == "fixed" else VARIABLE
            self.limit = 2**32 - 1 if member.limit is None else member.limit
        if self.shape is not ONE:
            member = contract.resolve(Member(self.name, member.type, "scalar", None))
        self.member = member
        self.kind = PLAIN
        self.plan: Plan | None = None

    @property
    def is_simple(self) -> bool:
        """Whether its value is its own plain form, but for secrets in a text."""
        return self.kind in (PLAIN, TEXT) and self.shape in (ONE, OPTIONAL)


class Plan:
    """What is done with a type: its parts, and what there is among them and below.

    ``certain`` says that some field is WHOLE or MARKED, whatever the values are; ``texts`` that
    there may be secrets inside of texts or typed parameters.

    ``getter`` brings the values of all fields at once, in the order of ``names``, where they are
    their own plain form but for secrets in texts; ``is_plain`` says that there are no such texts.
    """

    __slots__ = ("certain", "getter", "is_plain", "names", "parts", "texts", "type_name")

    def __init__(self, type_name: str, parts: tuple[Part, ...]) -> None:
        self.type_name = type_name
        self.parts = parts
        below = [part.plan for part in parts if part.plan is not None]
        kinds_here = {part.kind for part in parts}
        self.certain: bool = bool(kinds_here & {WHOLE, MARKED}) or any(
            plan.certain for plan in below
        )
        texts = {TEXT, MARKED, COOKIE, PARAMETER, UNION}
        self.names = tuple(part.name for part in parts)
        self.is_plain = kinds_here <= {PLAIN}
        self.getter: Callable[[Message], tuple[Any, ...]] | None = None
        if len(parts) > 1 and all(part.is_simple for part in parts):
            self.getter = attrgetter(*(part.attribute for part in parts))
        self.texts: bool = bool(kinds_here & texts) or any(plan.texts for plan in below)


_plans: dict[tuple[str, bool], Plan] = {}
_classes: dict[str, type[Message] | None] = {}


def plan_of(message: TracedMessage) -> Plan | None:
    """Return what is to be done with the payload of ``message``, None if its type is not known."""
    name = message.type_name
    if name is None:
        return None
    return type_plan(name, secure=name in _ASKED_FOR and _asked_securely(message))


def type_plan(type_name: str, *, secure: bool = True) -> Plan:
    """Return the plan of a struct of the contract.

    ``secure`` is whether XML was asked for with passwords, where that depends on the call.
    """
    found = _plans.get((type_name, secure))
    if found is None:
        found = _plans[type_name, secure] = _made(type_name, secure)
    return found


def _made(type_name: str, secure: bool) -> Plan:
    contract = load_contract()
    struct = contract.type(type_name)
    if not isinstance(struct, Struct):
        raise TypeError(f"{type_name} is no struct")
    parts = []
    for member in struct.members:
        part = Part(member)
        part.kind = _kind(struct, part.member, secure)
        if part.kind == STRUCT:
            part.plan = type_plan(part.member.type, secure=secure)
        parts.append(part)
    return Plan(type_name, tuple(parts))


def _kind(struct: Struct, member: Member, secure: bool) -> int:
    name = member.name
    if name in struct.secrets:
        if name not in _XML_FIELDS or struct.name.startswith(_MIGRATION):
            return WHOLE
        return WHOLE if secure and struct.name in _ASKED_FOR else MARKED
    if member.type in _PARAMETERS:
        return PARAMETER
    target = load_contract().types.get(member.type)
    if target is not None and target[0] == "struct":
        return STRUCT
    if target is not None and target[0] == "union":
        return UNION
    if member.type == "string" and not struct.name.startswith(_HANDLES):
        return TEXT
    if name in _COOKIES and member.type == "opaque":
        return COOKIE
    return PLAIN


@lru_cache(maxsize=4096)
def hides_parameter(name: str) -> bool:
    """Tell whether the value of the typed parameter of this name is secret."""
    # As C reads it: a wrong length may have NULs in it.
    name = name.partition("\0")[0]
    return name in load_contract().secret_parameters or is_secret_name(name)


def _asked_securely(message: TracedMessage) -> bool:
    """Tell whether XML was asked for with its passwords; it counts as such if nobody knows."""
    call = message.call
    if call is None or call.left_out:
        return True
    found = message_class(call)
    if found is None:
        return True
    try:
        asked = found.unpack(call.packet.payload, exact=True)
    except (ProtocolError, ValueError):
        return True
    return bool(getattr(asked, "flags", _SECURE) & _SECURE)


def message_class(message: TracedMessage) -> type[Message] | None:
    """Return the class of a message's payload, None where there is none."""
    name = message.type_name
    if name is None:
        return None
    if name not in _classes:
        _classes[name] = _class(name, message)
    return _classes[name]


def _class(name: str, message: TracedMessage) -> type[Message] | None:
    if name == ERROR_TYPE:
        from virtproto.wire import remote

        return remote.Error
    if name == _HOLE_TYPE:
        from virtproto.wire import rpc

        return rpc.StreamHole
    procedure = find_procedure(message.packet.program, message.packet.procedure)
    known = (procedure.args, procedure.ret, procedure.msg)
    return next((each for each in known if each is not None and name == each.XDR_NAME), None)
