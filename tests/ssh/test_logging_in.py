"""Logging in to SSH servers that ask: passwords, questions, passphrases, agents, and no secrets."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import virtproto
from tests.colours.driving import COLOURS, Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.leftovers import nothing_left
from tests.lab.ssh_passwords import PasswordHost
from tests.lab.sshd import SshHost, make_key
from virtproto import Credentials, aio
from virtproto.errors import ConfigFileError, HostKeyError, SSHConnectError, UsageError

pytestmark = pytest.mark.lab

URI = "test:///default"
PASSWORD = "Not-to-be-seen-anywhere"
Asked = list[tuple[str, str]]


@pytest.fixture(params=list(COLOURS))
def open_in_colour(request: pytest.FixtureRequest) -> Open:
    return COLOURS[request.param]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, without an agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "LIBVIRT_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def made(daemon: PrivateDaemon, folder: Path, *methods: str) -> PasswordHost:
    return PasswordHost(daemon.socket_path, folder, methods=methods, password=PASSWORD)


@pytest.fixture(scope="module")
def by_password(
    libvirtd: PrivateDaemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PasswordHost]:
    with made(libvirtd, tmp_path_factory.mktemp("host"), "password") as host:
        yield host


@pytest.fixture(scope="module")
def by_question(
    libvirtd: PrivateDaemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PasswordHost]:
    with made(libvirtd, tmp_path_factory.mktemp("host"), "keyboard-interactive") as host:
        yield host


@pytest.fixture(scope="module")
def by_key(libvirtd: PrivateDaemon) -> Iterator[SshHost]:
    with SshHost(libvirtd) as host:
        yield host


def uri_of(host: PasswordHost, **parameters: str) -> str:
    given = {"known_hosts": host.known_hosts, **parameters}
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in given.items())
    return f"test+libssh://fred@127.0.0.1:{host.port}/default?{query}"


def visit(open_in_colour: Open, uri: str, **options: Any) -> None:
    with open_in_colour(uri, **options) as connection:
        assert [domain.get_name() for domain in connection.list_all_domains()] == ["test"]


def answering(asked: Asked, **answers: str) -> Callable[..., list[str | None]]:
    """A function that answers by the kind of question, and notes what it was asked."""

    def answer(requests: Sequence[virtproto.CredentialRequest]) -> list[str | None]:
        for each in requests:
            assert each.service == "ssh"
            asked.append((each.kind.name, each.prompt))
        return [answers.get(each.kind.name) for each in requests]

    return answer


@pytest.fixture(params=["password", "question"])
def host(request: pytest.FixtureRequest) -> PasswordHost:
    found: PasswordHost = request.getfixturevalue(f"by_{request.param}")
    found.tried.clear()
    return found


def test_a_password_that_the_caller_passes(host: PasswordHost, open_in_colour: Open) -> None:
    with nothing_left():
        visit(open_in_colour, uri_of(host), credentials=Credentials(password=PASSWORD))
    assert host.tried == [PASSWORD]


def test_a_password_of_auth_conf(host: PasswordHost, open_in_colour: Open, home: Path) -> None:
    section = f"[credentials-c]\npassword={PASSWORD}\n[auth-ssh-127.0.0.1]\ncredentials=c\n"
    (home / "auth.conf").write_text(section)
    visit(open_in_colour, uri_of(host, authfile=str(home / "auth.conf")))
    folder = home / ".config" / "libvirt"
    folder.mkdir(parents=True)
    (folder / "auth.conf").write_text(section)
    visit(open_in_colour, uri_of(host))


def test_a_password_that_people_are_asked_for(host: PasswordHost, open_in_colour: Open) -> None:
    asked: Asked = []
    credentials = answering(asked, PASSPHRASE=PASSWORD)
    visit(open_in_colour, uri_of(host), credentials=credentials)
    assert asked == [("PASSPHRASE", "Password of fred on 127.0.0.1")]


def test_people_may_mistype(host: PasswordHost, open_in_colour: Open) -> None:
    answers = iter(["wrong", "wrong again", PASSWORD])
    visit(open_in_colour, uri_of(host), credentials=lambda requests: [next(answers)])
    assert host.tried == ["wrong", "wrong again", PASSWORD]


def test_a_wrong_password_is_told(host: PasswordHost, open_in_colour: Open) -> None:
    with nothing_left(), pytest.raises(SSHConnectError, match="did not let fred in"):
        visit(open_in_colour, uri_of(host), credentials=Credentials(password="wrong"))
    with pytest.raises(SSHConnectError, match=r"auth\.conf.*nobody could be asked"):
        visit(open_in_colour, uri_of(host))
    with pytest.raises(SSHConnectError, match="Permission denied"):
        visit(open_in_colour, uri_of(host), credentials=lambda requests: None)


def test_a_method_that_the_uri_leaves_out_is_not_used(
    by_password: PasswordHost, open_in_colour: Open
) -> None:
    by_password.tried.clear()
    uri = uri_of(by_password, sshauth="privkey,keyboard-interactive")
    with pytest.raises(SSHConnectError, match="takes no way that the URI allows"):
        visit(open_in_colour, uri, credentials=Credentials(password=PASSWORD))
    assert by_password.tried == []


def test_several_questions_come_at_once(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    asked: Asked = []
    credentials = answering(asked, NOECHOPROMPT=PASSWORD, ECHOPROMPT="blue")
    with made(libvirtd, tmp_path, "twice") as host:
        visit(open_in_colour, uri_of(host), credentials=credentials)
    assert asked == [("NOECHOPROMPT", "Password:"), ("ECHOPROMPT", "Colour:")]


def test_a_host_that_lets_anybody_in_has_to_be_the_right_one_all_the_same(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    with made(libvirtd, tmp_path, "none") as host:
        visit(open_in_colour, uri_of(host))
        uri = uri_of(host, known_hosts=str(tmp_path / "empty"))
        with nothing_left(), pytest.raises(HostKeyError, match="was not accepted"):
            visit(open_in_colour, uri, credentials=lambda requests: ["n"])


def test_nothing_is_told_to_a_host_whose_key_is_not_accepted(
    host: PasswordHost, open_in_colour: Open, tmp_path: Path
) -> None:
    uri = uri_of(host, known_hosts=str(tmp_path / "empty"))
    with nothing_left(), pytest.raises(HostKeyError, match=r"was not accepted.*ssh-keyscan"):
        visit(open_in_colour, uri, credentials=lambda requests: ["no" for _ in requests])
    with nothing_left(), pytest.raises(HostKeyError, match="nobody can be asked"):
        visit(open_in_colour, uri, credentials=Credentials(password=PASSWORD))
    assert host.tried == []


def test_what_a_function_raises_comes_out(host: PasswordHost, open_in_colour: Open) -> None:
    def refuse(requests: object) -> list[str]:
        raise ZeroDivisionError("no answer")

    with nothing_left(), pytest.raises(ZeroDivisionError, match="no answer"):
        visit(open_in_colour, uri_of(host), credentials=refuse)


def test_a_coroutine_function_is_awaited(by_password: PasswordHost) -> None:
    import asyncio

    async def answer(requests: Sequence[virtproto.CredentialRequest]) -> list[str]:
        await asyncio.sleep(0)
        return [PASSWORD for _ in requests]

    async def main() -> None:
        async with await aio.open(uri_of(by_password), credentials=answer) as connection:
            assert await connection.list_all_domains()

    with nothing_left():
        asyncio.run(main(), debug=True)


def test_a_function_that_returns_a_coroutine_is_waited_for(by_password: PasswordHost) -> None:
    import asyncio

    async def answer(requests: Sequence[virtproto.CredentialRequest]) -> list[str]:
        return [PASSWORD for _ in requests]

    async def main() -> None:
        uri = uri_of(by_password)
        async with aio.open(uri, credentials=lambda requests: answer(requests)) as connection:
            assert await connection.list_all_domains()

    with nothing_left():
        asyncio.run(main(), debug=True)


def test_a_blocking_connection_waits_for_no_coroutine(by_password: PasswordHost) -> None:
    async def answer(requests: object) -> list[str]:
        raise AssertionError

    with nothing_left(), pytest.raises(UsageError, match="a coroutine function"):
        visit(COLOURS["sync"], uri_of(by_password), credentials=answer)


@pytest.mark.parametrize("answers", [PASSWORD, [], [PASSWORD] * 2, [PASSWORD.encode()], 7])
def test_answers_that_are_none_are_refused(
    host: PasswordHost, open_in_colour: Open, answers: object
) -> None:
    without_answers = rf"^credentials: the function (?!.*{PASSWORD})"
    with nothing_left(), pytest.raises(UsageError, match=without_answers):
        visit(open_in_colour, uri_of(host), credentials=lambda requests: answers)
    assert host.tried == []


def test_people_may_take_their_time(by_password: PasswordHost, open_in_colour: Open) -> None:
    import time

    def slow(requests: Sequence[virtproto.CredentialRequest]) -> list[str]:
        time.sleep(1.2)
        return [PASSWORD]

    visit(open_in_colour, uri_of(by_password), credentials=slow, timeout_s=1.0)


def test_a_damaged_auth_conf_is_named(
    by_password: PasswordHost, open_in_colour: Open, home: Path
) -> None:
    (home / "auth.conf").write_text("[auth-ssh-127.0.0.1]\n")
    with nothing_left(), pytest.raises(ConfigFileError, match=f"{home}/auth.conf"):
        visit(open_in_colour, uri_of(by_password, authfile=str(home / "auth.conf")))


def test_an_encrypted_key_takes_its_passphrase(
    by_key: SshHost, open_in_colour: Open, tmp_path: Path
) -> None:
    key = tmp_path / "encrypted"
    make_key(key, "rsa", PASSWORD)
    with open(by_key.folder / "authorized", "a") as authorized:
        authorized.write(Path(f"{key}.pub").read_text())
    uri = by_key.uri(URI, "libssh", keyfile=str(key))
    asked: Asked = []
    visit(open_in_colour, uri, credentials=answering(asked, PASSPHRASE=PASSWORD))
    assert asked == [("PASSPHRASE", f"Passphrase of key {key}")]
    with nothing_left(), pytest.raises(SSHConnectError, match="it takes a passphrase"):
        visit(open_in_colour, uri, credentials=lambda requests: ["wrong" for _ in requests])
    with pytest.raises(SSHConnectError, match="it takes a passphrase"):
        visit(open_in_colour, uri)

    def refuse(requests: object) -> list[str]:
        raise OSError("no terminal")

    with nothing_left(), pytest.raises(OSError, match="no terminal"):
        visit(open_in_colour, uri, credentials=refuse)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An agent of the test's own."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(path):
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        yield
    finally:
        process.terminate()
        process.wait()


def test_an_agent_is_asked_first(
    by_key: SshHost, open_in_colour: Open, agent: None, tmp_path: Path
) -> None:
    uri = by_key.uri(URI, "libssh", keyfile="/nowhere/key", sshauth="agent,privkey")
    with nothing_left(), pytest.raises(SSHConnectError, match=r"agent \(0 keys\), privkey"):
        visit(open_in_colour, uri)
    add = ["ssh-add", "-q", by_key.keyfile]
    subprocess.run(add, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    with nothing_left():
        visit(open_in_colour, uri)


def test_a_key_of_the_users_own_is_found(by_key: SshHost, open_in_colour: Open, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519").write_bytes(Path(by_key.keyfile).read_bytes())
    visit(open_in_colour, by_key.uri(URI, "libssh", keyfile=None))


def test_no_secret_is_seen_anywhere(
    host: PasswordHost, open_in_colour: Open, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    visit(open_in_colour, uri_of(host), credentials=Credentials(password=PASSWORD))
    visit(open_in_colour, uri_of(host), credentials=lambda requests: [PASSWORD])
    wrong = f"{PASSWORD}-or-not"
    with pytest.raises(SSHConnectError) as caught:
        visit(open_in_colour, uri_of(host), credentials=Credentials(password=wrong))
    error: BaseException | None = caught.value
    shown = [caplog.text, *capfd.readouterr()]
    while error is not None:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        # But for what the test's own frames hold.
        shown += [
            str(error),
            *(str(each.locals) for each in report.stack if "tests" not in each.filename),
        ]
        error = error.__cause__ or error.__context__
    assert "asyncssh" in caplog.text
    assert not [text for text in shown if PASSWORD in text]


SCRIPT = """
import sys, virtproto
connection = virtproto.open(sys.argv[1])
print(len(connection.list_all_domains()))
sys.stdout.flush()
"""


@pytest.mark.parametrize("transport", ["ssh", "libssh"])
def test_a_program_that_just_ends_is_silent(by_key: SshHost, transport: str) -> None:
    # What it does not close is not spoken of, as it is the interpreter that ends.
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, by_key.uri(URI, transport)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(virtproto.__file__).parent.parent,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")


FORK = """
import os, sys, threading, virtproto
with virtproto.open(sys.argv[1]) as connection:
    child = os.fork()
    if child == 0:
        names = [thread.name for thread in threading.enumerate()]
        assert "virtproto ssh" not in names, names
        with virtproto.open(sys.argv[1]) as other:
            assert other.list_all_domains()
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert connection.list_all_domains()
"""


@pytest.mark.parametrize("transport", ["ssh", "libssh"])
def test_a_fork_leaves_the_parents_road_alone(by_key: SshHost, transport: str) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            FORK,
            by_key.uri(URI, transport),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(virtproto.__file__).parent.parent,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
