"""What an argument of a procedure means beside its type: constants, and typed parameters by name.

Responsible for joining what the API's description knows (the generated table) with what is written
by hand: methods that are code, and the sets that recipes name. Must not know what a caller gives.
"""

from __future__ import annotations

from virtproto.model.procedure_uses import ENUMS, KNOWN_SETS

__all__ = ["constants_of", "parameters_of"]

_EVENT = "eventID"

# By program and number, then by argument.
_ENUMS: dict[tuple[str, int], dict[str, str]] = {
    ("remote", 167): {_EVENT: "DomainEventID"},
    ("remote", 313): {_EVENT: "NetworkEventID"},
    ("remote", 316): {_EVENT: "DomainEventID"},
    ("remote", 344): {"stats": "DomainStatsTypes", "flags": "ConnectGetAllDomainStatsFlags"},
    ("remote", 368): {_EVENT: "StoragePoolEventID"},
    ("remote", 374): {_EVENT: "NodeDeviceEventID"},
    ("remote", 380): {_EVENT: "SecretEventID"},
}

# The procedures by which recipes set typed parameters, which all are called "params".
_SETS: dict[tuple[str, int], str] = {
    ("remote", 58): "SCHEDULER",
    ("remote", 197): "MEMORY",
    ("remote", 205): "BLKIO",
    ("remote", 219): "SCHEDULER",
    ("remote", 252): "BLOCK_IOTUNE",
    ("remote", 254): "NUMA",
    ("remote", 256): "BANDWIDTH",
    ("remote", 288): "NODE_MEMORY",
    ("remote", 366): "PERF",
    ("remote", 440): "SAVE",
    ("remote", 441): "SAVE",
}
_PARAMS = "params"


def constants_of(program: str, number: int, argument: str) -> str | None:
    """Return the name of the set in ``virtproto.constants`` that an argument is of, if any."""
    key = (program, number)
    return ENUMS.get(key, {}).get(argument) or _ENUMS.get(key, {}).get(argument)


def parameters_of(program: str, number: int, argument: str) -> str | None:
    """Return which of the sets in ``virtproto.model.parameters`` an argument takes, if any."""
    key = (program, number)
    found = KNOWN_SETS.get(key, {}).get(argument)
    return found or (_SETS.get(key) if argument == _PARAMS else None)
