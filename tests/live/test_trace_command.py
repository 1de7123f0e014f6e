"""``virtproto trace`` with real programs and a real libvirtd: nothing is disturbed, all is seen."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.cli.pseudo_terminal import PseudoTerminal
from tests.lab.daemon import PrivateDaemon
from tests.lab.place import repository
from virtproto.trace.message import TracedMessage
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.telling import Teller

pytestmark = pytest.mark.lab

TRACE = [sys.executable, "-m", "virtproto", "trace"]
PATIENCE_S = 60
NOBODY = 65534


class Ended:
    """How a traced program ended; ``seen`` are the procedures of the calls that were told."""

    def __init__(self, done: subprocess.CompletedProcess[str], report: Path) -> None:
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        self.seen = procedures(report)


def procedures(report: Path) -> list[str]:
    told = [json.loads(line) for line in report.read_text().splitlines()]
    return [each["procedure"] for each in told if each["kind"] == "call"]


def run(argv: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=PATIENCE_S, cwd=repository, **how
    )


def trace(tmp_path: Path, *argv: str, options: Sequence[str] = (), **how: Any) -> Ended:
    report = tmp_path / "report"
    done = run([*TRACE, "--json", "-o", str(report), *options, "--", *argv], **how)
    return Ended(done, report)


@pytest.fixture
def uri(libvirtd: PrivateDaemon) -> str:
    return libvirtd.uri("test:///default")


@pytest.mark.parametrize(
    "command", [["list", "--all"], ["dominfo", "no-such-domain"], ["no-such-command"], ["uri"]]
)
def test_virsh_says_the_same(uri: str, tmp_path: Path, command: list[str]) -> None:
    argv = ["virsh", "-c", uri, *command]
    alone, traced = run(argv), trace(tmp_path, *argv)
    assert (traced.code, traced.output) == (alone.returncode, alone.stdout)
    assert traced.errors.startswith(alone.stderr)
    assert ("CONNECT_OPEN" in traced.seen) is (command != ["no-such-command"])
    assert ("no connection" in traced.errors) is (command == ["no-such-command"])


def test_a_program_whose_uri_nobody_sees(uri: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        f"import libvirt\nc = libvirt.open({uri!r})\nprint(c.listDomainsID(), flush=True)\n"
        "c.lookupByName('test')\nraise SystemExit(3)"
    )
    traced = trace(tmp_path, "/usr/bin/python3", str(script))
    assert (traced.code, traced.output) == (3, "[1]\n")
    assert traced.seen[-1] == "CONNECT_CLOSE"
    assert "DOMAIN_LOOKUP_BY_NAME" in traced.seen


@pytest.mark.parametrize("colour", ["sync", "aio"])
def test_our_own_clients(uri: str, tmp_path: Path, colour: str) -> None:
    program = {
        "sync": "import sys, virtproto\n"
        "with virtproto.open(sys.argv[1]) as c:\n"
        "    print([d.get_name() for d in c.list_all_domains()])",
        "aio": "import asyncio, sys, virtproto.aio\n"
        "async def main():\n"
        "    async with await virtproto.aio.open(sys.argv[1]) as c:\n"
        "        print([d.get_name() for d in await c.list_all_domains()])\n"
        "asyncio.run(main())",
    }[colour]
    traced = trace(tmp_path, sys.executable, "-c", program, uri)
    assert (traced.code, traced.output) == (0, "['test']\n")
    assert "CONNECT_LIST_ALL_DOMAINS" in traced.seen


def test_a_shell_script_with_programs_beside_each_other(uri: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    quoted = shlex.quote(uri)
    script.write_text(
        f"for n in 1 2 3; do virsh -c {quoted} list >/dev/null & done\n"
        f"wait\nvirsh -c {quoted} domstate test | grep -q running && exit 5"
    )
    script.chmod(0o755)
    traced = trace(tmp_path, str(script))
    assert traced.code == 5
    assert traced.seen.count("CONNECT_OPEN") == 4


def test_a_user_without_privileges(uri: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    # By a program that becomes nobody within this process: what it runs of is root's to read only.
    program = (
        "import os, sys; from virtproto.cli import main; import virtproto.cli.app, "
        "virtproto.cli.tracing, virtproto.cli.trace_commands; "
        "import virtproto.trace.printing.as_json;"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(main(sys.argv[1:]))"
    )
    # Where anybody may come.
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        os.chown(home, NOBODY, NOBODY)
        report = Path(home, "report")
        traced = [sys.executable, "-c", program, "trace", "--json", "-o", str(report)]
        environ = {**os.environ, "HOME": home}
        done = run([*traced, "virsh", "-c", uri, "list", "--name"], env=environ)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "test", "")
        assert "CONNECT_LIST_ALL_DOMAINS" in procedures(report)


def test_where_no_daemon_is(tmp_path: Path) -> None:
    argv = ["virsh", "-c", f"test+unix:///default?socket={tmp_path}/libvirt-sock", "list"]
    alone, traced = run(argv), trace(tmp_path, *argv)
    assert (traced.code, traced.output) == (alone.returncode, alone.stdout) == (1, "")
    line = f"no connection to a libvirt daemon was seen: virsh did not get to {tmp_path}"
    assert traced.errors.startswith(f"{alone.stderr}virtproto: {line}")


def test_a_terminal_stays_the_programs(uri: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with PseudoTerminal("trace", "--json", "-o", str(report), "virsh", "-c", uri) as terminal:
        terminal.read_until(b"virsh # ")
        terminal.type(b"domstate test\n")
        assert b"running" in terminal.read_until(b"virsh # ")
        terminal.type(b"quit\n")
        assert terminal.end()[0] == 0
    assert "DOMAIN_GET_STATE" in procedures(report)


def test_control_and_c_ends_the_program_and_all_is_told(uri: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    argv = ["sh", "-c", f"virsh -c {shlex.quote(uri)} list; echo ready; exec sleep 60"]
    with PseudoTerminal("trace", "--json", "-o", str(report), *argv) as terminal:
        terminal.read_until(b"ready\r\n")
        terminal.type(b"\x03")
        assert terminal.end()[0] == 130
    assert procedures(report)[-1] == "CONNECT_CLOSE"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_that_hangs_and_a_signal(tmp_path: Path, number: int) -> None:
    with PrivateDaemon() as daemon:
        daemon.freeze()
        argv = ["virsh", "-c", daemon.uri("test:///default"), "list"]
        with subprocess.Popen(
            [*TRACE, *argv], cwd=repository, stderr=subprocess.PIPE, text=True
        ) as traced:
            assert traced.stderr is not None
            said = ""
            while "AUTH_LIST" not in said:
                said = traced.stderr.readline()
                assert said, "it ended"
            traced.send_signal(number)
            said = traced.communicate(timeout=PATIENCE_S)[1]
        daemon.thaw()
    assert traced.returncode == 128 + number
    assert "no answer" in said


def test_nobody_who_reads_harms_the_program_not(uri: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    script = ";".join(["list"] * 200)
    recording = tmp_path / "kept"
    done = subprocess.run(
        [*TRACE, "--record", str(recording), "virsh", "-c", uri, script],
        stdout=subprocess.PIPE,
        stderr=writing,
        cwd=repository,
        timeout=PATIENCE_S,
    )
    os.close(writing)
    assert (done.returncode, done.stdout.count(b"running")) == (0, 200)
    assert len(calls_of(recording.read_bytes())) > 400


def calls_of(data: bytes) -> list[TracedMessage]:
    reader = RecordReader()
    records = reader.feed(data)
    assert reader.finish() is None
    teller = Teller(reader.started_s)
    told = [each for record in records for each in teller.tell(record)]
    return [each for each in told if isinstance(each, TracedMessage) and each.kind == "call"]


def test_what_passes_is_kept(uri: str, tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.vprec", tmp_path / "a.vprec.gz"
    argv = ["virsh", "-c", uri, "list"]
    for path in (plain, packed):
        trace(tmp_path, *argv, options=["--record", str(path)])
        assert path.stat().st_mode & 0o777 == 0o600
    kept = [each.procedure for each in calls_of(plain.read_bytes())]
    assert kept == [each.procedure for each in calls_of(gzip.decompress(packed.read_bytes()))]
    assert kept[-1] == "CONNECT_CLOSE"
    again = run([*TRACE, "--record", str(plain), *argv])
    assert (again.returncode, again.stdout) == (2, "")
    assert "exists already" in again.stderr
    again = run([*TRACE, "--overwrite", "--record", str(plain), *argv])
    assert again.returncode == 0
    assert len(calls_of(plain.read_bytes())) == len(kept)


def test_secrets_are_not_kept_unless_wanted(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    define = tmp_path / "secret.xml"
    define.write_text("<secret ephemeral='yes' private='no'><description>d</description></secret>")
    uri = libvirtd.uri("qemu:///system")
    with virtproto.open(uri) as connection:
        secret = connection.define_secret(define.read_text())
        for name, options in (("masked", []), ("whole", ["--show-secrets"])):
            path = tmp_path / name
            argv = ["virsh", "-c", uri, "secret-set-value", str(secret.get_uuid_string())]
            value = "b3BlbiBzZXNhbWU="
            traced = trace(tmp_path, *argv, value, options=["--record", str(path), *options])
            assert traced.code == 0
            assert (b"open sesame" in path.read_bytes()) is bool(options)
            told = (tmp_path / "report").read_text()
            assert ("open sesame" in told or "6f70656e" in told or value in told) is bool(options)
        secret.undefine()


def test_uris_lead_here_where_calls_cannot_be_held(uri: str, tmp_path: Path) -> None:
    """Within another trace, say, which holds them already; that one sees ours."""
    inner = tmp_path / "inner"
    argv = [*TRACE, "--json", "-o", str(inner), "--", "virsh", "-c", uri, "list", "--name"]
    traced = trace(tmp_path, *argv)
    assert (traced.code, traced.output.strip()) == (0, "test")
    assert procedures(inner) == traced.seen != []
    # What needs no daemon gets none.
    argv[argv.index(uri)] = "test:///default"
    traced = trace(tmp_path, *argv)
    assert (traced.code, traced.output.strip(), traced.seen) == (0, "test", [])
    argv[argv.index("test:///default")] = uri
    traced = trace(tmp_path, *argv)
    assert "CONNECT_LIST_ALL_DOMAINS" in traced.seen


@pytest.mark.parametrize("way", ["option", "connect", "environment"])
def test_what_leads_through_a_program_is_seen(
    libvirtd: PrivateDaemon, tmp_path: Path, way: str
) -> None:
    bridge = tmp_path / "bridge"
    bridge.write_text(f"#!/bin/sh\nexec nc -U {libvirtd.socket_path}\n")
    bridge.chmod(0o755)
    uri = f"test+ext:///default?command={bridge}"
    environ = {**os.environ, **({"LIBVIRT_DEFAULT_URI": uri} if way == "environment" else {})}
    argv = ["virsh", *(["-c", uri] if way == "option" else []), "list", "--name"]
    options = ["-c", uri] if way == "connect" else []
    traced = trace(tmp_path, *argv, options=options, env=environ)
    assert (traced.code, traced.output.strip(), traced.errors) == (0, "test", "")
    assert "CONNECT_LIST_ALL_DOMAINS" in traced.seen


def test_a_destination_that_is_not_there_is_told(tmp_path: Path) -> None:
    uri = "test+ext:///default?command=/no/such/program"
    traced = trace(tmp_path, "virsh", "-c", uri, "list")
    assert traced.code == 1
    assert "/no/such/program cannot be reached" in traced.errors
    assert "no connection" not in traced.errors


def test_clients_that_come_by_themselves(uri: str, tmp_path: Path) -> None:
    address = tmp_path / "there" / "sock"
    address.parent.mkdir()
    with subprocess.Popen(
        [*TRACE, "--summary", "--listen", str(address), "--to", uri],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as traced:
        assert traced.stderr is not None
        try:
            assert str(address) in traced.stderr.readline()
            for _ in range(2):
                with virtproto.open(f"test+unix:///default?socket={address}") as connection:
                    assert [each.get_name() for each in connection.list_all_domains()] == ["test"]
        finally:
            traced.send_signal(signal.SIGTERM)
        output = traced.communicate(timeout=PATIENCE_S)[0]
    assert traced.returncode == 0
    assert "CONNECT_LIST_ALL_DOMAINS" in output
    assert "2 conversations" in output
    assert not address.exists()


def test_a_uri_that_needs_no_daemon_is_explained() -> None:
    done = run([*TRACE, "virsh", "-c", "test:///default", "list"])
    assert done.returncode == 0
    assert "test" in done.stdout
    assert "test+unix:// asks a daemon" in done.stderr


def test_a_program_connects_wherever_it_wants_once_what_traced_it_was_killed(
    uri: str, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys, libvirt\n"
        "of = os.getppid()\n"
        "libvirt.open(sys.argv[1]).close()\n"
        "os.kill(of, signal.SIGKILL)\n"
        "while os.getppid() == of: pass\n"
        "print(libvirt.open(sys.argv[1]).getURI(), flush=True)"
    )
    report = tmp_path / "report"
    argv = [*TRACE, "--json", "-o", str(report), "--", "/usr/bin/python3", "-c", program, uri]
    # Its output is open for as long as the program goes on.
    done = run(argv)
    assert done.returncode == -signal.SIGKILL
    assert (done.stdout, done.stderr) == (f"{uri}\n", "")


def test_it_is_said_that_what_tells_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "what.vprec"
    # Of the children of what traces, one is the program itself.
    program = (
        "import os; of = os.getppid()\n"
        "children = open(f'/proc/{of}/task/{of}/children').read().split()\n"
        "[os.kill(int(each), 9) for each in children if int(each) != os.getpid()]\n"
        "raise SystemExit(5)"
    )
    done = run([*TRACE, "--record", str(path), "--", sys.executable, "-c", program])
    assert done.returncode == 5
    assert f"not told to its end, and {path} is not a whole recording" in done.stderr
    assert "killed (signal 9)" in done.stderr
    assert "Traceback" not in done.stderr


def test_exit_codes_of_what_cannot_be_run(tmp_path: Path) -> None:
    for argv, code in ((["no-such-program"], 127), (["/etc/passwd"], 126)):
        done = run([*TRACE, *argv])
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"virtproto: {argv[0]} cannot be run: ")
        assert done.stderr.count("\n") == 1
    assert run([*TRACE, "sh", "-c", "kill -9 $$"]).returncode == 137
