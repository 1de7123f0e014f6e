"""Methods that pass descriptors: which do, and their refusal on a road that carries none."""

from __future__ import annotations

import inspect
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import virtproto
from tests.colours.driving import OVER_SOCKETS
from virtproto.errors import UsageError
from virtproto.model.calls import fds_wanted
from virtproto.protocol.events import CallReceived
from virtproto.sync import Connection, Domain
from virtproto.testing import ReplyWithFds, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import lxc, qemu, remote
from virtproto.xdr.procedure import Procedure

WEB = remote.NonnullDomain(name="web", uuid=bytes(range(16)), id=7)
COMMAND = '{"execute":"getfd"}'

# Method, how it is called with two files, its procedure, what the daemon answers, what comes back.
METHODS: dict[str, tuple[Callable[..., Any], Procedure[Any, Any], Any, int]] = {
    "Connection.create_domain_with_files": (
        lambda connection, web, files: connection.create_domain_with_files("<domain/>", files),
        remote.DOMAIN_CREATE_XML_WITH_FILES,
        remote.DomainCreateXmlWithFilesRet(dom=WEB),
        0,
    ),
    "Domain.create_with_files": (
        lambda connection, web, files: web.create_with_files(files),
        remote.DOMAIN_CREATE_WITH_FILES,
        remote.DomainCreateWithFilesRet(dom=WEB),
        0,
    ),
    "Domain.fd_associate": (
        lambda connection, web, files: web.fd_associate("vda", files),
        remote.DOMAIN_FD_ASSOCIATE,
        b"",
        0,
    ),
    "Domain.open_graphics": (
        lambda connection, web, files: web.open_graphics(0, files[0]),
        remote.DOMAIN_OPEN_GRAPHICS,
        b"",
        0,
    ),
    "Domain.open_graphics_fd": (
        lambda connection, web, files: [web.open_graphics_fd(0)],
        remote.DOMAIN_OPEN_GRAPHICS_FD,
        b"",
        1,
    ),
    "Domain.qemu_monitor_command_with_files": (
        lambda connection, web, files: web.qemu_monitor_command_with_files(COMMAND, files)[1],
        qemu.DOMAIN_MONITOR_COMMAND_WITH_FILES,
        qemu.DomainMonitorCommandWithFilesRet(result="{}"),
        2,
    ),
    "Domain.lxc_open_namespace": (
        lambda connection, web, files: web.lxc_open_namespace(),
        lxc.DOMAIN_OPEN_NAMESPACE,
        b"",
        3,
    ),
}

# Those that take no files, or may be called without any.
WITHOUT = ("Connection.create_domain_with_files", "Domain.create_with_files")


@pytest.fixture
def files() -> Iterator[list[socket.socket]]:
    """Two sockets, as open_graphics takes no other files."""
    pair = socket.socketpair()
    yield list(pair)
    for each in pair:
        each.close()


@pytest.fixture
def over_tcp(server: ScriptedServer, colour: str) -> Iterator[Connection]:
    """A connection to ``server`` over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    server._do(lambda: server._adopt(far))
    with OVER_SOCKETS[colour](near) as connection:
        yield connection


@pytest.mark.parametrize("name", METHODS)
def test_files_pass_both_ways(
    server: ScriptedServer,
    connection: virtproto.Connection,
    files: list[socket.socket],
    name: str,
) -> None:
    use, procedure, result, brings = METHODS[name]

    def answer(call: CallReceived) -> Answer:
        server.wait_until(lambda seen: len(seen.fds_received) == call.nfds)
        return ReplyWithFds(result, [files[1].fileno()] * brings)

    server.handle(procedure, answer)
    web = connection.get_domain_by_name("web")
    came = use(connection, web, files)
    sent = {"Domain.open_graphics": 1, "Domain.open_graphics_fd": 0, "Domain.lxc_open_namespace": 0}
    assert server.calls[-1].nfds == sent.get(name, 2)
    for fd, original in zip(server.fds_received, files, strict=False):
        assert os.fstat(fd).st_ino == os.fstat(original.fileno()).st_ino
    if brings:
        assert len(came) == brings
        for fd in came:
            assert os.fstat(fd).st_ino == os.fstat(files[1].fileno()).st_ino
            assert not os.get_inheritable(fd)
            os.close(fd)
    assert connection.get_library_version() == 12008000


@pytest.mark.parametrize("name", METHODS)
def test_a_road_without_descriptors_refuses_them(
    server: ScriptedServer, over_tcp: Connection, files: list[socket.socket], name: str
) -> None:
    web = over_tcp.get_domain_by_name("web")
    asked, held = len(server.calls), len(os.listdir("/proc/self/fd"))
    with pytest.raises(UsageError) as caught:
        METHODS[name][0](over_tcp, web, files)
    assert str(caught.value) == (
        f"{name} passes file descriptors, which only a unix socket on this machine carries; "
        "this connection goes over TCP"
    )
    assert len(server.calls) == asked
    assert len(os.listdir("/proc/self/fd")) == held
    assert over_tcp.get_library_version() == 12008000
    assert len(server.calls) == asked + 1


@pytest.mark.parametrize("name", WITHOUT)
def test_without_files_any_road_will_do(
    server: ScriptedServer, over_tcp: Connection, name: str
) -> None:
    use, procedure, result, _ = METHODS[name]
    server.handle(procedure, result)
    use(over_tcp, over_tcp.get_domain_by_name("web"), [])
    assert server.calls[-1].procedure == procedure.number


def test_these_are_all_methods_that_pass_some() -> None:
    found = set()
    for kind in (Connection, Domain):
        for name in dir(kind):
            method = getattr(kind, name)
            if name.startswith("_") or not inspect.isfunction(method):
                continue
            if "_call_with_fds(" in inspect.getsource(method):
                found.add(f"{kind.__name__}.{name}")
    assert found == set(METHODS)
    bringing = {name for name, how in METHODS.items() if fds_wanted(how[1]) != 0}
    assert bringing == {name for name, how in METHODS.items() if how[3]}
