"""What a connection remembers, without a front end."""

from __future__ import annotations

import pytest

from virtproto.errors import UsageError
from virtproto.model.connection_handle import ConnectionHandle
from virtproto.model.recipes.opening import Opened


class Way:
    is_secure = True
    is_encrypted = False


class Road:
    def __init__(self) -> None:
        self._road = Way()
        self.is_open = True
        self.abandoned = 0

    def abandon(self) -> None:
        self.abandoned += 1


def handle(road: Road, *, readonly: bool = False) -> ConnectionHandle:
    uri = "qemu+ssh://root:word@host/system"
    opened = Opened(uri, keepalive=False, event_callbacks=True, close_callbacks=True)
    return ConnectionHandle(road, opened, readonly=readonly)


def test_it_tells_what_it_knows_and_no_password() -> None:
    road = Road()
    connection = handle(road, readonly=True)
    assert connection.is_alive()
    assert connection.is_readonly()
    assert not handle(Road()).is_readonly()
    assert connection.get_uri() == "qemu+ssh://root:word@host/system"
    assert "word" not in repr(connection)
    road.is_open = False
    assert not connection.is_alive()
    assert "closed" in repr(connection)


def test_a_time_limit_is_checked_when_set() -> None:
    connection = handle(Road())
    assert connection.call_timeout_s is None
    connection.call_timeout_s = 2.5
    with pytest.raises(UsageError, match="call_timeout_s"):
        connection.call_timeout_s = 0
    assert connection.call_timeout_s == 2.5


def test_a_forgotten_one_gives_its_channel_up_once() -> None:
    road = Road()
    connection = handle(road)
    del connection
    assert road.abandoned == 1


def test_a_half_made_one_goes_quietly() -> None:
    half = ConnectionHandle.__new__(ConnectionHandle)
    del half
