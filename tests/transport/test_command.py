"""Programs behind a road: how they start, what they say, and that nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from virtproto.errors import ConnectError, SSHConnectError
from virtproto.model.endpoint import CommandEndpoint
from virtproto.transport.command import Program, plain_environment, ssh_environment, start
from virtproto.transport.road import Road

LIMIT_S = 10.0


@contextmanager
def started(*argv: str, kind: str = "ext", tty: bool = True) -> Iterator[tuple[Road, Program]]:
    """A road through a program, for a block."""
    road = start(CommandEndpoint(kind, argv, tty=tty))
    program = road.carrier
    assert isinstance(program, Program)
    try:
        with closing(road.sock):
            yield road, program
    finally:
        program.end()


def shell(script: str) -> tuple[str, str, str]:
    return "sh", "-c", script


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def is_there(pid: int) -> bool:
    """Whether there is such a process, one that ended and was not seen off included."""
    return Path(f"/proc/{pid}").exists()


def descriptors() -> set[str]:
    """Those of this process; the last of a program's is closed by a thread, in a moment."""
    return set(os.listdir("/proc/self/fd"))


def is_open(fd: int) -> bool:
    """Whether this process still has a descriptor that it had just now."""
    return Path(f"/proc/self/fd/{fd}").exists()


def everything(road: Road) -> bytes:
    """All that a program writes."""
    got = b""
    while data := road.sock.recv(65536):
        got += data
    return got


def test_bytes_go_there_and_back_and_nothing_is_left() -> None:
    before = descriptors()
    with started("cat") as (road, program):
        road.sock.sendall(b"there and back")
        assert road.sock.recv(100) == b"there and back"
        assert not road.carries_descriptors
        pid = program.pid
        assert pid is not None
    until(lambda: not is_there(pid))
    assert program.pid is None
    until(lambda: descriptors() <= before)


def test_ssh_is_secure_and_other_programs_are_not() -> None:
    with started("cat", kind="ssh") as (road, _):
        assert road.is_secure
    with started("cat") as (road, _):
        assert not road.is_secure


def test_its_words_are_kept_and_their_end_is_told() -> None:
    with started(*shell("echo of old >&2; exec seq 1 100000 >&2")) as (road, program):
        # It does not wait for anybody to read, though this is more than a pipe holds.
        assert everything(road) == b""
        said = program.last_words()
    assert said is not None
    assert said.endswith("99999\n100000")
    assert len(said) <= 1024


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", None),
        ("exit 3", "sh ended with status 3"),
        ("kill -KILL $$", "sh was ended by signal 9"),
        ("echo first >&2; echo last > /dev/stderr; exit 3", "first\nlast"),
    ],
)
def test_how_it_ended_is_told(script: str, said: str | None) -> None:
    with started(*shell(script)) as (road, program):
        assert everything(road) == b""
        assert program.last_words() == said


def test_last_words_are_not_waited_for_long() -> None:
    with started("cat") as (_, program):
        began = time.monotonic()
        assert program.last_words() is None
        assert time.monotonic() - began < 5.0


def test_what_it_leaves_running_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtproto.transport.command._STILL_WANTED_MS", 20)
    before = descriptors()
    # As ssh does with a shared connection that stays: it has the same standard error.
    with started(*shell("echo $$ there >&2; sleep 1000 >&2 & echo $! >&2; exit 1")) as (_, program):
        until(lambda: program.pid is None)
        said = program.last_words()
    assert said is not None
    try:
        until(lambda: descriptors() <= before)
    finally:
        os.kill(int(said.split()[-1]), signal.SIGKILL)


def test_what_it_says_takes_no_room_and_does_not_hold_it_up() -> None:
    size = 64 << 20
    words = f"head -c {size} /dev/zero | tr '\\0' x >&2; echo the end >&2; echo said; exec cat"
    with started(*shell(words)) as (road, program):
        assert road.sock.recv(100) == b"said\n"
        until(lambda: (program.words() or "").endswith("the end"))
        # It goes on, and this is what it has said so far.
        assert program.pid is not None
        assert len(program.words() or "") == 1023
        assert all(os.fstat(int(fd)).st_size < size for fd in descriptors() if is_open(int(fd)))


def test_one_that_will_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtproto.transport.command._GRACE_S", 0.05)
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"
    with started(*shell(script)) as (road, program):
        assert road.sock.recv(10) == b"ready\n"
        pid = program.pid
        assert pid is not None
        began = time.monotonic()
        program.end()
        program.end()
        assert time.monotonic() - began < 1.0
    until(lambda: not is_there(pid))


def test_a_program_that_somebody_else_saw_end_is_no_trouble() -> None:
    with started("true") as (_, program):
        os.waitpid(program._pids[0], 0)
        assert program.last_words() is None
        assert program.pid is None


@pytest.mark.parametrize(
    ("name", "why"), [("vp-nowhere", "no such program in PATH"), ("/vp/no", "no such program")]
)
def test_a_missing_program_is_named(name: str, why: str) -> None:
    before = descriptors()
    with pytest.raises(ConnectError, match=f"cannot run {name}, which command= .*{why}"):
        start(CommandEndpoint("ext", (name,)))
    with pytest.raises(SSHConnectError, match=f"cannot run {name}: there is {why}; .*command="):
        start(CommandEndpoint("ssh", (name,)))
    until(lambda: descriptors() <= before)


def test_a_file_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("#!/bin/sh\n")
    with pytest.raises(ConnectError, match=f"cannot run {tmp_path}/p.* may not be executed"):
        start(CommandEndpoint("ext", (str(tmp_path / "p"),)))


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\x7fELF and no more")
    (tmp_path / "p").chmod(0o755)
    with pytest.raises(ConnectError, match=f"cannot run {tmp_path}/p.*[Ee]xec format"):
        start(CommandEndpoint("ext", (str(tmp_path / "p"),)))


REPORT = """\
import json, os, signal
print(json.dumps({
    "environment": dict(os.environ),
    "descriptors": [fd for fd in os.listdir("/proc/self/fd")
        if os.path.exists("/proc/self/fd/" + fd)],
    "ignored": [number for number in range(1, 32) if number not in (9, 19)
        and signal.getsignal(number) == signal.SIG_IGN],
    "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "group": os.getpgrp(),
}))
"""


def report(kind: str) -> dict[str, object]:
    with started(sys.executable, "-ISc", REPORT, kind=kind) as (road, _):
        found: dict[str, object] = json.loads(everything(road))
        return found


def test_it_is_given_three_descriptors_default_signals_and_our_group() -> None:
    inherited = os.dup(0)
    os.set_inheritable(inherited, True)
    former = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        seen = report("ext")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
        signal.signal(signal.SIGUSR1, former)
        os.close(inherited)
    assert seen["descriptors"] == ["0", "1", "2"]
    # Python itself ignores these two.
    assert set(seen["ignored"]) <= {signal.SIGPIPE, signal.SIGXFSZ}  # type: ignore[call-overload]
    assert seen["blocked"] == []
    assert seen["group"] == os.getpgrp()


def test_it_is_given_little_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "VP_SECRET", "LANG", "TERM"):
        monkeypatch.setenv(name, f"the {name}")
    plain = report("ext")["environment"]
    assert isinstance(plain, dict)
    assert plain["LC_ALL"] == "C"
    assert not {"SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "VP_SECRET", "LANG", "TERM"} & set(plain)
    for_ssh = report("ssh")["environment"]
    assert isinstance(for_ssh, dict)
    assert for_ssh["SSH_AUTH_SOCK"] == "the SSH_AUTH_SOCK"
    assert for_ssh["TERM"] == "the TERM"
    assert not {"VP_SECRET", "LANG"} & set(for_ssh)


def test_the_environment_has_what_ssh_may_need() -> None:
    everywhere = dict.fromkeys((*os.environ, "HOME", "DISPLAY", "GPG_TTY", "KRB5CCNAME"), "x")
    assert ssh_environment(everywhere, True).keys() >= {"HOME", "DISPLAY", "GPG_TTY", "KRB5CCNAME"}
    assert "GPG_TTY" not in ssh_environment(everywhere, False)
    assert plain_environment({}) == {"PATH": "/bin:/usr/bin", "LC_ALL": "C"}


def test_a_forked_process_leaves_it_alone() -> None:
    with started("cat") as (road, program):
        with warnings.catch_warnings():
            # Of threads, in newer releases of Python: the child here does nothing with them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            program.end()
            os._exit(0 if program.pid is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        road.sock.sendall(b"still there")
        assert road.sock.recv(100) == b"still there"


def test_an_interrupt_while_it_starts_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    seen: list[int] = []

    def interrupted(self: Program, *args: object) -> None:
        run(self, *args)  # type: ignore[arg-type]
        seen.append(self._pids[0])
        raise KeyboardInterrupt

    run = Program.run
    monkeypatch.setattr(Program, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(CommandEndpoint("ext", ("cat",)))
    until(lambda: not is_there(seen[0]))
    until(lambda: descriptors() <= before)
