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


def test_a_copy_is_a_handle_of_its_own(kind: type[DomainHandle]) -> None:
    wire = web()
    domain = handle(kind, None, wire)
    domain._reference()
    twin = copy.copy(domain)
    assert (twin, type(twin)) == (domain, kind)
    domain._set_id(-1)
    domain._set_name("renamed")
    assert (domain.get_name(), domain.get_id()) == ("renamed", -1)
    assert (twin.get_name(), twin.get_id()) == ("web", 7)
    assert twin._reference() == web().pack()
    assert wire == web()


def test_a_handle_cannot_leave_its_process(kind: type[DomainHandle]) -> None:
    domain = handle(kind, None, web())
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^Domain: .* cannot be pickled$"):
            leave(domain)


def test_a_handle_is_not_made_by_hand(kind: type[DomainHandle]) -> None:
    with pytest.raises(TypeError, match=r"^Domain: the lookups and lists of its connection"):
        kind()
