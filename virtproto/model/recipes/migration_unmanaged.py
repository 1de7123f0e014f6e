"""Migration that the source daemon does by itself, asked for in one call.

Peer to peer it connects to the destination's daemon and leads the protocol; directly the
hypervisors do it among themselves. Responsible for which call that is, and for stopping it where
the caller stops waiting. Must not know what a caller gets at the destination.

Sources: virDomainMigrateUnmanagedParams, virDomainMigrateUnmanagedCheckCompat.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.recipes.migration_checks import (
    HAS_DIRECT,
    HAS_PARAMETERS,
    HAS_PEER_TO_PEER,
    HAS_V3,
    PEER_TO_PEER,
    argument_unsupported,
    check_flags,
    check_not_local,
    check_offline,
    refusal,
)
from virtproto.model.recipes.migration_rescue import BUSY, SWITCHED, give_up_transfer, told
from virtproto.model.recipes.migration_steps import SOURCE, Call, ask_feature, unanswered
from virtproto.model.recipes.migration_terms import (
    BANDWIDTH,
    DESTINATION_NAME,
    MIGRATE_URI,
    only_terms,
)
from virtproto.wire.remote.domain_migrate import (
    DOMAIN_MIGRATE_PERFORM,
    DOMAIN_MIGRATE_PERFORM3,
    DomainMigratePerform3Args,
    DomainMigratePerformArgs,
)
from virtproto.wire.remote.domain_migrate_params import (
    DOMAIN_MIGRATE_PERFORM3_PARAMS,
    DomainMigratePerform3ParamsArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

__all__ = ["check_unmanaged", "migrate_unmanaged"]

_INTERNAL_ERROR = 1


def check_unmanaged(flags: int) -> Conversation[None]:
    """Refuse what the source daemon cannot do by itself."""
    check_flags(flags)
    yield from check_offline(flags, both=False)
    if flags & PEER_TO_PEER:
        if not (yield from ask_feature(SOURCE, HAS_PEER_TO_PEER)):
            raise argument_unsupported("the source cannot migrate peer to peer")
    elif not (yield from ask_feature(SOURCE, HAS_DIRECT)):
        raise argument_unsupported("the source migrates with PEER2PEER in flags only, or led by us")


def migrate_unmanaged(
    domain: NonnullDomain, peer_uri: str | None, params: TypedParams, flags: int
) -> Conversation[None]:
    """Have the source move the domain; ``peer_uri`` leads to the destination, peer to peer only."""
    if flags & PEER_TO_PEER:
        assert peer_uri is not None
        check_not_local(peer_uri)
    call = yield from _choose(domain, peer_uri, params, flags)
    try:
        yield call
    except GeneratorExit:
        raise
    except BaseException as error:
        if unanswered(error):
            standing = yield from give_up_transfer(domain, flags)
            if standing in (BUSY, SWITCHED):
                told(error, standing)
        raise


def _choose(
    domain: NonnullDomain, peer_uri: str | None, params: TypedParams, flags: int
) -> Conversation[Call]:
    if flags & PEER_TO_PEER and (yield from ask_feature(SOURCE, HAS_PARAMETERS)):
        with_params = DomainMigratePerform3ParamsArgs(
            dom=domain, dconnuri=peer_uri, params=params, cookie_in=b"", flags=flags
        )
        return Call(SOURCE, DOMAIN_MIGRATE_PERFORM3_PARAMS, with_params, patient=True)
    if (yield from ask_feature(SOURCE, HAS_V3)):
        terms = only_terms(params)
        with_terms = DomainMigratePerform3Args(
            dom=domain,
            xmlin=terms.xml,
            cookie_in=b"",
            dconnuri=peer_uri,
            uri=terms.uri,
            flags=flags,
            dname=terms.name,
            resource=terms.bandwidth,
        )
        return Call(SOURCE, DOMAIN_MIGRATE_PERFORM3, with_terms, patient=True)
    terms = only_terms(params, (MIGRATE_URI, DESTINATION_NAME, BANDWIDTH))
    if flags & PEER_TO_PEER and terms.uri is not None:
        raise refusal(_INTERNAL_ERROR, "the source chooses the migration URI itself, peer to peer")
    uri = peer_uri if flags & PEER_TO_PEER else terms.uri
    if uri is None:
        raise UsageError("the URI to migrate to is required without PEER2PEER in flags")
    plain = DomainMigratePerformArgs(
        dom=domain,
        cookie=b"",
        uri=uri,
        flags=flags,
        dname=terms.name,
        resource=terms.bandwidth,
    )
    return Call(SOURCE, DOMAIN_MIGRATE_PERFORM, plain, patient=True)
