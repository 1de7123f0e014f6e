"""Which socket is chosen."""

from __future__ import annotations

import pytest

from virtproto.errors import ConfigFileError, URIError
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
    config: str | None = None,
) -> UnixEndpoint:
    endpoint = choose_any(
        text, readonly=readonly, euid=euid, environ=environ, present=present, config=config
    )
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
    assert choose(text, present=(lxc, legacy), config='remote_mode = "direct"').path == lxc


def test_the_file_names_the_mode_where_the_uri_does_not() -> None:
    direct, legacy = f"{RUN}/virtqemud-sock", f"{RUN}/libvirt-sock"
    both = (direct, legacy)
    for mode, path in (("legacy", legacy), ("direct", direct), ("auto", direct)):
        config = f'remote_mode = "{mode}"'
        assert choose("qemu:///system", present=both, config=config).path == path
    named = choose("qemu:///system?mode=direct", present=both, config='remote_mode = "legacy"')
    assert named.path == direct


@pytest.mark.parametrize("text", [None, "qemu:///system", "qemu+tcp://host/system"])
@pytest.mark.parametrize("name", ["remote_mode", "remote_proxy"])
def test_what_the_file_cannot_mean_is_told_whatever_the_transport(
    text: str | None, name: str
) -> None:
    with pytest.raises(ConfigFileError, match=f"line 2: {name}: 'x' is none of auto"):
        choose_any(text, config=f'\n{name} = "x"')
    # A value in the URI takes its place.
    if text is not None:
        choose_any(f"{text}?{name.removeprefix('remote_')}=auto", config=f'{name} = "x"')


@pytest.mark.parametrize(
    ("text", "present", "environ", "program"),
    [
        ("qemu:///session", (), {}, "/usr/sbin/libvirtd"),
        ("qemu:///session?mode=direct", (), {}, "/usr/sbin/virtqemud"),
        ("qemu:///session", ("/run/user/7/libvirt/virtqemud-sock",), {}, "/usr/sbin/virtqemud"),
        (None, (), {}, "/usr/sbin/libvirtd"),
        ("test+unix:///default", (), {"LIBVIRTD_PATH": "/opt"}, "/opt/libvirtd"),
        ("qemu:///session", (), {"LIBVIRTD_PATH": "/opt", "VIRTD_PATH": "/v"}, "/v/libvirtd"),
        ("qemu:///session", (), {"LIBVIRTD_PATH": "/opt", "VIRTD_PATH": ""}, "libvirtd"),
        ("qemu:///session", (), {"LIBVIRT_AUTOSTART": ""}, "/usr/sbin/libvirtd"),
        ("qemu:///session", (), {"LIBVIRT_AUTOSTART": "0"}, None),
        ("qemu:///session?socket=/s", (), {}, None),
        ("qemu:///system", (), {}, None),
    ],
)
def test_a_session_has_a_program_to_start(
    text: str | None, present: tuple[str, ...], environ: dict[str, str], program: str | None
) -> None:
    chosen = choose(text, euid=7, environ={**HOME, **environ}, present=present)
    assert chosen.daemon == program
    # The daemons of the system are not for users to start, not for root either.
    assert choose(text, environ=environ).daemon is None


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


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("openvz:///system", r"openvz\+unix:///system"),
        ("vmwareplayer:///session", r"vmwareplayer\+unix:///system"),
        ("vmwarews:///system", "to daemons only"),
        ("vmwarefusion:///system", "to daemons only"),
        ("esx://root@host/", r"esx\+tls://HOST/"),
        ("gsx:///", r"gsx\+unix:///system"),
        ("vpx://host/dc/cluster", r"vpx\+tls://HOST/"),
        ("hyperv://host", r"hyperv\+tls://HOST/"),
        ("qemu:///embed?root=/r", "qemu:///system"),
        ("qemu+tcp://host/embed", "/embed asks for a driver within the client"),
    ],
)
def test_drivers_within_the_library_are_not_here(text: str, instead: str) -> None:
    with pytest.raises(URIError, match=instead):
        choose_any(text)


@pytest.mark.parametrize(
    "text",
    [
        "openvz+unix:///system",
        "openvz://host/system",
        "vmwarews://host/system",
        "esx+tcp://host/",
        "hyperv+unix:///system",
        "ESX://host/",
        "OpenVZ:///system",
        "test:///default",
        "unheard-of:///system",
    ],
)
def test_other_drivers_are_the_daemons(text: str) -> None:
    assert choose_any(text)
