"""SCRAM: a password proven without being sent, and a server that proves to know it too.

Responsible for fitting scramp, whose the mechanism is, to the others, and for bounding what a
server may have this side compute. Channel binding is left out, as libvirt's daemons offer none.
Source: RFC 5802, RFC 7677.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError
from virtproto.model.credentials import ConcealedBytes, CredentialType

from .layerless import Layerless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["CLASSES", "Scram"]

# cyrus-sasl, which libvirt's daemons are built on, takes no more than 65536 rounds; a million takes
# about a second. With fewer than 4096 a password would be guessed too easily.
_MOST_ROUNDS = 1_000_000
_FEWEST_ROUNDS = 4096


class Scram(Layerless):
    """The client of one authentication by SCRAM; a subclass for each hash."""

    may_block = True
    wanted = (CredentialType.AUTHNAME, CredentialType.PASSPHRASE)
    _client: Any = None
    _questions = 0

    def start(self, answers: Mapping[CredentialType, str]) -> bytes:
        """Return who logs in, and this side's part of the nonce."""
        from scramp import ScramClient

        authname, password = (answers[kind] for kind in self.wanted)
        if answers.get(CredentialType.USERNAME, authname) != authname:
            # libvirt's daemons let nobody act as somebody else anyway.
            raise AuthenticationError(
                f"username: {self.name} here logs in as oneself only; leave it out"
            )
        self._client = self._asked(ScramClient, [self.name], authname, password)
        first: str = self._asked(self._client.get_client_first)
        return first.encode()

    def step(self, data: bytes | None) -> bytes | None:
        """Return the proof for the daemon's first message; check its own in the second."""
        if data is None or self.is_complete or self._questions == 2:
            raise AuthenticationError(
                f"{self.name}: the daemon left out a message, or has too many"
            )
        self._questions += 1
        try:
            text = bytes(data).decode()
        except UnicodeDecodeError:
            text = ""
        if self._questions == 1:
            self._check_rounds(text)
            self._asked(self._client.set_server_first, text)
            proof: str = self._asked(self._client.get_client_final)
            return ConcealedBytes(proof.encode())
        self._asked(self._client.set_server_final, text)
        self.is_complete = True
        return None

    def forget(self) -> None:
        """Drop the library's copy of the password."""
        self._client = None

    def _check_rounds(self, text: str) -> None:
        # Not every release of scramp minds what is there twice, or takes the first of them.
        words = [part[2:] for part in text.split(",") if part.startswith("i=")]
        rounds = words[0] if len(words) == 1 else ""
        is_number = rounds.isascii() and rounds.isdigit() and len(rounds) < 10
        if not is_number or not _FEWEST_ROUNDS <= int(rounds) <= _MOST_ROUNDS:
            raise AuthenticationError(
                f"{self.name}: the daemon asks for {rounds[:20] or 'no number of'} rounds of its "
                f"hash; {_FEWEST_ROUNDS} to {_MOST_ROUNDS} are taken"
            )

    def _asked(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call scramp; of what it raises only its words are kept: its frames hold secrets."""
        from scramp import ScramException

        try:
            return function(*args)
        except ScramException as error:
            words = str(error)
        except ValueError:
            # Base64 that is none, in some releases. Its words may quote what was said.
            words = "the daemon said what cannot be read"
        raise AuthenticationError(f"{self.name}: {words}")


CLASSES: dict[str, type[Scram]] = {
    f"SCRAM-SHA-{size}": type(f"ScramSha{size}", (Scram,), {"name": f"SCRAM-SHA-{size}"})
    for size in (1, 256, 512)
}
