"""What is kept from one handshake for the next, and when it is not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.pki import Lab
from tests.transport.tls.peer import Peer, endpoint_of
from virtproto.errors import CertificateError
from virtproto.model.endpoint import TlsEndpoint
from virtproto.transport.tls import handshake, kept
from virtproto.transport.tls.files import files_here

YEAR_S = 366 * 86400


class Clock:
    """The clock of what is kept, so many seconds ahead."""

    def __init__(self) -> None:
        self.ahead_s = 10.0

    def time(self) -> float:
        return time.time() + self.ahead_s

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


class Counter:
    """How often files were looked at, and daemons verified."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looked = self.verified = 0
        monkeypatch.setattr(handshake, "check_own_files", self._count("looked"))
        monkeypatch.setattr(handshake, "verify_daemon", self._count("verified"))

    def _count(self, what: str) -> Callable[..., object]:
        function = getattr(handshake, {"looked": "check_own_files"}.get(what, "verify_daemon"))

        def counted(*args: object, **options: object) -> object:
            setattr(self, what, getattr(self, what) + 1)
            return function(*args, **options)

        return counted

    @property
    def both(self) -> tuple[int, int]:
        return self.looked, self.verified


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(kept, "time", clock)
    monkeypatch.setattr(kept, "_kept", {})
    return clock


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


@pytest.fixture
def own(tmp_path: Path, lab: Lab) -> Path:
    """A client's files that nobody else uses."""
    return Path(shutil.copytree(lab.client("good"), tmp_path / "own"))


def shake(lab: Lab, own: Path, host: str = "localhost", *, check_files: bool = True) -> None:
    endpoint = TlsEndpoint(host, 1, pkipath=str(own), check_files=check_files)
    Peer(lab.folder / "server").shake(endpoint)


def test_what_is_as_it_was_is_looked_at_once(
    lab: Lab, own: Path, clock: Clock, counter: Counter
) -> None:
    for _ in range(3):
        shake(lab, own)
    assert counter.both == (1, 1)


def test_what_changed_only_just_now_is_not_kept(
    lab: Lab, own: Path, clock: Clock, counter: Counter
) -> None:
    clock.ahead_s = 0
    shake(lab, own)
    shake(lab, own)
    assert counter.both == (2, 2)


@pytest.mark.parametrize("name", ["cacert.pem", "clientcert.pem", "clientkey.pem"])
def test_a_file_that_is_written_is_read(
    lab: Lab, own: Path, clock: Clock, counter: Counter, name: str
) -> None:
    shake(lab, own)
    whole = (own / name).read_bytes()
    # Of the same size.
    (own / name).write_bytes(b"x" * len(whole))
    with pytest.raises(CertificateError, match=name):
        shake(lab, own)
    (own / name).write_bytes(whole)
    shake(lab, own)
    assert counter.looked == 3


def test_a_file_that_comes_or_goes_is_noticed(lab: Lab, own: Path, clock: Clock) -> None:
    shake(lab, own)
    (own / "cacrl.pem").write_text("no list")
    with pytest.raises(CertificateError, match="cacrl"):
        shake(lab, own)
    (own / "cacrl.pem").unlink()
    (own / "cacert.pem").unlink()
    with pytest.raises(CertificateError, match="no such file"):
        shake(lab, own)


def test_whose_way_of_looking_is_another_looks_himself(
    lab: Lab, own: Path, clock: Clock, counter: Counter
) -> None:
    (own / "clientcert.pem").write_bytes((lab.client("expired") / "clientcert.pem").read_bytes())
    (own / "clientkey.pem").write_bytes((lab.client("expired") / "clientkey.pem").read_bytes())
    shake(lab, own, check_files=False)
    with pytest.raises(CertificateError, match="notAfter"):
        shake(lab, own)


def test_the_name_of_the_host_is_looked_at_each_time(
    lab: Lab, own: Path, clock: Clock, counter: Counter
) -> None:
    shake(lab, own)
    with pytest.raises(CertificateError, match=r"not for elsewhere\.example"):
        shake(lab, own, "elsewhere.example")
    with pytest.raises(CertificateError, match="not for localhost"):
        Peer(lab.folder / "elsewhere").shake(endpoint_of(lab))


def test_what_has_expired_is_looked_at(lab: Lab, own: Path, clock: Clock, counter: Counter) -> None:
    shake(lab, own)
    clock.ahead_s += 50 * YEAR_S
    shake(lab, own)
    assert counter.both == (2, 2)


def test_a_daemon_is_looked_at_when_something_on_its_way_has_expired(
    lab: Lab, own: Path, clock: Clock, counter: Counter
) -> None:
    shake(lab, own, check_files=False)
    clock.ahead_s += 50 * YEAR_S
    shake(lab, own, check_files=False)
    assert counter.both == (0, 2)


def test_a_clock_that_is_set_back(lab: Lab, own: Path, clock: Clock, counter: Counter) -> None:
    shake(lab, own)
    clock.ahead_s = 5
    shake(lab, own)
    assert counter.both == (2, 2)


def test_few_are_kept(clock: Clock, lab: Lab) -> None:
    prepared = handshake._prepared(endpoint_of(lab), files_here(str(lab.client("good"))))
    for number in range(1000):
        kept.keep(number, prepared)
        prepared.note_right(number, (0.0, float("inf")))
    assert kept.find(999) is prepared
    assert prepared.is_right(999)
    assert len(kept._kept) < 20
    assert len(prepared._right) < 100
