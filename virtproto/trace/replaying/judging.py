"""What is told of an answer that is not as recorded.

Responsible for comparing replies, events and streams of two runs, and for what of that counts. Must
not know how the messages travelled.
"""

from __future__ import annotations

from virtproto.trace.contents import contents
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.differences import differences, shown
from virtproto.trace.replaying.field_patterns import VOLATILE, Patterns
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.differences import Difference

__all__ = ["Judge"]


class Judge:
    """Tells deviations as they are found.

    ``compared`` counts answers that were held against the recording, ``passed_over`` the single
    fields that differ and do not count.
    """

    def __init__(
        self,
        tell: Callable[[Deviation], object],
        *,
        ignore: Iterable[str] = (),
        strict: bool = False,
    ) -> None:
        """Have ``tell`` called with each deviation.

        ``ignore`` are patterns of fields that do not count (`Patterns`), in addition to times,
        counters and numbers that a daemon gives out; with ``strict`` those count. UsageError.
        """
        self._tell = tell
        self._ignored = Patterns([*ignore, *(() if strict else VOLATILE)])
        self.compared = 0
        self.passed_over = 0

    def remark(self, message: TracedMessage, text: str, *, mild: bool = False) -> None:
        """Tell something of a recorded message."""
        self._tell(Deviation.of(message, text, mild=mild))

    def compare(self, recorded: TracedMessage, now: TracedMessage, call: TracedMessage) -> None:
        """Compare two answers to the recorded ``call``, or two events."""
        self.compared += 1
        was_error = recorded.packet.status == MESSAGE_STATUS_ERROR
        is_error = now.packet.status == MESSAGE_STATUS_ERROR
        if recorded.packet.payload == now.packet.payload and was_error == is_error:
            return
        if was_error != is_error:
            old, new = _outcome(recorded), _outcome(now)
            self._tell(Deviation.of(call, f"recorded was {old}; now it is {new}"))
            return
        old, new = contents(recorded).plain, contents(now).plain
        if recorded.left_out or (recorded.masked and old == new):
            return
        if old is None or new is None:
            if contents(recorded).problems or contents(now).problems or old is not new:
                self._tell(
                    Deviation.of(call, "the answer differs, and one of the two cannot be read")
                )
            return
        self._judge(call, differences(old, new))

    def _judge(self, call: TracedMessage, found: list[Difference]) -> None:
        name = call.procedure or ""
        counted = [each for each in found if not self._ignored.match(name, each.path)]
        self.passed_over += len(found) - len(counted)
        if counted:
            number = "one difference" if len(counted) == 1 else f"{len(counted)} differences"
            self._tell(Deviation.of(call, number, counted))

    def weigh(self, recorded: TracedMessage, now: TracedMessage) -> int:
        """Return how many fields of two messages differ, to find the two that belong together."""
        if recorded.packet.payload == now.packet.payload:
            return 0
        found = differences(contents(recorded).plain, contents(now).plain)
        name = recorded.procedure or ""
        return sum(not self._ignored.match(name, each.path) for each in found) * 2 + 1


def _outcome(message: TracedMessage) -> str:
    if message.packet.status != MESSAGE_STATUS_ERROR:
        return "success"
    plain: Any = contents(message).plain
    if not isinstance(plain, dict):
        return "an error that cannot be read"
    return f"error {plain.get('code')}, {shown(plain.get('message'))}"
