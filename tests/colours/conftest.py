"""Fixtures of the tests that are true of both colours."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import virtproto
from tests.colours.asking import WEB
from tests.colours.driving import CHANNELS, COLOURS, FORGETTERS, Forget, Open, OpenChannel
from tests.colours.losing import FAST
from virtproto.sync.channel import Channel
from virtproto.testing import ScriptedServer
from virtproto.wire import remote


@pytest.fixture(params=list(COLOURS))
def colour(request: pytest.FixtureRequest) -> str:
    """The name of each colour in turn."""
    name: str = request.param
    return name


@pytest.fixture
def open_in_colour(colour: str) -> Open:
    """What opens a connection in the test's colour."""
    return COLOURS[colour]


@pytest.fixture
def channel_in_colour(colour: str) -> OpenChannel:
    """What connects a channel in the test's colour."""
    return CHANNELS[colour]


@pytest.fixture
def forget_in_colour(colour: str) -> Forget:
    """What opens a connection in the test's colour and forgets it."""
    return FORGETTERS[colour]


@pytest.fixture
def events(colour: str) -> ModuleType:
    """The records of events, of the test's colour."""
    return import_module("virtproto.events" if colour == "sync" else "virtproto.aio.events")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The socket ``s`` in the test's own folder."""
    return str(tmp_path / "s")


@pytest.fixture
def uri(path: str) -> str:
    """A URI of the test's own socket."""
    return f"test:///default?socket={path}"


@pytest.fixture
def server(path: str) -> Iterator[ScriptedServer]:
    """A daemon of libvirt 12.8.0 at ``uri`` that knows the domain ``WEB`` by name."""
    with ScriptedServer() as running:
        version = remote.ConnectGetLibVersionRet(lib_ver=12008000)
        running.handle(remote.CONNECT_GET_LIB_VERSION, version)
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
        running.listen(path)
        yield running


@pytest.fixture
def connection(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> Iterator[virtproto.Connection]:
    """A connection to ``server`` in the test's colour, used as a blocking one."""
    with open_in_colour(uri) as opened:
        yield opened


@pytest.fixture
def channel(server: ScriptedServer, path: str, channel_in_colour: OpenChannel) -> Iterator[Channel]:
    """A channel to ``server`` in the test's colour, used as a blocking one."""
    with channel_in_colour(path) as connected:
        yield connected


@pytest.fixture
def records(colour: str) -> ModuleType:
    """The records of events of the test's colour."""
    return import_module("virtproto.events" if colour == "sync" else "virtproto.aio.events")


@pytest.fixture
def lasting(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> Iterator[virtproto.Connection]:
    """A connection that is opened anew, to ``server``, used as a blocking one."""
    server.handle(remote.CONNECT_GET_HOSTNAME, remote.ConnectGetHostnameRet(hostname="h"))
    with open_in_colour(uri, reconnect=FAST) as opened:
        yield opened
