"""Recordings of real conversations, played to programs without a daemon, and to other daemons."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.place import repository
from tests.live import volumes
from tests.live.tracing import Ran, run
from virtproto.errors import LibvirtError
from virtproto.testing import replayed

pytestmark = pytest.mark.lab

_PROGRAM = (sys.executable, "-m", "virtproto")
_TEST = "test:///default"
# What a program of a user's does with libvirt's own binding.
_BINDING = """
import libvirt, sys
connection = libvirt.open(sys.argv[1])
print([domain.name() for domain in connection.listAllDomains()], connection.getInfo()[4:])
domain = connection.lookupByName("test")
print(domain.XMLDesc(0), domain.maxMemory(), connection.getLibVersion())
try:
    connection.lookupByName("nobody")
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
connection.close()
"""
# A program that is told of events while it works.
_EVENTS = """
import sys, virtproto
from virtproto.events import DomainLifecycle
with virtproto.open(sys.argv[1]) as connection:
    domain = connection.get_domain_by_name("test")
    with connection.events(DomainLifecycle) as events:
        for change in (domain.suspend, domain.resume):
            change()
            print(next(events))
"""


def record(file: Path, *command: str) -> Ran:
    """Run a program and record what it says to daemons."""
    told = file.with_suffix(".told")
    return run([*_PROGRAM, "trace", "--record", str(file), "-o", str(told), "--", *command])


def replay(file: Path, *arguments: str) -> Ran:
    return run([*_PROGRAM, "replay", str(file), *arguments])


def to_daemon(file: Path, uri: str, *options: str) -> tuple[int, list[dict[str, object]]]:
    """Play the client's side; return the exit code and what was told, the sum last."""
    ran = replay(file, "--to", uri, "--json", "--allow-changes", *options)
    assert not ran.errors, ran.errors
    return ran.code, [json.loads(line) for line in ran.output.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--all"],
        ["dumpxml", "test"],
        ["domstats"],
        ["dumpxml", "nobody"],
        ["event --all --loop --timeout 1; suspend test; domstate test; resume test; dominfo test"],
    ],
    ids=lambda words: words[0].partition(" ")[0] + words[-1][-4:],
)
def test_virsh_says_the_same_without_a_daemon(
    libvirtd: PrivateDaemon, tmp_path: Path, words: list[str]
) -> None:
    uri, file = libvirtd.uri(_TEST), tmp_path / "it.vprec"
    virsh = ("virsh", "-c", uri, *words)
    recorded = record(file, *virsh)
    assert recorded.output + recorded.errors
    assert replay(file, "--", *virsh) == recorded
    # The daemon that was recorded answers as it did.
    code, told = to_daemon(file, uri)
    assert (code, len(told)) == (0, 1), told


def test_virsh_moves_volumes_without_a_daemon(libvirtd: PrivateDaemon, memory: Path) -> None:
    uri, file = libvirtd.uri(volumes.URI), memory / "it.vprec"
    source, target = memory / "source", memory / "target"
    size = 3 * volumes.MIB
    source.write_bytes(volumes.content(volumes.MIB) + bytes(volumes.MIB) + b"end" * 1000)
    with virtproto.open(uri) as connection, volumes.volume(connection, memory, size):
        for sparse in ([], ["--sparse"]):
            up = ["vol-upload", "--pool", memory.name, "v", str(source), *sparse]
            down = ["vol-download", "--pool", memory.name, "v", str(target), *sparse]
            for words, number in ((up, 1), (down, 2)):
                virsh = ("virsh", "-c", uri, *words)
                file = memory / f"{number}{len(sparse)}.vprec"
                recorded = record(file, *virsh)
                assert recorded.code == 0, recorded
                came = target.read_bytes() if target.exists() else b""
                target.unlink(missing_ok=True)
                assert replay(file, "--", *virsh) == recorded
                assert (target.read_bytes() if target.exists() else b"") == came
                target.unlink(missing_ok=True)
                assert to_daemon(file, uri)[0] == 0
        assert came.startswith(source.read_bytes())
        # Another file is not what was uploaded when it was recorded.
        source.write_bytes(volumes.content(volumes.MIB) + b"x" * 5000)
        other = replay(memory / "11.vprec", "--", "virsh", "-c", uri, *up)
        assert other.code == 1
        assert b"byte 1048576: the data differ" in other.errors


def test_the_c_binding_does_the_same_without_a_daemon(
    libvirtd: PrivateDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "it.vprec"
    program = ("/usr/bin/python3", "-c", _BINDING, libvirtd.uri(_TEST))
    recorded = record(file, *program)
    assert recorded.code == 0, recorded
    assert replay(file, "--", *program) == recorded


def test_events_come_again(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    file = tmp_path / "it.vprec"
    program = (sys.executable, "-c", _EVENTS, libvirtd.uri(_TEST))
    recorded = record(file, *program)
    assert recorded.code == 0, recorded
    assert recorded.output.count(b"DomainLifecycle") == 2
    assert replay(file, "--", *program) == recorded
    # Registrations have another number by now, and events go by that.
    with virtproto.open(libvirtd.uri(_TEST)) as other:
        other.list_all_domains()
        code, told = to_daemon(file, libvirtd.uri(_TEST))
    assert (code, len(told)) == (0, 1), told


@pytest.fixture(scope="module")
def listing(libvirtd: PrivateDaemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of ``virtproto list``, ``virsh domstats`` and more."""
    file = tmp_path_factory.mktemp("listing") / "it.vprec"
    words = "list --all; domstats; dominfo test; capabilities; event --list; version --daemon"
    assert record(file, "virsh", "-c", libvirtd.uri(_TEST), words).code == 0
    return file


def test_other_releases_differ_field_by_field(
    listing: Path, any_release: tuple[str, PrivateDaemon]
) -> None:
    version, daemon = any_release
    code, told = to_daemon(listing, daemon.uri(_TEST))
    *deviations, last = told
    assert last["summary"]["deviations"] == len(deviations)  # type: ignore[index]
    if version == "9.0.0":
        assert (code, deviations) == (0, [])
        return
    assert code == 1
    by_name = {str(each["procedure"]): each for each in deviations}
    changed = {
        name: {each["path"]: each["recorded"] for each in told["differences"]}  # type: ignore[attr-defined]
        for name, told in by_name.items()
    }
    assert changed["CONNECT_GET_LIB_VERSION"] == {"lib_ver": "9000000"}
    if version == "7.0.0":
        stats = by_name["CONNECT_GET_ALL_DOMAIN_STATS"]
        assert "recorded was success; now it is error 3" in str(stats["text"])
    else:
        assert any(path.endswith("<cpu>") for path in changed["CONNECT_GET_CAPABILITIES"])
    patterns = ["--ignore=*"]
    if version != "7.0.0":
        assert to_daemon(listing, daemon.uri(_TEST), *patterns)[0] == 0


def test_our_own_clients_of_either_colour(
    libvirtd: PrivateDaemon, tmp_path: Path, open_in_colour: Open
) -> None:
    file = tmp_path / "it.vprec"
    assert record(file, *_PROGRAM, "list", "-c", libvirtd.uri(_TEST)).code == 0
    with replayed(file) as daemon:
        for _ in range(2):
            with open_in_colour(daemon.uri()) as connection:
                assert [each.get_name() for each in connection.list_all_domains()] == ["test"]
                with pytest.raises(LibvirtError, match="not in the recording"):
                    connection.get_hostname()
    assert [each.procedure for each in daemon.deviations] == ["CONNECT_GET_HOSTNAME"] * 2


_MANY = """
import asyncio, sys, virtproto.aio
async def main():
    async with await virtproto.aio.open(sys.argv[1], long_calls=None) as connection:
        domain = await connection.get_domain_by_name("test")
        names = ["test", *(f"no-{number}" for number in range(99))]
        found = await asyncio.gather(
            *(connection.get_domain_by_name(name) for name in names), return_exceptions=True
        )
        print(len(found), found[0], found[57])
asyncio.run(main())
"""


def test_a_hundred_calls_in_flight(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    file = tmp_path / "it.vprec"
    program = (sys.executable, "-c", _MANY, libvirtd.uri(_TEST))
    recorded = record(file, *program)
    assert recorded.code == 0, recorded
    played = replay(file, "--", *program)
    assert (played.code, played.errors) == (0, b"")
    code, told = to_daemon(file, libvirtd.uri(_TEST))
    assert (code, len(told)) == (0, 1)
    assert told[0]["summary"]["compared"] > 100  # type: ignore[index]


def test_several_clients_come_to_a_socket_and_each_has_his_conversation(
    libvirtd: PrivateDaemon, listing: Path, tmp_path: Path
) -> None:
    place = tmp_path / "sock"
    command = [*_PROGRAM, "replay", str(listing), "--listen", str(place), "--once"]
    with _running(command) as playing:
        virsh = ["virsh", "-c", f"test+unix:///default?socket={place}"]
        assert b"test" in run([*virsh, "list", "--all"]).output
    said, errors = playing.communicate(timeout=20)
    # It has ended by itself, and tells of what nobody asked for.
    assert playing.returncode == 0, errors
    assert b"recorded calls not made" in said
    assert not place.exists()


def test_control_c_ends_a_played_daemon(listing: Path, tmp_path: Path) -> None:
    place = tmp_path / "sock"
    with _running([*_PROGRAM, "replay", str(listing), "--listen", str(place)]) as playing:
        playing.send_signal(signal.SIGINT)
    playing.communicate(timeout=20)
    assert playing.returncode == 0
    assert not place.exists()


class _running:
    """A command that says on stderr when it is ready."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=repository
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        assert self._process.stderr is not None
        assert b"playing the daemon at" in self._process.stderr.readline()
        return self._process

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._process.kill()
            self._process.communicate()


def test_secrets_are_not_sent(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    uri, file = libvirtd.uri(volumes.URI), tmp_path / "it.vprec"
    xml = "<secret ephemeral='no' private='no'><usage type='ceph'><name>r</name></usage></secret>"
    with virtproto.open(uri) as connection:
        secret = connection.define_secret(xml)
        try:
            uuid, value = secret.get_uuid_string(), "aHVudGVyMg=="
            virsh = ("virsh", "-c", uri, f"secret-set-value {uuid} {value}")
            recorded = record(file, *virsh)
            assert recorded.code == 0, recorded
            assert b"hunter2" not in file.read_bytes()
            assert replay(file, "--", *virsh) == recorded
            secret.set_value(b"as it is")
            code, told = to_daemon(file, uri)
            assert (code, len(told)) == (0, 2)
            assert "its secrets are overwritten" in str(told[0]["text"])
            assert secret.get_value() == b"as it is"
        finally:
            secret.undefine()


def test_a_daemon_that_falls_silent_is_not_waited_for_long(listing: Path) -> None:
    from virtproto.testing import NoReply, ScriptedServer
    from virtproto.wire import remote

    with ScriptedServer({remote.CONNECT_OPEN: NoReply()}) as server:
        place = server.listen(listing.parent / "silent")
        ran = replay(
            listing, "--to", f"test+unix:///default?socket={place}", "--timeout", "0.2", "--strict"
        )
    assert ran.code == 1
    assert b'CONNECT_OPEN(name="test:///default" flags=0): no answer: nothing came' in ran.output
