"""What a replay has found: where one of the two ends did not do as recorded.

Responsible for the value and its words. Must not know how it came about, or where it is printed.
"""

from __future__ import annotations

from virtproto.trace.printing.lines import fields_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.differences import Difference

__all__ = ["Deviation"]

# Characters that are shown of a message's fields.
_WIDTH = 120


class Deviation:
    """Something that differs from the recording.

    ``conversation`` and ``number`` are the message's, as counted by `TracedMessage` (of the
    recording where that is played to a daemon, of the connection where a client is played to);
    ``procedure`` names it. ``text`` says what differs and ``detail`` of what, ``differences`` are
    single fields; none of them holds a secret. ``mild`` ones are told and do not count.
    """

    __slots__ = ("conversation", "detail", "differences", "mild", "number", "procedure", "text")

    def __init__(
        self,
        conversation: int,
        number: int,
        procedure: str,
        text: str,
        detail: str = "",
        differences: Sequence[Difference] = (),
        *,
        mild: bool = False,
    ) -> None:
        self.conversation = conversation
        self.number = number
        self.procedure = procedure
        self.text = text
        self.detail = detail
        self.differences = list(differences)
        self.mild = mild

    @classmethod
    def of(
        cls,
        message: TracedMessage,
        text: str,
        differences: Sequence[Difference] = (),
        *,
        conversation: int | None = None,
        mild: bool = False,
    ) -> Self:
        """Return one about ``message``, of its own conversation unless another is named."""
        detail = fields_text(message).strip()
        return cls(
            message.conversation if conversation is None else conversation,
            message.number,
            message.procedure or f"procedure {message.packet.procedure}",
            text,
            detail if len(detail) <= _WIDTH else f"{detail[:_WIDTH]}...",
            differences,
            mild=mild,
        )

    def __repr__(self) -> str:
        return f"<Deviation {self.conversation}/{self.number} {self.procedure}: {self.text}>"

    def lines(self, *, several: bool = False) -> list[str]:
        """Return it as lines of text; with ``several`` conversations it says of which it is."""
        where = f"{self.conversation}/{self.number}" if several else f"{self.number}"
        call = f"message {where}, {self.procedure}({self.detail}): " if self.procedure else ""
        found = [call + self.text]
        for each in self.differences:
            found.append(f"    {each.path or 'the answer'}: {each.recorded} -> {each.now}")
        return found

    def plain(self) -> dict[str, object]:
        """Return it with JSON's types only."""
        return {
            "conversation": self.conversation,
            "number": self.number,
            "procedure": self.procedure,
            "text": self.text,
            "detail": self.detail,
            "counts": not self.mild,
            "differences": [
                {"path": each.path, "recorded": each.recorded, "now": each.now}
                for each in self.differences
            ],
        }
