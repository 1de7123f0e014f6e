"""When to try to open a lost connection anew, and when not to try any more.

Responsible for the delays, and for telling failures that pass from those that do not. Must not know
how a connection is opened, or what time it is: clock and chance are arguments.
"""

from __future__ import annotations

from virtproto.errors import (
    VIR_ERR_AUTH_FAILED,
    ArgumentTypeError,
    LibvirtError,
    ProtocolError,
    TransportError,
    UsageError,
)
from virtproto.model.refs import check_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from virtproto.model.records.events import Gap

__all__ = ["Attempts", "Reconnect", "gap", "is_final", "to_policy", "without_tracebacks"]


class Reconnect:
    """How a connection that was lost is opened anew: the argument ``reconnect`` of ``open``.

    The first attempt is made ``first_delay_s`` after the loss, and each later one after twice the
    time, up to ``longest_delay_s``; a connection that does not even last for that counts as one
    more failed attempt when it is lost. ``jitter``, from 0 to 1, is how much of each delay is left
    to chance, so that many clients do not come back to a daemon in the same moment: with 0.5 a
    delay of 10 s is anything between 5 and 10 s. ``give_up_after_s`` is how long after the loss the
    last attempt ends; None goes on for ever. All times are in seconds, above 0.

    Each attempt finds out anew where the URI leads. A daemon that is not there, does not answer or
    refuses is tried again, since one that is only just starting refuses what it will soon grant. A
    URI that means nothing any more and an authentication that this client cannot give are the end
    at once.

    What that means for who uses the connection:

    * A call that was under way fails with ConnectionLostError. Its ``may_have_run`` is True, and it
      is never made again: whether to is the caller's to decide. So do streams.
    * A call of which nothing was sent waits for the new connection and is made there, and so does
      what is called meanwhile; ``call_timeout_s`` and ``deadline`` bound the wait, and
      DeadlineError then says what the last attempt failed with. Without a limit, and with no time
      to give up, they wait for as long as it takes.
    * Handles go on as they are: they mean what their UUID or name means to the daemon.
    * The close callback hears of each loss, with its reason.
    * All registrations for events are made anew, before any waiting call is made, and those asked
      for meanwhile with them. Iterators give a ``Gap``, after the last event before the loss and
      before the first one after it. A registration that the new daemon refuses is over: iterators
      raise its error, callbacks are called no more.
    * Keepalive and the limit of long calls are as before; what the daemon said of itself is asked
      anew when it is needed.

    When it is given up, calls and iterators raise ConnectionLostError that tells the last failure,
    which is its ``__cause__`` in calls. Closing the connection, or dropping it, ends it as well.

    Raises UsageError for values that make no sense, or a first delay longer than the longest.
    """

    __slots__ = ("first_delay_s", "give_up_after_s", "jitter", "longest_delay_s")

    def __init__(
        self,
        first_delay_s: float = 0.1,
        longest_delay_s: float = 30.0,
        give_up_after_s: float | None = None,
        jitter: float = 0.5,
    ) -> None:
        _check_delay("first_delay_s", first_delay_s)
        _check_delay("longest_delay_s", longest_delay_s)
        if first_delay_s > longest_delay_s:
            raise UsageError("first_delay_s: longer than longest_delay_s")
        check_timeout("give_up_after_s", give_up_after_s)
        if not isinstance(jitter, int | float):
            raise ArgumentTypeError(f"jitter: expected a number, not {type(jitter).__name__}")
        # Written so that NaN is refused too.
        if not 0 <= jitter <= 1:
            raise UsageError("jitter: not a number from 0 to 1")
        self.first_delay_s = first_delay_s
        self.longest_delay_s = longest_delay_s
        self.give_up_after_s = give_up_after_s
        self.jitter = jitter

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in _FIELDS)
        return f"Reconnect({fields})"


def to_policy(reconnect: Reconnect | bool) -> Reconnect:
    """Return the policy that ``open`` was given, or the usual one for True."""
    return reconnect if isinstance(reconnect, Reconnect) else Reconnect()


_FIELDS = ("first_delay_s", "longest_delay_s", "give_up_after_s", "jitter")


def _check_delay(parameter: str, value: float) -> None:
    if value is None:
        raise ArgumentTypeError(f"{parameter}: expected seconds, not None")
    check_timeout(parameter, value)


class Attempts:
    """The attempts of one connection, through all its losses.

    ``chance`` returns a number from 0 up to 1, another one each time. The times given to methods
    are those of one clock, in seconds.
    """

    __slots__ = ("_chance", "_failed", "_lost_at", "_opened_at", "_policy")

    def __init__(self, policy: Reconnect, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self._failed = 0
        self._lost_at = 0.0
        self._opened_at: float | None = None

    def lost(self, now: float) -> None:
        """Begin anew: the connection was lost just now.

        One that had not lasted for the longest delay counts as a failed attempt: a daemon that
        comes up again and again only to fall is asked ever more rarely, too.
        """
        opened_at = self._opened_at
        if opened_at is None or now - opened_at >= self._policy.longest_delay_s:
            self._failed = 0
        else:
            self._failed += 1
        self._lost_at = now

    def opened(self, now: float) -> None:
        """Note that an attempt succeeded."""
        self._opened_at = now

    def failed(self) -> None:
        """Note that an attempt failed."""
        self._failed += 1

    def delay_s(self, now: float) -> float | None:
        """Return how many seconds to wait for the next attempt, or None if none is to be made."""
        policy = self._policy
        # Beyond a thousand doublings there is no float, and long before that no doubt.
        doubled = policy.first_delay_s * 2.0 ** min(self._failed, 1000 - 1)
        delay = min(doubled, policy.longest_delay_s)
        delay *= 1 - policy.jitter * self._chance()
        left = self.left_s(now)
        return delay if left is None or delay < left else None

    def is_over(self, now: float) -> bool:
        """Return whether it is too late for an attempt."""
        left = self.left_s(now)
        return left is not None and left <= 0

    def left_s(self, now: float) -> float | None:
        """Return how many seconds are left to open the connection; None is without end."""
        if self._policy.give_up_after_s is None:
            return None
        return self._lost_at + self._policy.give_up_after_s - now


def is_final(failure: Exception) -> bool:
    """Return whether no later attempt can be expected to end better than with ``failure``.

    What a daemon answers is not final, not even a refusal: one that is only just starting refuses
    what it will soon grant. But who is not let in with a password will not be with the same one,
    and might be locked out for trying. A URI that means nothing is final, and so is an
    authentication that this client cannot give, and what is nobody's error but this client's own.
    """
    if isinstance(failure, LibvirtError) and failure.code == VIR_ERR_AUTH_FAILED:
        return True
    return not isinstance(failure, TransportError | ProtocolError | LibvirtError | OSError)


def without_tracebacks(failure: Exception) -> Exception:
    """Return ``failure`` without what was under way when it was raised, and kept alive by it."""
    error: BaseException | None = failure
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
    return failure


def gap(reason: int, why: str, lasted_s: float) -> Gap:
    """Return the mark for iterators: events are missing from here on, up to now."""
    from virtproto.constants import member
    from virtproto.model.records.events import Gap

    return Gap(member("ConnectCloseReason", reason), why, lasted_s)
