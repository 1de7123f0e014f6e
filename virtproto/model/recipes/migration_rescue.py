"""What becomes of a migration whose caller stops waiting in the middle of it.

Responsible for the guest: it shall run at one end, and the caller shall know at which. A call that
nobody waits for any more goes on in the daemon, so the first thing is to have it stopped, and the
second to learn how it ended. Must not know which exception the caller gets; that goes on its way
once the two daemons are in order.

There is no model for this in libvirt's own client, whose calls cannot be interrupted. What virsh
does when it is interrupted is the first half of it: it has the job aborted.
"""

from __future__ import annotations

from virtproto.errors import DeadlineError, LibvirtError
from virtproto.model.recipes.migration_checks import POSTCOPY
from virtproto.model.recipes.migration_steps import (
    DESTINATION,
    SOURCE,
    Call,
    Pause,
    attempt,
)
from virtproto.wire.remote.domain import DOMAIN_GET_STATE, DomainGetStateArgs
from virtproto.wire.remote.domain_job import (
    DOMAIN_ABORT_JOB,
    DOMAIN_GET_JOB_INFO,
    DomainAbortJobArgs,
    DomainGetJobInfoArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.wire.remote.types import NonnullDomain

__all__ = [
    "BUSY",
    "FAILED",
    "GONE",
    "SWITCHED",
    "TOO_EARLY",
    "give_up_transfer",
    "outcome_at_destination",
    "told",
    "until_accepted",
]

# How the source stands after its part was given up.
FAILED = "the domain is as it was before"
GONE = "the domain does not run there any more"
BUSY = "the domain is still in the hands of the migration"
SWITCHED = "the domain runs at the destination already, and fetches its memory from here"

# What a destination answers to a Finish that comes before it has the domain (VIR_ERR_NO_DOMAIN), or
# the domain its migration (VIR_ERR_OPERATION_INVALID, VIR_ERR_OPERATION_FAILED).
TOO_EARLY = (42, 55, 9)

_PAUSE = Pause(0.1)
# Ten seconds: a daemon that was told to stop does so in a fraction of one.
_LOOKS = 100
# Two seconds.
_TRIES = 20

_NO_DOMAIN = 42
_OPERATION_INVALID = 55
_JOB_NONE = 0  # VIR_DOMAIN_JOB_NONE
_PAUSED = 3  # VIR_DOMAIN_PAUSED
_POSTCOPY_REASONS = (12, 13)  # VIR_DOMAIN_PAUSED_POSTCOPY, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED


def told(error: BaseException, note: str) -> None:
    """Have an exception say what the caller has to know beside it."""
    error.add_note(f"The migration was given up: {note}.")


def give_up_transfer(domain: NonnullDomain, flags: int) -> Conversation[str]:
    """Have the source stop, and return how it stands then: one of the constants above.

    Asking is all there is: the daemon's answer to the transfer itself went unheard.
    """
    yield from attempt(Call(SOURCE, DOMAIN_ABORT_JOB, DomainAbortJobArgs(dom=domain)))
    for _ in range(_LOOKS):
        try:
            job = yield Call(SOURCE, DOMAIN_GET_JOB_INFO, DomainGetJobInfoArgs(dom=domain))
        except (LibvirtError, DeadlineError) as error:
            if _is_gone(error):
                return GONE
            yield _PAUSE
            continue
        except Exception:
            return GONE
        if job.type == _JOB_NONE:
            return FAILED
        if flags & POSTCOPY:
            state = yield from attempt(
                Call(SOURCE, DOMAIN_GET_STATE, DomainGetStateArgs(dom=domain, flags=0))
            )
            if state and state.state == _PAUSED and state.reason in _POSTCOPY_REASONS:
                return SWITCHED
        yield _PAUSE
    return BUSY


def outcome_at_destination(domain: NonnullDomain) -> Conversation[bool | None]:
    """Learn whether the destination took the domain over; None where that does not come out."""
    for _ in range(_LOOKS):
        try:
            job = yield Call(DESTINATION, DOMAIN_GET_JOB_INFO, DomainGetJobInfoArgs(dom=domain))
        except (LibvirtError, DeadlineError) as error:
            # A destination that is at it has no numbers yet, and says so by an error of its own.
            if _is_gone(error):
                return False
        except Exception:
            return None
        else:
            if job.type == _JOB_NONE:
                return True
        yield _PAUSE
    return None


def _is_gone(error: BaseException) -> bool:
    """Tell whether the daemon has no such domain, or none that runs."""
    return isinstance(error, LibvirtError) and error.code in (_NO_DOMAIN, _OPERATION_INVALID)


def until_accepted(call: Call, *, refused: tuple[int, ...]) -> Conversation[None]:
    """Make a call again while the daemon refuses it with one of these codes: it comes too early."""
    for _ in range(_TRIES):
        try:
            yield call
        except LibvirtError as error:
            if error.code not in refused:
                return
        except Exception:
            return
        else:
            return
        yield _PAUSE
