"""libvirtd 9.0.0 with its QEMU driver and a real guest, emulated, in both colours."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.c_binding import CBinding
from tests.lab.daemon import PrivateDaemon
from tests.lab.guests import GREETING, EchoGuest
from virtproto import aio

pytestmark = pytest.mark.lab

URI = "qemu:///system"

# States and reasons of libvirt-domain.h.
RUNNING, SHUT_OFF = 1, 5
RUNNING_BOOTED = 1
SHUT_OFF_DESTROYED, SHUT_OFF_UNKNOWN = 2, 0


def test_life_of_a_guest(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    uri = libvirtd.uri(URI)
    with EchoGuest(libvirtd.folder) as guest, open_in_colour(uri) as connection:
        assert connection.get_type() == "QEMU"
        assert connection.get_version() >= 7_000_000
        domain = connection.define_domain(guest.xml)
        try:
            assert domain.get_uuid() == guest.uuid.bytes
            assert domain.get_state() == (SHUT_OFF, SHUT_OFF_UNKNOWN)
            domain.create()
            assert guest.talk(b"anyone there?") == GREETING + b"anyone there?"
            listed = [(d.get_name(), d.get_id()) for d in connection.list_all_domains()]
            assert listed == [(guest.name, domain.get_id())]
            _is_as_the_c_binding_says(uri, guest, domain)
            domain.destroy()
            assert domain.get_state() == (SHUT_OFF, SHUT_OFF_DESTROYED)
            assert domain.get_id() == -1
        finally:
            domain.undefine()
        with pytest.raises(virtproto.NoDomainError, match=str(guest.uuid)):
            domain.get_info()


def _is_as_the_c_binding_says(uri: str, guest: EchoGuest, domain: virtproto.Domain) -> None:
    with CBinding(uri) as binding:
        assert domain.get_id() == binding.ask_domain(guest.name, "ID") > 0
        assert list(domain.get_state()) == binding.ask_domain(guest.name, "state", 0)
        assert domain.get_state() == (RUNNING, RUNNING_BOOTED)
        info = domain.get_info()
        *fixed, later = binding.ask_domain(guest.name, "info")
        assert list(info)[:4] == fixed == [RUNNING, guest.memory_kib, guest.memory_kib, 1]
        assert 0 < info.cpu_time_ns <= later
        assert domain.get_xml_description() == binding.ask_domain(guest.name, "XMLDesc", 0)
        assert [guest.name] == [item["name"] for item in binding.ask("listAllDomains", 0)]


def test_transient_guest_is_gone_once_destroyed(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        EchoGuest(libvirtd.folder, "passing") as guest,
        open_in_colour(libvirtd.uri(URI)) as connection,
    ):
        domain = connection.create_domain(guest.xml)
        assert domain.is_active()
        assert UUID(domain.get_uuid_string()) == guest.uuid
        domain.destroy()
        with pytest.raises(virtproto.NoDomainError):
            connection.get_domain_by_uuid(guest.uuid.bytes)


def test_guest_that_cannot_start_is_an_error(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with EchoGuest(libvirtd.folder, "broken") as guest:
        xml = guest.xml.replace("broken.img", "no-such.img")
        with open_in_colour(libvirtd.uri(URI)) as connection:
            with pytest.raises(virtproto.LibvirtError, match=r"no-such\.img") as caught:
                connection.create_domain(xml)
            assert caught.value.procedure == "DOMAIN_CREATE_XML"
            assert connection.list_all_domains() == []


def test_starting_a_guest_does_not_hold_up_other_calls(libvirtd: PrivateDaemon) -> None:
    """A slow call and quick ones share an asyncio connection; the quick ones come back first."""

    async def main() -> list[str]:
        done: list[str] = []

        async def noting(name: str, call: object) -> object:
            result = await call  # type: ignore[misc]
            done.append(name)
            return result

        with EchoGuest(libvirtd.folder, "slow") as guest:
            async with await aio.open(libvirtd.uri(URI)) as connection:
                slow = asyncio.create_task(noting("slow", connection.create_domain(guest.xml)))
                await asyncio.sleep(0)
                for _ in range(3):
                    await noting("quick", connection.get_library_version())
                domain = await slow
                assert isinstance(domain, aio.Domain)
                await domain.destroy()
        return done

    assert asyncio.run(main()) == ["quick", "quick", "quick", "slow"]
