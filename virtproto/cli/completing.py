"""What may stand at a place of a command line: for the shell's completion.

Responsible for words: procedures, a procedure's arguments and what they may be, names of objects. A
daemon is asked for names where that is a matter of a moment, and never in a way that somebody would
have to answer. Whatever goes wrong, there is just nothing to offer. Must not know of click, or of a
shell.
"""

from __future__ import annotations

from virtproto import sync
from virtproto.errors import UsageError, VirtprotoError
from virtproto.model.call_arguments import (
    is_reference,
    is_typed_parameters,
    named_numbers,
)
from virtproto.model.endpoint import TcpEndpoint, UnixEndpoint
from virtproto.model.parameters import KNOWN
from virtproto.model.procedure_terms import parameters_of
from virtproto.transport.deadline import deadline
from virtproto.transport.resolve import resolve
from virtproto.wire import load_contract
from virtproto.xdr.contract import Member, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from virtproto.sync import Connection
    from virtproto.xdr.contract import Contract

__all__ = [
    "argument_words",
    "domain_names",
    "pool_names",
    "procedure_names",
    "program_names",
    "release_names",
    "volume_names",
]

# How long a daemon has to answer, in seconds: somebody sits before the keyboard.
LIMIT_S = 1.0

_CALLED = ("remote", "qemu", "lxc")
_PROGRAMS = (*_CALLED, "admin")
# Of which it is known what they have.
_RELEASES = ("7.0.0", "9.0.0", "11.3.0", "12.8.0")

Words = list[tuple[str, str]]


def program_names(begun: str) -> Words:
    """Return the programs that a word may become, each with nothing to say of it."""
    return _beginning(begun, ((name, "") for name in _PROGRAMS))


def release_names(begun: str) -> Words:
    """Return releases that a word may become."""
    return _beginning(begun, ((name, "") for name in _RELEASES))


def procedure_names(begun: str, *, callable_only: bool = True) -> Words:
    """Return the procedures that a word may become, and which program they are of.

    Of another program than remote a name needs the program before it. Names are in the case in
    which the word is begun.
    """
    contract = load_contract()
    names = []
    for program in _CALLED if callable_only else _PROGRAMS:
        prefix = "" if program == "remote" else f"{program}:"
        for _number, name, _args, _ret, msg, _remarks in contract.programs[program][2]:
            if msg is None or not callable_only:
                names.append((prefix + name, "event" if msg is not None else program))
    return _beginning(begun, names)


def _beginning(begun: str, words: Iterable[tuple[str, str]]) -> Words:
    """Return the words that begin so, in whichever case that is."""
    found = [(word, said) for word, said in words if word.lower().startswith(begun.lower())]
    if begun.rpartition(":")[2] and begun == begun.lower():
        found = [(word.lower(), said) for word, said in found]
    return sorted(found)


def argument_words(proc: str, given: Sequence[str], begun: str, uri: str | None) -> Words:
    """Return what an argument of ``call`` may become: names of fields, then their values.

    ``given`` are the arguments that are there already.
    """
    # Not at the head: `calling` is what completion is for.
    from virtproto.cli.calling import find_callable

    contract = load_contract()
    try:
        program, procedure = find_callable(proc)
        declared = contract.procedure(program, procedure.number)
    except UsageError:
        return []
    if declared.args is None:
        return []
    path, equals, text = begun.partition("=")
    asker = _Asker(contract, program, procedure.number, declared.args, uri)
    if equals:
        return [(f"{path}={value}", said) for value, said in asker.values(path, text)]
    taken = {word.partition("=")[0] for word in given}
    return [(name, said) for name, said in asker.names(begun) if name.rstrip("=") not in taken]


class _Asker:
    """What one procedure's arguments may be."""

    def __init__(
        self, contract: Contract, program: str, number: int, type_name: str, uri: str | None
    ) -> None:
        self._contract = contract
        self._procedure = (program, number)
        self._type_name = type_name
        self._uri = uri

    def names(self, begun: str) -> Words:
        """Return the names of fields, ready for their values."""
        above, _dot, _rest = begun.rpartition(".")
        head = begun.partition(".")[0]
        found = []
        members = self._members(self._type_name)
        for member in members:
            resolved = self._resolved(member)
            if is_typed_parameters(resolved):
                if "." not in begun or head != member.name:
                    found.append((f"{member.name}.", "typed parameters"))
                else:
                    found += [(f"{member.name}.{name}=", "") for name in self._parameters(member)]
            elif not above or head != member.name:
                found.append((f"{member.name}=", self._said(resolved)))
            else:
                found += [
                    (f"{member.name}.{inner.name}=", self._said(self._resolved(inner)))
                    for inner in self._members(resolved.type)
                ]
        return [(name, said) for name, said in found if name.startswith(begun)]

    def values(self, path: str, begun: str) -> Words:
        """Return what a field may be, as far as that can be told."""
        members = {member.name: member for member in self._members(self._type_name)}
        head, *inner = path.split(".")
        for name in inner:
            if head not in members:
                return []
            members = {one.name: one for one in self._members(self._resolved(members[head]).type)}
            head = name
        if head not in members:
            return []
        resolved = self._resolved(members[head])
        if resolved.shape == "scalar" and is_reference(self._contract, resolved.type):
            return [
                (name, "")
                for name in _objects(resolved.type, begun, self._uri)
                if name.startswith(begun)
            ]
        constants = named_numbers(self._contract, *self._procedure, resolved)
        return [] if constants is None else _constants(constants, begun)

    def _members(self, type_name: str) -> Sequence[Member]:
        if type_name not in self._contract.types:
            return ()
        target = self._contract.type(type_name)
        return target.members if isinstance(target, Struct) else ()

    def _resolved(self, member: Member) -> Member:
        resolved = self._contract.resolve(member)
        if resolved.shape == "optional":
            return self._contract.resolve(Member(member.name, resolved.type, "scalar", None))
        return resolved

    def _parameters(self, member: Member) -> Iterable[str]:
        own = parameters_of(*self._procedure, member.name)
        if own is not None:
            return KNOWN[own]
        return sorted({name for table in KNOWN.values() for name in table})

    def _said(self, member: Member) -> str:
        return member.spelling.removeprefix("remote_nonnull_").replace("_", " ")


def _constants(constants: tuple[str, Any, bool], begun: str) -> Words:
    """Return names of a set, of flags one more after those that are there."""
    called, members, several = constants
    before = ""
    if several:
        # The last of these begins another name; "," needs no quotes in a shell.
        cut = max(begun.rfind(","), begun.rfind("|")) + 1
        before, begun = begun[:cut], begun[cut:]
    taken = set(before.upper().replace("|", ",").split(","))
    free = ((name, called) for name in members if name not in taken)
    return [(before + name, said) for name, said in _beginning(begun, free)]


def domain_names(begun: str, uri: str | None) -> Words:
    """Return the daemon's domains that a word may become."""
    return _named("remote_nonnull_domain", begun, uri)


def pool_names(begun: str, uri: str | None) -> Words:
    """Return the daemon's storage pools that a word may become."""
    return _named("remote_nonnull_storage_pool", begun, uri)


def volume_names(pool: str, begun: str, uri: str | None) -> Words:
    """Return the volumes of a pool that a word may become."""
    names = _asked(
        uri, lambda there: _listed(there.get_storage_pool_by_name(pool).list_all_volumes())
    )
    return [(name, "") for name in sorted(names) if name.startswith(begun)]


def _named(kind: str, begun: str, uri: str | None) -> Words:
    return [(name, "") for name in _objects(kind, begun, uri) if name.startswith(begun)]


def _objects(kind: str, begun: str, uri: str | None) -> list[str]:
    """Return the names of the daemon's objects of a kind, as `references` reads them."""
    listing = _LISTINGS.get(kind)
    return [] if listing is None else sorted(_asked(uri, lambda there: listing(there, begun)))


def _listed(found: Iterable[Any]) -> list[str]:
    return [each.get_name() for each in found]


def _in_domains(
    connection: Connection, begun: str, list_all: Callable[[Any], Iterable[Any]]
) -> list[str]:
    """Return DOMAIN/ for all domains, or all that the one domain has which is named already."""
    owner, slash, _name = begun.partition("/")
    if not slash:
        return [f"{name}/" for name in _listed(connection.list_all_domains())]
    domain = connection.get_domain_by_name(owner)
    return [f"{owner}/{name}" for name in _listed(list_all(domain))]


def _volumes(connection: Connection, begun: str) -> list[str]:
    owner, slash, _name = begun.partition("/")
    if not slash:
        return [f"{name}/" for name in _listed(connection.list_all_storage_pools())]
    pool = connection.get_storage_pool_by_name(owner)
    return [f"{owner}/{name}" for name in _listed(pool.list_all_volumes())]


def _ports(connection: Connection, begun: str) -> list[str]:
    owner, slash, _name = begun.partition("/")
    if not slash:
        return [f"{name}/" for name in _listed(connection.list_all_networks())]
    ports = connection.get_network_by_name(owner).list_all_ports()
    return [f"{owner}/{port.get_uuid_string()}" for port in ports]


def _secrets(connection: Connection, _begun: str) -> list[str]:
    secrets = connection.list_all_secrets()
    return [each.get_usage_id() or each.get_uuid_string() for each in secrets]


_LISTINGS: dict[str, Callable[[Connection, str], list[str]]] = {
    "remote_nonnull_domain": lambda there, _begun: _listed(there.list_all_domains()),
    "remote_nonnull_network": lambda there, _begun: _listed(there.list_all_networks()),
    "remote_nonnull_network_port": _ports,
    "remote_nonnull_nwfilter": lambda there, _begun: _listed(there.list_all_nwfilters()),
    "remote_nonnull_nwfilter_binding": lambda there, _begun: [
        each.get_port_dev() for each in there.list_all_nwfilter_bindings()
    ],
    "remote_nonnull_storage_pool": lambda there, _begun: _listed(there.list_all_storage_pools()),
    "remote_nonnull_storage_vol": _volumes,
    "remote_nonnull_node_device": lambda there, _begun: _listed(there.list_all_node_devices()),
    "remote_nonnull_secret": _secrets,
    "remote_nonnull_interface": lambda there, _begun: _listed(there.list_all_interfaces()),
    "remote_nonnull_domain_checkpoint": lambda there, begun: _in_domains(
        there, begun, lambda domain: domain.list_all_checkpoints()
    ),
    "remote_nonnull_domain_snapshot": lambda there, begun: _in_domains(
        there, begun, lambda domain: domain.list_all_snapshots()
    ),
}


def _asked(uri: str | None, question: Callable[[Connection], list[str]]) -> list[str]:
    """Return what a daemon answers, nothing if it cannot be reached at once.

    The connection is a read-only one, which nobody is asked a password for. An ssh might ask at the
    terminal: by that way no daemon is asked.
    """
    try:
        _uri, endpoint = resolve(uri, readonly=True)
        if not isinstance(endpoint, UnixEndpoint | TcpEndpoint):
            return []
        with deadline(LIMIT_S), sync.open(uri, readonly=True, timeout_s=LIMIT_S) as connection:
            return question(connection)
    except VirtprotoError:
        return []
