"""Proving to a daemon who one is: polkit, and the conversation of a SASL mechanism.

Responsible for which calls that takes, in which order, and for not being told that it is over
before this side is sure of the daemon. Must not know mechanisms, files, or who is asked. Its
conversations hold secrets: they are for ``authenticating`` of either colour, whose frames show
none, not for the plain drivers of recipes. Source: remoteAuthSASL, remoteAuthPolkit.
"""

from __future__ import annotations

from virtproto.errors import VIR_ERR_AUTH_FAILED, AuthenticationError, LibvirtError
from virtproto.wire.remote.auth import (
    AUTH_POLKIT,
    AUTH_SASL_INIT,
    AUTH_SASL_START,
    AUTH_SASL_STEP,
    AuthSaslStartArgs,
    AuthSaslStepArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any, Protocol, TypeAlias, TypeVar

    from virtproto.model.credentials import CredentialRequest, CredentialType
    from virtproto.model.recipes import Recipe
    from virtproto.xdr.procedure import Procedure

    T = TypeVar("T")
    Talk: TypeAlias = "Generator[tuple[Procedure[Any, Any], Any] | Work | Question, Any, T]"

    class Party(Protocol):
        """What a conversation needs to know of a mechanism."""

        name: str
        may_block: bool

        @property
        def is_complete(self) -> bool: ...
        def start(self, answers: Mapping[CredentialType, str]) -> bytes | None: ...
        def step(self, data: bytes | None) -> bytes | None: ...


__all__ = ["Question", "Work", "ask_polkit", "patience", "talk", "what_is_offered"]

# No mechanism takes more; a daemon that never ends is not one to go on with.
_MOST_STEPS = 20
# A person who is asked for a password by polkit's agent needs a while.
_PATIENCE_S = 300.0

_INTERNAL, _AUTH_CANCELLED, _DBUS_SERVICE, _AUTH_UNAVAILABLE = 1, 79, 89, 94
_POLKIT_ACTIONS = "org.libvirt.unix.manage (for reading only: org.libvirt.unix.monitor)"
_NOBODY_TO_ASK = "the daemon could not ask polkit: see that a D-Bus and polkitd run on its host"
_POLKIT_HINTS = {
    _INTERNAL: _NOBODY_TO_ASK,
    _DBUS_SERVICE: _NOBODY_TO_ASK,
    VIR_ERR_AUTH_FAILED: f"polkit does not let this user do {_POLKIT_ACTIONS}; on most systems the "
    "members of the group libvirt are let in, and a rule in /etc/polkit-1/rules.d may let others "
    "in",
    _AUTH_CANCELLED: "who was asked for a password by polkit's agent gave none, or a wrong one",
    _AUTH_UNAVAILABLE: "polkit wants a password, and no agent runs that could ask for it: start "
    "pkttyagent in this session, or have a rule or the group libvirt let this user do "
    + _POLKIT_ACTIONS,
}


class Work:
    """Something to be computed between calls; where it may block it must not hold up a loop."""

    __slots__ = ("args", "function", "may_block")

    def __init__(self, function: Callable[..., Any], *args: Any, may_block: bool) -> None:
        self.function = function
        self.args = args
        self.may_block = may_block


class Question:
    """What the caller's function has to be asked between calls."""

    __slots__ = ("requests",)

    def __init__(self, requests: Sequence[CredentialRequest]) -> None:
        self.requests = requests


def patience(timeout_s: float | None) -> float | None:
    """Return how long a call may take during which the daemon has a person asked."""
    return None if timeout_s is None else max(timeout_s, _PATIENCE_S)


def ask_polkit() -> Recipe[None]:
    """Have the daemon ask polkit about this process; a person may be asked for a password.

    Raises LibvirtError with a hint at what may be done.
    """
    try:
        yield AUTH_POLKIT, None
    except LibvirtError as error:
        hint = _POLKIT_HINTS.get(error.code)
        if hint is not None:
            # What the daemon said stays in ``message``.
            error.args = (f"{error}: {hint}",)
        raise


def what_is_offered() -> Recipe[str]:
    """Return the names of the daemon's mechanisms as it writes them, in its order."""
    offered: str = (yield AUTH_SASL_INIT, None).mechlist
    return offered


def talk(party: Party, answers: Mapping[CredentialType, str]) -> Talk[None]:
    """Let a mechanism talk to the daemon until both have heard all they want.

    Raises AuthenticationError where the mechanism finds fault with the daemon, or the daemon says
    that it is over when it is not.
    """
    said = yield Work(party.start, answers, may_block=party.may_block)
    start = AuthSaslStartArgs(mech=party.name, nil=said is None, data=said or b"")
    answer = yield AUTH_SASL_START, start
    for _ in range(_MOST_STEPS):
        if party.is_complete:
            if answer.complete:
                return
            raise AuthenticationError(f"{party.name}: the daemon goes on where nothing is left")
        # None and nothing are not the same.
        heard = None if answer.nil else answer.data
        said = yield Work(party.step, heard, may_block=party.may_block)
        if answer.complete:
            if party.is_complete and not said:
                return
            raise AuthenticationError(
                f"{party.name}: the daemon says that it is over before it has proven who it is"
            )
        answer = yield AUTH_SASL_STEP, AuthSaslStepArgs(nil=said is None, data=said or b"")
    raise AuthenticationError(f"{party.name}: no end after {_MOST_STEPS} messages")
