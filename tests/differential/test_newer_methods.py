"""Methods that are newer than a daemon: each names the release that brought what it needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

import virtproto
from tests.differential.performing import Stage
from tests.differential.stages import OTHER_RELEASES, TEST

pytestmark = pytest.mark.lab

# The release that brought it, the object, the method, its arguments.
METHODS: tuple[tuple[str, str, str, tuple[Any, ...]], ...] = (
    ("7.1.0", "domain", "get_messages", ()),
    ("7.2.0", "domain", "start_dirty_rate_calc", (1,)),
    ("7.3.0", "connection", "define_node_device", ("<device/>",)),
    ("7.3.0", "device", "undefine", ()),
    ("7.3.0", "device", "create", ()),
    ("7.8.0", "device", "is_active", ()),
    ("7.8.0", "device", "is_persistent", ()),
    ("7.8.0", "device", "get_autostart", ()),
    ("7.8.0", "device", "set_autostart", (True,)),
    ("8.0.0", "domain", "set_launch_security_state", ({"sev-secret": "x"},)),
    ("8.4.0", "domain", "save", ("/none", None, {"dxml": "<domain/>"})),
    ("8.4.0", "connection", "restore_domain", ("/none", None, {"dxml": "<domain/>"})),
    ("8.5.0", "domain", "abort_job", (1,)),
    ("9.7.0", "network", "get_metadata", (1,)),
    ("9.7.0", "network", "set_metadata", (1, "title")),
    ("10.1.0", "device", "update", ("<device/>",)),
    ("10.2.0", "domain", "graphics_reload", (0,)),
    ("11.2.0", "domain", "get_autostart_once", ()),
    ("11.2.0", "domain", "set_autostart_once", (False,)),
    ("11.2.0", "domain", "set_throttle_group", ("g", {"total_bytes_sec": 1})),
    ("11.2.0", "domain", "del_throttle_group", ("g",)),
    ("12.5.0", "domain", "announce_interface", ("eth0", {})),
)
STAGES: dict[str, str] = {
    "9.0.0": TEST,
    **{version: f"{TEST} {version}" for version in OTHER_RELEASES},
}


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("release", list(STAGES))
@pytest.mark.parametrize(
    ("since", "on", "method", "args"), METHODS, ids=[f"{m[1]}.{m[2]}" for m in METHODS]
)
@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "aio"])
def test_too_old_a_daemon_is_named(
    stage_of: Callable[[str], Stage],
    release: str,
    since: str,
    on: str,
    method: str,
    args: tuple[Any, ...],
    colour: int,
) -> None:
    party = stage_of(STAGES[release]).ours[colour]
    with ExitStack() as held:
        target = party.reach(on, held)
    if _number(since) > _number(release):
        with pytest.raises(virtproto.UnknownProcedureError, match=since) as caught:
            party.wait(getattr(target, method)(*args))
        assert caught.value.since == since
    else:
        _is_known(party, target, method, args)
    assert party.wait(party.reach("connection", held).is_alive())


def _is_known(party: Any, target: Any, method: str, args: tuple[Any, ...]) -> None:
    try:
        party.wait(getattr(target, method)(*args))
    except virtproto.UnknownProcedureError as error:
        pytest.fail(f"the daemon should know it: {error}")
    except virtproto.LibvirtError:
        return  # a test driver need not do all that its daemon knows
