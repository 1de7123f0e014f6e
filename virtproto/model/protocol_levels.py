"""Which procedures a release of libvirt has, and what a daemon's answers say of those it has.

Responsible for what follows from first releases, from numbers (new procedures are appended, none is
ever taken away, so that all below one that is there are there too), and from refusals. Must not
know: how a daemon is asked.

Asking has no effect. A daemon refuses a number that it does not know as unknown. One that it knows
gets no arguments at all where its arguments take at least a word: the daemon fails to decode them,
and says so, before anything is run. What has no arguments would run, and what the daemon sends of
its own accord is unknown to it as a call: both are inferred from their neighbours. Sources:
virNetServerProgramDispatchCall, virNetServerProgramGetProc.
"""

from __future__ import annotations

import re

from virtproto.errors import UsageError
from virtproto.wire.since import SINCE
from virtproto.xdr.contract import Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.xdr.contract import Contract

    # Whether each procedure is there, by number; None where nothing tells.
    Known = dict[int, bool | None]

__all__ = ["PROGRAMS", "had_by", "inferred", "newest", "probed", "release_number", "release_text"]

# Those that are procedures of a daemon's own; keepalive is part of the transport.
PROGRAMS = ("remote", "qemu", "lxc", "admin")

_RELEASE = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?")

# Of the table's bounds ("<=9.0.0") it is known that the one before of these lacks the procedure.
_LOOKED_AT = (7_000_000, 9_000_000, 11_003_000, 12_008_000)


def release_number(text: str) -> int | None:
    """Return a release as libvirt numbers it, 9000000 for "9.0.0" or "9.0"; None for other text."""
    found = _RELEASE.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major * 1_000_000 + minor * 1_000 + patch


def release_text(number: int) -> str:
    """Return a release as people write it, "9.0.0" for 9000000."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def newest() -> int:
    """Return the newest release of which the table knows something."""
    return max(_bounds(since)[2] for table in SINCE.values() for since in table.values())


def had_by(release: int) -> dict[str, Known]:
    """Return what a release has, by program and number.

    Raises UsageError for one that is newer than the table.
    """
    if release > newest():
        raise UsageError(
            f"libvirt {release_text(release)} is not known here, but all up to "
            f"{release_text(newest())} are; ask a daemon of it"
        )
    return {program: _had(SINCE[program], release) for program in PROGRAMS}


def _had(table: Mapping[int, str], release: int) -> Known:
    known: Known = {}
    floor = 0
    for number in sorted(table):
        exactly, lowest, surely = _bounds(table[number])
        floor = max(floor, lowest)
        if floor > release:
            known[number] = False
        else:
            known[number] = True if exactly or surely <= release else None
    return _filled(known)


def _bounds(since: str) -> tuple[bool, int, int]:
    """Return whether a release is exact, the first that may have it, the first that surely does."""
    number = release_number(since.removeprefix("<="))
    if number is None:
        raise UsageError(f"{since!r} is no release")
    if not since.startswith("<="):
        return True, number, number
    before = [each for each in _LOOKED_AT if each < number]
    return False, before[-1] + 1 if before else 0, number


def _filled(known: Known) -> Known:
    """Return the same with what its neighbours say of what is not known."""
    there = max((number for number, value in known.items() if value), default=0)
    absent = [number for number, value in known.items() if value is False and number > there]
    missing = min(absent, default=None)
    filled: Known = {}
    for number, value in known.items():
        if value is None and number < there:
            value = True
        elif value is None and missing is not None and number > missing:
            value = False
        filled[number] = value
    return filled


def probed(contract: Contract, program: str) -> list[int]:
    """Return the procedures of a program that can be asked for without being run, by number."""
    found = []
    for number, _name, args, _ret, msg, _remarks in contract.programs[program][2]:
        if args is not None and msg is None:
            smallest = contract.minimum_size(Member("", args, "scalar", None))
            if smallest > 0:
                found.append(number)
    return found


def inferred(contract: Contract, program: str, answers: Mapping[int, bool], release: int) -> Known:
    """Return what a daemon has of a program from its answers to ``probed``.

    What these leave open is taken from its ``release``, if the table knows that one.
    """
    if not any(answers.values()):
        return {row[0]: False for row in contract.programs[program][2]}
    known: Known = {row[0]: answers.get(row[0]) for row in contract.programs[program][2]}
    known = _filled(known)
    if None in known.values():
        by_release = _had(SINCE[program], min(release, newest()))
        known = {
            number: by_release.get(number) if value is None else value
            for number, value in known.items()
        }
    return known
