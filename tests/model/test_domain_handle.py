"""What a handle on a domain knows by itself, whatever its colour."""

from __future__ import annotations

import copy
import pickle

import pytest

from virtproto import aio, sync
from virtproto.model.domain_handle import DomainHandle
from virtproto.model.object_handle import handle, handles
from virtproto.wire.remote.types import NonnullDomain

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.fixture(params=[sync.Domain, aio.Domain], ids=["sync", "aio"])
def kind(request: pytest.FixtureRequest) -> type[DomainHandle]:
    """The class of each colour in turn."""
    found: type[DomainHandle] = request.param
    return found


def web(uuid: bytes = UUID) -> NonnullDomain:
    return NonnullDomain(name="web", uuid=uuid, id=7)


def test_a_handle_is_of_its_colours_class_and_says_so(kind: type[DomainHandle]) -> None:
    domain = handle(kind, None, web())
    assert type(domain) is kind
    assert (domain.get_name(), domain.get_uuid(), domain.get_id()) == ("web", UUID, 7)
    assert domain.get_uuid_string() == UUID_TEXT
    assert repr(domain) == f"<Domain 'web' {UUID_TEXT}>"


def test_handles_are_the_same_by_uuid_and_connection(kind: type[DomainHandle]) -> None:
    here, there = object(), object()
    domain = handle(kind, here, web())
    same = handle(kind, here, NonnullDomain(name="renamed", uuid=UUID, id=-1))
    assert domain == same
    assert len({domain, same}) == 1
    assert domain != handle(kind, there, web())
    assert domain != handle(kind, here, web(bytes(16)))
    assert domain != "web"


def test_many_handles_are_what_single_ones_are(kind: type[DomainHandle]) -> None:
    here = object()
    wires = [web(), web(bytes(16))]
    domains = handles(kind, here, wires)
    assert domains == [handle(kind, here, wire) for wire in wires]
    assert [type(domain) for domain in domains] == [kind, kind]
    assert handles(kind, here, []) == []


def test_the_reference_follows_the_id(kind: type[DomainHandle]) -> None:
    domain = handle(kind, None, web())
    assert domain._reference() == web().pack()
    domain._set_id(-1)
    assert domain.get_id() == -1
    assert domain._reference() == NonnullDomain(name="web", uuid=UUID, id=-1).pack()


def test_a_handle_carries_no_dictionary(kind: type[DomainHandle]) -> None:
    assert not hasattr(handle(kind, None, web()), "__dict__")


def test_a_handle_may_be_copied_and_pickled_as_far_as_its_connection_may(
    kind: type[DomainHandle],
) -> None:
    domain = handle(kind, None, web())
    for twin in (copy.copy(domain), copy.deepcopy(domain), pickle.loads(pickle.dumps(domain))):
        assert twin == domain
        assert type(twin) is kind
        assert twin._reference() == web().pack()
