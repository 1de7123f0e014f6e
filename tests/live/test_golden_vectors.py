"""The golden vectors once more, byte for byte, against the daemon that they come from."""

from __future__ import annotations

import pytest

from tests.lab.daemon import PrivateDaemon
from tests.lab.rawcall import RawConnection
from tests.protocol.vectors import STEPS, UNKNOWN_CALL, UNKNOWN_REPLY
from virtproto.wire import remote

pytestmark = pytest.mark.lab


def _constant(reply: bytes, procedure: object) -> bytes:
    """Return the part of a reply that is the same every time."""
    return reply[:-8] if procedure is remote.DOMAIN_GET_INFO else reply  # without the CPU time


def test_daemon_answers_with_the_very_bytes(libvirtd: PrivateDaemon) -> None:
    with RawConnection(libvirtd.socket_path, 10) as connection:
        for step in STEPS[:4]:
            reply = connection.exchange(step.call)
            assert _constant(reply, step.procedure) == _constant(step.reply, step.procedure)
        assert connection.exchange(UNKNOWN_CALL) == UNKNOWN_REPLY
        for step in STEPS[4:]:
            assert connection.exchange(step.call) == step.reply, step.procedure.name
        assert connection.at_end()
