"""Passwords are seen nowhere: not in logs, errors, tracebacks, reprs or files of a process.

What is looked at: every line of every logger at every level (asyncio's debug mode included, which
logs each callback here), warnings, standard output, every error with its chain, tracebacks with the
values of variables, and the repr of whatever an error or an open connection holds on to. What is
not: memory as such (a core dump, a tracer or a debugger sees what is sent), and frames and objects
of the caller's own, who told the password.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.lab.sasl import auth_file, sasl_daemon, users
from tests.lab.ssh_passwords import PasswordHost
from tests.live.baring import forms, reachable, seen, shown
from virtproto import Credentials
from virtproto.errors import (
    ConfigFileError,
    DecodeError,
    LibvirtError,
    SSHConnectError,
    UsageError,
    VirtprotoError,
)
from virtproto.testing import CloseConnection, NoReply, ScriptedServer
from virtproto.wire import remote

pytestmark = pytest.mark.lab

RIGHT, WRONG = "Zq7-hush.Kp3w", "Vx9-hush.Rt5m"
MECHANISMS = ("plain", "scram-sha-1", "scram-sha-256", "scram-sha-512", "digest-md5")
SOURCES = ("credentials", "file", "function")
TRACES = [form for secret in (RIGHT, WRONG) for form in forms(secret)]


def traces(*texts: str) -> list[tuple[str, str]]:
    """Return the forms of the passwords that stand in texts, each with what is around it."""
    found = []
    for text in texts:
        for form in TRACES:
            at = text.find(form)
            if at >= 0:
                found.append((form, text[max(0, at - 200) : at + 200]))
    return found


@pytest.fixture(scope="module")
def uris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The URIs of daemons where fred's password is RIGHT, by mechanism, for some "tcp" or "tls"."""
    folder = tmp_path_factory.mktemp("secrets")
    database = users(folder, {"fred": RIGHT})
    certificates = Lab(folder / "pki")
    found = {}
    with ExitStack() as stack:
        for name in MECHANISMS:
            tls, tcp = free_port(), free_port()
            settings: dict[str, Setting] = {**certificates.settings(), "listen_tcp": 1}
            settings |= {"tls_port": str(tls), "tcp_port": str(tcp)}
            daemon = sasl_daemon(folder / name, database, [name], **settings)
            stack.enter_context(daemon)
            found[name] = daemon.uri("test:///default")
            found[f"{name} tcp"] = f"test+tcp://localhost:{tcp}/default?x=1"
            pki = certificates.client("good")
            found[f"{name} tls"] = f"test+tls://localhost:{tls}/default?pkipath={pki}"
        yield found


@pytest.fixture(autouse=True)
def _no_file_of_the_machine_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LIBVIRT_AUTH_FILE", raising=False)


# What opens a connection and returns the error, or what can be reached while it is open.
Outcome = tuple[BaseException | None, list[str]]
Opener = Callable[[str, Any], Outcome]


def _open_blocking(uri: str, given: Any) -> Outcome:
    try:
        with virtproto.open(uri, credentials=given, timeout_s=20, keepalive=None) as connection:
            connection.get_hostname()
            return None, reachable(connection)
    except Exception as error:
        return error, []


def _open_in_a_loop(uri: str, given: Any) -> Outcome:
    async def use() -> list[str]:
        # So that every callback is logged, and what it is given.
        asyncio.get_running_loop().slow_callback_duration = 0
        async with await virtproto.aio.open(
            uri, credentials=given, timeout_s=20, keepalive=None
        ) as connection:
            await connection.get_hostname()
            return reachable(connection)

    try:
        return None, asyncio.run(use(), debug=True)
    except Exception as error:
        return error, []


@pytest.fixture(params=["sync", "aio"])
def opener(request: pytest.FixtureRequest) -> Opener:
    return _open_blocking if request.param == "sync" else _open_in_a_loop


def told(source: str, folder: Path, user: str, password: str) -> tuple[Any, str]:
    """Return what ``open`` is given for a user, and what is added to the URI."""
    if source == "credentials":
        return Credentials(user, password), ""
    if source == "file":
        path = auth_file(folder / "auth.conf", "localhost", authname=user, password=password)
        return None, f"&authfile={path}"
    return lambda _requests: [user, password], ""


@pytest.mark.parametrize("name", [*MECHANISMS, "plain tls", "digest-md5 tls", "digest-md5 tcp"])
@pytest.mark.parametrize(
    ("user", "password"), [("fred", RIGHT), ("fred", WRONG), ("nobody-here", WRONG)]
)
def test_no_password_is_seen(
    uris: dict[str, str],
    opener: Opener,
    name: str,
    user: str,
    password: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri = uris[name]
    for source in SOURCES:
        given, added = told(source, tmp_path, user, password)
        with seen() as kept:
            error, held = opener(uri + added, given)
        if password == RIGHT:
            assert error is None, shown(error)
        else:
            assert isinstance(error, LibvirtError)
            assert error.code == 45
            held = [shown(error), *reachable(error)]
        assert len(held) > 10
        out, err = capfd.readouterr()
        assert traces(kept.text, out, err, *held) == []
    if opener is _open_in_a_loop:
        assert "seconds" in kept.text


def _echoed(call: Any) -> Any:
    # All that came, one byte too early, and no end to it.
    return b"\0\0\0\0" + call.payload[:-8]


@pytest.mark.parametrize("name", ["PLAIN", "SCRAM-SHA-256", "DIGEST-MD5"])
@pytest.mark.parametrize(
    "answer", [NoReply(), CloseConnection(), b"", _echoed], ids=["silence", "end", "none", "echo"]
)
def test_no_password_is_seen_where_it_breaks_off(
    opener: Opener, name: str, answer: Any, tmp_path: Path
) -> None:
    challenge = b'nonce="AAAAAAAAAAAAAAAAAAAAAA==",qop="auth",charset=utf-8,algorithm=md5-sess'
    with ScriptedServer() as server:
        server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        server.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist=name))
        server.handle(remote.AUTH_SASL_START, answer)
        if name == "DIGEST-MD5":
            start = remote.AuthSaslStartRet(complete=0, nil=0, data=challenge)
            server.handle(remote.AUTH_SASL_START, start)
            server.handle(remote.AUTH_SASL_STEP, answer)
        path = server.listen(tmp_path / "s")
        for source in SOURCES:
            given, added = told(source, tmp_path, "fred", RIGHT)
            if isinstance(answer, NoReply):
                with virtproto.deadline(0.2), seen() as kept:
                    error, _ = opener(f"test:///default?socket={path}{added}", given)
            else:
                with seen() as kept:
                    error, _ = opener(f"test:///default?socket={path}{added}", given)
            assert isinstance(error, VirtprotoError)
            assert traces(kept.text, shown(error)) == []
            # An answer that repeats it is held by the error that tells what is wrong with it.
            if not isinstance(error, DecodeError):
                assert traces(*reachable(error)) == []


@pytest.mark.parametrize(
    "text",
    [
        f"[credentials-x]\nauthname=fred\npassword {RIGHT}\n",
        f"[credentials-x]\npassword={RIGHT}\n[{RIGHT}\n",
        f"password={RIGHT}\n",
        f"[credentials-x]\npassword={RIGHT}\n[auth-libvirt-localhost]\ncredentials=y\n",
        f"[credentials-x]\npassword={RIGHT}\udcff\n[auth-libvirt-localhost]\ncredentials=x\n",
    ],
)
def test_no_password_is_seen_where_a_file_is_wrong(
    uris: dict[str, str], opener: Opener, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.conf"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    uri = uris["plain"]
    error, _ = opener(f"{uri}&authfile={path}", None)
    assert isinstance(error, ConfigFileError)
    assert traces(shown(error), *reachable(error)) == []


@pytest.mark.parametrize("bad", [f"{RIGHT}\x07", f"{RIGHT}\0", f"\u0627{RIGHT}"])
@pytest.mark.parametrize("name", MECHANISMS)
def test_no_password_is_seen_where_a_mechanism_cannot_take_it(
    uris: dict[str, str], opener: Opener, name: str, bad: str
) -> None:
    error, _ = opener(uris[name], Credentials("fred", bad))
    assert isinstance(error, VirtprotoError)
    assert traces(shown(error), *reachable(error)) == []


@pytest.mark.parametrize(
    "answers",
    [RIGHT, RIGHT.encode(), [RIGHT], ["fred", RIGHT, ""], ["fred", RIGHT.encode()], {RIGHT: ""}],
    ids=["text", "bytes", "few", "many", "list of bytes", "dict"],
)
def test_no_password_is_seen_where_answers_are_none(
    uris: dict[str, str], opener: Opener, answers: Any
) -> None:
    with seen() as kept:
        error, _ = opener(uris["plain"], lambda _requests: answers)
    assert isinstance(error, UsageError)
    assert traces(kept.text, shown(error), *reachable(error)) == []


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
@pytest.mark.parametrize("password", [RIGHT, WRONG])
def test_no_password_for_a_host_on_the_way_is_seen(
    libvirtd: PrivateDaemon, opener: Opener, method: str, password: str, tmp_path: Path
) -> None:
    host = PasswordHost(libvirtd.socket_path, tmp_path, methods=(method,), password=RIGHT)
    with host:
        uri = f"test+libssh://fred@127.0.0.1:{host.port}/default?known_hosts={host.known_hosts}"
        uri += "&sshauth=password,keyboard-interactive"
        file = tmp_path / "auth.conf"
        section = f"[credentials-x]\npassword={password}\n"
        file.write_text(f"{section}[auth-ssh-127.0.0.1]\ncredentials=x\n")
        for given, added in (
            (Credentials(password=password), ""),
            (None, f"&authfile={file}"),
            (lambda _requests: [password], ""),
        ):
            with seen() as kept:
                error, held = opener(uri + added, given)
            if password == RIGHT:
                assert error is None, shown(error)
            else:
                assert isinstance(error, SSHConnectError)
                held = [shown(error), *reachable(error)]
            assert traces(kept.text, *held) == []


@pytest.mark.parametrize("client", ["good", "rogue", "expired", "revoked"])
def test_no_private_key_is_seen(
    uris: dict[str, str], opener: Opener, client: str, tmp_path: Path
) -> None:
    uri = uris["plain tls"].removesuffix("/good") + f"/{client}"
    key = Path(uri.partition("pkipath=")[2]) / "clientkey.pem"
    lines = [line for line in key.read_text().splitlines() if "-" not in line]
    assert lines
    der = base64.b64decode("".join(lines))
    looked_for = [*(line for line in lines if len(line) > 40), der.hex(), repr(der)[2:-1]]
    with seen() as kept:
        # Nobody of that name is let in, so that there is always an error.
        error, _ = opener(uri, Credentials("nobody-here", WRONG))
    assert isinstance(error, VirtprotoError)
    texts = "\n".join([kept.text, shown(error), *reachable(error)])
    assert [each for each in looked_for if each in texts] == []


# What is looked with sees what there is.


class _Holder:
    def __init__(self, secret: str) -> None:
        self.secret = secret


@pytest.mark.parametrize("form", forms(RIGHT))
def test_each_form_is_recognised(form: str) -> None:
    assert traces(f"before{form}after")
    assert len(form) > len(RIGHT) - 3


def test_what_is_in_a_message_is_recognised_in_base_64() -> None:
    for user in ("a", "ab", "abc"):
        message = f"\0{user}\0{RIGHT}".encode()
        assert traces(base64.b64encode(message).decode())
        assert traces(message.hex())


def test_variables_and_objects_are_seen_into() -> None:
    namespace: dict[str, Any] = {}
    code = "def fail(holder, hidden):\n    local = holder.secret\n    raise ValueError('x')\n"
    exec(compile(code, "/elsewhere.py", "exec"), namespace)
    with pytest.raises(ValueError, match="x") as caught:
        namespace["fail"](_Holder(RIGHT), [_Holder(WRONG)])
    assert traces(shown(caught.value))
    assert any(WRONG in each for each in reachable(caught.value))


def test_logs_and_warnings_are_seen() -> None:
    with seen() as kept:
        logging.getLogger("somebody.else").debug("%s", RIGHT)
        warnings.warn(WRONG, stacklevel=1)
    assert RIGHT in kept.text
    assert WRONG in kept.text
