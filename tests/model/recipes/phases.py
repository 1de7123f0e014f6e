"""Migration protocol 3 as scripts: which calls each dialect makes, and what they may be answered.

Responsible for what its tests share. It must not know what a test expects of a recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.model.recipes.conversations import NO, feature
from virtproto.errors import LibvirtError
from virtproto.model.recipes.migration_dialects import WithParameters, WithTerms
from virtproto.model.recipes.migration_terms import Terms, params_of
from virtproto.model.recipes.migration_v3 import migrate_v3
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

HERE = NonnullDomain(name="web", uuid=bytes(16), id=7)
THERE = NonnullDomain(name="web", uuid=bytes(16), id=1)

LIVE, PAUSED, PROTECTION, OFFLINE = 1, 32, 256, 1024
ABORT_ON_ERROR, AUTO_CONVERGE, POSTCOPY, POSTCOPY_RESUME = 4096, 8192, 32768, 524288

RUNNING, STOPPED_FOR_NOW = 1, 3
QEMU, RPC = 10, 7
REFUSED = LibvirtError("no", code=1)
FAILED = LibvirtError("the source broke", code=9, domain=QEMU)
DROPPED = LibvirtError("dropped as told", code=93, domain=QEMU)


@dataclass(frozen=True)
class Names:
    """The procedures of a dialect, and its results."""

    begin: str
    state: str
    prepare: str
    perform: str
    finish: str
    confirm: str
    params: bool

    def script(self, **answers: Any) -> list[tuple[str, Any]]:
        """Return the lines of the phases that are named, with the answers given, in their order."""
        ends = {"prepare": "destination", "finish": "destination"}
        return [
            (f"{ends.get(phase, 'source')} {getattr(self, phase)}", answer)
            for phase, answer in answers.items()
        ]

    def all_well(self, **changed: Any) -> list[tuple[str, Any]]:
        """Return the script of a migration without a fault."""
        return self.script(
            **{
                "begin": self.begun(b"b"),
                "state": self.found(RUNNING),
                "prepare": self.prepared(b"pr", "tcp://there"),
                "perform": self.performed(b"pe"),
                "finish": self.finished(b"f"),
                "confirm": None,
                **changed,
            }
        )

    def begun(self, cookie: bytes) -> Any:
        kind = remote.DomainMigrateBegin3ParamsRet if self.params else remote.DomainMigrateBegin3Ret
        return kind(cookie_out=cookie, xml="<domain/>")

    def found(self, state: int) -> Any:
        if self.params:
            return remote.DomainGetStateRet(state=state, reason=0)
        return remote.DomainGetInfoRet(state=state, maxMem=0, memory=0, nrVirtCpu=1, cpuTime=0)

    def prepared(self, cookie: bytes, uri: str | None) -> Any:
        kind: Any = remote.DomainMigratePrepare3Ret
        if self.params:
            kind = remote.DomainMigratePrepare3ParamsRet
        return kind(cookie_out=cookie, uri_out=uri)

    def performed(self, cookie: bytes) -> Any:
        kind: Any = remote.DomainMigratePerform3Ret
        if self.params:
            kind = remote.DomainMigratePerform3ParamsRet
        return kind(cookie_out=cookie)

    def finished(self, cookie: bytes) -> Any:
        kind: Any = remote.DomainMigrateFinish3Ret
        if self.params:
            kind = remote.DomainMigrateFinish3ParamsRet
        return kind(dom=THERE, cookie_out=cookie)

    def recipe(self, flags: int = LIVE, **terms: Any) -> Any:
        asked = Terms(**terms)
        if not self.params:
            return migrate_v3(WithTerms(HERE, asked), flags)
        return migrate_v3(WithParameters(HERE, params_of(asked)), flags)


PLAIN = Names(
    "DOMAIN_MIGRATE_BEGIN3",
    "DOMAIN_GET_INFO",
    "DOMAIN_MIGRATE_PREPARE3",
    "DOMAIN_MIGRATE_PERFORM3",
    "DOMAIN_MIGRATE_FINISH3",
    "DOMAIN_MIGRATE_CONFIRM3",
    params=False,
)
PARAMS = Names(
    "DOMAIN_MIGRATE_BEGIN3_PARAMS",
    "DOMAIN_GET_STATE",
    "DOMAIN_MIGRATE_PREPARE3_PARAMS",
    "DOMAIN_MIGRATE_PERFORM3_PARAMS",
    "DOMAIN_MIGRATE_FINISH3_PARAMS",
    "DOMAIN_MIGRATE_CONFIRM3_PARAMS",
    params=True,
)

PROTECTED = feature(7)
UNPROTECTED = feature(7, NO)
