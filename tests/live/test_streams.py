"""Streams and descriptors against libvirtd 9.0.0: volumes, a console, graphics, and mishaps."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guests import GREETING, EchoGuest
from virtproto.constants import DomainCreateFlags
from virtproto.sync.storage_vol import StorageVol

pytestmark = pytest.mark.lab

URI = "qemu:///system"
MIB = 1 << 20

POOL = """<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"""
VOLUME = """\
<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""

GRAPHICS = "<graphics type='vnc' socket='{path}'/><video><model type='vga'/></video></devices>"


@contextmanager
def volume(connection: virtproto.Connection, folder: Path, size: int) -> Iterator[StorageVol]:
    """A raw volume of ``size`` bytes in a pool of its own."""
    path = folder / "volumes"
    path.mkdir(exist_ok=True)
    pool = connection.create_storage_pool(POOL.format(name="streams", path=path))
    try:
        made = pool.create_volume(VOLUME.format(name="v", size=size))
        yield made
        made.delete()
    finally:
        pool.destroy()


def _with_console(xml: str) -> str:
    """Give an echo guest's serial line to the daemon."""
    start, end = xml.index("<serial"), xml.index("</serial>")
    return f"{xml[:start]}<serial type='pty'>{xml[end:]}"


@contextmanager
def running(
    connection: virtproto.Connection, folder: Path, change: Any = None, flags: int = 0
) -> Iterator[virtproto.Domain]:
    """An echo guest whose serial line is the console."""
    with EchoGuest(folder, "streamed") as guest:
        xml = _with_console(guest.xml)
        domain = connection.create_domain(change(xml) if change else xml, flags)
        try:
            yield domain
        finally:
            domain.destroy()


def test_a_volume_goes_there_and_back(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    size = 64 * MIB
    content = hashlib.shake_128(b"volume").digest(MIB) * 64
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, libvirtd.folder, size) as vol,
    ):
        with connection.new_stream() as stream:
            vol.upload(stream, 0, size)
            stream.send(content)
        with connection.new_stream() as stream:
            vol.download(stream, 0, size)
            assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
        with connection.new_stream() as stream:
            vol.download(stream, 10, 20)
            assert b"".join(stream) == content[10:30]
        assert connection.is_alive()


def test_a_sparse_volume_keeps_its_holes(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    size = 10 << 30
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, libvirtd.folder, size) as vol,
    ):
        with connection.new_stream() as stream:
            vol.upload(stream, 0, 0, 1)
            stream.send_hole(5 << 30)
            stream.send(b"x" * MIB)
            stream.send_hole((5 << 30) - MIB)
        came: list[int] = []
        with connection.new_stream() as stream:
            vol.download(stream, 0, 0, 1)
            stream.sparse_recv_all(
                lambda stream, data: came.append(len(data)),
                lambda stream, length: came.append(-length),
            )
        data = sum(count for count in came if count > 0)
        assert MIB <= data < 2 * MIB
        assert data - sum(count for count in came if count < 0) == size
        assert came[0] == -(5 << 30)


def test_too_much_for_a_volume_is_the_daemons_error(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, libvirtd.folder, MIB) as vol,
    ):
        stream = connection.new_stream()
        vol.upload(stream, 0, 1000)

        def send_on() -> None:
            # The daemon looks at the limit with what comes after it.
            for _ in range(1000):
                stream.send(bytes(500))
            stream.finish()

        with pytest.raises(virtproto.LibvirtError) as caught:
            send_on()
        assert caught.value.code == 38
        # It is over where only finish came to hear of the error.
        with suppress(virtproto.UsageError):
            stream.abort()
        assert connection.is_alive()
        assert vol.get_info()


def test_a_stream_aborted_midway_leaves_the_connection_usable(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, libvirtd.folder, 32 * MIB) as vol,
    ):
        for _ in range(3):
            stream = connection.new_stream()
            vol.download(stream, 0, 32 * MIB)
            assert stream.recv(100) == bytes(100)
            assert connection.get_library_version()
            stream.abort()
            assert connection.get_library_version()
            stream = connection.new_stream()
            vol.upload(stream, 0, 32 * MIB)
            stream.send(bytes(5 * MIB))
            stream.abort()
        assert vol.get_info()


def test_a_stream_that_the_daemon_refuses(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        with volume(connection, libvirtd.folder, MIB) as vol:
            pass
        with pytest.raises(virtproto.LibvirtError, match=r"streams|volume"):
            vol.download(connection.new_stream(), 0, 10)
        assert connection.get_library_version()


def test_a_daemon_killed_midway(open_in_colour: Open) -> None:
    with private_daemon("9.0.0") as daemon, open_in_colour(daemon.uri(URI)) as connection:
        reasons: list[int] = []
        connection.register_close_callback(lambda conn, reason: reasons.append(reason))
        # It ends with the daemon's namespace.
        with EchoGuest(daemon.folder, "orphan") as guest:
            domain = connection.create_domain(_with_console(guest.xml))
            stream = connection.new_stream()
            domain.open_console(stream, None, 0)
            daemon.kill()

            def listen_on() -> None:
                while stream.recv(1000):
                    pass

            with pytest.raises(virtproto.ConnectionLostError):
                listen_on()
            with pytest.raises(virtproto.ConnectionClosedError):
                domain.get_info()
            until(connection, lambda: reasons == [1])


def test_a_console_is_talked_to(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        # What it says while nobody listens is lost.
        running(connection, libvirtd.folder, flags=DomainCreateFlags.PAUSED) as domain,
    ):
        stream = connection.new_stream()
        domain.open_console(stream, None, 0)
        domain.resume()
        heard = b""
        while not heard.endswith(GREETING):
            heard += stream.recv(1000)
        for letter in (b"a", b"b", b"c"):
            stream.send(letter)
            assert stream.recv(10) == letter
            assert connection.get_library_version()
        stream.finish()
        assert domain.is_active()


def test_graphics_by_descriptor(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    vnc = libvirtd.folder / "streamed.vnc"

    def with_graphics(xml: str) -> str:
        return xml.replace("</devices>", GRAPHICS.format(path=vnc))

    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        running(connection, libvirtd.folder, with_graphics) as domain,
    ):
        fd = domain.open_graphics_fd(0)
        assert not os.get_inheritable(fd)
        with socket.socket(fileno=fd) as ours:
            ours.settimeout(30)
            assert ours.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
        near, far = socket.socketpair()
        with near:
            near.settimeout(30)
            with far:
                domain.open_graphics(0, far.fileno())
            assert near.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
        with pytest.raises(virtproto.LibvirtError):
            domain.open_graphics_fd(7)
        assert domain.is_active()


def test_a_picture_of_the_screen(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd.uri("test:///default")) as connection:
        domain = connection.get_domain_by_name("test")
        stream = connection.new_stream()
        mime = domain.screenshot(stream, 0, 0)
        picture = stream.read()
        stream.finish()
        assert mime == "image/png"
        assert picture.startswith(b"\x89PNG")
