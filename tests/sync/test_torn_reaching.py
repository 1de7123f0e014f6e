"""A signal that raises anywhere on the way to a host: nothing of it is left."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from inspect import GEN_CLOSED, GEN_CREATED, getgeneratorstate
from typing import TYPE_CHECKING

import pytest

from tests.sync.test_torn_anywhere import tear
from virtproto.errors import TLSError
from virtproto.model.endpoint import TcpEndpoint
from virtproto.sync.connecting import connect
from virtproto.sync.reaching import converse

if TYPE_CHECKING:
    from virtproto.transport.road import Conversation


def descriptors() -> list[str]:
    """Return what this process has open."""
    gc.collect()
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            # That of the listing itself.
            continue
    return sorted(each for each in found if each.startswith("socket:"))


@pytest.fixture
def endpoint() -> Iterator[TcpEndpoint]:
    """A port that takes connections, by a name."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield TcpEndpoint("127.0.0.1", listener.getsockname()[1])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_way_by_tcp_is_torn(endpoint: TcpEndpoint) -> None:
    before = descriptors()
    place = 0
    torn = True
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        while torn:
            place += 1
            torn = tear(place, lambda: connect(endpoint, 5.0).leave())
            assert descriptors() == before, place
            # Of a socket that was dropped without closing it.
            assert not warned, place
    assert place > 30


def echo() -> Conversation[bytes]:
    """Ask twice, and return what was answered."""
    first = yield b"one"
    return first + (yield b"two")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_conversation_is_torn() -> None:
    place = 0
    torn = True
    while torn:
        place += 1
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=answer, args=(theirs,))
        thread.start()
        conversation = echo()
        torn = tear(place, lambda: converse(ours, conversation, 5.0, "x"))  # noqa: B023 - at once
        # Torn at the very beginning it was not begun.
        assert getgeneratorstate(conversation) in (GEN_CLOSED, GEN_CREATED), place
        ours.close()
        thread.join()
        theirs.close()
    assert place > 10


def answer(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := sock.recv(100):
            sock.sendall(data)


def refuse() -> Conversation[None]:
    """Find fault with the first answer."""
    came = yield b"hello"
    raise TLSError(f"it said {came!r}")


def test_what_a_conversation_finds_is_raised() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"no")
        with pytest.raises(TLSError, match="it said b'no'"):
            converse(ours, refuse(), 5.0, "x")
