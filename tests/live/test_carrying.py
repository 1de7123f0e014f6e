"""Clients that reach a real daemon through a proxy: descriptors, streams, and ends of all kinds."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.c_binding import CBinding
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guests import EchoGuest
from tests.live.volumes import MIB, content, digest, pool_of, volume
from tests.proxy.process import Proxy, proxy
from virtproto.errors import TransportError, VirtprotoError
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.telling import End, Note, Teller

pytestmark = pytest.mark.lab

QEMU = "qemu:///system"
TEST = "test:///default"
DOMAIN = """\
<domain type='test'><name>handed</name><memory>1024</memory><os><type>hvm</type></os></domain>"""
GRAPHICS = "<graphics type='vnc' socket='{path}'/><video><model type='vga'/></video></devices>"
SIZE = 64 * MIB + 4321


@pytest.fixture(scope="module")
def carried(libvirtd: PrivateDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxy(tmp_path_factory.mktemp("carried"), libvirtd.uri(TEST)) as made:
        yield made


def told(recording: Path) -> list[Any]:
    """Return what a proxy's recording tells."""
    reader = RecordReader()
    records = reader.feed(recording.read_bytes())
    assert reader.error is None
    teller = Teller(reader.started_s)
    return [each for record in records for each in teller.tell(record)]


def virsh(uri: str, *words: str, pass_fds: tuple[int, ...] = ()) -> str:
    ended = subprocess.run(
        ["virsh", "-c", uri, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        pass_fds=pass_fds,
    )
    return ended.stdout


def test_descriptors_come_back_to_our_own_client(
    libvirtd: PrivateDaemon, carried: Proxy, open_in_colour: Open
) -> None:
    vnc = libvirtd.folder / "carried.vnc"
    with (
        open_in_colour(carried.uri(QEMU)) as connection,
        EchoGuest(libvirtd.folder, "carried") as guest,
    ):
        xml = guest.xml.replace("</devices>", GRAPHICS.format(path=vnc))
        start, end = xml.index("<serial"), xml.index("</serial>")
        domain = connection.create_domain(f"{xml[:start]}<serial type='pty'>{xml[end:]}")
        try:
            with socket.socket(fileno=domain.open_graphics_fd(0)) as ours:
                ours.settimeout(30)
                assert ours.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
            near, far = socket.socketpair()
            with near:
                near.settimeout(30)
                with far:
                    domain.open_graphics(0, far.fileno())
                assert near.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
        finally:
            domain.destroy()


def test_virsh_hands_files_to_a_domain(carried: Proxy, tmp_path: Path) -> None:
    (tmp_path / "xml").write_text(DOMAIN)
    with open(os.devnull, "rb") as null:
        fds = f"{null.fileno()}"
        words = ("create", "--pass-fds", fds, str(tmp_path / "xml"))
        said = virsh(carried.uri(TEST), *words, pass_fds=(null.fileno(),))
    assert "Domain 'handed' created" in said
    # It ends with the last connection to the test driver.


def test_virsh_moves_volumes_without_a_byte_changed(
    libvirtd: PrivateDaemon, carried: Proxy, tmp_path: Path
) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(content(SIZE))
    with virtproto.open(carried.uri(QEMU)) as connection, volume(connection, tmp_path, SIZE):
        uri = carried.uri(QEMU)
        virsh(uri, "vol-upload", "--pool", tmp_path.name, "v", str(source))
        assert digest(tmp_path / "volumes" / "v") == digest(source)
        virsh(uri, "vol-download", "--pool", tmp_path.name, "v", str(back))
        assert digest(back) == digest(source)


def test_streams_go_both_ways_at_once(carried: Proxy, tmp_path: Path) -> None:
    whole = content(SIZE)
    found: list[str] = []
    with virtproto.open(carried.uri(QEMU)) as connection, pool_of(connection, tmp_path) as pool:
        xml = "<volume><name>{}</name><capacity>{}</capacity></volume>"
        there, here = (pool.create_volume(xml.format(name, SIZE)) for name in "ab")
        with connection.new_stream() as stream:
            here.upload(stream, 0, SIZE)
            stream.send(whole)

        def download() -> None:
            with connection.new_stream() as stream:
                here.download(stream, 0, SIZE)
                found.append(hashlib.sha256(stream.read()).hexdigest())

        thread = threading.Thread(target=download)
        thread.start()
        with connection.new_stream() as stream:
            there.upload(stream, 0, SIZE)
            stream.send(whole)
        thread.join()
        assert found == [hashlib.sha256(whole).hexdigest()]
        assert digest(tmp_path / "volumes" / "a") == found[0]


def test_a_hundred_clients_at_once(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    with proxy(tmp_path, libvirtd.uri(TEST)) as busy:
        with CBinding(busy.uri(TEST)) as binding:
            version = binding.ask("getLibVersion")
        clients = [virtproto.open(busy.uri(TEST)) for _ in range(100)]
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda c=each: answers.append(c.get_library_version()))
            for each in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        assert answers == [version] * 100
    messages = told(busy.recording)
    ends = [each for each in messages if isinstance(each, End)]
    assert len({each.conversation for each in ends}) == 101
    assert not any(each.unanswered for each in ends)
    assert not [each for each in messages if isinstance(each, Note)]


def test_a_client_that_is_killed_leaves_the_others_alone(
    libvirtd: PrivateDaemon, tmp_path: Path
) -> None:
    with (
        proxy(tmp_path, libvirtd.uri(QEMU)) as busy,
        virtproto.open(busy.uri(QEMU)) as connection,
        volume(connection, tmp_path, 1 << 30),
    ):
        command = ["virsh", "-c", busy.uri(QEMU), "vol-download", "--pool", tmp_path.name, "v"]
        with subprocess.Popen([*command, str(tmp_path / "back")]) as killed:
            until_begun(tmp_path / "back")
            killed.send_signal(signal.SIGKILL)
        assert connection.get_library_version()
    last = [each for each in told(busy.recording) if isinstance(each, End) and each.last]
    assert sorted(each.conversation for each in last) == [1, 2]


def until_begun(path: Path) -> None:
    """Wait until something is in a file."""
    while not (path.exists() and path.stat().st_size):
        threading.Event().wait(0.005)


def test_a_daemon_that_is_killed_is_told_to_its_clients(tmp_path: Path) -> None:
    with (
        private_daemon("9.0.0") as daemon,
        proxy(tmp_path, daemon.uri(TEST)) as busy,
        virtproto.open(busy.uri(TEST)) as connection,
    ):
        assert connection.get_library_version()
        daemon.kill()
        with pytest.raises(TransportError):
            connection.get_library_version()
        # Whoever comes now is sent away, and the reason is told.
        with pytest.raises(VirtprotoError):
            virtproto.open(busy.uri(TEST))
    notes = [each.text for each in told(busy.recording) if isinstance(each, Note)]
    assert any("cannot be reached" in note for note in notes)
