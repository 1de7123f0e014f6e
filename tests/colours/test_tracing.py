"""``open(uri, trace=...)`` in both colours: who is told, what, when, and that it harms nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import virtproto
from tests.colours.driving import ADMINISTRATIONS, Open, until
from tests.colours.losing import FAST, back, gone, lose
from tests.colours.tracing import Kept, Lines, told
from virtproto import aio
from virtproto.errors import DeadlineError, LibvirtError
from virtproto.protocol.events import CallReceived
from virtproto.testing import (
    CloseConnection,
    ReplyError,
    ScriptedServer,
    SendPing,
)
from virtproto.testing.actions import Answer
from virtproto.trace import message as kinds
from virtproto.wire import admin as administration
from virtproto.wire import remote

NAME = remote.CONNECT_GET_HOSTNAME
HOST = remote.ConnectGetHostnameRet(hostname="h")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The package's own logger, as it is before anybody traced."""
    from virtproto.trace import tracers

    logger = logging.getLogger("virtproto.trace")
    level, tracers._own = logger.level, None
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)
    tracers._own = None


@pytest.fixture
def lines(logger: logging.Logger) -> Iterator[list[str]]:
    """The lines that the package's own logger is given."""
    handler = Lines()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


def test_each_message_is_told_when_it_leaves_or_comes(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    server.handle(NAME, HOST)
    with open_in_colour(uri, trace=kept, keepalive=None) as connection:
        assert connection.get_hostname() == "h"
        # By the time the call is back.
        assert told(kept[-2:]) == [("call", NAME.name), ("reply", NAME.name)]
        call, reply = kept[-2:]
        assert reply.call is call
        assert reply.latency_s is not None
        assert 0 < reply.latency_s < 10
        assert reply.packet.payload == HOST.pack()
    assert kept.names()[0] == "AUTH_LIST"
    assert kept.names()[-1] == "CONNECT_CLOSE"
    assert kept.names() == kept.names(from_client=False)
    kept.sound()


def test_lines_are_those_of_the_logger(
    server: ScriptedServer, uri: str, open_in_colour: Open, lines: list[str]
) -> None:
    server.handle(NAME, HOST)
    with open_in_colour(uri, trace=True) as connection:
        connection.get_hostname()
        assert "remote:CONNECT_GET_HOSTNAME" in lines[-2]
        assert 'hostname="h"' in lines[-1]
    # And one that says where it leads.
    assert len(lines) == 11
    assert " conversation " in lines[0]
    assert uri.partition("=")[2] in lines[0]


def test_a_logger_of_ones_own_decides_what_it_takes(
    server: ScriptedServer, uri: str, open_in_colour: Open, lines: list[str]
) -> None:
    mine = logging.getLogger("tests.tracing.mine")
    mine.setLevel(logging.INFO)
    handler = Lines()
    mine.addHandler(handler)
    with open_in_colour(uri, trace=mine) as connection:
        connection.get_library_version()
        assert handler.lines == []
        mine.setLevel(logging.DEBUG)
        connection.get_library_version()
        assert len(handler.lines) == 2
    assert lines == []


@pytest.mark.parametrize(
    ("trace", "value", "wanted"),
    [
        (None, "1", True),
        (None, "yes", True),
        (None, "0", False),
        (None, "", False),
        (None, None, False),
        (False, "1", False),
        (True, "0", True),
    ],
)
def test_the_environment_has_connections_traced_of_which_nothing_is_said(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    trace: bool | None,
    value: str | None,
    wanted: bool,
) -> None:
    monkeypatch.delenv("VIRTPROTO_TRACE", raising=False)
    if value is not None:
        monkeypatch.setenv("VIRTPROTO_TRACE", value)
    with open_in_colour(uri, trace=trace):
        pass
    assert bool(lines) is wanted


@pytest.mark.parametrize("trace", ["yes", 1, [], b"1", object()])
def test_what_cannot_be_told_anything_is_refused(
    server: ScriptedServer, uri: str, open_in_colour: Open, trace: Any
) -> None:
    with pytest.raises(TypeError, match=r"^trace: "), open_in_colour(uri, trace=trace):
        pass
    assert server.calls == []
    with pytest.raises(TypeError, match=r"^trace: "):
        aio.Fleet([uri], trace=trace)


def test_a_coroutine_function_is_refused(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    async def wait(message: object) -> None:
        pass

    with (
        pytest.raises(TypeError, match=r"^trace: nobody would wait for a coroutine function"),
        open_in_colour(uri, trace=wait),
    ):
        pass
    assert server.calls == []


def test_what_the_function_raises_harms_nothing_and_is_reported_once(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))
    seen = []

    def fail(message: object) -> None:
        seen.append(message)
        raise ZeroDivisionError("in a function that traces")

    with open_in_colour(uri, trace=fail) as connection:
        for _ in range(3):
            assert connection.get_library_version() == 12008000
    assert len(seen) == 14
    # By the loop's handler in asyncio.
    reported += [each.exc_info[1] for each in caplog.records if each.exc_info is not None]
    assert [type(each) for each in reported] == [ZeroDivisionError]


def test_secrets_are_elided_from_lines_and_not_from_messages(
    server: ScriptedServer, uri: str, open_in_colour: Open, lines: list[str]
) -> None:
    kept = Kept()
    wanted = remote.SecretSetValueArgs(
        secret=remote.NonnullSecret(uuid=bytes(16), usageType=0, usageID="u"),
        value=b"hunter2-hunter2",
        flags=0,
    )
    server.handle(remote.SECRET_SET_VALUE, b"")
    for trace in (True, kept):
        with open_in_colour(uri, trace=trace) as connection:
            connection.call_packed(remote.SECRET_SET_VALUE, wanted.pack())
    assert len(lines) == 11
    assert "hunter2" not in "".join(lines)
    assert b"hunter2-hunter2" in kept[6].packet.payload
    assert "hunter2" not in repr(kept)


def test_errors_and_late_calls_are_told(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    answer = threading.Event()

    def late(call: CallReceived) -> Answer:
        answer.wait(10)
        return HOST

    with open_in_colour(uri, trace=kept, keepalive=None) as connection:
        server.handle(NAME, ReplyError("no", 1))
        with pytest.raises(LibvirtError):
            connection.get_hostname()
        assert kept[-1].type_name == "remote_error"
        server.handle(NAME, late)
        connection.call_timeout_s = 0.05
        with pytest.raises(DeadlineError):
            connection.get_hostname()
        assert told(kept[-1:]) == [("call", NAME.name)]
        connection.call_timeout_s = 10
        answer.set()
        connection.get_library_version()
        # The late one as well, which nobody waits for.
        assert kept.names(from_client=False)[-2:] == [NAME.name, "CONNECT_GET_LIB_VERSION"]
    kept.sound()


def test_a_connection_that_is_back_is_another_conversation(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    server.handle(NAME, HOST)
    with open_in_colour(uri, trace=kept, reconnect=FAST) as connection:
        connection.get_hostname()
        lose(server)
        gone(connection)
        back(connection)
        connection.get_hostname()
    first, last = kept[0].conversation, kept[-1].conversation
    assert first < last
    names = [each.procedure for each in kept if each.conversation == last and each.from_client]
    assert names[0] == "AUTH_LIST"
    assert NAME.name in names
    kept.sound()


def test_pings_are_told(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    kept = Kept()
    server.handle(NAME, [SendPing(), HOST])
    with open_in_colour(uri, trace=kept) as connection:
        connection.get_hostname()
        connection.get_library_version()
    keepalive = [each.kind for each in kept if each.program == "keepalive"]
    assert keepalive == [kinds.PING, kinds.PONG]
    kept.sound()


def test_a_connection_that_ends_in_the_middle(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    server.handle(NAME, CloseConnection())
    with (
        open_in_colour(uri, trace=kept) as connection,
        pytest.raises(virtproto.ConnectionLostError),
    ):
        connection.get_hostname()
    assert told(kept[-1:]) == [("call", NAME.name)]
    kept.sound()


def test_a_call_that_waits_for_its_answer_is_told_meanwhile(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    seen: list[int] = []

    def answer(call: CallReceived) -> Answer:
        # On a thread of the server's.
        until(None, lambda: kept and kept[-1].procedure == NAME.name)
        seen.append(len(kept))
        return HOST

    server.handle(NAME, answer)
    with open_in_colour(uri, trace=kept) as connection:
        connection.get_hostname()
        assert seen == [len(kept) - 1]


def test_an_administration_is_traced(colour: str, path: str) -> None:
    kept = Kept()
    answers: dict[Any, Any] = {
        administration.CONNECT_OPEN: b"",
        administration.CONNECT_CLOSE: b"",
        administration.CONNECT_GET_LIB_VERSION: administration.ConnectGetLibVersionRet(libVer=9),
    }
    programs = frozenset({(administration.PROGRAM, administration.VERSION)})
    with ScriptedServer(answers, programs=programs) as server:
        server.listen(path)
        uri = f"libvirtd:///system?socket={path}"
        with ADMINISTRATIONS[colour](uri, trace=kept) as opened:
            assert opened.get_library_version() == 9
    assert {each.program for each in kept} == {"admin"}
    assert "CONNECT_GET_LIB_VERSION" in kept.names()
    kept.sound()


def test_a_fleet_is_traced(server: ScriptedServer, uri: str, path: str) -> None:
    kept = Kept()

    async def ask() -> None:
        async with aio.Fleet([uri, f"{uri}&mode=direct"], trace=kept) as fleet:
            for outcome in await fleet.run(lambda each: each.get_library_version()):
                assert outcome.result() == 12008000

    asyncio.run(ask())
    assert len({each.conversation for each in kept}) == 2
    assert len(kept) == 20
    kept.sound()


@pytest.mark.parametrize("how", ["virtproto.open", "virtproto.aio.open"])
@pytest.mark.parametrize("handled", [False, True])
def test_where_logging_has_no_handler_lines_go_to_stderr(
    server: ScriptedServer, uri: str, how: str, handled: bool
) -> None:
    program = f"""
import asyncio, logging, virtproto
if {handled}:
    logging.basicConfig(format="LOGGED %(levelname)s %(name)s %(message)s")
async def asynchronous():
    async with virtproto.aio.open({uri!r}) as connection:
        print(await connection.get_library_version())
if {how.count(".") == 2}:
    asyncio.run(asynchronous())
else:
    with virtproto.open({uri!r}) as connection:
        print(connection.get_library_version())
"""
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "VIRTPROTO_TRACE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert said.stdout == "12008000\n"
    lines = said.stderr.splitlines()
    assert len(lines) == 11
    begin = "LOGGED DEBUG virtproto.trace " if handled else ""
    assert all(line.startswith(begin) for line in lines)
    assert all("remote:" in line for line in lines[1:])
    assert ("LOGGED" in said.stderr) is handled
