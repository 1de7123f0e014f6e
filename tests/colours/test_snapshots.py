"""Snapshots and checkpoints in both colours: handles, lists, and what is refused unsent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.colours.asking import WEB, asked_after_opening
from tests.colours.driving import Open
from virtproto.errors import (
    ArgumentTypeError,
    NoDomainCheckpointError,
    NoDomainSnapshotError,
    OperationDeniedError,
    UsageError,
)
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import (
    NonnullDomainCheckpoint,
    NonnullDomainSnapshot,
)
from virtproto.xdr.procedure import Procedure

FIRST = NonnullDomainSnapshot(name="first", dom=WEB)
SECOND = NonnullDomainSnapshot(name="second", dom=WEB)
POINT = NonnullDomainCheckpoint(name="point", dom=WEB)
# What is found by name besides the domain.
FOUND: dict[Procedure[Any, Any], Any] = {
    remote.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: remote.DomainSnapshotLookupByNameRet(snap=FIRST),
    remote.DOMAIN_CHECKPOINT_LOOKUP_BY_NAME: remote.DomainCheckpointLookupByNameRet(
        checkpoint=POINT
    ),
}


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    for procedure, answer in FOUND.items():
        server.handle(procedure, answer)
    return server


def asked(server: ScriptedServer) -> list[tuple[int, bytes]]:
    """Return number and arguments of the calls after the lookups."""
    return asked_after_opening(server, remote.DOMAIN_LOOKUP_BY_NAME, *FOUND)


def test_what_handles_know_costs_no_call(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        snapshot = domain.get_snapshot_by_name("first")
        checkpoint = domain.get_checkpoint_by_name("point")
        assert (snapshot.get_name(), checkpoint.get_name()) == ("first", "point")
        for one in (snapshot, checkpoint):
            assert one.domain == domain
            assert one.get_domain().get_name() == "web"
            assert one.connection == connection
        assert repr(snapshot) == "<DomainSnapshot 'first' of 'web'>"
        assert repr(checkpoint) == "<DomainCheckpoint 'point' of 'web'>"
        assert snapshot == domain.get_snapshot_by_name("first")
    assert asked(server) == []


def test_lists_in_one_call(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(
        remote.DOMAIN_LIST_ALL_SNAPSHOTS,
        remote.DomainListAllSnapshotsRet(snapshots=[FIRST, SECOND], ret=2),
    )
    server.handle(
        remote.DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN,
        remote.DomainSnapshotListAllChildrenRet(snapshots=[SECOND], ret=1),
    )
    server.handle(
        remote.DOMAIN_LIST_ALL_CHECKPOINTS,
        remote.DomainListAllCheckpointsRet(checkpoints=[POINT], ret=1),
    )
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        first, second = domain.list_all_snapshots()
        assert [first.get_name(), second.get_name()] == ["first", "second"]
        assert first.list_all_children(1) == [second]
        assert [one.get_name() for one in domain.list_all_checkpoints(2)] == ["point"]
    all_snapshots = remote.DomainListAllSnapshotsArgs(dom=WEB, need_results=1, flags=0)
    children = remote.DomainSnapshotListAllChildrenArgs(snapshot=FIRST, need_results=1, flags=1)
    checkpoints = remote.DomainListAllCheckpointsArgs(dom=WEB, need_results=1, flags=2)
    assert asked(server) == [
        (274, all_snapshots.pack()),
        (275, children.pack()),
        (413, checkpoints.pack()),
    ]


def test_a_snapshot_that_vanishes_is_left_out_of_the_older_lists(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(
        remote.DOMAIN_SNAPSHOT_LIST_NAMES, remote.DomainSnapshotListNamesRet(names=["a", "b"])
    )
    server.handle(
        remote.DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES,
        remote.DomainSnapshotListChildrenNamesRet(names=["b"]),
    )
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        snapshot = domain.get_snapshot_by_name("first")
        assert domain.list_snapshots() == [snapshot, snapshot]
        gone = ReplyError(code=72, message="no such snapshot", domain=10)
        server.handle(remote.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, gone)
        assert domain.list_snapshots() == []
        assert snapshot.list_child_snapshots() == []
        assert snapshot.list_child_snapshot_names() == ["b"]


def test_what_is_made_is_a_handle(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.DOMAIN_SNAPSHOT_CREATE_XML, remote.DomainSnapshotCreateXmlRet(snap=SECOND))
    server.handle(
        remote.DOMAIN_CHECKPOINT_CREATE_XML, remote.DomainCheckpointCreateXmlRet(checkpoint=POINT)
    )
    server.handle(remote.DOMAIN_SNAPSHOT_GET_PARENT, remote.DomainSnapshotGetParentRet(snap=FIRST))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        snapshot = domain.create_snapshot("<domainsnapshot/>", 16)
        assert snapshot.get_name() == "second"
        assert snapshot.get_parent().get_name() == "first"
        assert domain.create_checkpoint("<domaincheckpoint/>").domain == domain


def test_what_is_missing_has_errors_of_its_own(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(
        remote.DOMAIN_SNAPSHOT_CURRENT, ReplyError(code=72, message="none is current", domain=10)
    )
    server.handle(
        remote.DOMAIN_CHECKPOINT_GET_PARENT, ReplyError(code=103, message="no parent", domain=10)
    )
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(NoDomainSnapshotError):
            domain.current_snapshot()
        checkpoint = domain.get_checkpoint_by_name("point")
        with pytest.raises(NoDomainCheckpointError) as caught:
            checkpoint.get_parent()
        assert caught.value.object == checkpoint


def test_a_read_only_connection_changes_nothing_and_sees_no_passwords(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(
        remote.DOMAIN_SNAPSHOT_GET_XML_DESC, remote.DomainSnapshotGetXmlDescRet(xml="<s/>")
    )
    server.handle(
        remote.DOMAIN_CHECKPOINT_GET_XML_DESC, remote.DomainCheckpointGetXmlDescRet(xml="<c/>")
    )
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        snapshot = domain.get_snapshot_by_name("first")
        checkpoint = domain.get_checkpoint_by_name("point")
        refused: list[Any] = [
            lambda: snapshot.delete(),
            lambda: snapshot.revert_to(),
            lambda: snapshot.get_xml_description(1),
            lambda: checkpoint.delete(),
            lambda: checkpoint.get_xml_description(1 | 2),
            lambda: domain.create_snapshot("<domainsnapshot/>"),
            lambda: domain.create_checkpoint("<domaincheckpoint/>"),
        ]
        for act in refused:
            with pytest.raises(OperationDeniedError) as caught:
                act()
            assert caught.value.code == 29
        assert asked(server) == []
        assert snapshot.get_xml_description() == "<s/>"
        assert checkpoint.get_xml_description(2) == "<c/>"


@pytest.mark.parametrize(
    ("name", "args", "error", "words"),
    [
        ("num_of_snapshots", (-1,), UsageError, "flags: -1 is not within"),
        ("list_snapshot_names", ("1",), ArgumentTypeError, "flags: expected a whole number"),
        ("list_snapshots", (None,), ArgumentTypeError, "flags: a whole number is required"),
        ("get_snapshot_by_name", (None,), ArgumentTypeError, "name: a text is required"),
        ("get_checkpoint_by_name", (7,), ArgumentTypeError, "name: expected text, not int"),
        ("create_snapshot", (b"<a/>",), ArgumentTypeError, "xml: expected text, not bytes"),
        ("create_checkpoint", (None,), ArgumentTypeError, "xml: a text is required"),
        ("create_checkpoint", ("<a/>", 1 << 32), UsageError, "flags: 4294967296 is not within"),
    ],
)
def test_what_cannot_be_asked_of_a_domain_is_not_sent(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    name: str,
    args: tuple[Any, ...],
    error: type[Exception],
    words: str,
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(error, match=f"^{words}"):
            getattr(domain, name)(*args)
    assert asked(server) == []


def test_what_cannot_be_asked_of_a_snapshot_is_not_sent(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        snapshot = domain.get_snapshot_by_name("first")
        checkpoint = domain.get_checkpoint_by_name("point")
        for one in (snapshot, checkpoint):
            with pytest.raises(UsageError, match=r"^flags: -1 is not within"):
                one.delete(-1)
            with pytest.raises(UsageError, match=r"^flags: -1 is not within"):
                one.get_parent(-1)
        with pytest.raises(UsageError, match=r"^flags: -1 is not within"):
            snapshot.revert_to(-1)
    assert asked(server) == []
