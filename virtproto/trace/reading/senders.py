"""Who sent a packet, where nothing but the packets is known.

Responsible for guessing from types, and from what a stream's procedure is for. Must not know where
the packets come from.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.wire import PROGRAMS, load_contract
from virtproto.wire.rpc import (
    MESSAGE_TYPE_CALL,
    MESSAGE_TYPE_CALL_WITH_FDS,
    MESSAGE_TYPE_STREAM,
    MESSAGE_TYPE_STREAM_HOLE,
)

__all__ = ["Senders", "sent_by_client"]

_CALLS = (MESSAGE_TYPE_CALL, MESSAGE_TYPE_CALL_WITH_FDS)
_STREAMS = (MESSAGE_TYPE_STREAM, MESSAGE_TYPE_STREAM_HOLE)
_PING = 1
_OK = 0


def sent_by_client(packet: bytes) -> bool | None:
    """Return whether clients send packets of this type; None where both ends do."""
    if int.from_bytes(packet[4:8], "big") == PROGRAMS["keepalive"]:
        return None
    kind = int.from_bytes(packet[16:20], "big")
    return None if kind in _STREAMS else kind in _CALLS


class Senders:
    """The packets of one conversation, in their order."""

    def __init__(self) -> None:
        # Whether the program whose system calls are seen is the client.
        self._writes_calls: bool | None = None
        # Streams, by serial, that one side said to be finished.
        self._finished: set[int] = set()
        self._uploads: dict[tuple[int, int], bool] = {}

    def from_client(self, packet: bytes, wrote: bool | None = None) -> bool:
        """Return whether the client sends ``packet``; ``wrote`` where one program is watched."""
        sends = sent_by_client(packet)
        if sends is not None:
            if wrote is not None:
                self._writes_calls = wrote == sends
            return sends
        if wrote is not None and self._writes_calls is not None:
            return wrote == self._writes_calls
        program = int.from_bytes(packet[4:8], "big")
        procedure = int.from_bytes(packet[12:16], "big")
        if program == PROGRAMS["keepalive"]:
            # Daemons ask, unless a client was told to.
            return procedure != _PING
        if int.from_bytes(packet[24:28], "big") == _OK:
            # The client finishes a stream, and the daemon confirms it.
            serial = int.from_bytes(packet[20:24], "big")
            if serial in self._finished:
                self._finished.discard(serial)
                return False
            if len(self._finished) < 65536:
                self._finished.add(serial)
            return True
        return self._is_upload(program, procedure)

    def _is_upload(self, program: int, procedure: int) -> bool:
        key = program, procedure
        if key not in self._uploads:
            try:
                declared = load_contract().procedure(program, procedure)
                found = "writestream" in declared.annotations
            except UsageError:
                found = False
            if len(self._uploads) >= 4096:
                return found
            self._uploads[key] = found
        return self._uploads[key]
