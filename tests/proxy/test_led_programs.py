"""Programs led by their calls and by their URIs, and what is left of that."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from virtproto.proxy.carriage import Carriage
from virtproto.proxy.led_programs import LedProgram
from virtproto.proxy.running import Signals
from virtproto.proxy.steering import Target

_CONNECT = """
import os, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.connect("\\0" + name[1:] if name.startswith("@") else name)
sys.exit(s.recv(9) != b"led here!")
"""
_GO_BY_URI = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["LIBVIRT_DEFAULT_URI"].partition("socket=")[2].partition("&")[0])
sys.exit(s.recv(9) != b"led here!")
"""


def _greet(client: socket.socket) -> None:
    with client:
        client.sendall(b"led here!")


class _Greeter:
    def lead(self, carriage: Carriage, client: socket.socket, about: dict[str, object]) -> None:
        _greet(client)


class Leading:
    """A program led to a greeting, run to its end."""

    def __init__(self, carriage: Carriage, signals: Signals, parts: ExitStack) -> None:
        self.led = LedProgram(carriage, signals, parts)
        self.targets: list[Target] = []
        self.places: list[str] = []
        self._carriage = carriage

    def run(self, program: str, *arguments: str, uri: str = "", sockets: list[str]) -> int | None:
        """Return its exit code."""

        def lead(target: Target) -> Callable[[socket.socket], object]:
            self.targets.append(target)
            return _greet

        command = self.led.start(
            [sys.executable, "-c", program, *arguments],
            {**os.environ, "LIBVIRT_DEFAULT_URI": uri},
            lead=lead,
            redirect=self._redirect,
            sockets=sockets,
            note=self.places.append,
        )
        command.attend(self._carriage, self._carriage.stop, self._carriage.stop)
        self._carriage.run()
        return command.code

    def _redirect(self, text: str | None, readonly: bool) -> tuple[None, str] | None:
        if text is None or not text.startswith("qemu+tls:"):
            return None
        self.places.append(self.led.listen(_Greeter()))
        return None, self.places[-1]


@pytest.fixture
def leading() -> Iterator[Leading]:
    carriage = Carriage(None)
    with Signals() as signals, ExitStack() as parts:
        parts.callback(carriage.close)
        with ExitStack() as inner:
            yield Leading(carriage, signals, inner)


@pytest.mark.parametrize("name", ["{}/own-sock", "@virtproto-own"])
def test_sockets_that_are_named_are_led_like_libvirts(
    leading: Leading, tmp_path: Path, name: str
) -> None:
    path = name.format(tmp_path)
    assert leading.run(_CONNECT, path, sockets=[path]) == 0
    assert [target.name for target in leading.targets] == [path]


def test_sockets_that_a_uri_names_are_led_as_well(leading: Leading, tmp_path: Path) -> None:
    path = f"{tmp_path}/own-sock"
    uri = f"qemu+unix:///system?socket={path}"
    assert leading.run(_CONNECT, path, uri=uri, sockets=[]) == 0
    assert leading.places == []


def test_others_are_not(leading: Leading, tmp_path: Path) -> None:
    assert leading.run(_CONNECT, f"{tmp_path}/own-sock", sockets=[]) == 1
    assert leading.targets == []


def test_a_uri_over_a_network_leads_to_a_socket_that_does_not_stay() -> None:
    carriage = Carriage(None)
    with Signals() as signals, ExitStack() as outer:
        outer.callback(carriage.close)
        with ExitStack() as parts:
            leading = Leading(carriage, signals, parts)
            code = leading.run(_GO_BY_URI, uri="qemu+tls://host.example/system", sockets=[])
            [place] = leading.places
            assert (code, os.stat(place).st_mode & 0o777) == (0, 0o600)
        assert not Path(place).parent.exists()
