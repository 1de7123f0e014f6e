"""What is left of all that is told once a filter has been at it.

Responsible for beginnings and ends: those of conversations of which nothing else is wanted are
left out. Must not know how expressions are read, or how messages are printed.
"""

from __future__ import annotations

from virtproto.trace.message import TracedMessage
from virtproto.trace.telling import Begin, End

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.printing.filter_expressions import Filter
    from virtproto.trace.telling import Told

__all__ = ["Filtering"]

# Conversations whose beginning is kept until something of them is wanted.
_MOST_HELD = 16384


class Filtering:
    """Lets through what a filter wants, in order, and what makes it understood."""

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        # Beginnings that are not told yet, and conversations of which something was.
        self._held: dict[int, Begin] = {}
        self._told: set[int] = set()

    def pick(self, told: Told) -> list[Told]:
        """Return what is to be told now that ``told`` has come: mostly that, or nothing.

        Notes are always told. The calls of an end that nobody answered are those that are wanted.
        """
        if isinstance(told, TracedMessage):
            picked: list[Told] = [*self._filter.pick(told)]
            return self._begun(told.conversation) + picked if picked else picked
        if isinstance(told, Begin):
            if len(self._held) >= _MOST_HELD:
                del self._held[next(iter(self._held))]
            self._held[told.conversation] = told
            self._told.discard(told.conversation)
            return []
        if isinstance(told, End):
            return self._end(told)
        return [*self._begun(told.conversation), told]

    def _begun(self, conversation: int) -> list[Told]:
        """Return the beginning of a conversation, if it was not told."""
        self._told.add(conversation)
        begin = self._held.pop(conversation, None)
        return [] if begin is None else [begin]

    def _end(self, end: End) -> list[Told]:
        waiting = [call for call in end.unanswered if self._filter.wants(call)]
        wanted = bool(waiting) or end.conversation in self._told
        before = self._begun(end.conversation) if wanted else []
        if end.last:
            self._told.discard(end.conversation)
            self._held.pop(end.conversation, None)
        if not wanted:
            return []
        told = End(
            end.conversation,
            end.time_s,
            end.text,
            from_client=end.from_client,
            last=end.last,
            unanswered=waiting,
        )
        return [*before, told]
