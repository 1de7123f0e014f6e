"""Moving a running domain to another host: which way and which protocol are taken.

Responsible for the choice among what both daemons can do, in the order in which libvirt's own
client asks them. The ways themselves are ``migration_v3``, ``migration_v2`` and
``migration_unmanaged``; who takes the steps at both ends is ``virtproto.sync.migrating`` or its
twin.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.recipes.migration_checks import (
    HAS_PARAMETERS,
    HAS_PEER_TO_PEER,
    HAS_V1,
    HAS_V2,
    HAS_V3,
    PEER_TO_PEER,
    argument_unsupported,
    check_flags,
    check_managed_flags,
    check_offline,
    check_unprotected,
    no_support,
)
from virtproto.model.recipes.migration_dialects import WithParameters, WithTerms
from virtproto.model.recipes.migration_steps import (
    DESTINATION,
    SOURCE,
    Call,
    ask_both,
    ask_feature,
    the_destination,
)
from virtproto.model.recipes.migration_terms import Terms, only_terms, params_of
from virtproto.model.recipes.migration_unmanaged import check_unmanaged, migrate_unmanaged
from virtproto.model.recipes.migration_v2 import migrate_v1, migrate_v2
from virtproto.model.recipes.migration_v3 import migrate_v3
from virtproto.model.refusals import read_only
from virtproto.wire.remote.domain import DOMAIN_LOOKUP_BY_NAME, DomainLookupByNameArgs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.connection_handle import ConnectionHandle
    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

__all__ = ["migrate", "migrate2", "migrate_to_uri", "migrate_to_uri2"]


def migrate(
    domain: NonnullDomain,
    *,
    params: TypedParams | None,
    flags: int,
    dname: str | None,
    uri: str | None,
    bandwidth: int,
) -> Conversation[NonnullDomain]:
    """Move the domain to the destination and return the name that it has there.

    Sources: virDomainMigrate3 with ``params``, virDomainMigrate without.
    """
    own_uri = (yield from _writable_destination("migrate")).get_uri()
    check_flags(flags)
    if params is not None:
        _check_alone(dname=dname, uri=uri, bandwidth=bandwidth)
        return (yield from _with_params(domain, params, flags))
    if flags & PEER_TO_PEER:
        # What is the URI of the migration otherwise is the daemon's here, and it need not be the
        # one under which this side reaches that daemon.
        peer_uri = own_uri if uri is None else uri
        return (yield from _peer_to_peer(domain, peer_uri, Terms(dname, None, bandwidth), flags))
    return (yield from _with_terms(domain, Terms(dname, uri, bandwidth), flags))


def migrate2(
    domain: NonnullDomain,
    *,
    dxml: str | None,
    flags: int,
    dname: str | None,
    uri: str | None,
    bandwidth: int,
) -> Conversation[NonnullDomain]:
    """Move the domain to the destination and return the name that it has there.

    Source: virDomainMigrate2.
    """
    own_uri = (yield from _writable_destination("migrate2")).get_uri()
    check_flags(flags)
    terms = Terms(dname, uri, bandwidth, dxml)
    if flags & PEER_TO_PEER:
        return (yield from _peer_to_peer(domain, own_uri, terms, flags))
    return (yield from _with_terms(domain, terms, flags))


def migrate_to_uri(
    domain: NonnullDomain,
    *,
    dest_uri: str,
    params: TypedParams | None,
    flags: int,
    dname: str | None,
    bandwidth: int,
) -> Conversation[None]:
    """Have the source move the domain.

    Sources: virDomainMigrateToURI3 with ``params``, virDomainMigrateToURI without.
    """
    peer_uri = dest_uri if flags & PEER_TO_PEER else None
    if params is not None:
        _check_alone(dname=dname, bandwidth=bandwidth)
    else:
        params = params_of(Terms(dname, None if peer_uri else dest_uri, bandwidth))
    yield from check_unmanaged(flags)
    yield from migrate_unmanaged(domain, peer_uri, params, flags)


def migrate_to_uri2(
    domain: NonnullDomain,
    *,
    dconnuri: str | None,
    miguri: str | None,
    dxml: str | None,
    flags: int,
    dname: str | None,
    bandwidth: int,
) -> Conversation[None]:
    """Have the source move the domain. Source: virDomainMigrateToURI2."""
    if not flags & PEER_TO_PEER:
        dconnuri = None
    elif dconnuri is None:
        raise ArgumentTypeError("dconnuri: a text is required with PEER2PEER in flags, not None")
    yield from check_unmanaged(flags)
    params = params_of(Terms(dname, miguri, bandwidth, dxml))
    yield from migrate_unmanaged(domain, dconnuri, params, flags)


def _writable_destination(method: str) -> Conversation[ConnectionHandle]:
    destination = yield from the_destination()
    if destination.is_readonly():
        raise read_only(f"Domain.{method}", where="dest_conn")
    return destination


def _check_alone(**others: str | int | None) -> None:
    """Refuse terms beside the parameters that stand for them."""
    for name, value in others.items():
        if value not in (None, 0):
            raise UsageError(f"{name}: with params it goes in there")


def _peer_to_peer(
    domain: NonnullDomain, peer_uri: str, terms: Terms, flags: int
) -> Conversation[NonnullDomain]:
    yield from check_offline(flags, both=True)
    if not (yield from ask_feature(SOURCE, HAS_PEER_TO_PEER)):
        raise no_support("the source cannot migrate peer to peer")
    yield from migrate_unmanaged(domain, peer_uri, params_of(terms), flags)
    name = domain.name if terms.name is None else terms.name
    found = yield Call(DESTINATION, DOMAIN_LOOKUP_BY_NAME, DomainLookupByNameArgs(name=name))
    moved: NonnullDomain = found.dom
    return moved


def _with_params(
    domain: NonnullDomain, params: TypedParams, flags: int
) -> Conversation[NonnullDomain]:
    check_managed_flags(flags)
    dialect = WithParameters(domain, params)
    yield from check_offline(flags, both=True)
    flags = yield from check_unprotected(flags)
    if (yield from ask_both(HAS_PARAMETERS)):
        return (yield from migrate_v3(dialect, flags))
    return (yield from _by_version(domain, only_terms(params), flags))


def _with_terms(domain: NonnullDomain, terms: Terms, flags: int) -> Conversation[NonnullDomain]:
    yield from check_offline(flags, both=True)
    flags = yield from check_unprotected(flags)
    return (yield from _by_version(domain, terms, flags))


def _by_version(domain: NonnullDomain, terms: Terms, flags: int) -> Conversation[NonnullDomain]:
    """Take the newest protocol that both daemons have."""
    if (yield from ask_both(HAS_V3)):
        return (yield from migrate_v3(WithTerms(domain, terms), flags))
    for feature, protocol in ((HAS_V2, migrate_v2), (HAS_V1, migrate_v1)):
        if (yield from ask_both(feature)):
            if terms.xml is not None:
                raise argument_unsupported("the daemons cannot change the definition on the way")
            return (yield from protocol(domain, terms, flags))
    raise no_support("the daemons have no migration protocol in common")
