"""Restoring a domain: one of three calls, by what is asked for."""

from __future__ import annotations

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import UsageError
from virtproto.model.recipes.save_images import restore_domain
from virtproto.xdr.typedparams import INT, STRING


def test_a_file_alone() -> None:
    calls, found = drive(restore_domain(file="/f", dxml=None, params=None, flags=0), [None])
    assert [(name, args.from_) for name, args in calls] == [("DOMAIN_RESTORE", "/f")]
    assert found is None


@pytest.mark.parametrize(("dxml", "flags"), [("<domain/>", 0), (None, 4), ("<domain/>", 2)])
def test_with_another_definition_or_flags(dxml: str | None, flags: int) -> None:
    calls, _ = drive(restore_domain(file="/f", dxml=dxml, params=None, flags=flags), [None])
    assert [(name, args.from_, args.dxml, args.flags) for name, args in calls] == [
        ("DOMAIN_RESTORE_FLAGS", "/f", dxml, flags)
    ]


def test_with_parameters_the_file_is_one_of_them() -> None:
    restoring = restore_domain(
        file="/f", dxml="<domain/>", params={"parallel.channels": 4}, flags=1
    )
    calls, _ = drive(restoring, [None])
    ((name, args),) = calls
    assert (name, args.flags) == ("DOMAIN_RESTORE_PARAMS", 1)
    assert list(args.params) == [
        ("file", STRING, "/f"),
        ("dxml", STRING, "<domain/>"),
        ("parallel.channels", INT, 4),
    ]


def test_no_parameters_are_parameters_all_the_same() -> None:
    calls, _ = drive(restore_domain(file="/f", dxml=None, params={}, flags=0), [None])
    assert [(name, list(args.params)) for name, args in calls] == [
        ("DOMAIN_RESTORE_PARAMS", [("file", STRING, "/f")])
    ]


def test_what_is_given_twice_sends_nothing() -> None:
    with pytest.raises(UsageError, match=r"^params\['file'\]: file is a parameter of its own$"):
        drive(restore_domain(file="/f", dxml=None, params={"file": "/g"}, flags=0), [])
