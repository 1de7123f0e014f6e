"""What releases have, and what follows from a daemon's answers."""

from __future__ import annotations

import pytest

from virtproto.errors import UsageError
from virtproto.model.protocol_levels import (
    PROGRAMS,
    had_by,
    inferred,
    newest,
    probed,
    release_number,
    release_text,
)
from virtproto.wire import load_contract
from virtproto.wire.since import SINCE

CONTRACT = load_contract()


@pytest.mark.parametrize(
    ("text", "number"),
    [("9.0.0", 9_000_000), ("11.3", 11_003_000), ("1.2.21", 1_002_021)],
)
def test_a_release_is_a_number(text: str, number: int) -> None:
    assert release_number(text) == number
    assert release_number(release_text(number)) == number


@pytest.mark.parametrize("text", ["9", "v9.0.0", "9.0.0.0", "", "test:///default", "9.0.0 "])
def test_what_is_no_release(text: str) -> None:
    assert release_number(text) is None


@pytest.mark.parametrize(
    ("release", "remote", "qemu", "admin"),
    [("7.0.0", 425, 6, 18), ("9.0.0", 443, 7, 19), ("11.3.0", 453, 7, 20), ("12.8.0", 456, 7, 20)],
)
def test_how_many_a_release_has(release: str, remote: int, qemu: int, admin: int) -> None:
    had = had_by(release_number(release) or 0)
    counted = {program: list(had[program].values()).count(True) for program in PROGRAMS}
    assert counted == {"remote": remote, "qemu": qemu, "lxc": 1, "admin": admin}
    # Nothing is open for the releases that were looked at.
    assert None not in {value for known in had.values() for value in known.values()}
    # Those that are there are the first, without a gap.
    assert [n for n, value in had["remote"].items() if value] == list(range(1, remote + 1))


def test_between_two_releases_some_cannot_be_told() -> None:
    assert had_by(10_000_000)["admin"][20] is None
    # But what stands below one that is there is there, and above one that is not is not.
    assert SINCE["remote"][453] == "<=11.3.0"
    assert had_by(11_002_000)["remote"][453] is None
    assert had_by(11_001_000)["remote"][453] is False
    assert had_by(12_005_000)["remote"][455] is True


def test_a_release_that_is_to_come_is_refused() -> None:
    assert newest() == 12_008_000
    with pytest.raises(UsageError, match=r"13\.0\.0 is not known here, but all up to 12\.8\.0"):
        had_by(13_000_000)


def test_what_would_run_is_never_probed() -> None:
    for program in PROGRAMS:
        numbers = set(probed(CONTRACT, program))
        for number, name, args, _ret, msg, _remarks in CONTRACT.programs[program][2]:
            assert (number in numbers) == (args is not None and msg is None), name
    assert 2 not in probed(CONTRACT, "remote")  # CONNECT_CLOSE
    assert 105 not in probed(CONTRACT, "remote")  # CONNECT_DOMAIN_EVENT_REGISTER


def test_neighbours_tell_of_what_was_not_probed() -> None:
    numbers = probed(CONTRACT, "remote")
    known = inferred(CONTRACT, "remote", {n: n <= 443 for n in numbers}, 9_000_000)
    assert [n for n, value in known.items() if value] == list(range(1, 444))
    assert None not in known.values()
    # The last ones of a release are events: the release itself has to tell.
    known = inferred(CONTRACT, "remote", {n: n <= 452 for n in numbers}, 11_003_000)
    assert (known[452], known[453], known[454], known[456]) == (True, True, False, False)
    known = inferred(CONTRACT, "remote", {n: n <= 452 for n in numbers}, 11_002_000)
    assert known[453] is None


def test_a_program_that_is_missing_has_nothing() -> None:
    answers = dict.fromkeys(probed(CONTRACT, "qemu"), False)
    assert set(inferred(CONTRACT, "qemu", answers, 12_008_000).values()) == {False}


def test_a_daemon_newer_than_the_table_has_all_of_it() -> None:
    answers = dict.fromkeys(probed(CONTRACT, "remote"), True)
    assert set(inferred(CONTRACT, "remote", answers, 13_000_000).values()) == {True}
