"""Starting a domain: which calls, and the id that comes of them."""

from __future__ import annotations

from tests.model.recipes.driving import drive
from virtproto.model.recipes.lifecycle import create
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

STOPPED = NonnullDomain(name="web", uuid=bytes(16), id=-1)
RUNNING = NonnullDomain(name="web", uuid=bytes(16), id=7)


def test_starting_a_domain() -> None:
    found = remote.DomainLookupByUuidRet(dom=RUNNING)
    calls, number = drive(create(STOPPED, flags=0), [None, found])
    assert calls == [
        ("DOMAIN_CREATE", remote.DomainCreateArgs(dom=STOPPED)),
        ("DOMAIN_LOOKUP_BY_UUID", remote.DomainLookupByUuidArgs(uuid=STOPPED.uuid)),
    ]
    assert number == 7
    started = remote.DomainCreateWithFlagsRet(dom=RUNNING)
    calls, number = drive(create(STOPPED, flags=2), [started])
    assert calls == [
        ("DOMAIN_CREATE_WITH_FLAGS", remote.DomainCreateWithFlagsArgs(dom=STOPPED, flags=2))
    ]
    assert number == 7
