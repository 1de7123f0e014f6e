"""Which URIs of a program's command line and environment are changed, and to what."""

from __future__ import annotations

import pytest

from virtproto.model.uri import ConnectionURI, parse_uri
from virtproto.proxy.rewriting import is_daemons, redirected, rewrite, sockets_named

THERE = "qemu+unix:///system?socket=/tmp/proxy&name=qemu:///system"


def _remote(text: str | None, _readonly: bool) -> tuple[ConnectionURI | None, str] | None:
    if text is None:
        return None
    uri = parse_uri(text)
    return None if uri.transport == "unix" else (uri, "/tmp/proxy")


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["virsh", "-c", "qemu+tls://h/system", "list"], ["virsh", "-c", THERE, "list"]),
        (["virsh", "--connect=qemu://h/system"], ["virsh", f"--connect={THERE}"]),
        (["virsh", "-cqemu+tls://h/system", "list"], ["virsh", f"-c{THERE}", "list"]),
        (["python3", "-clambda: 0"], ["python3", "-clambda: 0"]),
        (["virsh", "--connect", "qemu+ssh://me@h/system"], ["virsh", "--connect", THERE]),
        (["virsh", "-c", "qemu:///system"], ["virsh", "-c", "qemu:///system"]),
        (["virsh", "migrate", "qemu+tls://h/system"], ["virsh", "migrate", "qemu+tls://h/system"]),
        (["-c", "qemu+tls://h/system"], ["-c", "qemu+tls://h/system"]),
        (["virsh"], ["virsh"]),
    ],
)
def test_only_what_a_program_connects_to_is_changed(argv: list[str], wanted: list[str]) -> None:
    assert rewrite(argv, {"A": "qemu+tls://h/"}, _remote) == (wanted, {"A": "qemu+tls://h/"})


def test_the_environment_is_changed_where_it_leads_away() -> None:
    environ = {
        "LIBVIRT_DEFAULT_URI": "qemu+tls://h/system",
        "VIRSH_DEFAULT_CONNECT_URI": "test:///default",
    }
    _, changed = rewrite(["virsh"], environ, _remote)
    assert changed == {**environ, "LIBVIRT_DEFAULT_URI": THERE}


def test_a_default_that_leads_away_is_said_aloud() -> None:
    asked = []

    def redirect(text: str | None, readonly: bool) -> tuple[ConnectionURI | None, str] | None:
        asked.append((text, readonly))
        return parse_uri("qemu+tls://h/system"), "/tmp/proxy"

    _, changed = rewrite(["virsh", "-r", "list"], {}, redirect)
    assert changed == {"LIBVIRT_DEFAULT_URI": THERE}
    assert asked == [(None, True)]
    rewrite(["grep", "-r"], {}, redirect)
    assert asked[1:] == [(None, False)]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("qemu+ssh://root@host/system?keyfile=/k&no_tty=1", "qemu:///system"),
        ("qemu+tls://host/session", "qemu:///session"),
        ("qemu+tcp://host/system?name=test:///default", "test:///default"),
        ("esx+tls://host/?no_verify=1&auto_answer=1", "esx:///?auto_answer=1"),
        ("remote+ssh://host/", ""),
        ("test+tls://host/de%20fault", "test:///de%20fault"),
    ],
)
def test_the_daemon_is_asked_for_the_same(text: str, sent: str) -> None:
    uri = parse_uri(text)
    assert uri.name_to_send() == sent
    changed = parse_uri(redirected(uri, "/tmp/a b&c/1-sock"))
    assert changed.transport == "unix"
    assert changed.parameter("socket") == "/tmp/a b&c/1-sock"
    assert changed.name_to_send() == sent


def test_the_daemons_choice_stays_the_daemons() -> None:
    changed = parse_uri(redirected(None, "/tmp/s"))
    assert (changed.parameter("socket"), changed.name_to_send()) == ("/tmp/s", "")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("qemu:///system", True),
        ("test+unix:///default", True),
        ("test:///default", False),
        ("libvirtd:///system", False),
    ],
)
def test_what_local_uris_have_a_daemon(text: str, wanted: bool) -> None:
    assert is_daemons(parse_uri(text)) is wanted
    assert is_daemons(None)


def test_sockets_that_are_named_anywhere() -> None:
    words = [
        "virsh",
        "qemu+unix:///system?socket=/a%20b",
        "--connect=test+unix:///default?socket=@name&mode=legacy",
        "socket=",
        "not a uri socket=/x",
        "qemu:///system",
    ]
    assert sockets_named(words) == {"/a b", "@name"}
