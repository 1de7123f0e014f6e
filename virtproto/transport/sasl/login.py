"""Logging in to a daemon by SASL, from its list of mechanisms to the security layer.

Responsible for what of a user is taken from where, for what is asked of whom, and for what errors
say of it. Must not know how messages travel, or how somebody is asked. Source: remoteAuthSASL.
"""

from __future__ import annotations

from virtproto.errors import (
    VIR_ERR_AUTH_FAILED,
    AuthenticationError,
    CredentialsMissingError,
    LibvirtError,
)
from virtproto.model.credentials import (
    CredentialRequest,
    Credentials,
    CredentialType,
    check_answers,
)
from virtproto.model.recipes.authentication import Question, talk, what_is_offered
from virtproto.transport.auth_files import look_up

from . import mechanism_class
from .choice import MOST_SSF, choose_mechanism, least_ssf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from virtproto.model.recipes.authentication import Talk
    from virtproto.model.uri import ConnectionURI
    from virtproto.transport.road import Layer, Road

    from . import Mechanism

__all__ = ["Knowledge", "log_in"]

_SERVICE = "libvirt"
# What is told beforehand.
_KINDS = (
    CredentialType.AUTHNAME,
    CredentialType.PASSPHRASE,
    CredentialType.USERNAME,
    CredentialType.REALM,
)
_WORDS = {
    CredentialType.AUTHNAME: "user name",
    CredentialType.USERNAME: "name of the user to act as",
    CredentialType.PASSPHRASE: "password",
    CredentialType.REALM: "realm",
}


class Knowledge:
    """What is known of a user at a host, where from, and where nothing was found.

    ``answers`` are the values; ``source`` is where the user's name is from.
    """

    __slots__ = ("answers", "host", "looked", "source")

    def __init__(self, given: object, host: str, uri: ConnectionURI | None) -> None:
        """Gather it from what the caller gave, and from ``auth.conf`` where that leaves out some.

        A password of the file's for another user than the caller named is not used.
        """
        self.answers: dict[CredentialType, str] = {}
        self.host = host
        self.source = ""
        self.looked: list[str] = []
        if isinstance(given, Credentials):
            self._take(given, "credentials")
            if given.authname and given.password is not None:
                return
            self.looked.append("credentials (not all of it)")
        else:
            gave = "asked, and nobody told it" if callable(given) else "not given"
            self.looked.append(f"credentials ({gave})")
        found, places = look_up(_SERVICE, host, uri)
        mine = self.answers.get(CredentialType.AUTHNAME)
        if found is None:
            self.looked += places
        elif mine is not None and found.authname not in (None, mine):
            self.looked.append(f"{places[0]} (of another user)")
        else:
            self._take(found, places[0])
            self.looked.append(f"{places[0]} (not all of it)")

    def __repr__(self) -> str:
        return f"<Knowledge of {', '.join(_WORDS[kind] for kind in self.answers) or 'nothing'}>"

    def learn(self, kind: CredentialType, value: str, source: str) -> None:
        """Keep an answer; as with libvirt's client spaces are no part of a name, nor is nothing."""
        if kind in (CredentialType.AUTHNAME, CredentialType.USERNAME):
            value = value.strip()
            if not value:
                return
        self.answers[kind] = value
        if kind is CredentialType.AUTHNAME:
            self.source = source

    def _take(self, found: Credentials, source: str) -> None:
        for kind in _KINDS:
            value = found.answer(kind)
            if value is not None and kind not in self.answers:
                self.learn(kind, value, source)


def log_in(road: Road, uri: ConnectionURI | None, given: object) -> Talk[Layer | None]:
    """Log in by SASL; return the security layer for all that follows, None for none.

    ``given`` are the caller's credentials, or the function to ask. Raises AuthenticationError
    (CredentialsMissingError), ConfigFileError, and the daemon's LibvirtError, which then names
    mechanism, user and host.
    """
    offered = yield from _offered(road)
    name = choose_mechanism(
        offered, _wanted_mechanism(uri), is_secure=road.is_secure, road=road.name
    )
    mechanism = _attempt(name, road)
    knowledge = Knowledge(given, road.host, uri)
    missing = [kind for kind in mechanism.wanted if kind not in knowledge.answers]
    if missing:
        yield from _ask(missing, knowledge, mechanism, given)
    try:
        yield from talk(mechanism, knowledge.answers)
    except LibvirtError as error:
        if error.code == VIR_ERR_AUTH_FAILED:
            error.args = (f"{error}: {_whose(mechanism, knowledge)}",)
        raise
    finally:
        knowledge.answers.clear()
        mechanism.forget()
    if mechanism.ssf < least_ssf(road.is_secure):
        raise AuthenticationError(
            f"the way to {road.name} is open to everybody on it, and {name} agreed on "
            f"{mechanism.ssf} bits of encryption; at least {least_ssf(False)} are needed"
        )
    return mechanism.layer()


def _offered(road: Road) -> Talk[str]:
    try:
        return (yield from what_is_offered())
    except LibvirtError as error:
        if error.code == VIR_ERR_AUTH_FAILED:
            hint = "the daemon has no SASL mechanism to offer on this way"
            if not road.is_secure:
                hint += ", which is open to everybody on it; use transport tls or ssh"
            error.args = (f"{error}: {hint}",)
        raise


def _wanted_mechanism(uri: ConnectionURI | None) -> str | None:
    wanted = uri.parameter("auth") if uri is not None else None
    return (wanted.partition(".")[2] or None) if wanted is not None else None


def _attempt(name: str, road: Road) -> Mechanism:
    least = least_ssf(road.is_secure)
    local, remote = _ends(road)
    return mechanism_class(name)(
        _SERVICE,
        road.host,
        min_ssf=least,
        max_ssf=MOST_SSF if least else 0,
        external_ssf=road.cipher_bits,
        local=local,
        remote=remote,
    )


def _ends(road: Road) -> tuple[str | None, str | None]:
    """Return both ends as "address;port"; for what has none that of this machine, as libvirt."""
    ends = []
    for ask in (road.sock.getsockname, road.sock.getpeername):
        try:
            name = ask()
        except OSError:
            return None, None
        is_internet = isinstance(name, tuple) and len(name) >= 2 and isinstance(name[0], str)
        ends.append(f"{name[0]};{name[1]}" if is_internet else "127.0.0.1;0")
    return ends[0], ends[1]


def _ask(
    missing: list[CredentialType], knowledge: Knowledge, mechanism: Mechanism, given: object
) -> Talk[None]:
    """Have the caller's function asked for what is missing, all at once."""
    answers: Sequence[Any] | None = None
    if callable(given):
        answers = yield Question([_request(kind, knowledge) for kind in missing])
        if answers is not None:
            check_answers(len(missing), answers)
    for kind, answer in zip(missing, answers or (), strict=False):
        if answer is not None:
            knowledge.learn(kind, answer, "the answer to a question")
    lacking = [kind for kind in missing if kind not in knowledge.answers]
    if lacking:
        words = " and ".join(_WORDS.get(kind, kind.name.lower()) for kind in lacking)
        where = f"it was looked for in {'; '.join(knowledge.looked)}"
        raise CredentialsMissingError(
            f"SASL mechanism {mechanism.name} wants the {words} for {_SERVICE} at "
            f"{knowledge.host}; {where}"
        )


def _request(kind: CredentialType, knowledge: Knowledge) -> CredentialRequest:
    word = _WORDS.get(kind, kind.name.lower())
    user = knowledge.answers.get(CredentialType.AUTHNAME)
    whose = f" of {user}" if kind is CredentialType.PASSPHRASE and user else ""
    prompt = f"{word[0].upper()}{word[1:]}{whose} for {_SERVICE} at {knowledge.host}"
    return CredentialRequest(kind, prompt, host=knowledge.host)


def _whose(mechanism: Mechanism, knowledge: Knowledge) -> str:
    user = knowledge.answers.get(CredentialType.AUTHNAME)
    text = f"SASL mechanism {mechanism.name} for {_SERVICE} at {knowledge.host}"
    if user is None or CredentialType.AUTHNAME not in mechanism.wanted:
        return text
    return f"{text} as {user}, from {knowledge.source}"
