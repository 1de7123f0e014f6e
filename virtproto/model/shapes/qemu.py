"""What QEMU answered, with what it sent along.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.qemu import DomainMonitorCommandWithFilesRet

__all__ = ["answer_and_files"]


def answer_and_files(
    ret: DomainMonitorCommandWithFilesRet, received: list[int]
) -> tuple[str, list[int]]:
    """Return the answer and the descriptors that came with it."""
    return ret.result, received
