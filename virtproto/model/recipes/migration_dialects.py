"""The two dialects of migration protocol 3: the same phases under other procedures.

Responsible for the arguments of each phase: with a list of typed parameters, into which what the
phases bring is put, or with the few old terms. Must not know when a phase is due.
"""

from __future__ import annotations

from virtproto.model.recipes.migration_steps import DESTINATION, SOURCE, Call
from virtproto.model.recipes.migration_terms import (
    DESTINATION_NAME,
    DESTINATION_XML,
    MIGRATE_URI,
    check_room,
    replaced,
    text_of,
)
from virtproto.wire.remote import domain_migrate as old
from virtproto.wire.remote import domain_migrate_params as new
from virtproto.wire.remote.domain import (
    DOMAIN_GET_INFO,
    DOMAIN_GET_STATE,
    DomainGetInfoArgs,
    DomainGetStateArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from virtproto.model.recipes.migration_terms import Terms
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

    class Dialect(Protocol):
        """What the order of the phases needs of them."""

        domain: NonnullDomain

        @property
        def uri(self) -> str | None:
            """Where the source sends the memory to, None as long as nobody has said it."""

        def take_uri(self, uri: str | None) -> None:
            """Go by what the destination said, if it said anything."""

        def begin(self, flags: int) -> Call:
            """Return the call of the first phase, at the source."""

        def state(self) -> Call:
            """Return the call for the state of the domain; its result has a ``state``."""

        def prepare(self, cookie: bytes, flags: int, xml: str) -> Call:
            """Return the call of the second phase, at the destination."""

        def perform(self, cookie: bytes, flags: int) -> Call:
            """Return the call of the third phase, at the source."""

        def finish(self, cookie: bytes, flags: int, cancelled: int) -> Call:
            """Return the call of the fourth phase, at the destination."""

        def confirm(self, cookie: bytes, flags: int, cancelled: int) -> Call:
            """Return the call of the last phase, at the source."""


__all__ = ["WithParameters", "WithTerms"]


class WithTerms:
    """Protocol 3 as it was at first."""

    def __init__(self, domain: NonnullDomain, terms: Terms) -> None:
        self.domain = domain
        self.uri = terms.uri
        self._terms = terms

    def take_uri(self, uri: str | None) -> None:
        if uri is not None:
            self.uri = uri

    def begin(self, flags: int) -> Call:
        terms = self._terms
        args = old.DomainMigrateBegin3Args(
            dom=self.domain,
            xmlin=terms.xml,
            flags=flags,
            dname=terms.name,
            resource=terms.bandwidth,
        )
        return Call(SOURCE, old.DOMAIN_MIGRATE_BEGIN3, args)

    def state(self) -> Call:
        return Call(SOURCE, DOMAIN_GET_INFO, DomainGetInfoArgs(dom=self.domain))

    def prepare(self, cookie: bytes, flags: int, xml: str) -> Call:
        args = old.DomainMigratePrepare3Args(
            cookie_in=cookie,
            uri_in=self._terms.uri,
            flags=flags,
            dname=self._terms.name,
            resource=self._terms.bandwidth,
            dom_xml=xml,
        )
        return Call(DESTINATION, old.DOMAIN_MIGRATE_PREPARE3, args)

    def perform(self, cookie: bytes, flags: int) -> Call:
        args = old.DomainMigratePerform3Args(
            dom=self.domain,
            xmlin=None,
            cookie_in=cookie,
            dconnuri=None,
            uri=self.uri,
            flags=flags,
            dname=self._terms.name,
            resource=self._terms.bandwidth,
        )
        return Call(SOURCE, old.DOMAIN_MIGRATE_PERFORM3, args, patient=True)

    def finish(self, cookie: bytes, flags: int, cancelled: int) -> Call:
        name = self.domain.name if self._terms.name is None else self._terms.name
        args = old.DomainMigrateFinish3Args(
            dname=name,
            cookie_in=cookie,
            dconnuri=None,
            uri=self.uri,
            flags=flags,
            cancelled=cancelled,
        )
        return Call(DESTINATION, old.DOMAIN_MIGRATE_FINISH3, args, patient=True)

    def confirm(self, cookie: bytes, flags: int, cancelled: int) -> Call:
        args = old.DomainMigrateConfirm3Args(
            dom=self.domain, cookie_in=cookie, flags=flags, cancelled=cancelled
        )
        return Call(SOURCE, old.DOMAIN_MIGRATE_CONFIRM3, args, patient=True)


class WithParameters:
    """Protocol 3 with typed parameters, which travel with every phase."""

    def __init__(self, domain: NonnullDomain, params: TypedParams) -> None:
        check_room(params)
        self.domain = domain
        self._params = params

    @property
    def uri(self) -> str | None:
        return text_of(self._params, MIGRATE_URI)

    def take_uri(self, uri: str | None) -> None:
        if uri is not None:
            self._params = replaced(self._params, MIGRATE_URI, uri)

    def begin(self, flags: int) -> Call:
        args = new.DomainMigrateBegin3ParamsArgs(dom=self.domain, params=self._params, flags=flags)
        return Call(SOURCE, new.DOMAIN_MIGRATE_BEGIN3_PARAMS, args)

    def state(self) -> Call:
        return Call(SOURCE, DOMAIN_GET_STATE, DomainGetStateArgs(dom=self.domain, flags=0))

    def prepare(self, cookie: bytes, flags: int, xml: str) -> Call:
        self._params = replaced(self._params, DESTINATION_XML, xml)
        args = new.DomainMigratePrepare3ParamsArgs(
            params=self._params, cookie_in=cookie, flags=flags
        )
        return Call(DESTINATION, new.DOMAIN_MIGRATE_PREPARE3_PARAMS, args)

    def perform(self, cookie: bytes, flags: int) -> Call:
        args = new.DomainMigratePerform3ParamsArgs(
            dom=self.domain, dconnuri=None, params=self._params, cookie_in=cookie, flags=flags
        )
        return Call(SOURCE, new.DOMAIN_MIGRATE_PERFORM3_PARAMS, args, patient=True)

    def finish(self, cookie: bytes, flags: int, cancelled: int) -> Call:
        if text_of(self._params, DESTINATION_NAME) is None:
            self._params = replaced(self._params, DESTINATION_NAME, self.domain.name)
        args = new.DomainMigrateFinish3ParamsArgs(
            params=self._params, cookie_in=cookie, flags=flags, cancelled=cancelled
        )
        return Call(DESTINATION, new.DOMAIN_MIGRATE_FINISH3_PARAMS, args, patient=True)

    def confirm(self, cookie: bytes, flags: int, cancelled: int) -> Call:
        args = new.DomainMigrateConfirm3ParamsArgs(
            dom=self.domain,
            params=self._params,
            cookie_in=cookie,
            flags=flags,
            cancelled=cancelled,
        )
        return Call(SOURCE, new.DOMAIN_MIGRATE_CONFIRM3_PARAMS, args, patient=True)
