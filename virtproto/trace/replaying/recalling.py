"""A recording as conversations to be played again: who said what, in which order.

Responsible for gathering what is told into conversations, whole and in memory, and for saying what
of it cannot be played. Must not know files, or who plays.
"""

from __future__ import annotations

from virtproto.trace.message import TracedMessage
from virtproto.trace.telling import Begin, End

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from virtproto.trace.telling import Told

__all__ = ["Recalled", "RecalledConversation"]


# What is kept of one thing that was told, beside a payload.
_TOLD_SIZE = 800


class RecalledConversation:
    """One conversation: its messages in order, and how it ended.

    ``about`` is what the recording knows of the two ends. ``daemon_ended_at`` is how many messages
    had passed when the daemon closed although the client had not, None where it did not.
    """

    __slots__ = ("about", "client_ended", "daemon_ended_at", "messages", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.about: dict[str, Any] = {}
        self.messages: list[TracedMessage] = []
        self.client_ended = False
        self.daemon_ended_at: int | None = None


class Recalled:
    """All conversations of a recording by their numbers, and all their messages in order.

    ``unplayable`` says in words what was told that cannot be played. ``size`` is how many bytes of
    memory it all takes, about.
    """

    def __init__(self) -> None:
        self.conversations: dict[int, RecalledConversation] = {}
        self.messages: list[TracedMessage] = []
        self.unplayable: list[str] = []
        self.size = 0

    def add(self, told: Iterable[Told]) -> None:
        """Take what `Teller.tell` returned, in its order."""
        for each in told:
            self.size += _TOLD_SIZE
            if isinstance(each, TracedMessage):
                self.size += len(each.packet.payload)
                self._conversation(each.conversation).messages.append(each)
                self.messages.append(each)
            elif isinstance(each, Begin):
                self._conversation(each.conversation).about = each.about
            elif isinstance(each, End):
                self._end(each)
            elif each.damage:
                self.unplayable.append(f"conversation {each.conversation}: {each.text}")

    def _conversation(self, number: int) -> RecalledConversation:
        found = self.conversations.get(number)
        if found is None:
            found = self.conversations[number] = RecalledConversation(number)
        return found

    def _end(self, end: End) -> None:
        conversation = self._conversation(end.conversation)
        if end.from_client:
            conversation.client_ended = True
        elif not conversation.client_ended and conversation.daemon_ended_at is None:
            conversation.daemon_ended_at = len(conversation.messages)
