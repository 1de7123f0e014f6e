"""Reads secrets.toml: which fields and typed parameters must never be shown.

::

    typed_parameters = ["sev-secret"]
    [fields]
    remote_secret_get_value_ret = ["value"]

Knows the file and holds it against the contract; what "never shown" takes is the codec's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdrgen.errors import ContractError
from xdrgen.model import Contract

__all__ = ["Secrets", "check_secrets", "read_secrets"]


@dataclass(frozen=True)
class Secrets:
    """Struct name to the names of its secret fields, and names of secret typed parameters."""

    fields: Mapping[str, tuple[str, ...]]
    typed_parameters: tuple[str, ...]


def read_secrets(path: Path) -> Secrets:
    """Return what a secrets.toml lists; raise ContractError for one that is not."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{path}: {error}") from None
    unknown = sorted(data.keys() - {"fields", "typed_parameters"})
    if unknown:
        raise ContractError(f"{path}: expected typed_parameters and [fields], found '{unknown[0]}'")
    fields = data.get("fields", {})
    if not isinstance(fields, dict):
        raise ContractError(f"{path}: expected [fields] to be a table, found {fields!r}")
    return Secrets(
        {struct: _names(path, struct, names) for struct, names in fields.items()},
        _names(path, "typed_parameters", data.get("typed_parameters", [])),
    )


def check_secrets(secrets: Secrets, contract: Contract) -> None:
    """Raise ContractError unless every listed field is one of the contract's."""
    structs = {
        name: {member.name for member in struct.members}
        for source in contract.files.values()
        for name, struct in source.structs.items()
    }
    for struct, fields in secrets.fields.items():
        if struct not in structs:
            raise ContractError(f"secrets.toml: expected a struct, found '{struct}'")
        for name in fields:
            if name not in structs[struct]:
                raise ContractError(f"secrets.toml: expected a field of {struct}, found '{name}'")


def _names(path: Path, where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ContractError(f"{path}: expected a list of names for {where}, found {value!r}")
    return tuple(value)
