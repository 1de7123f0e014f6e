"""Which socket the URI of a daemon's administration means."""

from __future__ import annotations

import pytest

from virtproto.errors import ConfigFileError, URIError
from virtproto.model.admin_endpoint import choose_admin_endpoint
from virtproto.model.client_config import parse_config

HOME = {"HOME": "/home/me", "XDG_RUNTIME_DIR": "/run/user/5"}


def chosen(text: str | None, *, euid: int = 0, **environ: str) -> tuple[str, str]:
    uri, endpoint = choose_admin_endpoint(text, euid=euid, environ={**HOME, **environ})
    return uri, endpoint.path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("libvirtd:///system", "/run/libvirt/libvirt-admin-sock"),
        ("libvirtd:///session", "/run/user/5/libvirt/libvirt-admin-sock"),
        ("virtqemud:///system", "/run/libvirt/virtqemud-admin-sock"),
        ("virtnetworkd:///session", "/run/user/5/libvirt/virtnetworkd-admin-sock"),
        ("libvirtd:///system?socket=/a%20b", "/a b"),
        ("libvirtd://?socket=/x", "/x"),
        ("libvirtd:///system?socket=/x&socket=@y", "@y"),
    ],
)
def test_the_uri_names_daemon_and_place(text: str, path: str) -> None:
    assert chosen(text) == (text, path)


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_uri_the_environment_decides_then_the_user(nothing: str | None) -> None:
    named = "virtlogd:///system"
    assert chosen(nothing, LIBVIRT_ADMIN_DEFAULT_URI=named)[0] == named
    assert chosen(nothing)[0] == "libvirtd:///system"
    assert chosen(nothing, euid=5)[0] == "libvirtd:///session"
    assert chosen(nothing, LIBVIRT_ADMIN_DEFAULT_URI="")[0] == "libvirtd:///system"


def test_a_file_names_default_and_aliases() -> None:
    config = parse_config(
        'uri_default = "logs"\nuri_aliases = [ "logs=virtlogd:///session" ]\n', "admin.conf"
    )

    def meant(text: str | None, *, aliases: bool = True, **environ: str) -> str:
        return choose_admin_endpoint(
            text, euid=5, environ={**HOME, **environ}, config=config, aliases=aliases
        )[0]

    assert meant(None) == meant("logs") == "virtlogd:///session"
    assert meant(None, LIBVIRT_ADMIN_DEFAULT_URI="libvirtd:///system") == "libvirtd:///system"
    assert meant("virtqemud:///system") == "virtqemud:///system"
    with pytest.raises(URIError, match="has no driver"):
        meant("logs", aliases=False)
    wrong = parse_config("uri_default = 5", "admin.conf")
    with pytest.raises(ConfigFileError, match=r"admin\.conf, line 1: uri_default"):
        choose_admin_endpoint(None, euid=5, environ=HOME, config=wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qemu:///system", "'qemu' is no daemon"),
        ("libvirtd+tcp:///system", "is no daemon"),
        ("libvirtd:///elsewhere", "the path is '/elsewhere'"),
        ("libvirtd:", "the path is ''"),
        ("libvirtd://host/system", "server 'host' is named"),
        ("libvirtd:///system?mode=direct", "parameter mode is not known"),
        ("libvirtd:///system?socket=", "socket= names no socket"),
        ("libvirtd:///system?socket=@", "socket= names no socket"),
        ("libvirtd", "has no driver"),
    ],
)
def test_what_cannot_be_meant_is_an_error(text: str, said: str) -> None:
    with pytest.raises(URIError, match=said):
        chosen(text)


def test_a_uri_is_text() -> None:
    with pytest.raises(URIError, match="not int"):
        chosen(5)  # type: ignore[arg-type]


def test_a_password_is_not_shown() -> None:
    with pytest.raises(URIError) as error:
        chosen("libvirtd://me:hunter2@host/system")
    assert "hunter2" not in str(error.value)
