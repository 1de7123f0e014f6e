"""One form for what the C binding and virtproto say in different words of a domain.

Responsible for turning answers on CPUs, memory, clocks and disks into plain lists and dicts that
can be compared. It must not know who is compared when.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "below_8",
    "by_disk",
    "cpu_numbers",
    "documented_names",
    "iothreads",
    "lists_of_cpus",
    "pinned",
    "time_fields",
    "vcpus",
    "whole_seconds",
]


def cpu_numbers(truths: list[bool]) -> list[int]:
    """The binding has a truth value for each CPU."""
    return [number for number, wanted in enumerate(truths) if wanted]


def below_8(value: Any) -> Any:
    """The binding cuts maps after the CPUs that are online, virtproto after those there may be.

    Applied to lists of numbers, wherever they stand in the answer.
    """
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return [number for number in value if number < 8]
    if isinstance(value, list):
        return [[*one[:-1], below_8(one[-1])] for one in value]
    return value


def vcpus(answer: Any) -> list[Any]:
    """The binding tells what virtual CPUs do and where they may run in two lists."""
    told, maps = answer
    return [[*one, cpu_numbers(allowed)] for one, allowed in zip(told, maps, strict=True)]


def pinned(maps: list[list[bool]]) -> list[Any]:
    """Of a domain that does not run the binding has maps alone."""
    return [[number, None, None, None, cpu_numbers(one)] for number, one in enumerate(maps)]


def iothreads(answer: list[Any]) -> list[Any]:
    """Of I/O threads the binding has pairs of number and map."""
    return [[number, cpu_numbers(allowed)] for number, allowed in answer]


def lists_of_cpus(answer: dict[str, str]) -> list[list[int]]:
    """What a guest makes of its CPUs is text in the binding's answer: "0-1,3"."""
    from virtproto.model.cpulists import parse_cpulist

    return [sorted(parse_cpulist(answer[key])) for key in ("vcpus", "online", "offlinable")]


def time_fields(answer: dict[str, int]) -> list[int]:
    """A clock is a dict in the binding's answer."""
    return [answer["seconds"], answer["nseconds"]]


def whole_seconds(answer: list[int]) -> int:
    """Nanoseconds go round between two questions."""
    return answer[0]


def documented_names(answer: dict[str, int]) -> dict[str, int]:
    """The binding has one name of its own."""
    return {"actual_balloon" if name == "actual" else name: n for name, n in answer.items()}


def by_disk(answer: dict[str, int]) -> list[list[Any]]:
    """Errors are by disk in the binding's answer."""
    return [[disk, error] for disk, error in answer.items()]
