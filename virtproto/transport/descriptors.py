"""File descriptors that travel beside the bytes of a unix socket.

Responsible for the form in which the kernel carries them, for copies that outlive the caller's, and
for closing what nobody claims. Must not know which messages they belong to.

A descriptor rides on one zero byte of its own that follows its packet: one sendmsg for each. What
is received is close-on-exec.
"""

from __future__ import annotations

import os
import stat

# The module below socket: see virtproto.transport.unix for why.
from _socket import (
    CMSG_SPACE,
    MSG_NOSIGNAL,
    SCM_RIGHTS,
    SOL_SOCKET,
)
from struct import Struct, unpack_from

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import shown_number
from virtproto.model.refusals import no_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from virtproto.transport.road import Road
    from virtproto.xdr.procedure import Procedure

__all__ = [
    "ANCILLARY_SIZE",
    "DESCRIPTORS_MAX",
    "carrier_of",
    "check_road",
    "close_descriptors",
    "copies_of",
    "descriptors_in",
    "open_descriptor",
]

_INT = Struct("@i")

# VIR_NET_MESSAGE_NUM_FDS_MAX: descriptors that one packet can announce.
DESCRIPTORS_MAX = 32

# Room beside the bytes of one read. A read ends behind the first byte that carries something, so
# one descriptor is what comes; a peer that sends several in one message is not to lose them.
ANCILLARY_SIZE = CMSG_SPACE(DESCRIPTORS_MAX * _INT.size)


def open_descriptor(parameter: str, fd: object, *, socket: bool = False) -> int:
    """Return the number of an open descriptor, with ``socket`` a socket's; UsageError otherwise.

    True and False are none, though they are numbers of descriptors that most processes have open.
    """
    if not isinstance(fd, int) or isinstance(fd, bool):
        kind = type(fd).__name__
        raise ArgumentTypeError(f"{parameter}: expected an open file or descriptor, not {kind}")
    try:
        mode = os.fstat(fd).st_mode
    except (OSError, OverflowError):
        raise UsageError(f"{parameter}: {shown_number(fd)} is no open descriptor") from None
    if socket and not stat.S_ISSOCK(mode):
        raise UsageError(f"{parameter}: descriptor {fd} is not a socket")
    return fd


def check_road(procedure: Procedure[Any, Any], road: Road) -> None:
    """Raise UsageError unless ``road`` carries the descriptors that a call passes."""
    if not road.carries_descriptors:
        raise no_descriptors(procedure, road.by)


def copies_of(fds: Sequence[int]) -> list[int]:
    """Return copies, which stay valid whatever the caller does with his meanwhile."""
    copies: list[int] = []
    try:
        for fd in fds:
            copies.append(os.dup(fd))
    except BaseException:
        close_descriptors(copies)
        raise
    return copies


def close_descriptors(fds: Iterable[int]) -> None:
    """Close descriptors; one that is no longer open is no matter."""
    for fd in fds:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.close(fd)
        except OSError:
            pass


def descriptors_in(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    """Return the descriptors that came with one recvmsg, in order."""
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            # The kernel cuts what it had no room for, and closes it.
            found += (unpack_from("@i", data, at)[0] for at in range(0, len(data) - 3, _INT.size))
    return found


def carrier_of(fd: int) -> tuple[list[bytes], list[tuple[int, int, bytes]], int]:
    """Return the arguments of the sendmsg that sends one descriptor."""
    return [b"\0"], [(SOL_SOCKET, SCM_RIGHTS, _INT.pack(fd))], MSG_NOSIGNAL
