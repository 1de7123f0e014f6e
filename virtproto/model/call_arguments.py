"""The arguments of one call as people write them: fields by name, or a JSON object.

Responsible for what a field's type, and what the API's description knows of it, make of a text:
bytes, numbers, constants by name, typed parameters by name, and objects by their names, which
somebody has to look up. Whether the rest fits is the codec's business. Must not know: how an object
is looked up, or how a call is made.

A password may be among the words. Where a procedure takes anything secret, no refusal repeats a
word of the caller's.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.parameters import KNOWN
from virtproto.model.plain import BYTE_TYPES, read_bytes, read_json
from virtproto.model.procedure_terms import constants_of, parameters_of
from virtproto.model.written_values import (
    near,
    number_of,
    parameter_types,
    read_parameter,
)
from virtproto.xdr.contract import BASIC_TYPES, Enum, Member, Struct, Union
from virtproto.xdr.typedparams import STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from virtproto.xdr.contract import Contract

__all__ = ["CallArguments", "Reference", "is_reference", "is_typed_parameters", "named_numbers"]

# What an argument that is left out stands for: nothing special, and a list with its elements.
_USUAL = {"flags": ("unsigned int", 0), "need_results": ("int", 1)}


class Reference(dict[str, "Any"]):
    """An object that was named and is still to be looked up.

    Until ``update`` it holds what has the size of a reference and means nothing, so that the other
    arguments can be tried. ``path`` is the argument, ``type`` the contract's, ``given`` the name.
    """

    def __init__(self, path: str, type: str, given: str, standing_in: Mapping[str, Any]) -> None:
        super().__init__(standing_in)
        self.path = path
        self.type = type
        self.given = given


def is_reference(contract: Contract, type_name: str) -> bool:
    """Return whether a type of the contract is a reference to an object, such as a domain."""
    return "_nonnull_" in type_name and isinstance(_named(contract, type_name), Struct)


def is_typed_parameters(member: Member) -> bool:
    """Return whether a declaration, which is resolved, is a list of typed parameters."""
    return member.shape == "variable" and member.type.endswith("_typed_param")


def named_numbers(
    contract: Contract, program: str, number: int, member: Member
) -> tuple[str, Mapping[str, int], bool] | None:
    """Return the constants that an argument of a procedure takes.

    They are what the set is called, its members, and whether several may be joined; None where the
    argument is just a number.
    """
    target = _named(contract, member.type)
    if isinstance(target, Enum):
        return target.name, target.members, False
    name = constants_of(program, number, member.name)
    if name is None:
        return None
    # The table of all constants: for who asks for one by name.
    from virtproto.constants.enums import ENUMS

    several, _c_name, _about, members = ENUMS[name]
    return name, members, several


def _named(contract: Contract, type_name: str) -> Struct | Union | Enum | Member | None:
    return contract.type(type_name) if type_name in contract.types else None


class CallArguments:
    """What was given for one call, field by field; ``whole`` is all of it, to be encoded.

    ``references`` are the objects to look up before that.
    """

    def __init__(self, contract: Contract, program: str, number: int, type_name: str) -> None:
        self.references: list[Reference] = []
        self._contract = contract
        self._procedure = (program, number)
        self._root = Member("", type_name, "scalar", None)
        self._plain: dict[str, Any] = {}
        # The contract calls them so wherever they are arguments.
        self._known = parameter_types(KNOWN, parameters_of(program, number, "params"))
        self.secretive = self._holds_secrets(self._root)

    def _holds_secrets(self, member: Member) -> bool:
        member = self._contract.resolve(member)
        if is_typed_parameters(member):
            return True
        target = _named(self._contract, member.type)
        if not isinstance(target, Struct):
            return False
        return bool(target.secrets) or any(map(self._holds_secrets, target.members))

    def add_json(self, text: str) -> None:
        """Take the fields of a JSON object.

        Raises UsageError, also for a field that there is already.
        """
        given, fault = _read(text)
        if fault is not None:
            raise UsageError(f"the arguments{fault}")
        if not isinstance(given, dict):
            raise UsageError("the arguments: expected a JSON object")
        for name, value in given.items():
            member = self._field(self._root, "", name)
            if name in self._plain:
                raise UsageError(f"{name} is given twice")
            self._plain[name] = self._from_json(member, value, name)

    def add_word(self, word: str, place: int) -> None:
        """Take one field from ``name=value``; ``place`` is the word's own, from 1.

        The name is "dom", "dom.name" for a field of a field, "params.weight" for a typed parameter.
        Raises UsageError, also for a field that there is already.
        """
        path, equals, text = word.partition("=")
        if not equals or not path:
            shown = f"argument {place}" if self.secretive else repr(word)
            raise UsageError(f"{shown}: expected name=value, or one JSON object")
        member, into = self._root, self._plain
        names = path.split(".")
        for index, name in enumerate(names):
            above = ".".join(names[:index])
            member = self._field(member, above, name, place)
            here = f"{above}.{name}" if above else name
            rest = ".".join(names[index + 1 :])
            if not rest:
                if name in into:
                    raise UsageError(f"{path} is given twice")
                into[name] = self._from_word(member, here, text)
            elif is_typed_parameters(self._resolved(member)):
                self._add_parameter(into.setdefault(name, []), here, rest, text)
                return
            else:
                into = into.setdefault(name, {})
                if not isinstance(into, dict) or isinstance(into, Reference):
                    raise UsageError(f"{path}: {here} is already given whole")

    def whole(self) -> dict[str, Any]:
        """Return all fields in their plain form.

        Absent optional ones are None, absent flags 0, and the results of a list are wanted.
        """
        self._fill(self._root, self._plain)
        return self._plain

    def _fill(self, member: Member, plain: Any) -> None:
        target = _named(self._contract, member.type)
        if not isinstance(target, Struct) or not isinstance(plain, dict):
            return
        for field in target.members:
            resolved = self._contract.resolve(field)
            if field.name in plain:
                if resolved.shape == "scalar":
                    self._fill(resolved, plain[field.name])
            elif resolved.shape == "optional":
                plain[field.name] = None
            elif field.name in _USUAL and resolved.type == _USUAL[field.name][0]:
                plain[field.name] = _USUAL[field.name][1]

    def _field(self, member: Member, above: str, name: str, place: int | None = None) -> Member:
        target = _named(self._contract, self._resolved(member).type)
        if self._resolved(member).shape in ("fixed", "variable") or not isinstance(target, Struct):
            raise UsageError(f"{above}: it has no fields; give it as JSON")
        for field in target.members:
            if field.name == name:
                return field
        names = [field.name for field in target.members]
        there_are = f"there {'are' if len(names) > 1 else 'is'} {', '.join(names)}"
        if self.secretive:
            # Who forgets the name of an argument has written a password where names stand.
            where = above or ("the arguments" if place is None else f"argument {place}")
            raise UsageError(f"{where}: no field of that name; {there_are}")
        told = near(name, names)
        where = above or "the arguments"
        raise UsageError(f"{where}: no field {name!r:.80}{told or '; '}{'' if told else there_are}")

    def _resolved(self, member: Member) -> Member:
        """Return the declaration behind typedefs and an optional."""
        member = self._contract.resolve(member)
        if member.shape != "optional":
            return member
        return self._contract.resolve(Member(member.name, member.type, "scalar", None))

    def _from_word(self, member: Member, path: str, text: str) -> Any:
        resolved = self._resolved(member)
        is_json = text.lstrip()[:1] in ("{", "[")
        if resolved.shape == "scalar" and is_reference(self._contract, resolved.type):
            if not is_json:
                return self._reference(resolved, path, text)
        elif resolved.type == "string" and resolved.shape != "fixed":
            return text
        elif resolved.type in BYTE_TYPES and resolved.shape != "scalar":
            return self._bytes(resolved, text, path)
        elif resolved.shape == "scalar" and not self._is_composed(resolved):
            return self._number(resolved, path, text)
        value, fault = _read(text)
        if fault is not None:
            told = fault
            if "not JSON" in fault:
                told = f": expected {resolved.spelling} as JSON"
                if is_json:
                    told += f", and it is none: {fault.partition('JSON: ')[2]}"
                elif is_typed_parameters(resolved):
                    told += f', such as {path}={{"NAME": VALUE}}, or {path}.NAME=VALUE'
            raise UsageError(f"{path}{told}")
        return self._from_json(resolved, value, path)

    def _bytes(self, member: Member, value: Any, path: str) -> Any:
        try:
            return read_bytes(member, value, path)
        except UsageError:
            if not self.secretive or member.shape != "fixed":
                raise
        # What is no UUID would be shown.
        raise UsageError(f"{path}: expected a UUID")

    def _is_composed(self, member: Member) -> bool:
        return isinstance(_named(self._contract, member.type), Struct | Union)

    def _number(self, member: Member, path: str, text: str) -> int | float:
        type_name = member.type if member.type in BASIC_TYPES else "int"
        names = named_numbers(self._contract, *self._procedure, member)
        return number_of(path, text, type_name, names, hide=self.secretive)

    def _reference(self, member: Member, path: str, text: str) -> Reference:
        if not text:
            raise UsageError(f"{path}: expected a name, found nothing")
        made = Reference(path, member.type, text, self._standing_in(member))
        self.references.append(made)
        return made

    def _standing_in(self, member: Member) -> Any:
        member = self._contract.resolve(member)
        target = _named(self._contract, member.type)
        if isinstance(target, Struct):
            return {field.name: self._standing_in(field) for field in target.members}
        if member.type == "string":
            return ""
        return bytes(member.limit or 0) if member.type == "opaque" else 0

    def _add_parameter(self, into: Any, path: str, name: str, text: str) -> None:
        if not isinstance(into, list):
            raise UsageError(f"{path}.{name}: {path} is already given whole")
        made = self._parameter(path, name, text)
        # Of texts there may be several under one name.
        if made["value"]["type"] != STRING and any(
            each.get("field") == made["field"] for each in into
        ):
            raise UsageError(f"{path}.{name} is given twice")
        into.append(made)

    def _parameter(self, path: str, name: str, value: Any) -> dict[str, Any]:
        secret = self._contract.secret_parameters
        return read_parameter(f"{path}.{name}", name, value, self._known, secret=secret)

    def _from_json(self, member: Member, value: Any, path: str) -> Any:
        """Return the plain value that JSON stands for; what is of the wrong kind passes."""
        resolved = self._resolved(member)
        if value is None:
            return None
        if is_typed_parameters(resolved) and isinstance(value, dict):
            return self._parameters_from_json(path, value)
        if resolved.type in BYTE_TYPES and resolved.shape != "scalar":
            return self._bytes(resolved, value, path)
        if resolved.shape in ("fixed", "variable"):
            if not isinstance(value, list):
                return value
            element = Member(resolved.name, resolved.type, "scalar", None)
            return [
                self._from_json(element, item, f"{path}[{index}]")
                for index, item in enumerate(value)
            ]
        if isinstance(value, str) and resolved.type != "string":
            return self._scalar_from_text(resolved, value, path)
        if isinstance(value, list) and self._names_numbers(resolved, value):
            return self._number(resolved, path, "|".join(value) or "0")
        return self._composed_from_json(resolved, value, path)

    def _names_numbers(self, member: Member, value: list[Any]) -> bool:
        names = named_numbers(self._contract, *self._procedure, member)
        return names is not None and all(isinstance(each, str) for each in value)

    def _scalar_from_text(self, member: Member, text: str, path: str) -> Any:
        if is_reference(self._contract, member.type):
            return self._reference(member, path, text)
        if not self._is_composed(member):
            return self._number(member, path, text)
        return text

    def _parameters_from_json(self, path: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        made = []
        for name, value in values.items():
            several = value if isinstance(value, list) else [value]
            made += [self._parameter(path, name, each) for each in several]
        return made

    def _composed_from_json(self, member: Member, value: Any, path: str) -> Any:
        target = _named(self._contract, member.type)
        if not isinstance(value, dict):
            return value
        if isinstance(target, Struct):
            return {
                name: self._from_json(self._field(member, path, name), item, f"{path}.{name}")
                for name, item in value.items()
            }
        case = value.get("type")
        arm = target.arms.get(case) if isinstance(target, Union) and type(case) is int else None
        if arm is None or "value" not in value:
            return value
        return {**value, "value": self._from_json(arm, value["value"], f"{path}.{arm.name}")}


def _read(text: str) -> tuple[Any, str | None]:
    """Return what JSON stands for, and why it stands for nothing, to follow what it was given for.

    Nothing is raised, since json's own errors hold all of the text.
    """
    try:
        return read_json(text), None
    except UsageError as error:
        return None, f": {error}"
    except RecursionError:
        return None, " are not JSON: it is nested too deeply"
    except ValueError as error:
        return None, f" are not JSON: {error}"
