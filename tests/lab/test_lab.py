"""The lab itself: its daemons stand apart, tell why they fail, and leave nothing behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.c_binding import (
    BindingCallback,
    BindingConnection,
    CBinding,
    CBindingError,
    CBindingMisuseError,
)
from tests.lab.capture import Capture
from tests.lab.daemon import DaemonError, PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guests import GREETING, EchoGuest, boot_disk
from tests.lab.linux_guest import READY, LinuxGuest
from tests.lab.migration import MigrationPair
from tests.lab.place import LabMissingError, made_whole, repository
from tests.lab.rawcall import AUTH_LIST, RawConnection
from tests.lab.relay import TcpRelay
from tests.lab.roots import root_of
from tests.lab.seed import kept_capabilities
from tests.lab.stream_feed import Feed, joined

pytestmark = pytest.mark.lab


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_daemon_answers_and_is_gone_after_stop() -> None:
    daemon = private_daemon("9.0.0")
    daemon.start()
    folder, pid = daemon.folder, daemon.pid
    with RawConnection(daemon.socket_path, 10) as connection:
        assert connection.call(AUTH_LIST) == struct.pack(">II", 1, 0)
    daemon.stop()
    assert not folder.exists()
    assert not _exists(pid)


def test_two_daemons_share_nothing(libvirtd: PrivateDaemon) -> None:
    with private_daemon("9.0.0") as other:
        assert other.pid != libvirtd.pid
        with CBinding(other.uri("test:///default")) as theirs:
            theirs.ask_domain("test", "destroy")
            with CBinding(libvirtd.uri("test:///default")) as ours:
                assert ours.ask_domain("test", "isActive") == 1


def test_bad_setting_is_reported_with_what_the_daemon_said() -> None:
    daemon = private_daemon("9.0.0", max_clients="many")
    with pytest.raises(DaemonError, match="max_clients"):
        daemon.start()
    with pytest.raises(DaemonError, match="not started"):
        _ = daemon.folder


def test_missing_binary_is_reported() -> None:
    with pytest.raises(LabMissingError, match=r"no-such-libvirtd .* run \./test"):
        PrivateDaemon(binary="no-such-libvirtd").start()


def test_killed_daemon_can_still_be_stopped() -> None:
    daemon = private_daemon("9.0.0")
    daemon.start()
    folder = daemon.folder
    daemon.kill()
    assert not _exists(daemon.pid)
    daemon.stop()
    assert not folder.exists()


def test_killed_daemon_can_be_started_again() -> None:
    with private_daemon("9.0.0") as daemon:
        folder, first = daemon.folder, daemon.pid
        with pytest.raises(DaemonError, match="was not killed"):
            daemon.restart()
        daemon.kill()
        daemon.restart()
        assert daemon.folder == folder
        assert daemon.pid != first
        with RawConnection(daemon.socket_path, 10) as connection:
            connection.call(AUTH_LIST)
    assert not folder.exists()


def test_daemon_and_guest_end_when_the_test_run_is_killed() -> None:
    program = """
import sys, time
from tests.lab.c_binding import CBinding
from tests.lab.fixtures import private_daemon
from tests.lab.guests import EchoGuest
daemon = private_daemon("9.0.0")
daemon.start()
with EchoGuest(daemon.folder) as guest, CBinding(daemon.uri("qemu:///system")) as binding:
    binding.ask("createXML", guest.xml)
    print(daemon.pid, int((daemon.folder / "run/qemu/echo.pid").read_text()), daemon.folder)
    sys.stdout.flush()
    time.sleep(600)
"""
    run = subprocess.Popen(
        [sys.executable, "-c", program], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    with run.stdout:
        daemon, guest, folder = run.stdout.readline().split()
    assert _exists(int(daemon))
    assert _exists(int(guest))
    warden = Path(f"/proc/{daemon}/stat").read_text().split()[3]
    # These are no children of this process: the kernel tells by a descriptor when they end.
    handles = [os.pidfd_open(int(pid)) for pid in (daemon, guest, warden)]
    run.send_signal(signal.SIGKILL)
    run.wait()
    for handle in handles:
        _wait_for_end(handle)
    assert not Path(folder).exists()


def _wait_for_end(handle: int) -> None:
    try:
        assert select.select([handle], [], [], 20.0)[0], "the process is still there"
    finally:
        os.close(handle)


def test_guest_boots_and_echoes(libvirtd: PrivateDaemon) -> None:
    with (
        EchoGuest(libvirtd.folder, "talker") as guest,
        CBinding(libvirtd.uri("qemu:///system")) as binding,
    ):
        binding.ask("createXML", guest.xml)
        try:
            assert guest.talk(b"hello") == GREETING + b"hello"
        finally:
            binding.ask_domain("talker", "destroy")


def test_boot_disk_fits_its_sector() -> None:
    disk = boot_disk()
    assert len(disk) == 1024 * 1024
    assert disk[510:512] == b"\x55\xaa"
    assert disk[:510].rstrip(b"\0").endswith(GREETING)


def test_capabilities_are_kept(libvirtd: PrivateDaemon) -> None:
    kept = kept_capabilities()
    assert kept is not None
    assert list(kept.rglob("*.xml"))
    started = time.monotonic()
    with CBinding(libvirtd.uri("qemu:///system")) as binding:
        assert "qemu" in binding.ask("getCapabilities")
    assert time.monotonic() - started < 60


def test_c_binding_passes_errors_on(libvirtd: PrivateDaemon) -> None:
    with CBinding(libvirtd.uri("test:///default")) as binding:
        with pytest.raises(CBindingError) as caught:
            binding.ask("lookupByName", "nosuch")
        assert caught.value.fields["code"] == 42
        assert binding.ask_domain("test", "UUID").hex() == "6695eb01f6a4830479aa97f2502e193f"


def test_c_binding_reaches_any_object(libvirtd: PrivateDaemon) -> None:
    with CBinding(libvirtd.uri("test:///default")) as binding:
        network = (("networkLookupByName", "default"),)
        named = binding.ask_at((), *network[0])
        assert (named["object"], named["name"]) == ("virNetwork", "default")
        assert binding.ask_at(network, "UUID").hex() == named["uuid"].replace("-", "")
        domain = (("lookupByName", "test"),)
        binding.ask_at(domain, "pinVcpu", 0, (True, False))
        assert binding.ask_at(domain, "vcpus")[1][0][:3] == [True, False, False]
        with pytest.raises(CBindingMisuseError, match="noSuchMethod"):
            binding.ask("noSuchMethod")
        with pytest.raises(CBindingMisuseError, match="TypeError"):
            binding.ask("lookupByName", 5)


def test_c_binding_hears_of_events(libvirtd: PrivateDaemon) -> None:
    with CBinding(libvirtd.uri("test:///default"), events=True) as binding:
        number = binding.ask("domainEventRegisterAny", None, 0, BindingCallback(), None)
        binding.ask_domain("test", "suspend")
        binding.ask_domain("test", "resume")
        [suspended, resumed] = binding.hear(2)
        assert suspended[0]["name"] == resumed[0]["name"] == "test"
        assert (suspended[1:], resumed[1:]) == ([3, 0], [4, 0])
        binding.ask("domainEventDeregisterAny", number)
        binding.ask_domain("test", "suspend")
        binding.ask_domain("test", "resume")
        assert binding.hear(None) == []


def test_feed_hands_out_data_and_holes() -> None:
    feed = Feed([b"abcd", 10, b"", b"e"])
    assert feed.section() == (True, 4)
    assert [feed.data(3), feed.data(3), feed.data(3)] == [b"abc", b"d", b""]
    assert feed.section() == (False, 10)
    feed.skip(4)
    assert feed.section() == (False, 6)
    feed.skip(6)
    with pytest.raises(ValueError, match="no hole"):
        feed.skip(1)
    assert joined([b"a", b"b", 1, 2, b"c"]) == [b"ab", 3, b"c"]


def test_readonly_c_binding_changes_nothing(libvirtd: PrivateDaemon) -> None:
    with CBinding(libvirtd.uri("test:///default"), readonly=True) as binding:
        with pytest.raises(CBindingError) as caught:
            binding.ask_domain("test", "destroy")
        assert caught.value.fields["code"] == 29


def test_daemon_sees_interfaces_and_a_name_of_its_own() -> None:
    daemon = PrivateDaemon(
        root=root_of("9.0.0"), capabilities=kept_capabilities(), hostname="lab-x", devices=True
    )
    with daemon, CBinding(daemon.uri("qemu:///system")) as binding:
        assert binding.ask("getHostname") == "lab-x"
        assert sorted(binding.ask("listInterfaces")) == ["lab0", "lab1"]


def test_linux_guest_moves_between_two_daemons(migration_pair: MigrationPair) -> None:
    with (
        migration_pair.guest("mover") as guest,
        CBinding(migration_pair.source_uri) as source,
        CBinding(migration_pair.target_uri) as target,
    ):
        assert source.ask_domain(guest.name, "hostname", 2) == "lab-guest"  # asked of the agent
        live, unsafe = 1, 512
        destination = BindingConnection(migration_pair.target_uri)
        address = migration_pair.migrate_uri(guest.name)
        domain = (("lookupByName", guest.name),)
        source.ask_at(domain, "migrate", destination, live | unsafe, None, address, 0)
        assert target.ask_domain(guest.name, "state")[0] == 1
        assert source.ask("listAllDomains") == []
    with CBinding(migration_pair.target_uri) as target:
        assert target.ask("listAllDomains") == []


def test_guest_that_is_never_up_is_noticed(tmp_path: Path) -> None:
    with LinuxGuest(tmp_path, "asleep") as guest:
        with pytest.raises(TimeoutError, match="asleep"):
            guest.wait_until_ready(0.01)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(tmp_path / "asleep.line"))
            other.sendall(READY[:5])
            other.sendall(READY[5:] + b"\n")
            guest.wait_until_ready(10.0)


def test_capture_sees_what_the_relay_carries(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    with TcpRelay(libvirtd.socket_path) as relay, Capture(relay.port, tmp_path) as capture:
        with RawConnection(relay.socket_path, 10) as connection:
            connection.call(AUTH_LIST)
        assert relay.recordings[0].ended.wait(10)
    call, reply = capture.messages()
    assert (call.from_client, reply.from_client) == (True, False)
    assert not call.malformed
    assert not reply.malformed
    sent = b"".join(field.value for field in call.fields)
    assert sent == bytes(relay.recordings[0].from_client)
    assert reply.fields[-1].name == "libvirt.remote_auth_list_ret"


def test_half_made_folders_are_swept(tmp_path: Path) -> None:
    target = tmp_path / "thing"
    stale = tmp_path / "thing.part-old"
    stale.mkdir()
    with pytest.raises(IsADirectoryError), made_whole(target) as scratch:
        scratch.read_bytes()
    assert list(tmp_path.iterdir()) == []
    with made_whole(target) as scratch:
        (scratch / "whole").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["thing", "whole"]
