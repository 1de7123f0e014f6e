"""Migration protocols 2 and 1, for daemons of before 2011: three phases and one cookie.

Prepare (destination), Perform (source: the transfer, after which it drops the domain) and Finish
(destination). Protocol 2 sends the definition along and tells the destination how Perform ended;
protocol 1 does neither. Responsible for their order and for what is done once a phase has failed.

Sources: virDomainMigrateVersion2, virDomainMigrateVersion1.
"""

from __future__ import annotations

from virtproto.errors import DeadlineError
from virtproto.model.recipes.migration_checks import HAS_XML_MIGRATABLE, PAUSED
from virtproto.model.recipes.migration_rescue import (
    BUSY,
    FAILED,
    GONE,
    SWITCHED,
    TOO_EARLY,
    give_up_transfer,
    told,
    until_accepted,
)
from virtproto.model.recipes.migration_steps import (
    DESTINATION,
    SOURCE,
    Call,
    ask_feature,
    attempt,
    unanswered,
)
from virtproto.model.recipes.migration_v3 import destination_flags, no_uri
from virtproto.wire.remote.domain import (
    DOMAIN_GET_INFO,
    DOMAIN_GET_XML_DESC,
    DomainGetInfoArgs,
    DomainGetXmlDescArgs,
)
from virtproto.wire.remote.domain_migrate import (
    DOMAIN_MIGRATE_FINISH,
    DOMAIN_MIGRATE_FINISH2,
    DOMAIN_MIGRATE_PERFORM,
    DOMAIN_MIGRATE_PREPARE,
    DOMAIN_MIGRATE_PREPARE2,
    DomainMigrateFinish2Args,
    DomainMigrateFinishArgs,
    DomainMigratePerformArgs,
    DomainMigratePrepare2Args,
    DomainMigratePrepareArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.model.recipes.migration_terms import Terms
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["migrate_v1", "migrate_v2"]

_STATE_PAUSED = 3  # VIR_DOMAIN_PAUSED
# VIR_DOMAIN_XML_MIGRATABLE, and what comes closest to it in older daemons: _SECURE | _UPDATE_CPU.
_MIGRATABLE = 8
_SECURE_WITH_CPU = 5


def migrate_v2(domain: NonnullDomain, terms: Terms, flags: int) -> Conversation[NonnullDomain]:
    """Move the domain by protocol 2; return the destination's name for it."""
    migratable = yield from ask_feature(SOURCE, HAS_XML_MIGRATABLE)
    described = yield Call(
        SOURCE,
        DOMAIN_GET_XML_DESC,
        DomainGetXmlDescArgs(dom=domain, flags=_MIGRATABLE if migratable else _SECURE_WITH_CPU),
    )
    flags |= yield from _paused(domain)
    prepare = DomainMigratePrepare2Args(
        uri_in=terms.uri,
        flags=destination_flags(flags),
        dname=terms.name,
        resource=terms.bandwidth,
        dom_xml=described.xml,
    )
    prepared = yield from _prepare(
        Call(DESTINATION, DOMAIN_MIGRATE_PREPARE2, prepare),
        _finish(domain, terms, b"", terms.uri, destination_flags(flags), retcode=1),
    )
    uri = terms.uri if prepared.uri_out is None else prepared.uri_out
    error: BaseException | None
    if uri is None:
        error, moved = no_uri(), False
    else:
        error, moved = yield from _perform(domain, terms, flags, prepared.cookie, uri)
    finish = _finish(
        domain, terms, prepared.cookie, uri, destination_flags(flags), retcode=int(not moved)
    )
    if error is not None:
        yield from attempt(finish)
        raise error
    finished = yield finish
    taken: NonnullDomain = finished.ddom
    return taken


def migrate_v1(domain: NonnullDomain, terms: Terms, flags: int) -> Conversation[NonnullDomain]:
    """Move the domain by protocol 1; return the destination's name for it."""
    flags |= yield from _paused(domain)
    prepare = DomainMigratePrepareArgs(
        uri_in=terms.uri,
        flags=destination_flags(flags),
        dname=terms.name,
        resource=terms.bandwidth,
    )
    prepared = yield Call(DESTINATION, DOMAIN_MIGRATE_PREPARE, prepare)
    uri = terms.uri if prepared.uri_out is None else prepared.uri_out
    if uri is None:
        raise no_uri()
    error, moved = yield from _perform(domain, terms, flags, prepared.cookie, uri)
    finish = DomainMigrateFinishArgs(
        dname=domain.name if terms.name is None else terms.name,
        cookie=prepared.cookie,
        uri=uri,
        flags=destination_flags(flags),
    )
    call = Call(DESTINATION, DOMAIN_MIGRATE_FINISH, finish, patient=True)
    if error is not None:
        if moved:
            yield from attempt(call)
        raise error
    finished = yield call
    taken: NonnullDomain = finished.ddom
    return taken


def _paused(domain: NonnullDomain) -> Conversation[int]:
    """Return the flag that keeps a paused domain paused."""
    try:
        info = yield Call(SOURCE, DOMAIN_GET_INFO, DomainGetInfoArgs(dom=domain))
    except DeadlineError:
        raise
    except Exception:
        return 0
    return PAUSED if info.state == _STATE_PAUSED else 0


def _prepare(prepare: Call, cancel: Call) -> Conversation[Any]:
    """Have the destination get ready; where nobody waits for that any more, have it forget it."""
    try:
        return (yield prepare)
    except GeneratorExit:
        raise
    except BaseException as error:
        if unanswered(error):
            yield from until_accepted(cancel, refused=TOO_EARLY)
        raise


def _perform(
    domain: NonnullDomain, terms: Terms, flags: int, cookie: bytes, uri: str
) -> Conversation[tuple[BaseException | None, bool]]:
    """Have the source transfer the memory; return what went wrong, and whether it has let go."""
    args = DomainMigratePerformArgs(
        dom=domain,
        cookie=cookie,
        uri=uri,
        flags=flags,
        dname=terms.name,
        resource=terms.bandwidth,
    )
    try:
        yield Call(SOURCE, DOMAIN_MIGRATE_PERFORM, args, patient=True)
    except GeneratorExit:
        raise
    except BaseException as error:
        standing = FAILED
        if unanswered(error):
            standing = yield from give_up_transfer(domain, flags)
            if standing in (BUSY, SWITCHED):
                told(error, standing)
                raise
        # A source that has transferred the domain drops it at once, unlike in protocol 3.
        return error, standing is GONE
    return None, True


def _finish(
    domain: NonnullDomain,
    terms: Terms,
    cookie: bytes,
    uri: str | None,
    flags: int,
    *,
    retcode: int,
) -> Call:
    """Return the last call of protocol 2."""
    args = DomainMigrateFinish2Args(
        dname=domain.name if terms.name is None else terms.name,
        cookie=cookie,
        uri=uri or "",
        flags=flags,
        retcode=retcode,
    )
    return Call(DESTINATION, DOMAIN_MIGRATE_FINISH2, args, patient=True)
