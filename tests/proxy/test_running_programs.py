"""Programs that are run in our stead: what they have, what reaches them, how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.led import children
from virtproto.proxy.carriage import Carriage
from virtproto.proxy.running import Command, Signals, exit_code

# What a program finds; with -S and -E, so that nothing of Python's own is in between.
LOOK = """
import json, os, signal, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    # Without the two that the C library keeps for itself.
    "signals": [int(status[name], 16) & ~(3 << 31) for name in ("SigBlk", "SigIgn", "SigCgt")],
    "descriptors": sorted(os.readlink("/proc/self/fd/" + each)
                          for each in os.listdir("/proc/self/fd") if each != "3"),
    "group": os.getpgrp(), "session": os.getsid(0), "environ": dict(os.environ),
    "folder": os.getcwd(), "arguments": sys.argv[1:]}))
"""


class Run:
    """Runs one program to its end."""

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.told = 0

    def __call__(self, *argv: str, hold: bool = False, send: int | None = None) -> int:
        carriage = Carriage(None)
        with Signals() as signals:
            command = Command(argv, dict(os.environ), signals, hold=hold)
            try:
                if command.listener is not None:
                    os.close(command.listener)
                command.attend(carriage, carriage.stop, carriage.stop)
                if send is not None:
                    # Other threads that tests have would take it otherwise.
                    signal.pthread_kill(threading.get_ident(), send)
                carriage.run()
            finally:
                command.end()
                carriage.close()
        self.failure = command.failure
        assert command.code is not None
        return command.code


@pytest.fixture
def run() -> Iterator[Run]:
    """What runs a program; afterwards there is no child and no descriptor more than before."""
    before, born = os.listdir("/proc/self/fd"), children()
    yield Run()
    assert os.listdir("/proc/self/fd") == before
    assert children() == born


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_programs(run: Run, code: int) -> None:
    assert run("sh", "-c", f"exit {code}") == code


def test_a_signal_is_told_as_shells_do(run: Run) -> None:
    assert run("sh", "-c", "kill -SEGV $$") == 128 + signal.SIGSEGV
    assert exit_code(signal.SIGKILL) == 137


@pytest.mark.parametrize("hold", [False, True])
def test_a_program_that_is_not_there(run: Run, hold: bool, tmp_path: Path) -> None:
    assert run("no-such-program", hold=hold) == 127
    assert isinstance(run.failure, FileNotFoundError)
    assert run(str(tmp_path / "none"), hold=hold) == 127
    assert run("", hold=hold) == 127


def test_what_is_no_program(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text"
    text.write_text("exit 3")
    assert run(str(text)) == 126
    assert isinstance(run.failure, PermissionError)
    assert run(str(tmp_path)) == 126
    # Also where it is looked for, and nothing better comes behind.
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert run("text") == 126


def test_a_script_without_a_first_line_is_the_shells(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    script.write_text('test "$1" = word && exit 3')
    script.chmod(0o755)
    assert run(str(script), "word") == 3
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}:/bin")
    assert run("script", "word") == 3


def test_a_program_finds_what_it_would_without_us(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = [sys.executable, "-S", "-E", "-c", LOOK, "a", "", "b c"]
    # By the system's own way to start a program, with nothing closed and no signal changed.
    child = os.posix_spawn(argv[0], argv, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    os.waitpid(child, 0)
    wanted = json.loads(capfd.readouterr().out)
    for hold in (False, True):
        assert run(*argv, hold=hold) == 0
        found = json.loads(capfd.readouterr().out)
        assert {name: found[name] for name in found if found[name] != wanted[name]} == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_to_us_are_the_programs(run: Run, number: signal.Signals) -> None:
    assert run("sleep", "60", send=number) == 128 + number


def test_a_program_may_make_of_a_signal_what_it_likes(run: Run) -> None:
    program = "import signal; signal.signal(15, lambda *_: exit(5)); signal.raise_signal(15)"
    assert run(sys.executable, "-c", program) == 5


def test_what_a_program_sends_to_its_group_reaches_it_once() -> None:
    program = """
import os, signal, time
count = 0
def hear(*_):
    global count
    count += 1
signal.signal(signal.SIGUSR1, hear)
os.killpg(os.getpgrp(), signal.SIGUSR1)
time.sleep(0.3)
os._exit(count)
"""
    driver = (
        "from tests.proxy.test_running_programs import Run; import sys;"
        f"sys.exit(Run()(sys.executable, '-c', {program!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", driver], cwd=Path(__file__).parents[2], process_group=0
    )
    assert done.returncode == 1


def test_signals_are_as_before_then(run: Run) -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    run("true")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert [signal.getsignal(number) for number in signal.valid_signals()] == before


def test_ignored_signals_stay_ignored(run: Run) -> None:
    program = "import signal, sys; sys.exit(signal.getsignal(2) != signal.SIG_IGN)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(sys.executable, "-c", program) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert run(sys.executable, "-c", program) == 1
