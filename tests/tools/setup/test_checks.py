"""The static checks and the suites: how they end together with what started them."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from tests.lab.place import repository

_STARTER = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a shell
    from setup.checks import _run
    try:
        print("ended", _run([sys.executable, "-c", sys.argv[1]]), flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""
_SUITE = """
import subprocess, sys
worker = '''
try:
    print("ready", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print("worker tidied", flush=True)
'''
command = [sys.executable, "-c", "import sys" + worker]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
    try:
        print(process.stdout.readline().decode(), end="", flush=True)
        process.wait()
    except KeyboardInterrupt:
        print(process.stdout.readline().decode() + "suite tidied", flush=True)
"""


def _start(suite: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_STARTER), suite],
        cwd=repository / "tools",
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_request_to_terminate_lets_the_suites_and_their_processes_tidy_up() -> None:
    with _start(_SUITE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
        starter.send_signal(signal.SIGTERM)
        said = starter.stdout.read().splitlines()
    assert said == ["worker tidied", "suite tidied", "stopped"]


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_suites(code: int) -> None:
    with _start(f"raise SystemExit({code})") as starter:
        assert starter.stdout is not None
        assert starter.stdout.read() == f"ended {code}\n"
