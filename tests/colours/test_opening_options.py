"""What ``open`` of both colours can be told besides the URI, and what it says of the rest."""

from __future__ import annotations

import asyncio
import pickle
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from tests.colours.driving import Open
from tests.colours.test_events import Registrar
from virtproto import aio, deadline
from virtproto.errors import DeadlineError, UsageError
from virtproto.testing import NoReply, ScriptedServer
from virtproto.wire import remote


def test_calls_have_a_time_limit_from_the_start(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_GET_HOSTNAME, NoReply())
    with open_in_colour(uri, call_timeout_s=0.05) as connection:
        assert connection.call_timeout_s == 0.05
        with pytest.raises(DeadlineError, match=r"no answer within 0\.05 s"):
            connection.get_hostname()
        connection.call_timeout_s = None
        assert connection.get_library_version() == 12008000
    with open_in_colour(uri) as connection:
        assert connection.call_timeout_s is None


@pytest.mark.parametrize("value", [0, -1.0, "5", float("nan")])
def test_a_time_limit_that_is_none(
    server: ScriptedServer, uri: str, open_in_colour: Open, value: Any
) -> None:
    with (
        pytest.raises(UsageError, match=r"^call_timeout_s: ")
        if not isinstance(value, str)
        else pytest.raises(TypeError, match=r"^call_timeout_s: "),
        open_in_colour(uri, call_timeout_s=value),
    ):
        pass
    assert server.calls == []
    with pytest.raises((UsageError, TypeError), match=r"^call_timeout_s: "):
        aio.Fleet([uri], call_timeout_s=value)


def test_a_fleets_connections_have_it_too(server: ScriptedServer, uri: str) -> None:
    async def limit() -> float | None:
        async with aio.Fleet([uri], call_timeout_s=7.5) as fleet:
            (outcome,) = await fleet.open()
            return outcome.result().call_timeout_s

    assert asyncio.run(limit()) == 7.5


@pytest.mark.parametrize("home", ["virtproto", "virtproto.sync", "virtproto.aio"])
@pytest.mark.parametrize("part", ["", ".admin"])
def test_what_open_does_not_take_is_said_of_open(home: str, part: str) -> None:
    opening: Any = import_module(home + part).open
    with pytest.raises(TypeError, match=r"^open\(\) got an unexpected keyword argument 'retries'"):
        opening(retries=5)
    with pytest.raises(TypeError, match=r"^open\(\) takes "):
        opening("test:///default", "again")


@pytest.mark.parametrize("home", ["virtproto", "virtproto.aio", "virtproto.admin"])
def test_open_can_be_sent_to_another_process(home: str) -> None:
    opening: Any = import_module(home).open
    assert pickle.loads(pickle.dumps(opening)) is opening


def test_a_daemon_that_says_nothing_is_named(
    server: ScriptedServer, path: str, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.AUTH_LIST, NoReply())
    with pytest.raises(DeadlineError) as raised, open_in_colour(uri, timeout_s=0.05):
        pass
    assert str(raised.value) == (
        f"the daemon behind {path} does not answer (AUTH_LIST: no answer within 0.05 s)"
    )


def test_what_is_left_of_a_limit_is_told_in_few_digits(
    server: ScriptedServer, uri: str, open_in_colour: Open, events: ModuleType
) -> None:
    server.handle(remote.CONNECT_GET_HOSTNAME, NoReply())
    Registrar(server)
    few = r" within 0\.0\d{1,3} s$"
    with open_in_colour(uri) as connection:
        with pytest.raises(DeadlineError, match=few), deadline(0.0912345678):
            connection.get_hostname()
        with (
            connection.events(events.DomainLifecycle) as heard,
            pytest.raises(DeadlineError, match=few),
            deadline(0.0912345678),
        ):
            heard.next()
