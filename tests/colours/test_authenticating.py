"""Being let in, by daemons that play false, and by functions that are asked."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scramp import ScramMechanism

import virtproto
from tests.colours.driving import Open
from tests.colours.tcp_front import tcp_front
from virtproto.errors import (
    AuthenticationError,
    ConnectionLostError,
    CredentialsMissingError,
    DeadlineError,
    DecodeError,
    LibvirtError,
    UsageError,
)
from virtproto.model.credentials import CredentialRequest, Credentials
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.wire import remote

PASSWORD = "s3cret-of-fred"
FRED = Credentials("fred", PASSWORD)
DONE = remote.AuthSaslStartRet(complete=1, nil=1, data=b"")

LIST, INIT, START, STEP, POLKIT = range(66, 71)
OPEN = 1


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(tmp_path / "auth.conf"))
    (tmp_path / "auth.conf").touch()


@pytest.fixture
def tcp_uri(path: str, server: ScriptedServer) -> Iterator[str]:
    """A URI of ``server`` that leads over TCP."""
    with tcp_front(path) as port:
        yield f"test+tcp://127.0.0.1:{port}/default"


def ask_for_sasl(server: ScriptedServer, offered: str, start: Any = DONE, step: Any = DONE) -> None:
    server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
    server.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist=offered))
    server.handle(remote.AUTH_SASL_START, start)
    server.handle(remote.AUTH_SASL_STEP, step)


def speak_scram(server: ScriptedServer, offered: str, name: str, **faults: Any) -> None:
    """Have the server speak SCRAM, with messages of its own replaced."""
    mechanism = ScramMechanism(name)
    known = mechanism.make_auth_info(PASSWORD)
    scram = mechanism.make_server(lambda _user: known)

    def start(call: CallReceived) -> Any:
        args = remote.AuthSaslStartArgs.unpack(call.payload)
        scram.set_client_first(args.data.decode())
        data = faults.get("first", scram.get_server_first().encode())
        return remote.AuthSaslStartRet(complete=faults.get("early", 0), nil=0, data=data)

    def step(call: CallReceived) -> Any:
        args = remote.AuthSaslStepArgs.unpack(call.payload)
        scram.set_client_final(args.data.decode())
        data = faults.get("final", scram.get_server_final().encode())
        return remote.AuthSaslStepRet(complete=1, nil=int(data is None), data=data or b"")

    ask_for_sasl(server, offered, start, step)


def opened(open_in_colour: Open, uri: str, **options: Any) -> None:
    with open_in_colour(uri, keepalive=None, **options):
        pass


def called(server: ScriptedServer) -> list[int]:
    """Return what was called, without questions for features, once the connection is over."""
    server.wait_until(lambda seen: seen.connections_ended == 1)
    return [call.procedure for call in server.calls if call.procedure != 60]


def mechanism_tried(server: ScriptedServer) -> str:
    starts = [call for call in server.calls if call.procedure == START]
    return remote.AuthSaslStartArgs.unpack(starts[0].payload).mech


# Daemons that play false.


@pytest.mark.parametrize("options", [{}, {"credentials": FRED}])
@pytest.mark.parametrize("auth", ["", "?auth=sasl.PLAIN"])
@pytest.mark.parametrize("offered", ["PLAIN", "PLAIN,SCRAM-SHA-256,ANONYMOUS,EXTERNAL"])
def test_over_tcp_no_password_leaves(
    server: ScriptedServer,
    tcp_uri: str,
    open_in_colour: Open,
    offered: str,
    auth: str,
    options: dict[str, Any],
) -> None:
    ask_for_sasl(server, offered)
    with pytest.raises(AuthenticationError, match="is open to everybody on it") as caught:
        opened(open_in_colour, tcp_uri + auth, **options)
    assert "transport tls or ssh" in str(caught.value)
    assert called(server) == [LIST, INIT]


def test_a_socket_that_was_given_is_no_safer_than_it_is(
    server: ScriptedServer, path: str, open_in_colour: Open
) -> None:
    ask_for_sasl(server, "PLAIN")
    with tcp_front(path) as port:
        sock = socket.create_connection(("127.0.0.1", port))
        with pytest.raises(AuthenticationError, match="is open to everybody on it"):
            opened(open_in_colour, "test+unix:///default", sock=sock, credentials=FRED)
    assert called(server) == [LIST, INIT]


def test_a_program_on_the_way_may_listen(
    server: ScriptedServer, path: str, open_in_colour: Open, tmp_path: Path
) -> None:
    ask_for_sasl(server, "PLAIN")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec nc -U {path}\n")
    program.chmod(0o755)
    with pytest.raises(AuthenticationError, match="is open to everybody on it"):
        opened(open_in_colour, f"test+ext:///default?command={program}", credentials=FRED)
    assert called(server) == [LIST, INIT]


def test_over_tcp_a_layer_cannot_be_talked_away(
    server: ScriptedServer, tcp_uri: str, open_in_colour: Open
) -> None:
    challenge = b'nonce="AAAAAAAAAAAAAAAAAAAAAA==",qop="auth",charset=utf-8,algorithm=md5-sess'
    start = remote.AuthSaslStartRet(complete=0, nil=0, data=challenge)
    # What is stronger was struck out of the list, what encrypts out of the challenge.
    ask_for_sasl(server, "DIGEST-MD5", start)
    with pytest.raises(AuthenticationError, match="DIGEST-MD5"):
        opened(open_in_colour, tcp_uri, credentials=FRED)
    assert called(server) == [LIST, INIT, START]


def test_what_the_uri_insists_on_is_not_given_up(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    ask_for_sasl(server, "PLAIN,SCRAM-SHA-1")
    with pytest.raises(AuthenticationError, match="wants SASL mechanism SCRAM-SHA-256"):
        opened(open_in_colour, uri + "&auth=sasl.SCRAM-SHA-256", credentials=FRED)
    assert called(server) == [LIST, INIT]


def test_a_daemon_that_lets_anybody_in_is_not_what_the_uri_insists_on(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with pytest.raises(AuthenticationError, match="wants authentication by sasl"):
        opened(open_in_colour, uri + "&auth=sasl", credentials=FRED)
    assert called(server) == [LIST]


def test_plaintext_is_not_taken_for_being_offered_first(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    speak_scram(server, "PLAIN,SCRAM-SHA-256", "SCRAM-SHA-256")
    opened(open_in_colour, uri, credentials=FRED)
    assert called(server) == [LIST, INIT, START, STEP, OPEN, 2]
    assert mechanism_tried(server) == "SCRAM-SHA-256"
    assert PASSWORD.encode() not in server.bytes_received.replace(b"\0\0\0", b"")


@pytest.mark.parametrize(
    ("faults", "calls"),
    [
        ({"final": b"v=" + b"A" * 43 + b"="}, [LIST, INIT, START, STEP]),
        ({"final": None}, [LIST, INIT, START, STEP]),
        ({"final": b""}, [LIST, INIT, START, STEP]),
        ({"final": b"e=other-error"}, [LIST, INIT, START, STEP]),
        ({"early": 1}, [LIST, INIT, START]),
        ({"early": 1, "first": b""}, [LIST, INIT, START]),
        ({"first": b"r=other,s=QUFBQUFBQUFBQUFB,i=4096"}, [LIST, INIT, START]),
        ({"first": b"\xff\xfe"}, [LIST, INIT, START]),
    ],
)
def test_a_daemon_that_does_not_prove_itself_gets_no_further(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    faults: dict[str, Any],
    calls: list[int],
) -> None:
    speak_scram(server, "SCRAM-SHA-256", "SCRAM-SHA-256", **faults)
    with pytest.raises(AuthenticationError, match="SCRAM-SHA-256"):
        opened(open_in_colour, uri, credentials=FRED)
    assert called(server) == calls


def test_a_daemon_that_goes_on_for_ever(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    more = remote.AuthSaslStartRet(complete=0, nil=0, data=b"more")
    ask_for_sasl(server, "PLAIN", more, more)
    with pytest.raises(AuthenticationError, match="PLAIN"):
        opened(open_in_colour, uri, credentials=FRED)
    assert called(server) == [LIST, INIT, START]


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (b"\0\0\0\1\0\0\0\0\xff\xff\xff\xff", DecodeError),
        (b"", DecodeError),
        (CloseConnection(), ConnectionLostError),
        (ReplyError("authentication failed", code=45), LibvirtError),
    ],
)
def test_a_daemon_that_breaks_off(
    server: ScriptedServer, uri: str, open_in_colour: Open, start: Any, error: type[Exception]
) -> None:
    ask_for_sasl(server, "PLAIN", start)
    with pytest.raises(error) as caught:
        opened(open_in_colour, uri, credentials=FRED)
    assert PASSWORD not in str(caught.value)
    assert called(server) == [LIST, INIT, START]


@pytest.mark.parametrize("procedure", [remote.AUTH_SASL_INIT, remote.AUTH_SASL_START])
def test_a_daemon_that_falls_silent(
    server: ScriptedServer, uri: str, open_in_colour: Open, procedure: Any
) -> None:
    ask_for_sasl(server, "PLAIN")
    server.handle(procedure, NoReply())
    with pytest.raises(DeadlineError):
        opened(open_in_colour, uri, credentials=FRED, timeout_s=0.5)
    assert called(server)[-1] == procedure.number


# Who is asked.


def test_a_function_is_asked_for_all_at_once(
    server: ScriptedServer, uri: str, open_in_colour: Open, colour: str
) -> None:
    ask_for_sasl(server, "PLAIN")
    asked: list[CredentialRequest] = []
    threads = []

    def answer(requests: Any) -> list[str]:
        asked.extend(requests)
        threads.append(threading.current_thread())
        return ["fred", PASSWORD]

    opened(open_in_colour, uri, credentials=answer)
    assert [each.kind.name for each in asked] == ["AUTHNAME", "PASSPHRASE"]
    assert called(server) == [LIST, INIT, START, OPEN, 2]
    # A loop is not held up while somebody types.
    assert (threads[0] is threading.main_thread()) == (colour == "sync")


def test_a_coroutine_function_is_awaited(
    server: ScriptedServer, uri: str, open_in_colour: Open, colour: str
) -> None:
    ask_for_sasl(server, "PLAIN")

    async def answer(_prefix: str, requests: Any) -> list[str]:
        await asyncio.sleep(0)
        return ["fred", PASSWORD]

    class Answering:
        async def __call__(self, requests: Any) -> list[str]:
            return await answer("", requests)

    for asker in (functools.partial(answer, ""), Answering(), lambda each: answer("", each)):
        if colour == "aio":
            opened(open_in_colour, uri, credentials=asker)
        else:
            with pytest.raises(UsageError, match=r"only virtproto\.aio waits"):
                opened(open_in_colour, uri, credentials=asker)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, CredentialsMissingError),
        (["fred", None], CredentialsMissingError),
        (["fred"], UsageError),
        ("fred", UsageError),
        (5, UsageError),
        (FRED, UsageError),
        (["fred", 5], UsageError),
    ],
)
def test_who_does_not_answer(
    server: ScriptedServer, uri: str, open_in_colour: Open, answer: Any, error: type[Exception]
) -> None:
    ask_for_sasl(server, "PLAIN")
    with pytest.raises(error):
        opened(open_in_colour, uri, credentials=lambda _requests: answer)
    assert called(server) == [LIST, INIT]


def test_a_function_may_raise(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    ask_for_sasl(server, "PLAIN")

    def answer(_requests: Any) -> Any:
        raise EOFError("nobody is there")

    with pytest.raises(EOFError, match="nobody is there"):
        opened(open_in_colour, uri, credentials=answer)
    assert called(server) == [LIST, INIT]


def test_a_function_may_take_longer_than_a_call(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    ask_for_sasl(server, "PLAIN")
    waiting = threading.Event()

    def answer(_requests: Any) -> list[str]:
        waiting.wait(0.9)
        return ["fred", PASSWORD]

    opened(open_in_colour, uri, credentials=answer, timeout_s=0.7)


def test_without_a_function_or_a_file_it_says_where_it_looked(
    server: ScriptedServer, uri: str, open_in_colour: Open, tmp_path: Path
) -> None:
    ask_for_sasl(server, "PLAIN")
    with pytest.raises(CredentialsMissingError) as caught:
        opened(open_in_colour, uri)
    assert f"{tmp_path}/auth.conf (no [auth-libvirt-localhost]" in str(caught.value)
    assert called(server) == [LIST, INIT]


@pytest.mark.parametrize("given", [5, ("fred", "pw"), "fred"])
def test_what_cannot_be_credentials(
    server: ScriptedServer, uri: str, open_in_colour: Open, given: Any
) -> None:
    with pytest.raises(UsageError, match=r"^credentials: expected"):
        opened(open_in_colour, uri, credentials=given)
    assert server.calls == []


# polkit.


def test_polkit_is_one_call(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_POLKIT]))
    server.handle(remote.AUTH_POLKIT, remote.AuthPolkitRet(complete=1))
    opened(open_in_colour, uri)
    assert called(server) == [LIST, POLKIT, OPEN, 2]


def test_a_refusal_by_polkit_says_what_may_be_done(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_POLKIT]))
    server.handle(remote.AUTH_POLKIT, ReplyError("no agent", code=94, domain=60))
    with pytest.raises(virtproto.AuthUnavailableError, match=r"no agent: .*pkttyagent"):
        opened(open_in_colour, uri)
    assert called(server) == [LIST, POLKIT]
