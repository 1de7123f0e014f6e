"""README.md tells the truth: its programs run, its commands work, its links and numbers hold.

Its programs open ``test:///default`` and ``qemu:///system`` where libvirt's own clients find them.
They run as they stand, in a mount namespace in which a daemon of the lab is found there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.fixtures import private_daemon
from tests.lab.place import repository
from tests.lab.ports import free_port
from virtproto.errors import UsageError
from virtproto.model.calls import check_plain_call
from virtproto.wire import find_procedure
from virtproto.wire.contract import PROGRAMS

README = (repository / "README.md").read_text(encoding="utf-8")

PROGRAMS_SHOWN = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
_PROSE = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS_SHOWN = re.findall(r"^    (\S.*?)(?:\s+#.*)?$", _PROSE, re.MULTILINE)
COMMANDS_NEEDING_A_GUEST = re.findall(
    r"^(virtproto \S.*?)(?:\s+#.*)?$",
    "".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)),
    re.MULTILINE,
)
CONSOLE = re.findall(
    r"^\$ (.*)$",
    "".join(re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)),
    re.MULTILINE,
)
SESSION = "".join(re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
LINKS = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", README)

_AT_THE_USUAL_PLACE = 'mount --bind "$0" /run/libvirt && exec "$@"'


def _run_beside(daemon: PrivateDaemon, *command: str) -> str:
    """Run ``command`` where ``daemon`` listens at libvirt's usual sockets; return its output."""
    ended = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _AT_THE_USUAL_PLACE, str(Path(daemon.socket_path).parent)),
            *command,
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), f"{command}: {ended.stderr}"
    return ended.stdout


def test_there_is_something_to_check() -> None:
    assert len(PROGRAMS_SHOWN) >= 2
    assert len(COMMANDS_SHOWN) >= 4
    assert len(COMMANDS_NEEDING_A_GUEST) >= 3
    assert len(CONSOLE) >= 3
    assert SESSION.count("virtproto ") >= 5
    assert len(LINKS) >= 1


@pytest.mark.lab
@pytest.mark.parametrize("number", range(len(PROGRAMS_SHOWN)))
def test_program_runs_as_shown(libvirtd: PrivateDaemon, number: int) -> None:
    said = _run_beside(libvirtd, sys.executable, "-W", "error", "-c", PROGRAMS_SHOWN[number])
    assert said.strip(), "it prints nothing"


@pytest.mark.lab
@pytest.mark.parametrize("line", [line for line in COMMANDS_SHOWN if line.startswith("virtproto ")])
def test_command_works_as_shown(libvirtd: PrivateDaemon, line: str) -> None:
    _, *arguments = shlex.split(line)
    _run_beside(libvirtd, sys.executable, "-W", "error", "-m", "virtproto", *arguments)


@pytest.mark.lab
@pytest.mark.parametrize("line", COMMANDS_NEEDING_A_GUEST)
def test_command_that_needs_a_guest_says_what_is_missing(
    libvirtd: PrivateDaemon, line: str
) -> None:
    _, *arguments = shlex.split(line)
    with pytest.raises(AssertionError, match=r"(there is no|not a terminal|No such file)"):
        _run_beside(libvirtd, sys.executable, "-W", "error", "-m", "virtproto", *arguments)


@pytest.mark.lab
def test_tls_takes_the_commands_that_are_shown(tmp_path: Path) -> None:
    """Of what is shown only the name of the host is changed: it is this one, and another port."""
    port = free_port()
    made, *connecting = [
        line.replace("tls://host.example", f"tls://localhost:{port}").replace(
            "host.example", "localhost"
        )
        for line in CONSOLE
    ]
    _run_in(tmp_path, made)
    server = tmp_path / "pki" / "server" / "localhost"
    settings: dict[str, Setting] = {
        "listen_tls": 1,
        "listen_addr": "127.0.0.1",
        "tls_port": str(port),
        "auth_tls": "none",
        "ca_file": str(server / "cacert.pem"),
        "cert_file": str(server / "servercert.pem"),
        "key_file": str(server / "serverkey.pem"),
    }
    with private_daemon("9.0.0", settings, listen=True):
        for line in connecting:
            assert _run_in(tmp_path, line)


def _run_in(folder: Path, line: str) -> str:
    """Run a line of the README's in ``folder``; return what it prints."""
    command, *arguments = shlex.split(line)
    assert command == "virtproto"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "virtproto", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), f"{line}: {ended.stderr} {ended.stdout}"
    return ended.stdout


@pytest.mark.lab
def test_session_goes_as_shown(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    """One line after the other, in a folder and a shell of its own."""
    command = tmp_path / "virtproto"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m virtproto "$@"\n')
    command.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(repository)}
    place = str(Path(libvirtd.socket_path).parent)
    ended = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _AT_THE_USUAL_PLACE, place, "bash", "-e", "-x", "-c", SESSION),
        ],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert "remote:NODE_GET_CPU_MAP" in ended.stdout
    assert (tmp_path / "calls.json").read_text().startswith("{")


@pytest.mark.parametrize("line", [line for line in COMMANDS_SHOWN if line.startswith("./")])
def test_front_door_exists(line: str) -> None:
    assert (repository / shlex.split(line)[0]).stat().st_mode & 0o111


def test_every_command_is_checked() -> None:
    assert [line for line in COMMANDS_SHOWN if not line.startswith(("virtproto ", "./"))] == []


@pytest.mark.parametrize("target", LINKS)
def test_link_leads_somewhere(target: str) -> None:
    assert (repository / target).exists()


def test_layers_of_the_map_exist() -> None:
    named = {
        name
        for row in re.findall(r"^\|(.*?)\|", README, re.MULTILINE)
        for name in re.findall(r"`(\w+)/?`", row)
    }
    assert named >= {"errors", "xdr", "wire", "protocol", "model", "transport", "sync", "aio"}
    package = repository / "virtproto"
    assert [
        n for n in named if not (package / n).is_dir() and not (package / f"{n}.py").exists()
    ] == []


def test_numbers_of_procedures_are_right() -> None:
    counts = {name: len(rows) for name, (_, _, rows) in PROGRAMS.items()}
    stated = re.search(r"(\d+) remote, (\d+) qemu, (\d+) lxc and (\d+) admin procedures", README)
    assert stated is not None
    names = ("remote", "qemu", "lxc", "admin")
    assert dict(zip(names, map(int, stated.groups()), strict=True)) == {n: counts[n] for n in names}
    total = re.search(r"(\d+) of the (\d+) procedures can be called", README)
    assert total is not None
    assert int(total[1]) == sum(_can_be_called(name) for name in ("remote", "qemu", "lxc"))
    assert int(total[2]) == sum(counts[name] for name in names)


def _can_be_called(program: str) -> int:
    """Return how many procedures of a program ``call`` does not refuse at once."""
    count = 0
    for number, *_ in PROGRAMS[program][2]:
        with contextlib.suppress(UsageError):
            check_plain_call(find_procedure(program, number))
            count += 1
    return count
