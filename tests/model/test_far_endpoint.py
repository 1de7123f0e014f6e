"""Where URIs lead that name a way off this machine."""

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
    choose_endpoint,
)
from virtproto.model.uri import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.endpoint import Endpoint

RUN = "/var/run/libvirt"


def choose(
    text: str, *, readonly: bool = False, euid: int = 0, config: str | None = None
) -> Endpoint:
    return choose_endpoint(
        parse_uri(text),
        readonly=readonly,
        euid=euid,
        environ={"XDG_RUNTIME_DIR": "/run/user/7"},
        exists=lambda path: pytest.fail(f"{path} on this machine does not matter"),
        config=parse_config(config, "libvirt.conf") if config is not None else None,
    )


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
    endpoint = choose(text, euid=7)
    assert type(endpoint) is TcpEndpoint
    assert (endpoint.host, endpoint.port) == (host, port)


def test_tls_has_files_and_a_priority_besides() -> None:
    plain = choose("qemu://host/system")
    assert isinstance(plain, TlsEndpoint)
    assert (plain.host, plain.port, plain.name) == ("host", 16514, "host:16514")
    assert (plain.pkipath, plain.priority) == (None, None)
    assert plain.verify
    assert plain.check_files
    told = choose(
        "qemu+tls://[::1]:7/?pkipath=/p%20p&tls_priority=NORMAL&no_verify=1&no_sanity=2",
        config='tls_priority = "SECURE"',
    )
    assert isinstance(told, TlsEndpoint)
    assert (told.host, told.port, told.name) == ("::1", 7, "[::1]:7")
    assert (told.pkipath, told.priority) == ("/p p", "NORMAL")
    assert not told.verify
    assert not told.check_files


def test_the_file_names_the_priority_of_tls_alone() -> None:
    told = choose("qemu://host/system", config='tls_priority = "SECURE"')
    assert isinstance(told, TlsEndpoint)
    assert told.priority == "SECURE"
    with pytest.raises(ConfigFileError, match="tls_priority"):
        choose("qemu://host/system", config="tls_priority = 5")
    assert choose("qemu+tcp://host/system", config="tls_priority = 5")


def test_ext_runs_the_named_program_without_arguments() -> None:
    endpoint = choose("qemu+ext://host/system?command=/a%20b&no_tty=1")
    assert isinstance(endpoint, CommandEndpoint)
    assert (endpoint.kind, endpoint.argv, endpoint.host) == ("ext", ("/a b",), "host")
    for nothing in ("", "?command="):
        with pytest.raises(URIError, match="command=PROGRAM"):
            choose(f"qemu+ext:///system{nothing}")


def ssh(text: str, **known: Any) -> CommandEndpoint:
    endpoint = choose(text, **known)
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
        choose(f"qemu+{transport}://h{rest}", euid=euid)


@pytest.mark.parametrize("transport", ["libssh", "libssh2"])
def test_what_ssh_within_the_process_is_told(transport: str) -> None:
    plain = choose(f"qemu+{transport}://host/system")
    assert isinstance(plain, LibsshEndpoint)
    assert (plain.kind, plain.host, plain.port, plain.user) == (transport, "host", 22, "root")
    assert plain.remote_command == ssh("qemu+ssh://host/system").argv[-1]
    assert plain.socket_path == f"{RUN}/libvirt-sock"
    assert (plain.keyfile, plain.known_hosts, plain.known_hosts_verify) == (None, None, "normal")
    assert plain.methods == ("agent", "privkey", "password", "keyboard-interactive")
    told = choose(
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
        choose(f"qemu+libssh://host/system?{query}")
    # Who does not use it does not look at it.
    for transport in ("ssh", "tcp", "tls"):
        assert choose(f"qemu+{transport}://host/system?{query}")
