"""Files that a real daemon takes over from this process: for a guest's monitor, and for its disk.

What only goes to drivers that this machine cannot run (LXC) is tried against a script.
"""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.guests import GREETING, EchoGuest, boot_disk

pytestmark = pytest.mark.lab

URI = "qemu:///system"
TEST_DOMAIN = """\
<domain type='test'><name>filed</name><memory>1024</memory><os><type>hvm</type></os></domain>"""


def is_over(reader: int) -> bool:
    """Return whether nobody has the other end of a pipe any more."""
    return bool(select.select([reader], [], [], 0)[0]) and os.read(reader, 1) == b""


def test_a_guest_takes_a_file_by_its_monitor(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        EchoGuest(libvirtd.folder, "monitored") as guest,
    ):
        domain = connection.create_domain(guest.xml)
        reader, writer = os.pipe()
        try:
            take = json.dumps({"execute": "getfd", "arguments": {"fdname": "pipe"}})
            reply, came = domain.qemu_monitor_command_with_files(take, [writer])
            assert (json.loads(reply)["return"], came) == ({}, [])
            os.close(writer)
            assert not is_over(reader)
            drop = json.dumps({"execute": "closefd", "arguments": {"fdname": "pipe"}})
            reply, came = domain.qemu_monitor_command_with_files(drop, [])
            assert (json.loads(reply)["return"], came) == ({}, [])
            # The daemon kept none either.
            assert is_over(reader)
        finally:
            os.close(reader)
            domain.destroy()


def test_a_guest_boots_from_a_file_that_only_this_process_has(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(boot_disk())
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        EchoGuest(libvirtd.folder, "handed") as guest,
        open(image, "r+b") as file,
    ):
        image.unlink()
        start = guest.xml.index("<source file='")
        end = guest.xml.index("/>", start)
        xml = f"{guest.xml[:start]}<source file='/handed' fdgroup='boot'{guest.xml[end:]}"
        domain = connection.define_domain(xml)
        try:
            domain.fd_associate("boot", [file])
            domain.create()
            assert guest.talk(b"up") == GREETING + b"up"
            domain.destroy()
        finally:
            domain.undefine()


def test_a_domain_is_made_and_started_with_files(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri("test:///default")) as connection,
        open(os.devnull, "rb") as null,
    ):
        domain = connection.create_domain_with_files(TEST_DOMAIN, [null, null.fileno()])
        assert domain.is_active()
        domain.destroy()
        domain = connection.define_domain(TEST_DOMAIN)
        domain.create_with_files([null])
        assert domain.is_active()
        domain.destroy()
        domain.undefine()
        assert connection.get_library_version()


def test_the_qemu_driver_refuses_files_and_keeps_none(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        EchoGuest(libvirtd.folder, "unfiled") as guest,
    ):
        reader, writer = os.pipe()
        with pytest.raises(virtproto.NoSupportError):
            connection.create_domain_with_files(guest.xml, [writer])
        os.close(writer)
        assert connection.get_library_version()
        assert is_over(reader)
        os.close(reader)
