"""What a socket says of its other end, unread."""

from __future__ import annotations

import socket

from virtproto.transport.liveness import has_hung_up, has_taken_all


def test_what_was_read_and_what_was_not() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert has_taken_all(one)
        one.send(b"abc")
        assert not has_taken_all(one)
        other.recv(2)
        assert not has_taken_all(one)
        other.recv(2)
        assert has_taken_all(one)


def test_an_end_behind_what_is_unread() -> None:
    one, other = socket.socketpair()
    with one:
        with other:
            other.send(b"abc")
            assert not has_hung_up(one)
        assert has_hung_up(one)
        assert one.recv(9) == b"abc"


def test_what_is_no_socket_of_the_kind() -> None:
    with socket.socket(socket.AF_UNIX) as unconnected:
        assert has_taken_all(unconnected)
