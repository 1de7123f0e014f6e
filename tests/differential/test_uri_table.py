"""A URI that works with libvirt's own client works here, and does the same: both are observed.

Each URI of uri_table.toml is opened by the C library and by both colours of virtproto, on a
machine of its own as far as paths, names and networks go. What comes of it has to be equal:
addresses, programs and their arguments, the name that is sent, what the caller is asked.
"""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.differential.uri_cases import Case, read_cases
from tests.differential.uri_likeness import (
    TOLERATED_ENVIRONMENT,
    contradictions,
    essence,
    intended_differences,
    parts_that_differ,
)
from tests.lab.place import LabMissingError, repository
from virtproto import errors
from virtproto.model.uri import PARAMETERS, TRANSPORTS, parse_uri

CASES = read_cases()
INTENDED = intended_differences()
COLOURS = ("sync", "aio")
# Of the C library; later ones read some URIs otherwise.
_RELEASE = "9.0"
_PATIENCE_S = 240.0

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay out a machine of its own"),
]

# By libvirt's error code, what virtproto may call a refusal.
_KINDS: dict[int, tuple[type[Exception], ...]] = {
    1: (errors.URIError, errors.ConfigFileError),  # VIR_ERR_INTERNAL_ERROR
    5: (errors.URIError,),  # VIR_ERR_NO_CONNECT
    8: (errors.URIError,),  # VIR_ERR_INVALID_ARG
    33: (errors.ConfigFileError,),  # VIR_ERR_CONF_SYNTAX
    38: (errors.ConnectError,),  # VIR_ERR_SYSTEM_ERROR
    45: (errors.AuthenticationError, errors.TLSError, errors.SSHConnectError),
    67: (errors.URIError,),  # VIR_ERR_CONFIG_UNSUPPORTED
    84: (errors.URIError,),  # VIR_ERR_OPERATION_UNSUPPORTED
    98: (errors.SSHConnectError, errors.AuthenticationError),  # VIR_ERR_LIBSSH
}


# Where nothing was tried, the place at fault is told, whatever libvirt calls it.
_BEFORE_ANYTHING = (errors.URIError, errors.ConfigFileError)


def _observing(way: str) -> subprocess.Popen[str]:
    namespaces = ["unshare", "-m", "-n", "--propagation", "private"]
    return subprocess.Popen(
        [*namespaces, sys.executable, "-m", "tests.differential.uri_apparatus", way],
        cwd=repository,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def observed() -> Iterator[dict[str, dict[str, Any]]]:
    """What came of every case, by its name, for "c", "sync", "aio" and "told"."""
    processes = {way: _observing(way) for way in ("c", *COLOURS, "told")}
    found = {}
    try:
        for way, process in processes.items():
            out, err = process.communicate(timeout=_PATIENCE_S)
            if process.returncode:
                raise LabMissingError(f"the URIs could not be tried by {way}:\n{err[-4000:]}")
            told = json.loads(out)
            found[way] = told["cases"]
            if way == "c" and told["release"] != _RELEASE:
                pytest.skip(f"the table is of libvirt {_RELEASE}, and here is {told['release']}")
        yield found
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_comes_of_it(observed: dict[str, dict[str, Any]], case: Case) -> None:
    theirs = essence(observed["c"][case.name])
    for colour in COLOURS:
        ours = essence(observed[colour][case.name])
        different = parts_that_differ(theirs, ours)
        if case.name in INTENDED:
            # A difference that is no more has to leave the table.
            assert different == INTENDED[case.name].parts, (colour, theirs, ours)
        else:
            for part in sorted(different):
                assert ours[part] == theirs[part], (colour, part)


@pytest.mark.parametrize("colour", COLOURS)
def test_refusals_are_of_the_same_kind(observed: dict[str, dict[str, Any]], colour: str) -> None:
    wrong = []
    for case in CASES:
        theirs = observed["c"][case.name]["refused"]
        ours = observed[colour][case.name]["refused"]
        if ours is None or theirs is None or case.name in INTENDED:
            continue
        code = int(theirs["kind"].split("/")[1])
        tried = observed["c"][case.name]["connects"] or observed["c"][case.name]["ran"]
        kinds = _KINDS[code] if tried else (*_KINDS[code], *_BEFORE_ANYTHING)
        if not issubclass(getattr(errors, ours["kind"], Warning), kinds):
            wrong.append((case.name, theirs, ours))
    assert wrong == []


@pytest.mark.parametrize("colour", COLOURS)
def test_nobody_is_refused_by_accident(observed: dict[str, dict[str, Any]], colour: str) -> None:
    for case in CASES:
        refused = observed[colour][case.name]["refused"]
        if refused:
            assert issubclass(getattr(errors, refused["kind"], Warning), errors.VirtprotoError), (
                case.name,
                refused,
            )
            assert refused["text"]


# The command line knows no way to leave aliases alone, and shows no password.
TOLD = [case for case in CASES if case.aliases and "fred:pw@" not in (case.uri or "")]


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.name)
def test_what_is_told_is_what_happens(observed: dict[str, dict[str, Any]], case: Case) -> None:
    """The command line explains a URI as it is opened, and opens nothing for it."""
    told, done = (observed[way][case.name] for way in ("told", "sync"))
    assert not any(told[part] for part in ("connects", "opened", "ran", "tls", "ssh", "asked"))
    if told["refused"]:
        assert done["refused"] == told["refused"]
        assert done["connects"] == done["ran"] == []
    else:
        assert not contradictions(told["told"], done)


def test_what_is_tolerated_happens(observed: dict[str, dict[str, Any]]) -> None:
    for way in ("c", *COLOURS):
        seen = {
            entry.split("=")[0]
            for opening in observed[way].values()
            for program in opening["ran"]
            for entry in program["environment"]
        }
        expected = set() if way == "c" else set(TOLERATED_ENVIRONMENT)
        assert seen & set(TOLERATED_ENVIRONMENT) == expected


def test_the_intended_differences_are_of_cases_that_there_are() -> None:
    assert set(INTENDED) <= {case.name for case in CASES}


def test_the_table_is_large_and_whole(observed: dict[str, dict[str, Any]]) -> None:
    """Every transport opens something, and every parameter stands beside one that uses it."""
    opened: collections.Counter[str] = collections.Counter()
    parameters = set()
    for case in CASES:
        if case.uri and observed["c"][case.name]["refused"] is None:
            try:
                uri = parse_uri(case.uri)
            except errors.URIError:
                continue  # an alias
            opened[uri.transport] += 1
            parameters |= {name.lower() for name, _ in uri.params}
    assert all(opened[transport] >= 5 for transport in TRANSPORTS), opened
    assert parameters >= PARAMETERS
    assert len({case.uri for case in CASES}) >= 150
    print(_counted(observed))


def _counted(observed: dict[str, dict[str, Any]]) -> str:
    refused = sum(1 for case in CASES if observed["c"][case.name]["refused"])
    return (
        f"{len(CASES)} openings of {len({case.uri for case in CASES})} URIs: the C library opens "
        f"{len(CASES) - refused} and refuses {refused}; virtproto does the same in both colours "
        f"for {len(CASES) - len(INTENDED)} and means to differ for {len(INTENDED)}"
    )
