"""What people are asked on the way through an SSH server, and what is known without asking.

Responsible for the order (what the caller passed, ``auth.conf``, the caller's function) and for the
words of questions. Must not know what answers are good for. Nothing here shows a secret.
"""

from __future__ import annotations

from virtproto.model.credentials import (
    CredentialRequest,
    Credentials,
    CredentialType,
    check_answers,
)
from virtproto.transport.auth_files import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from typing import TypeAlias

    from virtproto.model.credentials import Answers, Asker, AsyncAsker
    from virtproto.model.endpoint import LibsshEndpoint

    # Has people asked by a function of the caller's, wherever that has to run.
    Messenger: TypeAlias = Callable[
        [Asker | AsyncAsker, Sequence[CredentialRequest]], Awaitable[Answers]
    ]
    Given: TypeAlias = Credentials | Asker | AsyncAsker | None

__all__ = ["Questions"]

# How often people may mistype.
_TRIES = 3


class Questions:
    """What may be asked for one connection to a host."""

    def __init__(self, endpoint: LibsshEndpoint, given: Given, messenger: Messenger) -> None:
        self._endpoint = endpoint
        self._known = given if isinstance(given, Credentials) else None
        self._asker = given if not isinstance(given, Credentials) else None
        self._messenger = messenger
        # Where a password was looked for, for the message when there is none.
        self.looked: list[str] = []
        # What the caller's function raised, or is told of its answers.
        self.raised: Exception | None = None
        # Called before people are asked, and after: their time is nobody's limit.
        self.pause: Callable[[], object] = _nothing
        self.resume: Callable[[], object] = _nothing

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""
        return self._asker is not None

    async def ask(
        self, kind: CredentialType, prompt: str, default: str | None = None
    ) -> str | None:
        """Return the answer to one question, None for none. Raises what the function raises."""
        answers = await self.ask_all([(kind, prompt)], default)
        return answers[0] if answers else None

    async def ask_all(
        self, questions: Sequence[tuple[CredentialType, str]], default: str | None = None
    ) -> list[str | None] | None:
        """Return the answers to the questions of one round, None where nobody gives any."""
        if self._asker is None:
            return None
        host = self._endpoint.host
        requests = [
            CredentialRequest(kind, prompt, service="ssh", host=host, default=default)
            for kind, prompt in questions
        ]
        self.pause()
        try:
            answers = await self._messenger(self._asker, requests)
            if answers is not None:
                check_answers(len(requests), answers)
        except Exception as error:
            self.raised = error
            raise
        finally:
            self.resume()
        return None if answers is None else list(answers)

    async def passwords(self) -> AsyncIterator[str]:
        """Yield passwords to try, the likeliest first. Raises ConfigFileError.

        Who takes one and does not come back was let in.
        """
        if self._known is not None and self._known.password is not None:
            yield self._known.password
        found, looked = look_up("ssh", self._endpoint.host, self._endpoint.uri)
        self.looked += looked
        if found is not None and found.password is not None:
            yield found.password
        prompt = f"Password of {self._endpoint.user} on {self._endpoint.host}"
        for _ in range(_TRIES):
            answer = await self.ask(CredentialType.PASSPHRASE, prompt)
            if answer is None:
                return
            yield answer


def _nothing() -> None:
    pass
