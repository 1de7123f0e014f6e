"""What ssh is called with: word for word as libvirt's client does.

The expected texts were seen by a program in ssh's place that libvirt 9.0's client ran.
"""

from __future__ import annotations

import shlex

import pytest

from virtproto.model.ssh_command import remote_command, ssh_arguments

SOCKET = "/var/run/libvirt/libvirt-sock"


def by_netcat(program: str, path: str = SOCKET) -> str:
    return (
        f'if {program} -q 2>&1 | grep "requires an argument" >/dev/null 2>&1; '
        f"then ARG=-q0;else ARG=;fi;{program} $ARG -U {path}"
    )


def command(
    proxy: str,
    *,
    netcat: str | None = None,
    path: str | None = SOCKET,
    name: str = "qemu:///system",
    readonly: bool = False,
) -> str:
    return remote_command(proxy, netcat=netcat, socket_path=path, name=name, readonly=readonly)


def test_the_helper_is_looked_for_before_netcat() -> None:
    netcat = by_netcat("'nc'")
    assert command("auto") == (
        "sh -c 'which virt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; then     "
        f"virt-ssh-helper 'qemu:///system'; else    {netcat}; fi'"
    )


def test_the_helper_alone() -> None:
    assert command("native") == "sh -c 'virt-ssh-helper 'qemu:///system''"
    assert command("native", readonly=True) == "sh -c 'virt-ssh-helper -r 'qemu:///system''"


@pytest.mark.parametrize(
    ("netcat", "quoted"),
    [
        (None, "'nc'"),
        ("/bin/nc", "'/bin/nc'"),
        ("n%c", "'n%c'"),
        ("", r"'''\'''\''''"),
        ("nc -4", r"'''\''nc -4'\''''"),
        ("n'c", r"'''\''n'\''\'\'''\''c'\''''"),
        ('n"c', r"'''\''n" + '"c' + r"'\''''"),
        ("n\nc", "'''\\''n\nc'\\''''"),
        ("n~c", r"'''\''n~c'\''''"),
    ],
)
def test_netcat_alone(netcat: str | None, quoted: str) -> None:
    assert command("netcat", netcat=netcat) == f"sh -c '{by_netcat(quoted)}'"


def test_the_name_is_quoted_for_two_shells() -> None:
    name = "foo bar'x"
    assert command("native", name=name) == (
        r"sh -c 'virt-ssh-helper '''\''foo bar'\''\'\'''\''x'\'''''"
    )
    assert command("native", name="") == r"sh -c 'virt-ssh-helper '''\'''\'''''"
    # Read back by both: what ssh's shell makes of it, and what the shell that it starts does.
    for odd in (name, "a&b;c", "$(reboot)", "`x`", "a\\b", "*", "test:///default?a=b&c=d", '"'):
        outer = shlex.split(command("native", name=odd))
        assert outer[:2] == ["sh", "-c"]
        assert shlex.split(outer[2]) == ["virt-ssh-helper", odd]


def test_the_socket_is_taken_as_it_is() -> None:
    assert command("netcat", path="/a b").endswith("-U /a b'")
    assert command("netcat", path=None).endswith("-U '")


def test_the_plainest_call() -> None:
    assert ssh_arguments("ssh", "host", "CMD") == ("ssh", "-T", "-e", "none", "--", "host", "CMD")


def test_each_part_has_its_place() -> None:
    argv = ssh_arguments(
        "/opt/ssh",
        "::1",
        "CMD",
        port=2222,
        user="fred",
        keyfile="/k k",
        tty=False,
        verify=False,
    )
    assert argv == (
        *("/opt/ssh", "-p", "2222", "-l", "fred", "-i", "/k k", "-T", "-e", "none"),
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "--", "::1", "CMD"),
    )
