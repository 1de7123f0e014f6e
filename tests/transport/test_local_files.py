"""Files on this machine, as far as a transfer of a real volume does not show it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from virtproto.errors import ArgumentTypeError, TransferError
from virtproto.transport.local_files import Source


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Somebody's keyboard, and the terminal that it belongs to."""
    near, far = os.openpty()
    yield near, far
    os.close(near)
    os.close(far)


def test_the_end_is_typed_once_at_a_terminal(terminal: tuple[int, int]) -> None:
    near, far = terminal
    pieces: list[bytes] = []

    def read_all() -> None:
        with open(far, "rb", closefd=False) as file:
            source = Source("source", file, None)
            source.open()
            while data := source.read(1 << 20):
                pieces.append(data)
            source.close()

    reader = threading.Thread(target=read_all, daemon=True)
    reader.start()
    os.write(near, b"first\nlast\n\x04")
    reader.join(10)
    assert not reader.is_alive()
    assert b"".join(pieces) == b"first\nlast\n"


def test_a_terminal_that_does_not_wait_has_not_ended(terminal: tuple[int, int]) -> None:
    near, far = terminal
    os.set_blocking(far, False)
    with open(far, "rb", closefd=False) as file:
        source = Source("source", file, None)
        source.open()
        os.write(near, b"first\n")
        assert source.read(100) == b"first\n"
        with pytest.raises(ArgumentTypeError, match="has nothing to read yet"):
            source.read(100)


def test_a_pipe_that_ends_early_has_not_shrunk() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    with open(reading, "rb") as file:
        source = Source("source", file, 5)
        source.open()
        assert source.read(5) == b"abc"
        with pytest.raises(TransferError, match="ended after 3 bytes; 5 were expected"):
            source.read(2)
