"""Traced connections to real daemons: volumes, descriptors, what is protected, and the lines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import COLOURS, Open
from tests.colours.tracing import Kept
from tests.lab.daemon import PrivateDaemon
from tests.lab.guests import EchoGuest
from tests.live.protected import Protected, protected_daemon
from tests.live.volumes import MIB, content, volume
from virtproto.trace import message as kinds

pytestmark = pytest.mark.lab

URI = "qemu:///system"
_SIZE = 9 * MIB + 4321


def sizes_of(kept: Kept, *, from_client: bool) -> int:
    """Return how many bytes of streams one end sent, those included that are not at hand."""
    return sum(
        len(each.packet.payload) + each.left_out
        for each in kept
        if each.kind is kinds.DATA and each.from_client is from_client
    )


def test_files_go_up_and_down(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    data = content(_SIZE)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    kept = Kept()
    with (
        open_in_colour(libvirtd.uri(URI), trace=kept) as connection,
        volume(connection, Path(tempfile.mkdtemp(dir=libvirtd.folder)), _SIZE) as vol,
    ):
        blocking = isinstance(connection, virtproto.Connection)
        vol.upload_from(source)
        vol.download_to(target)
    assert target.read_bytes() == data
    assert sizes_of(kept, from_client=True) == sizes_of(kept, from_client=False) == _SIZE
    # What the system itself takes from a file is not seen.
    assert any(each.left_out for each in kept) is blocking
    kept.sound()


def test_descriptors_arrive(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    kept = Kept()
    with (
        open_in_colour(libvirtd.uri(URI), trace=kept) as connection,
        EchoGuest(libvirtd.folder, "traced") as guest,
    ):
        domain = connection.create_domain(guest.xml)
        reader, writer = os.pipe()
        try:
            take = json.dumps({"execute": "getfd", "arguments": {"fdname": "pipe"}})
            reply, came = domain.qemu_monitor_command_with_files(take, [writer])
            assert (json.loads(reply)["return"], came) == ({}, [])
        finally:
            os.close(reader)
            os.close(writer)
            domain.destroy()
    assert [each.packet.nfds for each in kept if each.packet.nfds] == [1]
    kept.sound()


@pytest.fixture(scope="module")
def protected() -> Iterator[Protected]:
    """A daemon that lets in by a digest."""
    with protected_daemon() as protected:
        yield protected


@pytest.mark.parametrize("open_in_colour", COLOURS.values(), ids=COLOURS)
def test_streams_that_a_mechanism_protects(protected: Protected, open_in_colour: Open) -> None:
    data = content(3 * MIB)
    kept = Kept()
    uri = protected.uri("tcp", "DIGEST-MD5", name=URI)
    folder = Path(tempfile.mkdtemp(dir=protected.daemon.folder))
    with (
        open_in_colour(uri, trace=kept) as connection,
        volume(connection, folder, len(data)) as vol,
    ):
        assert connection.is_encrypted()
        with connection.new_stream() as stream:
            vol.upload(stream, 0, len(data))
            stream.send(data)
        with connection.new_stream() as stream:
            vol.download(stream, 0, len(data))
            assert stream.read() == data
    for end in (True, False):
        mine = [each for each in kept if each.kind is kinds.DATA and each.from_client is end]
        assert b"".join(each.packet.payload for each in mine) == data
    kept.sound()
