"""Handles on objects: identity, equality, and what they show of themselves."""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle, handle, handles, optional_handle
from virtproto.wire.remote.types import NonnullNetwork

UUID = bytes(range(16))
HERE, THERE = object(), object()


class Net(UuidHandle):
    __slots__ = ()


class Pool(UuidHandle):
    __slots__ = ()


def lan(name: str = "lan", uuid: bytes = UUID) -> NonnullNetwork:
    return NonnullNetwork(name=name, uuid=uuid)


def test_equal_are_handles_on_the_same_object_of_a_connection() -> None:
    net = handle(Net, HERE, lan())
    assert net == handle(Net, HERE, lan("renamed"))
    assert hash(net) == hash(handle(Net, HERE, lan("renamed")))
    assert net != handle(Net, THERE, lan())
    assert net != handle(Net, HERE, lan(uuid=bytes(16)))
    assert net != handle(Pool, HERE, lan())
    assert net != "lan"


def test_uuid_comes_raw_and_as_text() -> None:
    net = handle(Net, HERE, lan())
    assert net.get_uuid() == UUID
    assert net.get_uuid_string() == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert repr(net) == "<Net 00010203-0405-0607-0809-0a0b0c0d0e0f>"


def test_reference_is_the_objects_own_xdr() -> None:
    net = handle(Net, HERE, lan())
    assert net._reference() == lan().pack()
    assert net._reference() is net._reference()


def test_many_handles_keep_the_order() -> None:
    nets = handles(Net, HERE, [lan("a", bytes(16)), lan("b", UUID)])
    assert [net._wire.name for net in nets] == ["a", "b"]
    assert all(net._connection is HERE for net in nets)


def test_nothing_named_is_no_handle() -> None:
    assert optional_handle(Net, HERE, None) is None
    assert optional_handle(Net, HERE, lan()) == handle(Net, HERE, lan())
