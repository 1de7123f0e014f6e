"""Which socket is chosen."""

from __future__ import annotations

import shlex

import pytest

from virtproto.errors import ConfigFileError, URIError
from virtproto.model.client_config import parse_config
from virtproto.model.endpoint import (
    CommandEndpoint,
    LibsshEndpoint,
    TcpEndpoint,
    TlsEndpoint,
    UnixEndpoint,
    choose_endpoint,
)
from virtproto.model.uri import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    ("text", "host", "port"),
    [
        ("qemu+tcp://host/system", "host", 16509),
        ("qemu+tcp://host:1/system", "host", 1),
        ("qemu+tcp://host:0/system", "host", 16509),
        ("qemu+tcp:///system", "localhost", 16509),
        ("qemu+tcp://:1/system", "localhost", 16509),
        ("qemu+tcp://[fe80::1%25lo]:5/", "fe80::1%lo", 5),
        ("test+tcp://fred@10.0.0.1/default?mode=direct", "10.0.0.1", 16509),
    ],
)
def test_tcp_has_a_host_and_a_port(text: str, host: str, port: int) -> None:
    endpoint = choose_any(text, euid=7)
    assert type(endpoint) is TcpEndpoint
    assert (endpoint.host, endpoint.port) == (host, port)


def test_tls_has_files_and_a_priority_besides() -> None:
    plain = choose_any("qemu://host/system")
    assert isinstance(plain, TlsEndpoint)
    assert (plain.host, plain.port, plain.name) == ("host", 16514, "host:16514")
    assert (plain.pkipath, plain.priority) == (None, None)
    assert plain.verify
    assert plain.check_files
    told = choose_any(
        "qemu+tls://[::1]:7/?pkipath=/p%20p&tls_priority=NORMAL&no_verify=1&no_sanity=2",
        config='tls_priority = "SECURE"',
    )
    assert isinstance(told, TlsEndpoint)
    assert (told.host, told.port, told.name) == ("::1", 7, "[::1]:7")
    assert (told.pkipath, told.priority) == ("/p p", "NORMAL")
    assert not told.verify
    assert not told.check_files


def test_the_file_names_the_priority_of_tls_alone() -> None:
    told = choose_any("qemu://host/system", config='tls_priority = "SECURE"')
    assert isinstance(told, TlsEndpoint)
    assert told.priority == "SECURE"
    with pytest.raises(ConfigFileError, match="tls_priority"):
        choose_any("qemu://host/system", config="tls_priority = 5")
    assert choose_any("qemu+tcp://host/system", config="tls_priority = 5")


def test_ext_runs_the_named_program_without_arguments() -> None:
    endpoint = choose_any("qemu+ext://host/system?command=/a%20b&no_tty=1")
    assert isinstance(endpoint, CommandEndpoint)
    assert (endpoint.kind, endpoint.argv, endpoint.host) == ("ext", ("/a b",), "host")
    for nothing in ("", "?command="):
        with pytest.raises(URIError, match="command=PROGRAM"):
            choose_any(f"qemu+ext:///system{nothing}")


def ssh(text: str, **known: Any) -> CommandEndpoint:
    endpoint = choose_any(text, **known)
    assert isinstance(endpoint, CommandEndpoint)
    assert endpoint.kind == "ssh"
    return endpoint


def test_ssh_is_called_with_what_the_uri_says() -> None:
    plain = ssh("qemu+ssh://host/system")
    assert plain.argv[:-1] == ("ssh", "-T", "-e", "none", "--", "host")
    assert plain.tty
    told = ssh(
        "qemu+ssh://fred@[::1]:2222/system?keyfile=/k&no_tty=1&no_verify=1&command=/opt/ssh"
        "&netcat=nc6"
    )
    assert told.argv[:-1] == (
        *("/opt/ssh", "-p", "2222", "-l", "fred", "-i", "/k", "-T", "-e", "none"),
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "--", "::1"),
    )
    assert "nc6" in told.argv[-1]
    assert "virt-ssh-helper" not in told.argv[-1]
    assert not told.tty
    assert ssh("qemu+ssh:///system").host == "localhost"
    assert ssh("qemu+ssh://@host/system").argv == plain.argv
    with pytest.raises(URIError, match="command= names no program"):
        ssh("qemu+ssh://host/system?command=")


@pytest.mark.parametrize(
    ("text", "euid", "config", "ways", "path"),
    [
        ("x+ssh://h/system", 7, "", "helper nc", f"{RUN}/libvirt-sock"),
        ("x+ssh://h/session", 0, "", "helper nc", f"{RUN}/libvirt-sock"),
        ("x+ssh://h/session", 7, "", "helper", ""),
        ("test+ssh://h/default", 7, "", "helper", ""),
        ("x+ssh://h/session?proxy=netcat", 7, "", "nc", "/run/user/7/libvirt/libvirt-sock"),
        ("x+ssh://h/system?socket=/s", 0, "", "nc", "/s"),
        ("x+ssh://h/session?socket=/s", 7, "", "nc", "/s"),
        ("x+ssh://h/system?socket=/s&mode=direct", 0, "", "nc", "/s"),
        ("x+ssh://h/system?socket=/s&proxy=auto", 0, "", "helper nc", "/s"),
        ("x+ssh://h/system?netcat=/n", 0, "", "nc", f"{RUN}/libvirt-sock"),
        ("x+ssh://h/system?netcat=/n&proxy=auto", 0, "", "nc", f"{RUN}/libvirt-sock"),
        ("x+ssh://h/system", 0, 'remote_proxy = "native"', "helper", ""),
        ("x+ssh://h/system?socket=/s", 0, 'remote_proxy = "native"', "helper", ""),
        ("x+ssh://h/session", 7, 'remote_proxy = "netcat"', "nc", "/run/user/7/libvirt/"),
        ("x+ssh://h/system?proxy=netcat", 0, 'remote_proxy = "native"', "nc", f"{RUN}/lib"),
    ],
)
def test_the_way_on_from_ssh(text: str, euid: int, config: str, ways: str, path: str) -> None:
    command = ssh(text, euid=euid, config=config).argv[-1]
    found = [
        way for way, mark in (("helper", "virt-ssh-helper "), ("nc", " -U ")) if mark in command
    ]
    assert " ".join(found) == ways
    assert path in command


def test_read_only_goes_on_from_ssh() -> None:
    command = ssh("qemu+ssh://h/system", readonly=True).argv[-1]
    assert "virt-ssh-helper -r " in command
    assert "libvirt-sock-ro" in command
    session = ssh("qemu+ssh://h/session?proxy=netcat", readonly=True, euid=7).argv[-1]
    assert "libvirt-sock-ro" not in session


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qemu+ssh://h/system?mode=legacy&x=a%20b", "qemu:///system?x=a%20b"),
        ("qemu+ssh://h/system?name=test:///default&x=1", "test:///default"),
        ("remote+ssh://h/system", ""),
    ],
)
def test_the_helper_is_told_the_name_that_is_sent(text: str, name: str) -> None:
    endpoint = ssh(f"{text}{'&' if '?' in text else '?'}proxy=native")
    outer = shlex.split(endpoint.argv[-1])
    assert shlex.split(outer[2]) == ["virt-ssh-helper", name]


@pytest.mark.parametrize("transport", ["ssh", "libssh", "libssh2"])
@pytest.mark.parametrize(
    ("rest", "euid", "said"),
    [
        ("/system?mode=direct", 0, "mode direct does not go with transport"),
        ("/system?mode=direct&proxy=native", 0, "mode direct does not go with transport"),
        ("/system?netcat=nc&proxy=native", 0, "netcat= names a program that is not used"),
        ("/session?netcat=nc", 7, "netcat= names a program that is not used"),
    ],
)
def test_what_does_not_go_over_ssh(transport: str, rest: str, euid: int, said: str) -> None:
    with pytest.raises(URIError, match=said):
        choose_any(f"qemu+{transport}://h{rest}", euid=euid)


@pytest.mark.parametrize("transport", ["libssh", "libssh2"])
def test_what_ssh_within_the_process_is_told(transport: str) -> None:
    plain = choose_any(f"qemu+{transport}://host/system")
    assert isinstance(plain, LibsshEndpoint)
    assert (plain.kind, plain.host, plain.port, plain.user) == (transport, "host", 22, "root")
    assert plain.remote_command == ssh("qemu+ssh://host/system").argv[-1]
    assert plain.socket_path == f"{RUN}/libvirt-sock"
    assert (plain.keyfile, plain.known_hosts, plain.known_hosts_verify) == (None, None, "normal")
    assert plain.methods == ("agent", "privkey", "password", "keyboard-interactive")
    told = choose_any(
        f"qemu+{transport}://fred@host:2/session?socket=/s&keyfile=/k&known_hosts=/h"
        "&known_hosts_verify=Ignore&sshauth=Password,AGENT",
        euid=7,
    )
    assert isinstance(told, LibsshEndpoint)
    assert (told.host, told.port, told.user) == ("host", 2, "fred")
    assert (told.keyfile, told.known_hosts, told.known_hosts_verify) == ("/k", "/h", "ignore")
    assert (told.methods, told.socket_path) == (("password", "agent"), "/s")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("known_hosts_verify=x", "known_hosts_verify=x: expected one of normal, auto, ignore"),
        ("known_hosts_verify=", "known_hosts_verify=: expected one of"),
        ("sshauth=agent,pubkey", "'pubkey' is no way to log in; there are agent, privkey"),
        ("sshauth=agent,", "'' is no way to log in"),
        ("sshauth=", "'' is no way to log in"),
    ],
)
def test_what_ssh_within_the_process_cannot_be_told(query: str, said: str) -> None:
    with pytest.raises(URIError, match=said):
        choose_any(f"qemu+libssh://host/system?{query}")
    # Who does not use it does not look at it.
    for transport in ("ssh", "tcp", "tls"):
        assert choose_any(f"qemu+{transport}://host/system?{query}")


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
