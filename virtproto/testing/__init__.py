"""Doubles for tests of what talks to libvirt, virtproto's own and its users'.

Responsible for: a scripted daemon with faults (`ScriptedServer`, `Faults`, the actions), and two
sessions wired together (`ConnectionPair`), and a daemon that answers as a recording has it
(`replayed`). No part of it is loaded by virtproto itself.
"""

from __future__ import annotations

from virtproto.testing.actions import (
    CloseConnection,
    FailStream,
    NoReply,
    OpenStream,
    ReplyError,
    ReplyUnknownProcedure,
    ReplyWithFds,
    SendEvent,
    SendPing,
    SendRaw,
    SendStreamData,
    SendStreamEnd,
    SendStreamHole,
)
from virtproto.testing.faults import Faults
from virtproto.testing.pair import ConnectionPair
from virtproto.testing.replayed import ReplayedDaemon, replayed
from virtproto.testing.scripted import ScriptedServer

__all__ = [
    "CloseConnection",
    "ConnectionPair",
    "FailStream",
    "Faults",
    "NoReply",
    "OpenStream",
    "ReplyError",
    "ReplayedDaemon",
    "ReplyUnknownProcedure",
    "ReplyWithFds",
    "replayed",
    "ScriptedServer",
    "SendEvent",
    "SendPing",
    "SendRaw",
    "SendStreamData",
    "SendStreamEnd",
    "SendStreamHole",
]
