"""A console of a guest that echoes, typed at: by both colours, and by the command in a terminal."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import virtproto
from tests.cli.pseudo_terminal import PseudoTerminal
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guests import GREETING, EchoGuest
from virtproto import aio
from virtproto.constants import DomainCreateFlags

pytestmark = pytest.mark.lab

URI = "qemu:///system"
# The guest's line is one of 115200 baud: this takes three seconds.
CONTENT = hashlib.shake_128(b"console").digest(32 * 1024)
LEAVE = b"\x1d"


@contextmanager
def echoing(daemon: PrivateDaemon, name: str = "console") -> Iterator[virtproto.Domain]:
    """A guest that is up and whose serial line is a console; off at the end, or gone."""
    with EchoGuest(daemon.folder, name) as guest:
        start, end = guest.xml.index("<serial"), guest.xml.index("</serial>")
        xml = f"{guest.xml[:start]}<serial type='pty'>{guest.xml[end:]}"
        with virtproto.open(daemon.uri(URI)) as connection:
            # What it says while nobody listens is lost.
            domain = connection.create_domain(xml, DomainCreateFlags.PAUSED)
            try:
                with connection.new_stream() as stream:
                    domain.open_console(stream)
                    domain.resume()
                    heard = b""
                    while not heard.endswith(GREETING):
                        heard += stream.recv(1000)
                yield domain
            finally:
                # Gone already, or its daemon is.
                with suppress(virtproto.NoDomainError, virtproto.TransportError):
                    domain.destroy()


def test_much_is_echoed_while_it_is_typed_blocking(libvirtd: PrivateDaemon) -> None:
    with echoing(libvirtd) as domain, domain.connection.new_stream() as stream:
        domain.open_console(stream)
        typing = threading.Thread(target=stream.send, args=(CONTENT,))
        typing.start()
        heard = b""
        while len(heard) < len(CONTENT):
            heard += stream.recv(4096)
            assert domain.is_active()
        typing.join()
        assert heard == CONTENT


def test_much_is_echoed_while_it_is_typed_asyncio(libvirtd: PrivateDaemon) -> None:
    async def talk(name: str) -> bytes:
        async with aio.open(libvirtd.uri(URI)) as connection:
            domain = await connection.get_domain_by_name(name)
            async with connection.new_stream() as stream:
                await domain.open_console(stream)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(stream.send(CONTENT))
                    heard = b""
                    while len(heard) < len(CONTENT):
                        heard += await stream.recv(4096)
                        assert await domain.is_active()
                return heard

    with echoing(libvirtd) as domain:
        assert asyncio.run(talk(domain.get_name()), debug=True) == CONTENT


@contextmanager
def window(daemon: PrivateDaemon, *options: str) -> Iterator[PseudoTerminal]:
    with PseudoTerminal("console", "-c", daemon.uri(URI), "console", *options) as terminal:
        yield terminal


def test_a_terminal_is_joined_to_a_guest(libvirtd: PrivateDaemon) -> None:
    keys = CONTENT.replace(LEAVE, b"")[:8192]
    with echoing(libvirtd) as domain:
        with window(libvirtd) as terminal:
            terminal.wait_for(raw=True)
            terminal.type(keys)
            assert terminal.read_until(keys[-32:]) == keys
            with window(libvirtd) as second:
                code, said = second.end()
                assert (code, "Active console session exists" in said) == (1, True)
                assert "; --force takes it over (" in said
                assert second.mode == second.mode_before
            terminal.type(b"x")
            terminal.read_until(b"x")
            terminal.type(LEAVE)
            code, said = terminal.end()
            assert (code, said.endswith("\nleft the console of console\n")) == (0, True)
            assert terminal.mode == terminal.mode_before
        # It can be had again, and the guest went on meanwhile.
        with window(libvirtd, "--device", "serial0") as terminal:
            terminal.wait_for(raw=True)
            terminal.type(b"again")
            assert terminal.read_until(b"again").endswith(b"again")
            with window(libvirtd, "--force") as second:
                code, said = terminal.end()
                assert (code, "taken by somebody else" in said) == (1, True)
                assert terminal.mode == terminal.mode_before
                second.type(b"mine")
                second.read_until(b"mine")
                domain.destroy()
                code, said = second.end()
                assert (code, said.endswith("\nconsole has shut off\n")) == (0, True)
                assert second.mode == second.mode_before


def test_a_paused_guest_can_be_left(libvirtd: PrivateDaemon) -> None:
    with echoing(libvirtd) as domain, window(libvirtd) as terminal:
        terminal.wait_for(raw=True)
        domain.suspend()
        # More than the daemon takes for it.
        terminal.type(bytes(100_000) + LEAVE)
        assert terminal.end()[0] == 0
        assert terminal.mode == terminal.mode_before
        assert domain.is_active()


def test_a_daemon_killed_meanwhile_gives_the_terminal_back() -> None:
    with private_daemon("9.0.0") as daemon, echoing(daemon), window(daemon) as terminal:
        terminal.wait_for(raw=True)
        daemon.kill()
        code, said = terminal.end()
        assert (code, "\nvirtproto: the connection was lost: the daemon closed it\n" in said) == (
            1,
            True,
        )
        assert terminal.mode == terminal.mode_before


def test_there_is_no_console(libvirtd: PrivateDaemon) -> None:
    uri = libvirtd.uri(URI)
    with echoing(libvirtd) as domain:
        for options, words in (
            (["konsole"], "there is no domain konsole; did you mean console? ("),
            (["console", "--device", "serial7"], "; it has serial0 (serial, pty) (DOMAIN"),
            (["test", "-c", libvirtd.uri("test:///default")], "not supported by the connection"),
        ):
            with PseudoTerminal("console", "-c", uri, *options) as terminal:
                code, said = terminal.end()
            assert (code, words in said) == (1, True), said
        definition = domain.get_xml_description()
        domain.destroy()
        stopped = domain.connection.define_domain(definition)
        with window(libvirtd) as terminal:
            code, said = terminal.end()
        stopped.undefine()
    assert (code, "domain is not running; start it first (" in said) == (1, True)
