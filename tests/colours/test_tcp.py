"""The road by TCP, in both colours: addresses, refusals, and hosts that do not answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.colours.driving import Open
from tests.colours.tcp_front import tcp_front
from virtproto.errors import (
    ConnectError,
    DeadlineError,
    HostNotFoundError,
    SocketRefusedError,
)
from virtproto.testing import ScriptedServer
from virtproto.wire import remote

SHORT_S = 0.1
# What must not take long takes less, however busy the machine is.
PROMPT_S = 5.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A daemon's port."""
    handlers: dict[Any, Any] = {
        remote.CONNECT_GET_HOSTNAME: remote.ConnectGetHostnameRet(hostname="h"),
        remote.CONNECT_IS_SECURE: remote.ConnectIsSecureRet(secure=1),
    }
    with ScriptedServer(handlers) as server, tcp_front(server.listen(tmp_path / "s")) as port:
        yield port


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


def uri(port: int, host: str = "127.0.0.1") -> str:
    return f"test+tcp://{host}:{port}/default"


def failure(open_in_colour: Open, uri: str, **options: Any) -> Exception:
    """Return the error of opening, which comes soon."""
    started = time.monotonic()
    try:
        with open_in_colour(uri, **options):
            pass
    except Exception as error:
        assert time.monotonic() - started < PROMPT_S
        return error
    raise AssertionError("it was opened")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have host names mean what the test says: addresses, an error, or a function's answer."""
    from virtproto.transport import tcp

    real = socket.getaddrinfo

    def mean(*answers: Any) -> None:
        def ask(host: bytes, port: int, family: int, kind: int, proto: int, flags: int) -> Any:
            if flags:
                return real(host, port, family, kind, proto, flags)
            if isinstance(answers[0], Exception):
                raise answers[0]
            if callable(answers[0]):
                return answers[0]()
            return [(family, kind, 6, "", address) for family, address in answers]

        monkeypatch.setattr(tcp, "getaddrinfo", ask)

    return mean


def test_calls_go_over_tcp(open_in_colour: Open, port: int) -> None:
    with open_in_colour(uri(port)) as connection:
        assert connection.get_hostname() == "h"
        assert not connection.is_secure()
        assert not connection.is_encrypted()
        road = connection._channel._road
        assert road.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_addresses_are_tried_in_order(
    open_in_colour: Open, port: int, free_port: int, names: Callable[..., None]
) -> None:
    inet = socket.AF_INET
    names((inet, ("127.0.0.1", free_port)), (inet, ("127.0.0.1", port)))
    with open_in_colour(uri(port, "two.test")) as connection:
        assert connection.get_hostname() == "h"


def test_each_address_is_named_when_none_will_do(
    open_in_colour: Open, free_port: int, names: Callable[..., None]
) -> None:
    refusing = (socket.AF_INET, ("127.0.0.1", free_port))
    names(refusing, (socket.AF_INET, ("127.0.0.2", free_port)))
    error = failure(open_in_colour, uri(free_port, "two.test"))
    assert isinstance(error, SocketRefusedError)
    for part in (f"two.test:{free_port}", "127.0.0.1: Connection refused", "127.0.0.2: "):
        assert part in str(error)
    names(refusing, (socket.AF_INET, ("255.255.255.255", free_port)))
    error = failure(open_in_colour, uri(free_port, "two.test"))
    assert type(error) is ConnectError
    assert "255.255.255.255: " in str(error)


def test_a_port_that_nobody_listens_on(open_in_colour: Open, free_port: int) -> None:
    error = failure(open_in_colour, uri(free_port, "[::1]"))
    assert isinstance(error, ConnectError)
    assert f"[::1]:{free_port}" in str(error)


def test_hosts_without_an_address(open_in_colour: Open, names: Callable[..., None]) -> None:
    names(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    error = failure(open_in_colour, uri(1, "no.test"))
    assert isinstance(error, HostNotFoundError)
    assert "'no.test' (Name or service not known)" in str(error)
    names(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    assert "name server" in str(failure(open_in_colour, uri(1, "no.test")))


def test_a_name_server_that_does_not_answer_costs_the_time_limit(
    open_in_colour: Open, names: Callable[..., None]
) -> None:
    over = threading.Event()

    def hang() -> list[Any]:
        over.wait(30)
        return []

    names(hang)
    error = failure(open_in_colour, uri(1, "slow.test"), timeout_s=SHORT_S)
    over.set()
    assert isinstance(error, DeadlineError)
    assert "'slow.test' was not known within 0.1 s" in str(error)


def test_a_host_that_does_not_answer_costs_the_time_limit_for_each_address(
    open_in_colour: Open, names: Callable[..., None]
) -> None:
    """Its queue is full: the system answers nothing to who wants to connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        names((socket.AF_INET, address), (socket.AF_INET, address))
        started = time.monotonic()
        error = failure(open_in_colour, uri(address[1], "full.test"), timeout_s=SHORT_S)
        assert time.monotonic() - started >= 2 * SHORT_S
        for sock in waiting:
            sock.close()
    assert isinstance(error, DeadlineError)
    assert "full.test" in str(error)
    assert "127.0.0.1: no answer within 0.1 s" in str(error)


def test_a_daemon_that_says_nothing_costs_the_time_limit(open_in_colour: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = failure(open_in_colour, uri(port), timeout_s=SHORT_S)
        assert isinstance(error, DeadlineError)
        assert f"behind 127.0.0.1:{port} does not answer" in str(error)


_HANGS = """
import asyncio, time, virtproto
from virtproto.transport import tcp
from virtproto.errors import DeadlineError
real = tcp.getaddrinfo
tcp.getaddrinfo = lambda *args: real(*args) if args[-1] else time.sleep(60)
async def asynchronous():
    await virtproto.aio.open("test+tcp://slow.test/default", timeout_s=0.1)
try:
    {open}
except DeadlineError as error:
    print("late")
"""


@pytest.mark.parametrize(
    "how",
    [
        'virtproto.open("test+tcp://slow.test/default", timeout_s=0.1)',
        "asyncio.run(asynchronous())",
    ],
    ids=["sync", "aio"],
)
def test_a_lookup_that_hangs_holds_up_no_process(how: str) -> None:
    started = time.monotonic()
    command = [sys.executable, "-W", "error", "-c", _HANGS.format(open=how)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "late\n"
    assert done.stderr == ""
    assert time.monotonic() - started < 3 * PROMPT_S
