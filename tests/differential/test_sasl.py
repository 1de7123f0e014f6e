"""SASL beside libvirt's own client: the same mechanism taken, the same told of the user.

The daemon is a scripted one, which offers whatever a case wants and keeps what it is told.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.tcp_front import tcp_front
from tests.lab.c_binding import CBinding
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote

pytestmark = pytest.mark.lab

_PYTHON = "/usr/bin/python3"
_PROGRAM = Path(__file__).with_name("openauth_process.py")
_PASSPHRASE, _AUTHNAME = "5", "2"
# As libvirt has them.
_CONF_SYNTAX, _INTERNAL, _AUTH_FAILED = 33, 1, 45

OFFERS = (
    "PLAIN",
    "ANONYMOUS",
    "PLAIN,SCRAM-SHA-1",
    "SCRAM-SHA-1,PLAIN",
    "SCRAM-SHA-1,SCRAM-SHA-256",
    "SCRAM-SHA-512,SCRAM-SHA-1",
    "SCRAM-SHA-256,SCRAM-SHA-512,SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS,SCRAM-SHA-1",
    "SCRAM-SHA-1,DIGEST-MD5",
    "DIGEST-MD5,SCRAM-SHA-1",
    "PLAIN,DIGEST-MD5",
    "DIGEST-MD5,EXTERNAL",
    "EXTERNAL,SCRAM-SHA-1",
    "ANONYMOUS,PLAIN",
    "PLAIN,ANONYMOUS",
    "ANONYMOUS,SCRAM-SHA-1",
    "X-NEW,PLAIN",
    "plain",
    "PLAIN;scram-sha-256",
    "LOGIN PLAIN",
    "",
    "X-NEW",
)
# What the URI insists on, of a list.
WANTED = (
    ("PLAIN,SCRAM-SHA-256", "PLAIN"),
    ("SCRAM-SHA-1,SCRAM-SHA-256", "SCRAM-SHA-1"),
    ("SCRAM-SHA-256", "scram-sha-256"),
    ("SCRAM-SHA-256", "SCRAM"),
    ("PLAIN", "SCRAM-SHA-256"),
)

_USER = "[credentials-ok]\nauthname=fred\npassword=pw\n"
_HERE = "[auth-libvirt-localhost]\ncredentials=ok\n"
_ELSE = "[auth-libvirt-default]\ncredentials=ok\n"
FILES = {
    "this host": _USER + _HERE,
    "default": _USER + _ELSE,
    "this host before default": _USER
    + "[credentials-d]\nauthname=d\npassword=d\n[auth-libvirt-default]\ncredentials=d\n"
    + _HERE,
    "another host": _USER + "[auth-libvirt-h]\ncredentials=ok\n",
    "another service": _USER + "[auth-ssh-localhost]\ncredentials=ok\n",
    "no credentials": _USER + "[auth-libvirt-localhost]\nx=1\n",
    "no credentials but a default": _USER + "[auth-libvirt-localhost]\n" + _ELSE,
    "credentials that are not there": _HERE,
    "credentials and a space": _USER + "[auth-libvirt-localhost]\ncredentials=ok \n",
    "nothing": "",
    "comments": "# x\n\n  # y\n" + _USER + _HERE,
    "a semicolon": "; x\n" + _USER + _HERE,
    "spaces": "[credentials-ok]\n  authname =  fred  \n\tpassword\t=\tp w \n" + _HERE,
    "ends of lines": (_USER + _HERE).replace("\n", "\r\n"),
    "no last end of line": (_USER + _HERE).rstrip("\n"),
    "a key twice": _USER + "authname=second\n" + _HERE,
    "a section twice": "[credentials-ok]\nauthname=one\n" + _HERE + _USER,
    "escapes": "[credentials-ok]\nauthname=a\\sb\npassword=x\\\\y\\tz\n" + _HERE,
    "odd escapes": "[credentials-ok]\nauthname=a\npassword=x\\qz\n" + _HERE,
    "a backslash last": "[credentials-ok]\nauthname=a\npassword=x\\\n" + _HERE,
    "a key before sections": "a=b\n" + _USER + _HERE,
    "a line of junk": _USER + "junk\n" + _HERE,
    "an open section": _USER + "[junk\n" + _HERE,
    "junk behind a section": "[credentials-ok] x\nauthname=a\npassword=b\n" + _HERE,
    "a section without a name": "[]\n" + _USER + _HERE,
    "spaces in a section": "[ credentials-ok ]\nauthname=a\npassword=b\n" + _HERE,
    "an indented section": "  " + _USER + _HERE,
    "no key": _USER + "=x\n" + _HERE,
    "odd keys": _USER + "a b=c\na[b]=c\na.b:c=c\n" + _HERE,
    "empty values": "[credentials-ok]\nauthname=\npassword=\n" + _HERE,
    "odd values": "[credentials-ok]\nauthname=fred\npassword=a#b=c[d]\n" + _HERE,
    "quotes": "[credentials-ok]\nauthname=\"fred\"\npassword='pw'\n" + _HERE,
    "letters": "[credentials-ok]\nauthname=fröd\npassword=pä\n" + _HERE,
    "a password only": "[credentials-ok]\npassword=pw\n" + _HERE,
    "a name only": "[credentials-ok]\nauthname=fred\n" + _HERE,
    "acting as another": _USER + "username=boss\n" + _HERE,
    "capitals": _USER.replace("authname", "AuthName") + _HERE,
    "a byte order mark": "\ufeff" + _USER + _HERE,
}


class Case:
    """A daemon that offers mechanisms, and what the client that came last told it."""

    def __init__(self, offered: str) -> None:
        self.server = ScriptedServer()
        self.server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        self.server.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist=offered))
        self.server.handle(remote.AUTH_SASL_START, ReplyError("seen enough", code=_AUTH_FAILED))
        self._seen = 0

    def told(self) -> tuple[str, bytes] | None:
        """Return the mechanism that a client has begun since the last time, and its message."""
        calls = self.server.calls
        new, self._seen = calls[self._seen :], len(calls)
        begun = [call for call in new if call.procedure == remote.AUTH_SASL_START.number]
        if not begun:
            return None
        args = remote.AuthSaslStartArgs.unpack(begun[0].payload)
        # Whatever is random in it stands at its end.
        return args.mech, args.data.partition(b",r=")[0]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Callable[[str], tuple[Case, str]]]:
    """What makes a daemon that offers a list, and the path of its socket."""
    with contextlib.ExitStack() as stack:

        def make(offered: str) -> tuple[Case, str]:
            made = Case(offered)
            stack.enter_context(made.server)
            return made, made.server.listen(tmp_path / f"s{id(made)}")

        yield make


def asked_by_c(questions: list[tuple[str, dict[str, str]]]) -> list[Any]:
    """Return, for each URI, the C client's error code and what it asked for."""
    done = subprocess.run(
        [_PYTHON, "-IE", str(_PROGRAM)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers: list[Any] = json.loads(done.stdout)
    assert len(answers) == len(questions)
    return answers


def told_by_us(uri: str, answers: list[str]) -> Exception:
    with pytest.raises(virtproto.VirtprotoError) as caught:
        virtproto.open(uri, credentials=lambda requests: answers[: len(requests)], timeout_s=5)
    return caught.value


def test_the_binding_is_there() -> None:
    with CBinding("test:///default") as binding:
        assert binding.ask("isAlive")


@pytest.mark.parametrize("road", ["unix", "tcp"])
def test_the_same_mechanism_is_taken(road: str, case: Callable[[str], tuple[Case, str]]) -> None:
    made: list[tuple[str, str, Case, str]] = []
    with contextlib.ExitStack() as stack:
        for offered, wanted in [*((each, "") for each in OFFERS), *WANTED]:
            daemon, path = case(offered)
            uri = f"test+unix:///default?socket={path}"
            if road == "tcp":
                uri = f"test+tcp://127.0.0.1:{stack.enter_context(tcp_front(path))}/default?x=1"
            uri += f"&auth=sasl.{wanted}" if wanted else ""
            made.append((offered, wanted, daemon, uri))
        user = {_AUTHNAME: "fred", _PASSPHRASE: "pw"}
        asked_by_c([(uri, user) for _, _, _, uri in made])
        theirs = [daemon.told() for _, _, daemon, _ in made]
        for _, _, _, uri in made:
            told_by_us(uri, ["fred", "pw"])
        ours = [daemon.told() for _, _, daemon, _ in made]
    differing = [
        (offered, wanted, one, other)
        for (offered, wanted, _, _), one, other in zip(made, theirs, ours, strict=True)
        # What it says beside that it is nobody is each client's own.
        if one != other and not (one and other and one[0] == other[0] == "ANONYMOUS")
    ]
    assert differing == []
    assert len({one[0] for one in theirs if one}) == (6 if road == "unix" else 1)


def test_a_ticket_comes_first(case: Callable[[str], tuple[Case, str]]) -> None:
    # Without one both fail, though a password would do.
    daemon, path = case("SCRAM-SHA-256,GSSAPI,PLAIN")
    uri = f"test+unix:///default?socket={path}"
    asked_by_c([(uri, {_AUTHNAME: "fred", _PASSPHRASE: "pw"})])
    assert daemon.told() is None
    assert "GSSAPI" in str(told_by_us(uri, ["fred", "pw"]))
    assert daemon.told() is None


def test_files_say_the_same(case: Callable[[str], tuple[Case, str]], tmp_path: Path) -> None:
    made = []
    for number, text in enumerate(FILES.values()):
        daemon, path = case("PLAIN")
        file = tmp_path / f"{number}.conf"
        file.write_bytes(text.encode())
        made.append((daemon, f"test+unix:///default?socket={path}&authfile={file}"))
    answers = asked_by_c([(uri, {}) for _, uri in made])
    theirs = [daemon.told() for daemon, _ in made]
    errors = [told_by_us(uri, ["", ""]) for _, uri in made]
    ours = [daemon.told() for daemon, _ in made]
    assert dict(zip(FILES, theirs, strict=True)) == dict(zip(FILES, ours, strict=True))
    # A file that is wrong is told apart from one that does not know.
    wrong = [code in (_CONF_SYNTAX, _INTERNAL) for code, _ in answers]
    assert wrong == [isinstance(error, virtproto.ConfigFileError) for error in errors]
    assert 0 < sum(wrong) < len(wrong)
    # Both ask for the same; the other client for as whom to act, besides.
    assert all(set(asked) <= {1, 2, 5} for _, asked in answers)
