"""Typed parameters and methods of newer releases, on real daemons of every release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from virtproto.errors import InvalidArgError, LibvirtError, NoSupportError, UnknownProcedureError
from virtproto.model.parameters import KNOWN
from virtproto.wire import remote
from virtproto.xdr.typedparams import ULLONG, TypedParams

pytestmark = pytest.mark.lab

URI = "test:///default"


def test_the_type_of_an_unknown_parameter_is_learned(
    any_release: tuple[str, PrivateDaemon],
    open_in_colour: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, daemon = any_release
    monkeypatch.setitem(KNOWN, "SCHEDULER", {})
    with open_in_colour(daemon.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        domain.set_scheduler_parameters({"weight": 61})
        assert domain.get_scheduler_parameters() == {"weight": 50}
        # What is learned matters: the usual type of a number is not this one's.
        dom = remote.NonnullDomain(domain.get_name(), domain.get_uuid(), domain.get_id())
        usual = TypedParams.from_items([("weight", ULLONG, 61)])
        with pytest.raises(InvalidArgError, match="weight"):
            connection.call(
                remote.DOMAIN_SET_SCHEDULER_PARAMETERS,
                remote.DomainSetSchedulerParametersArgs(dom=dom, params=usual),
            )


# What came with which release; none of them can be asked of the test driver for an answer alone.
NEWER: list[tuple[tuple[int, int], str, tuple[Any, ...]]] = [
    ((7, 1), "get_messages", ()),
    ((7, 2), "start_dirty_rate_calc", (1,)),
    ((8, 4), "save", ("/none", None, {})),
    ((11, 2), "get_autostart_once", ()),
    ((11, 2), "set_autostart_once", (True,)),
]


def test_methods_that_a_daemon_is_too_old_for(
    any_release: tuple[str, PrivateDaemon], open_in_colour: Open
) -> None:
    version, daemon = any_release
    major, minor, _ = (int(part) for part in version.split("."))
    with open_in_colour(daemon.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        for since, method, args in NEWER:
            refusal = _refusal(getattr(domain, method), args)
            if (major, minor) < since:
                assert type(refusal) is UnknownProcedureError, method
                assert f"libvirt {since[0]}.{since[1]}.0" in str(refusal)
            else:
                # Whether the test driver has it or not, the daemon knows what was asked.
                assert refusal is None or type(refusal) is NoSupportError, method
        assert domain.get_id() == 1


def _refusal(method: Callable[..., object], args: tuple[Any, ...]) -> LibvirtError | None:
    try:
        method(*args)
    except LibvirtError as error:
        return error
    return None
