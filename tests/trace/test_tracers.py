"""What ``trace`` of ``open`` means, and the lines on a logger."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from tests.colours.tracing import Lines as Handler
from virtproto.protocol.framing import Packet
from virtproto.trace import tracers
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.trace.tracers import LOGGER_NAME, Lines, tracer_of
from virtproto.wire import remote


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The package's own logger, as it is before anybody traced."""
    logger = logging.getLogger(LOGGER_NAME)
    level, own = logger.level, tracers._own
    tracers._own = None
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)
    tracers._own = own


def message() -> TracedMessage:
    """Return a call."""
    procedure = remote.CONNECT_GET_HOSTNAME
    packet = Packet(procedure.program, procedure.version, procedure.number, 0, 7, 0)
    return Follower().follow(packet, from_client=True, time_s=1.0)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nobody_is_told_where_nobody_asks(value: str | None) -> None:
    assert tracer_of(None, value) is None
    assert tracer_of(False, "1") is None


def test_a_function_is_told_itself() -> None:
    assert tracer_of(print, None) is print


def test_the_own_logger_is_one_for_all() -> None:
    tracer = tracer_of(True, None)
    assert isinstance(tracer, Lines)
    assert tracer_of(None, "1") is tracer
    assert tracer_of(logging.getLogger("tests.another"), None) is not tracer


def test_lines_go_to_stderr_until_there_is_a_handler(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer = tracer_of(True, None)
    assert tracer is not None
    with monkeypatch.context() as patch:
        # The test's own framework has some.
        patch.setattr(logger, "hasHandlers", lambda: False)
        tracer(message())
    said = capsys.readouterr().err
    assert said.endswith("remote:CONNECT_GET_HOSTNAME\n")
    handler = Handler()
    logger.addHandler(handler)
    try:
        tracer(message())
    finally:
        logger.removeHandler(handler)
    assert capsys.readouterr().err == ""
    assert handler.lines == [said.rstrip("\n")]


def test_without_stderr_there_is_nobody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = tracer_of(True, None)
    assert tracer is not None
    monkeypatch.setattr(logging.getLogger(LOGGER_NAME), "hasHandlers", lambda: False)
    monkeypatch.setattr(sys, "stderr", None)
    tracer(message())


def test_a_level_that_somebody_set_is_left(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.setLevel(logging.ERROR)
    tracer = tracer_of(True, None)
    assert tracer is not None
    tracer(message())
    assert (logger.level, capsys.readouterr().err) == (logging.ERROR, "")


def test_no_line_is_made_that_nobody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("tests.tracers.quiet")
    logger.setLevel(logging.INFO)
    tracer = tracer_of(logger, None)
    assert isinstance(tracer, Lines)
    monkeypatch.delattr(tracer, "_liner")
    tracer(message())
    logger.setLevel(logging.DEBUG)
    with pytest.raises(AttributeError):
        tracer(message())
