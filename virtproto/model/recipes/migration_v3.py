"""Migration protocol 3: five phases, between which cookies travel from daemon to daemon.

Begin (source), Prepare (destination), Perform (source: the transfer), Finish (destination) and
Confirm (source). Responsible for their order, for what each gets from those before it, and for
what is still done once one has failed. It comes in two dialects, with a list of typed parameters
and with the few old terms (``migration_dialects``), which differ in their procedures only.

Source: virDomainMigrateVersion3Full.
"""

from __future__ import annotations

from warnings import warn

from virtproto.errors import DeadlineError, LibvirtError, error_class
from virtproto.model.recipes.migration_checks import (
    ABORT_ON_ERROR,
    AUTO_CONVERGE,
    CHANGE_PROTECTION,
    HAS_CHANGE_PROTECTION,
    OFFLINE,
    PAUSED,
    POSTCOPY_RESUME,
    refusal,
)
from virtproto.model.recipes.migration_rescue import (
    BUSY,
    SWITCHED,
    TOO_EARLY,
    give_up_transfer,
    outcome_at_destination,
    told,
    until_accepted,
)
from virtproto.model.recipes.migration_steps import SOURCE, ask_feature, attempt, unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes.migration_dialects import Dialect
    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["destination_flags", "merged", "migrate_v3", "no_uri"]

_STATE_PAUSED = 3  # VIR_DOMAIN_PAUSED
_FROM_QEMU = 10
_INTERNAL_ERROR = 1
_OPERATION_FAILED = 9
_MIGRATE_FINISH_OK = 93
_FROM_DOMAIN = 20


def destination_flags(flags: int) -> int:
    """Return the flags for the destination's calls, which refuse some of the source's."""
    return flags & ~(ABORT_ON_ERROR | AUTO_CONVERGE)


def no_uri() -> LibvirtError:
    """Return the error for a destination that does not say where to send the memory to."""
    return refusal(_INTERNAL_ERROR, "the destination names no URI to migrate to, nor did the call")


def merged(source: BaseException | None, destination: BaseException) -> BaseException:
    """Return the error to raise of one of each end: the first, or both where both know something.

    The destination knows something where its hypervisor died; where it only did as it was told it
    says so (VIR_ERR_MIGRATE_FINISH_OK).
    """
    if source is None:
        return destination
    if not (isinstance(source, LibvirtError) and isinstance(destination, LibvirtError)):
        return source
    failed = source.domain == _FROM_QEMU and source.code == _OPERATION_FAILED
    known = destination.domain == _FROM_QEMU and destination.code != _MIGRATE_FINISH_OK
    if not (failed and known):
        return source
    both = error_class(_OPERATION_FAILED)(
        f"migration failed; the source says: {source.message}; "
        f"the destination says: {destination.message}",
        code=_OPERATION_FAILED,
        domain=_FROM_DOMAIN,
        procedure=source.procedure,
    )
    both.__cause__ = source
    return both


def migrate_v3(dialect: Dialect, flags: int) -> Conversation[NonnullDomain]:
    """Move the domain; return the destination's name for it. ``flags`` lack CHANGE_PROTECTION."""
    protection = 0
    if (yield from ask_feature(SOURCE, HAS_CHANGE_PROTECTION)):
        protection = CHANGE_PROTECTION
    return (yield from _Migration(dialect, flags, protection).run())


class _Migration:
    """One migration: what its phases have brought so far."""

    def __init__(self, dialect: Dialect, flags: int, protection: int) -> None:
        self._dialect = dialect
        self._flags = flags
        self._protection = protection
        # From one phase to the next.
        self._cookie = b""
        # What the destination is told of the transfer: 0 where it can go on with what it got.
        self._cancelled = 1
        # Whether the source has to be told how it ended.
        self._confirming = True

    @property
    def _source_flags(self) -> int:
        return self._flags | self._protection

    def run(self) -> Conversation[NonnullDomain]:
        """Go through the phases."""
        xml = yield from self._begin()
        yield from self._prepare(xml)
        error = yield from self._perform()
        moved, error = yield from self._finish(error)
        if self._confirming:
            error = yield from self._confirm(moved, error)
        if error is not None:
            if moved is not None:
                error.add_note("The destination has the domain all the same.")
            raise error
        assert moved is not None
        return moved

    def _begin(self) -> Conversation[str]:
        """Have the source describe the domain, and with protection begin its job."""
        try:
            begun = yield self._dialect.begin(self._source_flags)
            self._cookie = begun.cookie_out
            state = yield from self._state()
        except GeneratorExit:
            raise
        except BaseException as error:
            if unanswered(error):
                yield from self._release_source()
            raise
        if state == _STATE_PAUSED and not self._flags & POSTCOPY_RESUME:
            self._flags |= PAUSED
        xml: str = begun.xml
        return xml

    def _state(self) -> Conversation[int]:
        try:
            answer = yield self._dialect.state()
        except DeadlineError:
            raise
        except Exception:
            return 0
        state: int = answer.state
        return state

    def _prepare(self, xml: str) -> Conversation[None]:
        """Have the destination get ready for the domain."""
        flags = destination_flags(self._flags)
        try:
            prepared = yield self._dialect.prepare(self._cookie, flags, xml)
        except GeneratorExit:
            raise
        except BaseException as error:
            if unanswered(error):
                finish = self._dialect.finish(b"", flags, 1)
                yield from until_accepted(finish, refused=TOO_EARLY)
            yield from self._release_source()
            raise
        self._cookie = prepared.cookie_out
        self._dialect.take_uri(prepared.uri_out)

    def _perform(self) -> Conversation[BaseException | None]:
        """Have the source transfer the memory, unless there is none; return what went wrong."""
        if self._dialect.uri is None:
            return no_uri()
        if self._flags & OFFLINE:
            self._cookie = b""
            self._cancelled = 0
            return None
        try:
            performed = yield self._dialect.perform(self._cookie, self._source_flags)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._cookie = b""
            # A source that failed has ended its job by itself.
            self._confirming = False
            if unanswered(error):
                standing = yield from give_up_transfer(self._dialect.domain, self._flags)
                self._confirming = standing in (BUSY, SWITCHED)
                # Cancelled now it would be lost: the source has not all of its memory any more.
                self._cancelled = int(standing is not SWITCHED)
            return error
        self._cookie = performed.cookie_out
        self._cancelled = 0
        return None

    def _finish(
        self, error: BaseException | None
    ) -> Conversation[tuple[NonnullDomain | None, BaseException | None]]:
        """Have the destination start the domain, or drop it; return what it calls it, and why not.

        Also after a failed transfer: only this makes it let go of its half.
        """
        flags = destination_flags(self._flags)
        finish = self._dialect.finish(self._cookie, flags, self._cancelled)
        self._cookie = b""
        try:
            finished = yield finish
        except GeneratorExit:
            raise
        except BaseException as exc:
            if not unanswered(exc):
                return None, merged(error, exc)
            if self._cancelled:
                yield from attempt(finish)
                return None, exc
            return (yield from self._after_unheard_finish(exc)), exc
        self._cookie = finished.cookie_out
        return finished.dom, error

    def _after_unheard_finish(self, error: BaseException) -> Conversation[NonnullDomain | None]:
        """Learn whether the destination runs the domain: then the source must not go on with it."""
        taken = yield from outcome_at_destination(self._dialect.domain)
        if taken is None:
            told(error, "whether the destination runs the domain is not known; the source has it")
            raise error
        return self._dialect.domain if taken else None

    def _confirm(
        self, moved: NonnullDomain | None, error: BaseException | None
    ) -> Conversation[BaseException | None]:
        """Have the source drop the domain that moved, or go on with one that did not."""
        confirm = self._dialect.confirm(self._cookie, self._source_flags, int(moved is None))
        try:
            yield confirm
        except GeneratorExit:
            raise
        except BaseException as exc:
            if unanswered(exc):
                yield from attempt(confirm)
                return exc
            warn(f"the source may have kept the domain, paused: {exc}", RuntimeWarning, 2)
        return error

    def _release_source(self) -> Conversation[None]:
        """End the job that Begin started at the source; without protection there is none."""
        if self._protection:
            yield from attempt(self._dialect.confirm(b"", self._source_flags, 1))
