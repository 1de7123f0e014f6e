"""The process that records are handed to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from virtproto.proxy.reporting import Reporter


def test_it_works_until_its_records_end(tmp_path: Path) -> None:
    def work(descriptor: int) -> int:
        with open(descriptor, "rb") as file:
            (tmp_path / "got").write_bytes(file.read())
        return 7

    reporter = Reporter(work)
    for _ in range(100):
        assert os.write(reporter.fd, b"x" * 65536) == 65536
    os.close(reporter.fd)
    assert reporter.wait() == 7
    assert (tmp_path / "got").stat().st_size == 6553600


def test_keys_and_other_signals_do_not_end_it() -> None:
    def work(descriptor: int) -> int:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        return len(os.read(descriptor, 10))

    reporter = Reporter(work)
    os.write(reporter.fd, b"12345")
    os.close(reporter.fd)
    assert reporter.wait() == 5


def test_its_end_is_seen_by_who_writes() -> None:
    reporter = Reporter(lambda _descriptor: 0)
    try:
        with pytest.raises(BrokenPipeError), open(reporter.fd, "wb", 0, closefd=False) as pipe:
            pipe.writelines([b"x" * 65536] * 1000)
    finally:
        os.close(reporter.fd)
        assert reporter.wait() == 0


def test_what_goes_wrong_in_it_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def work(_descriptor: int) -> int:
        raise ValueError("as it were")

    reporter = Reporter(work)
    os.close(reporter.fd)
    assert reporter.wait() == 1
    assert "ValueError: as it were" in capfd.readouterr().err


def test_nobody_else_has_the_pipe() -> None:
    reporter = Reporter(lambda descriptor: len(os.read(descriptor, 1)))
    assert not os.get_inheritable(reporter.fd)
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    try:
        os.close(reporter.fd)
        assert reporter.wait() == 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
