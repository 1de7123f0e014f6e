"""What a daemon, or a host on the way to it, wants to be told about a user, and who tells it.

Responsible for the caller's side of authentication: what he knows beforehand, what he is asked.
Must not know mechanisms, files, or when anything is asked. Nothing here shows a secret.
"""

from __future__ import annotations

from virtproto.constants import ConnectCredentialType as CredentialType
from virtproto.errors import ArgumentTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, TypeAlias

    # What is asked with all questions of one round, and answers each of them; None gives up.
    Answers: TypeAlias = "Sequence[str | None] | None"
    Asker: TypeAlias = "Callable[[Sequence[CredentialRequest]], Answers]"
    AsyncAsker: TypeAlias = "Callable[[Sequence[CredentialRequest]], Awaitable[Answers]]"

__all__ = [
    "Concealed",
    "ConcealedBytes",
    "CredentialRequest",
    "CredentialType",
    "Credentials",
    "check_answers",
    "check_credentials",
    "concealed_answers",
]


class Concealed(str):
    """A text that a repr does not show: neither its own, nor that of what holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<concealed>"


class ConcealedBytes(bytes):
    """Bytes that a repr does not show: neither its own, nor that of what holds them."""

    # Slots are not for subclasses of bytes.

    def __repr__(self) -> str:
        return "<concealed>"


class CredentialRequest:
    """One question: its ``kind``, a ``prompt`` for people, and for whom it is.

    ``service`` is "libvirt" for the daemon itself and "ssh" for a host on the way; ``host`` is the
    URI's; ``default`` is what an empty answer means, None where there is none.
    """

    __slots__ = ("default", "host", "kind", "prompt", "service")

    def __init__(
        self,
        kind: CredentialType,
        prompt: str,
        *,
        service: str = "libvirt",
        host: str = "localhost",
        default: str | None = None,
    ) -> None:
        self.kind = kind
        self.prompt = prompt
        self.service = service
        self.host = host
        self.default = default

    @property
    def is_secret(self) -> bool:
        """Whether the answer must not be seen while it is typed."""
        return self.kind in (CredentialType.PASSPHRASE, CredentialType.NOECHOPROMPT)

    def __repr__(self) -> str:
        return f"<CredentialRequest {self.kind.name} {self.service}@{self.host}: {self.prompt!r}>"


class Credentials:
    """What a caller knows beforehand of a user, as in one section of ``auth.conf``.

    ``authname`` is who logs in and ``password`` his; ``username`` is as whom he acts, if that is
    somebody else; ``realm`` is where the name is known. They can be written but not shown: no
    text of it holds the password. Raises ArgumentTypeError for what is no text.
    """

    __slots__ = ("authname", "password", "realm", "username")

    def __init__(
        self,
        authname: str | None = None,
        password: str | None = None,
        *,
        username: str | None = None,
        realm: str | None = None,
    ) -> None:
        given = {"authname": authname, "password": password, "username": username, "realm": realm}
        for parameter, value in given.items():
            if value is not None and not isinstance(value, str):
                kind = type(value).__name__
                raise ArgumentTypeError(f"{parameter}: expected a text or None, not {kind}")
        self.authname = authname
        # Tracebacks with the values of variables show what a repr shows.
        self.password = None if password is None else Concealed(password)
        self.username = username
        self.realm = realm

    def __repr__(self) -> str:
        known = [
            name for name in ("authname", "password", "username", "realm") if getattr(self, name)
        ]
        return f"<Credentials: {', '.join(known) or 'none'}>"

    def answer(self, kind: CredentialType) -> str | None:
        """Return what is known for a question, None for nothing."""
        if kind is CredentialType.PASSPHRASE:
            return self.password
        if kind is CredentialType.AUTHNAME:
            return self.authname
        if kind is CredentialType.USERNAME:
            return self.username
        return self.realm if kind is CredentialType.REALM else None


def check_credentials(given: object) -> None:
    """Raise ArgumentTypeError for what is neither Credentials, nor can be called, nor None."""
    if given is not None and not isinstance(given, Credentials) and not callable(given):
        kind = type(given).__name__
        raise ArgumentTypeError(
            f"credentials: expected Credentials, a function that answers questions, or None, "
            f"not {kind}"
        )


def check_answers(asked: int, answers: object) -> None:
    """Raise UsageError for what does not answer so many questions; it says nothing of an answer."""
    if not isinstance(answers, list):
        kind = "text" if isinstance(answers, str) else type(answers).__name__
        raise UsageError(f"credentials: the function answered with one {kind}, not with a list")
    if len(answers) != asked:
        raise UsageError(
            f"credentials: the function was asked {asked} questions and returned "
            f"{len(answers)} answers"
        )
    for answer in answers:
        if answer is not None and not isinstance(answer, str):
            kind = "bytes" if isinstance(answer, bytes) else type(answer).__name__
            raise UsageError(f"credentials: the function answered with {kind}, not with a text")


def concealed_answers(answers: Any) -> Any:
    """Return what a function answered, whatever that is, so that no repr shows it.

    Nothing is said of what is no list of answers: a traceback would hold whoever has them here.
    """
    if isinstance(answers, str):
        return Concealed(answers)
    if isinstance(answers, bytes):
        return ConcealedBytes(answers)
    if answers is None or not hasattr(answers, "__iter__"):
        return answers
    return [concealed_answers(each) if isinstance(each, str | bytes) else each for each in answers]
