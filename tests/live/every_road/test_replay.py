"""A recording played to a daemon at the end of every kind of road, let in as that wants it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.daemon import PrivateDaemon
from tests.lab.place import repository
from tests.live.every_road.test_smoke import carried, hosts, local, passwords, shells
from tests.live.every_road.way import ROADS, Way
from virtproto.proxy.playing_client import PlayingClient
from virtproto.proxy.reading_recordings import read_recording
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.judging import Judge

pytestmark = pytest.mark.lab

# Imported for the roads that they bring.
__all__ = ["carried", "hosts", "local", "passwords", "shells"]

# Those by SSH, which take their time, are all alike in this.
_ONE_BY_SSH = ("ssh, native", "libssh, native")
some_roads = pytest.mark.parametrize(
    "way",
    [
        name
        for name in ROADS
        # A URI cannot name a socket of the caller's.
        if "sock=" not in name and ("ssh" not in name or name in _ONE_BY_SSH)
    ],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def recording(libvirtd: PrivateDaemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``virtproto list`` says to a daemon that lets everybody in."""
    file = tmp_path_factory.mktemp("recording") / "it.vprec"
    own = [sys.executable, "-m", "virtproto"]
    program = [*own, "list", "-c", libvirtd.uri("test:///default")]
    trace = [*own, "trace", "--record", str(file), "-o", str(file.with_suffix(".told")), "--"]
    subprocess.run([*trace, *program], check=True, capture_output=True, cwd=repository)
    return file


@some_roads
def test_a_recording_is_played_over_every_road(way: Way, recording: Path) -> None:
    options = way.options()
    assert options.keys() <= {"credentials", "autostart"}
    told: list[Deviation] = []
    judge = Judge(told.append, ignore=() if way.version == "9.0.0" else ("*",))
    recalled, fault = read_recording(str(recording))
    assert fault is None
    with way.during():
        client = PlayingClient(
            recalled,
            way.uri("test:///default"),
            judge,
            credentials=options.get("credentials"),
            autostart=bool(options.get("autostart")),
        )
        client.run()
    assert told == []
    # On some roads the end overtakes the answer to the goodbye.
    assert client.calls - 1 <= judge.compared <= client.calls
    assert judge.compared > 2
