"""What a conversation between two daemons is made of: calls at either end, and pauses.

Responsible for the steps that the recipes of migrations yield, and for the few that all of them
share. Must not know the order of any protocol, or who takes the steps (``virtproto.sync.migrating``
and its twin).

A step is answered like those of other recipes: with the result, or with the exception thrown in.
Unlike there that may be any exception, also the KeyboardInterrupt or the cancellation that ended
the wait for an answer: a migration is tidied up at both ends before it is let through.
"""

from __future__ import annotations

from typing import NamedTuple

from virtproto.errors import DeadlineError, LibvirtError
from virtproto.wire.remote.connect import CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from virtproto.model.connection_handle import ConnectionHandle
    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    T = TypeVar("T")
    Conversation = Generator["Call | Pause", Any, T]

__all__ = [
    "DESTINATION",
    "SOURCE",
    "Call",
    "Pause",
    "ask_both",
    "ask_feature",
    "attempt",
    "the_destination",
    "unanswered",
]

# The two ends.
SOURCE = 0
DESTINATION = 1


class Call(NamedTuple):
    """One call at one end; without a procedure it asks for the connection of that end itself.

    A ``patient`` call takes as long as the daemon takes: the connection's time limit for calls is
    not for it.
    """

    end: int
    procedure: Procedure[Any, Any] | None = None
    args: Message | None = None
    patient: bool = False


class Pause(NamedTuple):
    """Waiting for so many seconds, where no daemon has anything that could be waited for."""

    seconds: float


def ask_feature(end: int, feature: int) -> Conversation[bool]:
    """Ask whether the daemon at one end has a feature (virDrvFeature); an error means no."""
    try:
        answer = yield Call(
            end, CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs(feature=feature)
        )
    except LibvirtError:
        return False
    return bool(answer.supported)


def ask_both(feature: int) -> Conversation[bool]:
    """Ask the source, and where it has the feature the destination as well."""
    return (yield from ask_feature(SOURCE, feature)) and (
        yield from ask_feature(DESTINATION, feature)
    )


def the_destination() -> Conversation[ConnectionHandle]:
    """Learn what the other connection knows of itself; no call is made."""
    connection: ConnectionHandle = yield Call(DESTINATION)
    return connection


def attempt(call: Call) -> Conversation[Any]:
    """Make a call whose failure changes nothing; return its result, None where it failed."""
    try:
        return (yield call)
    except Exception:
        return None


def unanswered(error: BaseException) -> bool:
    """Tell whether a call that ended like this may still go on in the daemon.

    That is so where the wait for its answer was given up: an interrupt, a cancelled task, a
    deadline. A connection that broke is taken as a refusal, as libvirt's own client does.
    """
    return isinstance(error, DeadlineError) or not isinstance(error, Exception)
