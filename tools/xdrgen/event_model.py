"""The described events: what protocol_defs/events.toml says of each, as plain records.

Nothing here reads files or prints code.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdrgen.errors import ContractError
from xdrgen.reading import TomlFile

__all__ = ["FAMILIES", "Event", "Family", "Field"]


@dataclass(frozen=True)
class Family:
    """The events about one kind of object.

    ``object`` is the record's field with the object, ``cls`` its class in ``module`` of each
    colour, ``member`` its name in messages, ``reference`` its type there; ``ids`` is the set of
    constants that event IDs are from, "" where events have none.
    """

    program: str
    object: str
    module: str
    cls: str
    member: str
    reference: str
    ids: str


FAMILIES = {
    "domain": Family(
        "remote", "domain", "domain", "Domain", "dom", "remote_nonnull_domain", "DomainEventID"
    ),
    "network": Family(
        "remote", "network", "network", "Network", "net", "remote_nonnull_network", "NetworkEventID"
    ),
    "storage_pool": Family(
        "remote",
        "pool",
        "storage_pool",
        "StoragePool",
        "pool",
        "remote_nonnull_storage_pool",
        "StoragePoolEventID",
    ),
    "node_device": Family(
        "remote",
        "device",
        "node_device",
        "NodeDevice",
        "dev",
        "remote_nonnull_node_device",
        "NodeDeviceEventID",
    ),
    "secret": Family(
        "remote", "secret", "secret", "Secret", "secret", "remote_nonnull_secret", "SecretEventID"
    ),
    "qemu": Family("qemu", "domain", "domain", "Domain", "dom", "remote_nonnull_domain", ""),
}


@dataclass(frozen=True)
class Field:
    """A field of a record: the member it is made of, and what that means.

    ``enum`` is a set of constants, or "detail"; ``older`` what a message without the member stands
    for, None where every message has it.
    """

    name: str
    member: str
    means: str
    enum: str = ""
    older: int | None = None


@dataclass(frozen=True)
class Event:
    """An event under its record's name; of two procedures the first is the older way's."""

    name: str
    file: TomlFile
    family: str
    id: int
    procedures: tuple[str, ...]
    about: str
    fields: tuple[Field, ...]

    def error(self, message: str, key: str = "") -> ContractError:
        """Return an error that names the place in the file."""
        return self.file.error(f"{self.name}: {message}", self.name, key)
