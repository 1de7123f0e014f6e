"""Roads with a program behind them, in both colours: its last words, and its end."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.colours.driving import FORGETTERS, OVER_ROADS, Open, until
from virtproto.errors import (
    ConnectError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    HostKeyError,
    SSHConnectError,
    UsageError,
)
from virtproto.testing import CloseConnection, ScriptedServer
from virtproto.transport.road import Road
from virtproto.wire import remote

_RELAY = """#!{python}
import select, socket, sys
far = socket.socket(socket.AF_UNIX)
far.connect({path!r})
near = socket.socket(fileno=0)
while True:
    for each in select.select([near, far], [], [])[0]:
        data = each.recv(65536)
        if not data:
            sys.exit("the far side went")
        try:
            (far if each is near else near).sendall(data)
        except OSError:
            pass
"""


class Carrier:
    """What a program is to a road, and what was done with it."""

    def __init__(self, words: str | None = None) -> None:
        self._words = words
        self.ended = threading.Event()

    def last_words(self) -> str | None:
        """Return what there is to say, while there is anything to ask."""
        return None if self.ended.is_set() else self._words

    def words(self) -> str | None:
        """Return the same, without waiting."""
        return self._words

    def end(self) -> None:
        """Take note."""
        self.ended.set()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A daemon with a name."""
    handlers: dict[Any, Any] = {
        remote.CONNECT_GET_HOSTNAME: remote.ConnectGetHostnameRet(hostname="h"),
        remote.CONNECT_IS_SECURE: remote.ConnectIsSecureRet(secure=1),
    }
    with ScriptedServer(handlers) as server:
        yield server


@pytest.fixture
def relay(server: ScriptedServer, tmp_path: Path) -> str:
    """A program that leads to the daemon."""
    path = server.listen(tmp_path / "s")
    return script(tmp_path, _RELAY.format(python=sys.executable, path=path))


def script(folder: Path, text: str) -> str:
    program = folder / "program"
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def children() -> list[str]:
    """Return the processes that this thread started and that have not been waited for."""
    return Path("/proc/thread-self/children").read_text().split()


def collect() -> None:
    gc.collect()


def open_and_close(open_in_colour: Open, uri: str) -> None:
    with open_in_colour(uri):
        pass


def ask_on(connection: Any) -> None:
    while connection.get_hostname() == "h":
        pass


def test_calls_go_through_a_program(open_in_colour: Open, relay: str) -> None:
    with open_in_colour(f"test+ext:///default?command={relay}") as connection:
        assert connection.get_hostname() == "h"
        assert not connection.is_secure()
        with pytest.raises(UsageError, match=f"goes over {relay}"):
            connection.create_domain_with_files("<domain/>", [0])
    until(None, lambda: not children())


def test_what_it_says_in_the_end_is_told(
    server: ScriptedServer, open_in_colour: Open, relay: str
) -> None:
    with open_in_colour(f"test+ext:///default?command={relay}") as connection:
        server.send(CloseConnection())
        words = f"{relay} ended on the way: the far side went"
        with pytest.raises((ConnectionLostError, ConnectionClosedError), match=words):
            ask_on(connection)
        until(connection, lambda: not children())


@pytest.mark.parametrize(
    ("transport", "words", "kind"),
    [
        ("ext", "no such luck", ConnectError),
        ("ssh", "no such luck", SSHConnectError),
        ("ssh", "Host key verification failed.", HostKeyError),
    ],
)
@pytest.mark.parametrize("first", ["", "echo 'Welcome to this machine, dear user'\n"])
def test_who_opens_is_told_what_it_said(
    open_in_colour: Open,
    tmp_path: Path,
    transport: str,
    words: str,
    kind: type[Exception],
    first: str,
) -> None:
    """Also where a shell greets on the way, and what comes is no packet."""
    program = script(tmp_path, f"#!/bin/sh\n{first}echo '{words}' >&2\nexit 3\n")
    with pytest.raises(ConnectError, match=words) as caught:
        open_and_close(open_in_colour, f"test+{transport}://host/default?command={program}")
    assert type(caught.value) is kind
    assert not children()


def test_one_that_just_ends_is_told(open_in_colour: Open, tmp_path: Path) -> None:
    program = script(tmp_path, "#!/bin/sh\nexit 0\n")
    with pytest.raises(ConnectError, match="did not lead to a daemon: it ended and said nothing"):
        open_and_close(open_in_colour, f"test+ext:///default?command={program}")


@pytest.mark.parametrize("transport", ["ext", "ssh"])
def test_what_one_says_that_hangs_is_told(
    open_in_colour: Open, tmp_path: Path, transport: str
) -> None:
    program = script(tmp_path, "#!/bin/sh\necho 'whose password?' >&2\nexec cat > /dev/null\n")
    uri = f"test+{transport}://host/default?command={program}"
    with pytest.raises(DeadlineError, match=r"does not answer.*on the way there: whose password"):
        open_and_close(partial(open_in_colour, timeout_s=0.5), uri)
    until(None, lambda: not children())


def road_with(carrier: Carrier, sock: socket.socket) -> Road:
    return Road(sock, "a carrier", carries_descriptors=False, carrier=carrier)


def test_its_end_comes_with_the_connections(server: ScriptedServer, colour: str) -> None:
    carrier = Carrier()
    with OVER_ROADS[colour](road_with(carrier, server.connect())) as connection:
        assert connection.get_hostname() == "h"
        assert not carrier.ended.is_set()
    assert carrier.ended.is_set()


def test_words_are_asked_for_before_the_end(server: ScriptedServer, colour: str) -> None:
    carrier = Carrier("it rained")
    with OVER_ROADS[colour](road_with(carrier, server.connect())) as connection:
        server.send(CloseConnection())
        lost = (ConnectionLostError, ConnectionClosedError)
        with pytest.raises(lost) as caught:
            ask_on(connection)
        if "it rained" not in str(caught.value):
            # The end was seen, and the words are waited for: whoever asks behind them is told.
            until(connection, carrier.ended.is_set)
            with pytest.raises(lost, match="it rained"):
                ask_on(connection)
        assert carrier.ended.is_set()


def test_an_abandoned_connection_ends_it(server: ScriptedServer, colour: str, relay: str) -> None:
    with pytest.warns(ResourceWarning, match="never closed"):
        FORGETTERS[colour](f"test+ext:///default?command={relay}", collect)
    server.wait_until(lambda seen: seen.connections_ended == 1)
    until(None, lambda: not children())


def test_a_forked_process_leaves_it_to_its_parent(server: ScriptedServer, colour: str) -> None:
    carrier = Carrier()
    with OVER_ROADS[colour](road_with(carrier, server.connect())) as connection:
        pid = os.fork()
        if pid == 0:
            os._exit(1 if carrier.ended.is_set() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert connection.get_hostname() == "h"
