"""Connections that are left in other ways than by closing them: forgotten, or by a fork."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.colours.driving import Forget
from tests.colours.test_events import Registrar, lifecycle
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote

REPOSITORY = Path(__file__).parents[2]
CLOSE, GET_HOSTNAME = remote.CONNECT_CLOSE.number, remote.CONNECT_GET_HOSTNAME.number
FORKED = (
    "ConnectionClosedError no call can be made on this connection: it is the parent process's, "
    "and a connection does not survive fork"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        running.handle(remote.CONNECT_GET_HOSTNAME, remote.ConnectGetHostnameRet(hostname="h"))
        yield running


def run(program: str, colour: str, uri: str) -> list[str]:
    """Run a program that opens with OPEN at URI, and return what it says."""
    head = f"from tests.colours.driving import COLOURS; OPEN = COLOURS[{colour!r}]; URI = {uri!r}\n"
    done = subprocess.run(
        # Newer releases of Python warn of threads, which the children here do nothing with.
        [sys.executable, "-X", "dev", "-W", "ignore:This process", "-c", head + program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.splitlines()


def times(server: ScriptedServer, procedure: int) -> int:
    return [call.procedure for call in server.calls].count(procedure)


def test_a_forgotten_connection_is_closed_and_warned_of(
    server: ScriptedServer, uri: str, forget_in_colour: Forget
) -> None:
    with pytest.warns(ResourceWarning, match=r"^a connection to .*/s was never closed$") as warned:
        forget_in_colour(uri, lambda: server.wait_until(lambda seen: seen.connections_ended == 1))
    assert len(warned) == 1
    # No goodbye: nobody is there to wait for its answer.
    assert times(server, CLOSE) == 0


AFTER_FORK = """
import os, virtproto

def said():
    try:
        return connection.get_hostname()
    except virtproto.VirtprotoError as error:
        return f"{type(error).__name__} {error}"

with OPEN(URI) as connection:
    reading, writing = os.pipe()
    if not os.fork():
        try:
            with OPEN(URI) as other:
                alive = connection.is_alive()
                text = f"{said()}\\n{alive}\\n{other.get_hostname()}\\n"
            connection.close()
            text += f"{said()}\\n{connection.is_alive()}"
            os.write(writing, text.encode())
        finally:
            os._exit(0)
    os.wait()
    print(os.read(reading, 4096).decode())
    print(said(), connection.is_alive())
"""


def test_a_connection_does_not_survive_fork_but_the_parents_does(
    server: ScriptedServer, uri: str, colour: str
) -> None:
    lines = run(AFTER_FORK, colour, uri)
    assert lines == [FORKED, "False", "h", FORKED, "False", "h True"]
    # The child's own connection, and at last the parent's.
    assert times(server, CLOSE) == 2
    assert times(server, GET_HOSTNAME) == 2


ITERATING_AFTER_FORK = """
import os, virtproto
with OPEN(URI) as connection, connection.events(KIND) as heard:
    if not os.fork():
        try:
            heard.next(timeout_s=10)
        except virtproto.VirtprotoError as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.wait()
    connection.get_hostname()
    print(type(heard.next(timeout_s=10)).__name__)
"""


def test_an_iterator_does_not_survive_fork_but_the_parents_does(
    server: ScriptedServer, uri: str, colour: str
) -> None:
    def answer(call: CallReceived) -> Answer:
        server.send(lifecycle(0, 1))
        return remote.ConnectGetHostnameRet(hostname="h")

    Registrar(server)
    server.handle(remote.CONNECT_GET_HOSTNAME, answer)
    home = "virtproto.events" if colour == "sync" else "virtproto.aio.events"
    script = f"from {home} import DomainLifecycle as KIND\n{ITERATING_AFTER_FORK}"
    assert run(script, colour, uri) == [FORKED, "DomainLifecycle"]


LEAVING_THE_BLOCK = """
import os
with OPEN(URI) as connection:
    child = os.fork()
    if child:
        os.wait()
        print(connection.get_hostname())
if not child:
    os._exit(0)
"""


def test_a_child_that_leaves_the_block_says_no_goodbye(
    server: ScriptedServer, uri: str, colour: str
) -> None:
    assert run(LEAVING_THE_BLOCK, colour, uri) == ["h"]
    assert times(server, CLOSE) == 1
