"""A described method held against the contract: its procedures, and what its parameters are there.

Responsible for looking things up. Whether what is described can be is judged by ``api_check``,
which everything else here relies on. Must not know: how code is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdrgen.api_kinds import kind_of, limit_of
from xdrgen.api_model import Method, MethodGroup, Parameter
from xdrgen.convention import short_name
from xdrgen.emit_nodes import Node, Types
from xdrgen.errors import ContractError
from xdrgen.model import Contract, ProcedureDef, StructDef
from xdrgen.naming import FileNames, file_names

__all__ = ["REFERENCES", "BoundMethod", "Program", "programs_of"]

# The contract's name for an object of each class.
REFERENCES = {
    "Domain": "remote_nonnull_domain",
    "DomainSnapshot": "remote_nonnull_domain_snapshot",
    "DomainCheckpoint": "remote_nonnull_domain_checkpoint",
    "Network": "remote_nonnull_network",
    "NetworkPort": "remote_nonnull_network_port",
    "StoragePool": "remote_nonnull_storage_pool",
    "StorageVol": "remote_nonnull_storage_vol",
    "NodeDevice": "remote_nonnull_node_device",
    "Interface": "remote_nonnull_interface",
    "Secret": "remote_nonnull_secret",
    "NWFilter": "remote_nonnull_nwfilter",
    "NWFilterBinding": "remote_nonnull_nwfilter_binding",
    "AdminServer": "admin_nonnull_server",
    "AdminClient": "admin_nonnull_client",
}

# Kinds of parameters that travel beside the message.
_BESIDE = {"stream": "stream", "fds": "fds", "fd": "fds", "socket": "fds"}


@dataclass(frozen=True)
class Program:
    """What a method must know of the contract: the program's procedures, structs and names."""

    names: FileNames
    procedures: Mapping[str, ProcedureDef]
    types: Types


def programs_of(contract: Contract) -> dict[str, Program]:
    """Return what methods must know of each program of a contract, by its short name."""
    types = Types(contract)
    found: dict[str, Program] = {}
    for source in contract.files.values():
        names = file_names(source.name)
        procedures = {short_name(one.name): one for one in source.procedures}
        found[names.module] = Program(names, procedures, types)
    return found


@dataclass(frozen=True)
class BoundMethod:
    """A method, the group that it is in and the program that it speaks."""

    group: MethodGroup
    method: Method
    program: Program

    @property
    def object(self) -> str:
        """How the first argument names the object: "" is itself, "none" that there is none."""
        return self.method.object or self.group.object

    @property
    def calls(self) -> list[str]:
        """The procedures that it calls by itself, the one for flags first."""
        return [name for name in (self.method.call_with_flags, self.method.call) if name]

    def args(self, call: str) -> StructDef | None:
        """Return the struct of a call's arguments."""
        return self._struct(self.program.procedures[call].args)

    def ret(self, call: str) -> StructDef | None:
        """Return the struct of a call's reply."""
        return self._struct(self.program.procedures[call].ret)

    def _struct(self, name: str | None) -> StructDef | None:
        return None if name is None else self.program.types.structs[name]

    def node(self, parameter: Parameter) -> Node | None:
        """Return the member that a parameter fills, in whichever call has it."""
        for call in self.calls:
            struct = self.args(call)
            for member in struct.members if struct else ():
                if member.name == parameter.member:
                    return self.program.types.node(member)
        return None

    def kind(self, parameter: Parameter) -> str:
        """Return what a parameter is: as described, or else as the contract has it; "" for none."""
        return parameter.kind or self.kind_by_contract(parameter)

    def kind_by_contract(self, parameter: Parameter) -> str:
        """Return what a parameter is without being described; flags are what they are called."""
        if parameter.name == "flags":
            return "flags"
        node = self.node(parameter)
        return "" if node is None else kind_of(node)

    def limit(self, parameter: Parameter) -> str:
        """Return the constant that says how much of a parameter there may be, "" for none."""
        node = self.node(parameter)
        return parameter.limit or ("" if node is None else limit_of(node))

    def beside(self) -> tuple[str, Parameter | None] | None:
        """Return what travels beside the message, "stream" or "fds", and the parameter with it."""
        for one in self.method.parameters:
            found = _BESIDE.get(self.kind(one))
            if found:
                return found, one
        return ("fds", None) if self.method.returns.startswith("received_fd") else None

    def error(self, message: str, key: str = "") -> ContractError:
        """Return an error at a key of the method's, a parameter's name being one."""
        return self.group.error(message, self.method.name, key)
