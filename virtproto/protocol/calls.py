"""The call table: which serials are in use and what their answers may be.

Responsible for: giving out serials and matching answers to calls. Must not know packets or streams;
a call that opens a stream is in here until it is answered, as any other.

A serial is pending (somebody waits), abandoned (nobody waits any more, its late answer is
swallowed) or unknown (an answer to it breaks the protocol; so does one to a call that is not sent
yet, whose serial is only reserved). Nothing orders the answers.

Source: virnetclient.c:virNetClientCallDispatchReply.
"""

from __future__ import annotations

from virtproto.errors import SequenceError, UsageError
from virtproto.protocol.limits import SERIAL_MODULUS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    Target = tuple[int, int, int]

__all__ = ["CallTable", "PENDING", "ABANDONED"]

PENDING = "pending"
ABANDONED = "abandoned"


class CallTable:
    """Serials of calls without an answer, each with its (program, version, procedure).

    ``first_serial`` is 0 with every libvirt client; ``reserved`` and ``held`` hold serials that are
    in use elsewhere (open streams, calls not sent yet) and must not be given out again after the
    counter wrapped.
    """

    __slots__ = ("_held", "_next", "_reserved", "abandoned", "pending")

    def __init__(
        self,
        reserved: Container[int] = (),
        first_serial: int = 0,
        held: Container[int] = (),
    ) -> None:
        self._next = first_serial % SERIAL_MODULUS
        self._reserved = reserved
        self._held = held
        self.pending: dict[int, Target] = {}
        self.abandoned: dict[int, Target] = {}

    def open(self, target: Target) -> int:
        """Give out the next free serial for a call of ``target``."""
        serial = self._next
        while (
            serial in self.pending
            or serial in self.abandoned
            or serial in self._reserved
            or serial in self._held
        ):
            serial = (serial + 1) % SERIAL_MODULUS
            if serial == self._next:
                raise UsageError("every serial of this connection is in use")
        self._next = (serial + 1) % SERIAL_MODULUS
        self.pending[serial] = target
        return serial

    def abandon(self, serial: int) -> bool:
        """Stop waiting for ``serial``; False if it is not pending (answered, or never called)."""
        target = self.pending.pop(serial, None)
        if target is None:
            return False
        self.abandoned[serial] = target
        return True

    def answer(self, serial: int, program: int, version: int) -> tuple[str, int]:
        """Take ``serial`` out of the table; return its state and the procedure that was called.

        Raises SequenceError for an answer that no call waits for: unknown serial, or another
        program or version than was called.
        """
        state, calls = PENDING, self.pending
        target = calls.get(serial)
        if target is None:
            state, calls = ABANDONED, self.abandoned
            target = calls.get(serial)
        if target is None:
            raise SequenceError(f"a reply with serial {serial}, which no call waits for")
        if target[0] != program or target[1] != version:
            raise SequenceError(
                f"a reply of program {program:#x} version {version} with serial {serial}, "
                f"which is a call of program {target[0]:#x} version {target[1]}"
            )
        del calls[serial]
        return state, target[2]
