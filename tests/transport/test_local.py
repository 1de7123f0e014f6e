"""Paths and descriptors on their way in."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.transport import local


def test_paths_become_absolute_as_libvirts_client_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert local.to_path("file", "a/../save.img") == f"{tmp_path}/save.img"
    assert local.to_path("file", "//var/./x") == "/var/x"
    with pytest.raises(UsageError, match=r"^file: a path is required"):
        local.to_path("file", "")


def test_a_relative_path_needs_a_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match=r"^file: relative to a current directory that is gone"):
        local.to_path("file", "save.img")
    assert local.to_path("file", "/save.img") == "/save.img"


def test_descriptors_are_open_ones() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert local.to_fd("fd", one) == one.fileno()
        assert local.to_fds("fds", [one, other.fileno()]) == [one.fileno(), other.fileno()]
        number = os.dup(one.fileno())
        os.close(number)
        with pytest.raises(UsageError, match=rf"^fd: {number} is no open descriptor"):
            local.to_fd("fd", number)
    with pytest.raises(UsageError, match=r"^fd: -1 is no open descriptor"):
        local.to_fd("fd", one)
    with pytest.raises(ArgumentTypeError, match=r"^fd: expected an open file"):
        local.to_fd("fd", "0")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"^fds\[1\]: expected an open file .* not bool"):
        local.to_fds("fds", [0, True])
    with pytest.raises(UsageError, match=r"^fds: more than the 32"):
        local.to_fds("fds", [0] * 33)


def test_sockets_are_told_from_other_files(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    with one, other, open(tmp_path / "file", "w") as file:
        assert local.to_socket("fd", one) == one.fileno()
        with pytest.raises(UsageError, match=rf"^fd: descriptor {file.fileno()} is not a socket"):
            local.to_socket("fd", file)
