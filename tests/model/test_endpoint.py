"""Which socket is chosen."""

from __future__ import annotations

import pytest

from virtproto.errors import URIError
from virtproto.model.client_config import parse_config
from virtproto.model.endpoint import (
    UnixEndpoint,
    choose_endpoint,
)
from virtproto.model.uri import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import Endpoint

RUN = "/var/run/libvirt"
HOME = {"XDG_RUNTIME_DIR": "/run/user/7"}


def choose(
    text: str | None,
    *,
    readonly: bool = False,
    euid: int = 0,
    environ: dict[str, str] | None = None,
    present: tuple[str, ...] = (),
) -> UnixEndpoint:
    endpoint = choose_any(text, readonly=readonly, euid=euid, environ=environ, present=present)
    assert isinstance(endpoint, UnixEndpoint)
    return endpoint


def choose_any(
    text: str | None,
    *,
    readonly: bool = False,
    euid: int = 0,
    environ: dict[str, str] | None = None,
    present: tuple[str, ...] = (),
    config: str | None = None,
) -> Endpoint:
    return choose_endpoint(
        parse_uri(text) if text is not None else None,
        readonly=readonly,
        euid=euid,
        environ=HOME if environ is None else environ,
        exists=present.__contains__,
        config=parse_config(config, "libvirt.conf") if config is not None else None,
    )


def test_the_system_daemon_has_two_sockets() -> None:
    assert choose("qemu:///system").path == f"{RUN}/libvirt-sock"
    assert choose("qemu:///system", readonly=True).path == f"{RUN}/libvirt-sock-ro"


def test_the_session_daemon_has_one_socket() -> None:
    for readonly in (False, True):
        chosen = choose("qemu:///session", euid=7, readonly=readonly)
        assert chosen.path == "/run/user/7/libvirt/libvirt-sock"


def test_root_has_no_session_daemon() -> None:
    assert choose("qemu:///session").path == f"{RUN}/libvirt-sock"


@pytest.mark.parametrize("text", ["qemu:///session", "test+unix:///default", None])
def test_what_is_a_session_matter_for_others_than_root(text: str | None) -> None:
    assert choose(text, euid=7).path.startswith("/run/user/7/")
    assert choose(text).path.startswith(RUN)


@pytest.mark.parametrize("text", ["qemu:///system", "test:///default"])
def test_what_is_a_system_matter_for_everybody(text: str) -> None:
    assert choose(text, euid=7).path == f"{RUN}/libvirt-sock"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/libvirt"),
        ({"HOME": "/h"}, "/h/.cache/libvirt"),
        ({"XDG_RUNTIME_DIR": "", "HOME": "/h"}, "/h/.cache/libvirt"),
    ],
)
def test_without_a_runtime_folder_the_cache_folder_serves(
    environ: dict[str, str], folder: str
) -> None:
    assert choose("qemu:///session", euid=7, environ=environ).path == f"{folder}/libvirt-sock"


def test_a_session_without_a_home_is_refused() -> None:
    with pytest.raises(URIError, match="XDG_RUNTIME_DIR"):
        choose("qemu:///session", euid=7, environ={})


def test_auto_prefers_the_daemon_of_the_driver() -> None:
    direct, legacy = f"{RUN}/virtqemud-sock", f"{RUN}/libvirt-sock"
    assert choose("qemu:///system", present=(direct, legacy)).path == direct
    assert choose("qemu:///system", present=(legacy,)).path == legacy
    nothing = choose("qemu:///system")
    assert nothing.path == legacy
    assert nothing.candidates == (direct, legacy)


def test_mode_decides_alone() -> None:
    direct, legacy = f"{RUN}/virtlxcd-sock-ro", f"{RUN}/libvirt-sock-ro"
    both = (direct, legacy)
    assert choose("lxc:///?mode=legacy", present=both, readonly=True).path == legacy
    assert choose("lxc:///?mode=direct", present=(legacy,), readonly=True).path == direct


@pytest.mark.parametrize("text", [None, "remote:///"])
def test_without_a_driver_the_daemons_are_tried_in_order(text: str | None) -> None:
    lxc, qemu = f"{RUN}/virtlxcd-sock", f"{RUN}/virtqemud-sock"
    legacy = f"{RUN}/libvirt-sock"
    assert choose(text, present=(lxc, qemu)).path == qemu
    assert choose(text, present=(lxc, qemu, legacy)).path == legacy
    assert choose(text).path == legacy


def test_a_named_socket_is_taken_as_it_is() -> None:
    for readonly in (False, True):
        chosen = choose("test:///default?socket=/tmp/a%20b&mode=direct", readonly=readonly)
        assert chosen.path == "/tmp/a b"
        assert chosen.candidates == ("/tmp/a b",)
    assert choose("qemu:///session?socket=@name", euid=7).path == "@name"


@pytest.mark.parametrize("text", ["qemu:///system?socket=", "qemu:///system?socket=@"])
def test_a_socket_has_a_name(text: str) -> None:
    with pytest.raises(URIError, match="names no socket"):
        choose(text)


def test_no_password_is_shown() -> None:
    with pytest.raises(URIError) as caught:
        choose("qemu+ext://fred:hunter2@host/system")
    assert "hunter2" not in str(caught.value)
    assert "fred" in str(caught.value)
