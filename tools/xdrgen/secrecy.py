"""Reads secrets.toml: which fields and typed parameters must never be shown.

::

    typed_parameters = ["sev-secret"]
    [fields]
    remote_secret_get_value_ret = ["value"]

Knows the file and holds it against the contract; what "never shown" takes is the codec's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdrgen.model import Contract
from xdrgen.reading import TomlFile, read_toml

__all__ = ["Secrets", "check_secrets", "read_secrets"]


@dataclass(frozen=True)
class Secrets:
    """Struct name to the names of its secret fields, and names of secret typed parameters.

    ``file`` is where it was read, for errors.
    """

    fields: Mapping[str, tuple[str, ...]]
    typed_parameters: tuple[str, ...]
    file: TomlFile = field(
        default_factory=lambda: TomlFile(Path("secrets.toml"), {}), compare=False
    )


def read_secrets(path: Path) -> Secrets:
    """Return what a secrets.toml lists; raise ContractError for one that is not."""
    file = read_toml(path)
    unknown = sorted(file.data.keys() - {"fields", "typed_parameters"})
    if unknown:
        expected = f"expected typed_parameters and [fields], found '{unknown[0]}'"
        table = isinstance(file.data[unknown[0]], dict)
        raise file.error(expected, *((unknown[0],) if table else ("", unknown[0])))
    fields = file.data.get("fields", {})
    if not isinstance(fields, dict):
        raise file.error(f"expected [fields] to be a table, found {fields!r}", "", "fields")
    return Secrets(
        {struct: _names(file, "fields", struct, names) for struct, names in fields.items()},
        _names(file, "", "typed_parameters", file.data.get("typed_parameters", [])),
        file,
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
            raise secrets.file.error(f"expected a struct, found '{struct}'", "fields", struct)
        for name in fields:
            if name not in structs[struct]:
                expected = f"expected a field of {struct}, found '{name}'"
                raise secrets.file.error(expected, "fields", struct)


def _names(file: TomlFile, table: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise file.error(f"expected a list of names for {key}, found {value!r}", table, key)
    return tuple(value)
