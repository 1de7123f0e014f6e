"""Who is at the other end of a socket, and who is let in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.led import children
from virtproto.proxy.carriage import Carriage
from virtproto.proxy.listening import Listener
from virtproto.proxy.peers import is_ours, peer_credentials

NOBODY = 65534

# Becomes a user, connects, and says what becomes of that: "in" or "out". With a word it says it
# and closes at once, so that nobody holds the socket any more.
VISITOR = """
import os, socket, sys
uid, address, word = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.setgroups([]); os.setgid(uid); os.setuid(uid)
if address.startswith("tcp:"):
    host, _, port = address[4:].rpartition(":")
    s = socket.create_connection((host.strip("[]"), int(port)))
else:
    s = socket.socket(socket.AF_UNIX)
    s.connect("\\0" + address[1:])
if word:
    s.sendall(word.encode())
else:
    try:
        print("in" if s.recv(10) == b"welcome" else "out")
    except ConnectionError:
        print("out")
"""


def visit(address: str, uid: int, word: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", VISITOR, str(uid), address, word]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


class Host:
    """Bids clients welcome, and ends the loop."""

    def lead(self, carriage: Carriage, client: socket.socket, about: dict[str, object]) -> None:
        with client:
            client.sendall(b"welcome")


def received(address: str, uid: int, *, to_all: bool = False, word: str = "") -> str:
    """Return what a user is told who comes to ``address``."""
    carriage = Carriage(None)
    try:
        with Listener(address, to_all=to_all) as listener:
            listener.attend(carriage, Host())
            visitor = visit(listener.address, uid, word)
            assert visitor.stdout is not None
            carriage.watch(visitor.stdout.fileno(), carriage.stop)
            carriage.run()
            said = visitor.communicate(timeout=10)[0]
            return said.strip()
    finally:
        carriage.close()


@pytest.fixture(params=["tcp:127.0.0.1:0", "tcp:[::1]:0", "@virtproto-test-peers"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "tcp:[::1]:0" and not Path("/proc/net/if_inet6").read_text():
        pytest.skip("no IPv6 here")
    before = children()
    yield request.param
    assert children() == before


def test_this_user_is_let_in(address: str) -> None:
    assert received(address, os.geteuid()) == "in"


def test_another_user_is_sent_away(address: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    assert received(address, NOBODY) == "out"
    assert received(address, NOBODY, to_all=True) == "in"


@pytest.mark.parametrize("kind", [socket.AF_INET, socket.AF_INET6])
def test_what_nobody_holds_is_nobodys(kind: socket.AddressFamily) -> None:
    """The system tells root as the user of a socket that its process has closed."""
    host = "127.0.0.1" if kind is socket.AF_INET else "::1"
    try:
        listening = socket.create_server((host, 0), family=kind)
    except OSError:
        pytest.skip("no such addresses here")
    with listening:
        client = socket.create_connection(listening.getsockname()[:2])
        ours, _ = listening.accept()
        with ours:
            assert is_ours(ours)
            client.sendall(b"a call that destroys")
            client.close()
            assert not is_ours(ours)


def test_ipv4_inside_of_ipv6_is_known() -> None:
    try:
        listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):
        pytest.skip("no such addresses here")
    with listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listening.accept()[0] as ours:
            assert is_ours(ours)


def test_a_peer_on_a_unix_socket_is_told() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_credentials(one) == (os.getpid(), os.geteuid(), os.getegid())
        assert is_ours(one)
