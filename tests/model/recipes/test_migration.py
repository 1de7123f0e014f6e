"""Which way a migration takes: what is asked of which daemon, in order, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.model.recipes.conversations import NO, YES, Peer, feature, play
from virtproto.errors import ArgumentTypeError, LibvirtError, URIError, UsageError
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes import migration
from virtproto.model.typedvalues import to_params
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

HERE = NonnullDomain(name="web", uuid=bytes(16), id=7)
THERE = NonnullDomain(name="web", uuid=bytes(16), id=1)
PEER = "qemu+tcp://there/system"

LIVE, PEER_TO_PEER, TUNNELLED, DISK, INC = 1, 2, 4, 64, 128
PROTECTION, OFFLINE, PARALLEL, SYNCHRONOUS = 256, 1024, 131072, 262144

REFUSED = LibvirtError("no", code=1)
FOUND = ("destination DOMAIN_LOOKUP_BY_NAME", remote.DomainLookupByNameRet(dom=THERE))
# Stops a recipe where the protocol that was chosen begins.
HALT = LibvirtError("the test has seen enough", code=12345)

NO_SUPPORT, INVALID_ARG, DENIED, OPERATION_INVALID, ARGUMENT_UNSUPPORTED = 3, 8, 29, 55, 74


def params(**values: Any) -> Any:
    return to_params("params", values, KNOWN["MIGRATION"], 64)


def migrate(flags: int = LIVE, values: Any = None, **terms: Any) -> Any:
    given = {"dname": None, "uri": None, "bandwidth": 0, **terms}
    return migration.migrate(HERE, params=values, flags=flags, **given)


def migrate2(flags: int = LIVE, **terms: Any) -> Any:
    given = {"dxml": None, "dname": None, "uri": None, "bandwidth": 0, **terms}
    return migration.migrate2(HERE, flags=flags, **given)


def migrate3(flags: int = LIVE, **values: Any) -> Any:
    return migrate(flags, params(**values))


def to_uri(flags: int = LIVE, uri: str = PEER, values: Any = None, **terms: Any) -> Any:
    given = {"dname": None, "bandwidth": 0, **terms}
    return migration.migrate_to_uri(HERE, dest_uri=uri, params=values, flags=flags, **given)


def to_uri2(flags: int = LIVE, **terms: Any) -> Any:
    given = {"dconnuri": PEER, "miguri": None, "dxml": None, "dname": None, "bandwidth": 0, **terms}
    return migration.migrate_to_uri2(HERE, flags=flags, **given)


def to_uri3(flags: int = LIVE, uri: str = PEER, **values: Any) -> Any:
    return to_uri(flags, uri, params(**values))


def both(number: int) -> list[tuple[str, Any]]:
    return [feature(number), feature(number, end="destination")]


LED = [migrate, migrate2, migrate3]
BY_ITSELF = [to_uri, to_uri2, to_uri3]


# Refusals before anything is asked.


@pytest.mark.parametrize("way", [*LED, *BY_ITSELF])
@pytest.mark.parametrize(
    "flags",
    [
        DISK | INC,
        PEER_TO_PEER | DISK | INC,
        SYNCHRONOUS,
        TUNNELLED | PARALLEL,
        PEER_TO_PEER | TUNNELLED | PARALLEL,
        OFFLINE | TUNNELLED | PARALLEL,
    ],
)
def test_flags_that_exclude_each_other(way: Callable[[int], Any], flags: int) -> None:
    error = play(way(flags), []).error
    assert isinstance(error, LibvirtError)
    assert (error.code, error.domain) == (INVALID_ARG, 20)
    assert "flags" in str(error)


@pytest.mark.parametrize("flags", [PEER_TO_PEER, TUNNELLED, PEER_TO_PEER | OFFLINE])
def test_flags_that_do_not_go_with_params(flags: int) -> None:
    error = play(migrate3(flags), []).error
    assert isinstance(error, LibvirtError)
    assert error.code == INVALID_ARG


@pytest.mark.parametrize(("way", "name"), [(migrate, "migrate"), (migrate2, "migrate2")])
def test_a_destination_that_is_read_only(way: Callable[[], Any], name: str) -> None:
    error = play(way(), [], Peer(readonly=True)).error
    assert isinstance(error, LibvirtError)
    assert error.code == DENIED
    assert str(error).endswith(f"Domain.{name} while dest_conn is read-only")


@pytest.mark.parametrize("extra", [{"dname": "x"}, {"uri": "tcp://a"}, {"bandwidth": 1}])
def test_terms_beside_params(extra: dict[str, Any]) -> None:
    (name,) = extra
    error = play(migrate(values=params(), **extra), []).error
    assert isinstance(error, UsageError)
    assert str(error).startswith(f"{name}: ")
    if name != "uri":
        assert isinstance(play(to_uri(values=params(), **extra), []).error, UsageError)


def test_params_that_leave_no_room_for_those_of_the_protocol() -> None:
    full = params(migrate_disks=[f"vd{number}" for number in range(62)])
    error = play(migrate(values=full), []).error
    assert isinstance(error, UsageError)
    assert str(error) == "params: 62 are more than the 61 allowed here"
    named = {"migrate_uri": "a", "destination_name": "b", "destination_xml": "c"}
    full = params(migrate_disks=[f"vd{number}" for number in range(61)], **named)
    script = [*both(13), feature(7), ("source DOMAIN_MIGRATE_BEGIN3_PARAMS", HALT)]
    assert play(migrate(values=full), script).error is HALT


def test_a_uri_for_the_source_daemon_is_required_peer_to_peer() -> None:
    error = play(to_uri2(PEER_TO_PEER, dconnuri=None), []).error
    assert isinstance(error, ArgumentTypeError)
    assert str(error).startswith("dconnuri: ")


# What the daemons are asked.


@pytest.mark.parametrize("way", LED)
@pytest.mark.parametrize("flags", [OFFLINE, OFFLINE | PEER_TO_PEER])
@pytest.mark.parametrize("lacking", ["source", "destination"])
def test_offline_asks_both_ends(way: Callable[[int], Any], flags: int, lacking: str) -> None:
    if way is migrate3 and flags & PEER_TO_PEER:
        flags = OFFLINE
    script = both(12)
    if lacking == "source":
        script = [feature(12, NO)]
    else:
        script[1] = feature(12, NO, end="destination")
    error = play(way(flags), script).error
    assert isinstance(error, LibvirtError)
    assert error.code == ARGUMENT_UNSUPPORTED
    assert lacking in str(error)


@pytest.mark.parametrize("way", LED)
@pytest.mark.parametrize("answer", [NO, REFUSED])
def test_protection_that_the_source_does_not_have(way: Callable[[int], Any], answer: Any) -> None:
    error = play(way(PROTECTION), [feature(7, answer)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == ARGUMENT_UNSUPPORTED


@pytest.mark.parametrize("way", [migrate, migrate2])
def test_a_tunnel_without_peer_to_peer(way: Callable[[int], Any]) -> None:
    error = play(way(TUNNELLED), []).error
    assert isinstance(error, LibvirtError)
    assert error.code == OPERATION_INVALID


PROTOCOLS = [
    # What is answered to the features, and the first call of the protocol.
    ([*both(6), feature(7)], "source DOMAIN_MIGRATE_BEGIN3"),
    ([feature(6, NO), *both(3), feature(11)], "source DOMAIN_GET_XML_DESC"),
    (
        [feature(6), feature(6, NO, end="destination"), *both(3), feature(11)],
        "source DOMAIN_GET_XML_DESC",
    ),
    ([feature(6, REFUSED), feature(3, NO), *both(1)], "source DOMAIN_GET_INFO"),
]


@pytest.mark.parametrize(("script", "first"), PROTOCOLS)
@pytest.mark.parametrize("way", LED)
def test_the_newest_protocol_of_both(
    way: Callable[[], Any], script: list[tuple[str, Any]], first: str
) -> None:
    asked = [feature(13, NO)] if way is migrate3 else []
    ended: list[tuple[str, Any]] = [(first, HALT)]
    if first == "source DOMAIN_GET_INFO":
        # Protocol 1 begins with what it can do without.
        ended.append(("destination DOMAIN_MIGRATE_PREPARE", HALT))
    assert play(way(), [*asked, *script, *ended]).error is HALT


def test_params_go_by_the_protocol_with_params() -> None:
    script = [*both(13), feature(7, NO), ("source DOMAIN_MIGRATE_BEGIN3_PARAMS", HALT)]
    played = play(migrate3(LIVE | PROTECTION, bandwidth=3), [feature(7), *script])
    assert played.error is HALT
    begin = played.args("DOMAIN_MIGRATE_BEGIN3_PARAMS")
    assert begin.params.to_dict() == {"bandwidth": 3}
    assert begin.flags == LIVE


def test_old_params_go_by_an_old_protocol_too() -> None:
    script = [*both(13)[:1], feature(13, NO, end="destination"), *both(6), feature(7, NO)]
    recipe = migrate3(migrate_uri="tcp://a", destination_name="b", destination_xml="c", bandwidth=3)
    played = play(recipe, [*script, ("source DOMAIN_MIGRATE_BEGIN3", HALT)])
    assert played.args("DOMAIN_MIGRATE_BEGIN3") == remote.DomainMigrateBegin3Args(
        dom=HERE, xmlin="c", flags=LIVE, dname="b", resource=3
    )


def test_new_params_do_not_go_by_an_old_protocol() -> None:
    error = play(migrate3(migrate_disks=["vda"]), [feature(13, NO)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == ARGUMENT_UNSUPPORTED
    assert "migrate_disks" in str(error)


@pytest.mark.parametrize("protocol", [3, 1])
def test_a_definition_does_not_go_by_protocols_2_and_1(protocol: int) -> None:
    script = [feature(6, NO), *([feature(3, NO)] if protocol == 1 else []), *both(protocol)]
    error = play(migrate2(dxml="<domain/>"), script).error
    assert isinstance(error, LibvirtError)
    assert error.code == ARGUMENT_UNSUPPORTED


@pytest.mark.parametrize("way", LED)
def test_daemons_with_nothing_in_common(way: Callable[[], Any]) -> None:
    asked = [feature(13, NO)] if way is migrate3 else []
    error = play(way(), [*asked, feature(6, NO), feature(3, NO), feature(1, NO)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == NO_SUPPORT


# Peer to peer, led by the source daemon, with the destination's connection for what came of it.


def test_peer_to_peer_goes_by_the_destinations_uri() -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", None), FOUND]
    played = play(migrate(LIVE | PEER_TO_PEER | PROTECTION), script, Peer(PEER))
    assert played.result == THERE
    perform = played.args("DOMAIN_MIGRATE_PERFORM3_PARAMS")
    assert perform.dconnuri == PEER
    assert perform.flags == LIVE | PEER_TO_PEER | PROTECTION
    assert perform.params.items() == [("bandwidth", 0)]
    assert perform.cookie_in == b""
    assert played.args("DOMAIN_LOOKUP_BY_NAME").name == "web"


def test_peer_to_peer_migrate_takes_its_uri_for_the_daemons() -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", None), FOUND]
    played = play(migrate(PEER_TO_PEER, uri=PEER, dname="b", bandwidth=4), script)
    perform = played.args("DOMAIN_MIGRATE_PERFORM3_PARAMS")
    assert perform.dconnuri == PEER
    assert perform.params.items() == [("destination_name", "b"), ("bandwidth", 4)]
    assert played.args("DOMAIN_LOOKUP_BY_NAME").name == "b"


def test_peer_to_peer_migrate2_takes_its_uri_for_the_hypervisors() -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", None), FOUND]
    recipe = migrate2(PEER_TO_PEER, uri="tcp://a", dxml="<domain/>")
    perform = play(recipe, script, Peer(PEER)).args("DOMAIN_MIGRATE_PERFORM3_PARAMS")
    assert perform.dconnuri == PEER
    assert perform.params.items() == [
        ("migrate_uri", "tcp://a"),
        ("destination_xml", "<domain/>"),
        ("bandwidth", 0),
    ]


@pytest.mark.parametrize("way", [migrate, migrate2])
def test_a_source_that_cannot_go_peer_to_peer(way: Callable[[int], Any]) -> None:
    error = play(way(PEER_TO_PEER), [feature(4, NO)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == NO_SUPPORT


LOCAL = ["qemu:///system", "qemu+ssh://localhost/system", "qemu+tcp://localhost.localdomain/x"]


@pytest.mark.parametrize("uri", LOCAL)
@pytest.mark.parametrize("way", [migrate, to_uri])
def test_a_source_that_would_reach_itself(way: Callable[..., Any], uri: str) -> None:
    error = play(way(PEER_TO_PEER, uri=uri), [feature(4)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == INVALID_ARG


def test_a_socket_of_its_own_is_another_daemon() -> None:
    uri = "qemu+unix:///system?socket=/tmp/other"
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", None)]
    assert play(to_uri(PEER_TO_PEER, uri=uri), script).error is None


def test_what_is_no_uri() -> None:
    assert isinstance(play(to_uri(PEER_TO_PEER, uri="there"), [feature(4)]).error, URIError)


# By itself, without a connection to the destination.


@pytest.mark.parametrize("way", BY_ITSELF)
def test_what_the_source_cannot_do_by_itself(way: Callable[[int], Any]) -> None:
    for flags, script in (
        (OFFLINE, [feature(12, NO)]),
        (OFFLINE | PEER_TO_PEER, [feature(12), feature(4, NO)]),
        (PEER_TO_PEER, [feature(4, NO)]),
        (LIVE, [feature(5, NO)]),
        (TUNNELLED, [feature(5, NO)]),
    ):
        error = play(way(flags), script).error
        assert isinstance(error, LibvirtError)
        assert error.code == ARGUMENT_UNSUPPORTED


def test_params_travel_as_they_are() -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", None)]
    values: dict[str, Any] = {"migrate_disks": ["vda", "vdb"], "parallel.connections": 2}
    played = play(to_uri3(PEER_TO_PEER | PARALLEL, **values), script)
    perform = played.args("DOMAIN_MIGRATE_PERFORM3_PARAMS")
    assert perform.params == params(**values)
    assert played.patient() == {"DOMAIN_MIGRATE_PERFORM3_PARAMS"}


def test_to_uri_peer_to_peer_by_protocol_3() -> None:
    script = [feature(4), feature(13, NO), feature(6), ("source DOMAIN_MIGRATE_PERFORM3", None)]
    recipe = to_uri2(PEER_TO_PEER, miguri="tcp://a", dxml="<domain/>", dname="b", bandwidth=3)
    assert play(recipe, script).args("DOMAIN_MIGRATE_PERFORM3") == remote.DomainMigratePerform3Args(
        dom=HERE,
        xmlin="<domain/>",
        cookie_in=b"",
        dconnuri=PEER,
        uri="tcp://a",
        flags=PEER_TO_PEER,
        dname="b",
        resource=3,
    )


def test_to_uri_directly_by_protocol_3() -> None:
    script = [feature(5), feature(6), ("source DOMAIN_MIGRATE_PERFORM3", None)]
    perform = play(to_uri(uri="xen://there"), script).args("DOMAIN_MIGRATE_PERFORM3")
    assert (perform.dconnuri, perform.uri) == (None, "xen://there")
    for recipe in (to_uri3(migrate_uri="xen://a"), to_uri2(miguri="xen://a")):
        perform = play(recipe, script).args("DOMAIN_MIGRATE_PERFORM3")
        assert (perform.dconnuri, perform.uri) == (None, "xen://a")


def test_to_uri_by_protocol_2() -> None:
    performed = ("source DOMAIN_MIGRATE_PERFORM", None)
    script = [feature(4), feature(13, NO), feature(6, NO), performed]
    played = play(to_uri(PEER_TO_PEER, dname="b", bandwidth=3), script)
    assert played.args("DOMAIN_MIGRATE_PERFORM") == remote.DomainMigratePerformArgs(
        dom=HERE, cookie=b"", uri=PEER, flags=PEER_TO_PEER, dname="b", resource=3
    )
    assert played.patient() == {"DOMAIN_MIGRATE_PERFORM"}
    script = [feature(5), feature(6, NO), performed]
    assert play(to_uri(uri="xen://a"), script).args("DOMAIN_MIGRATE_PERFORM").uri == "xen://a"


def test_what_does_not_go_by_protocol_2() -> None:
    script = [feature(4), feature(13, NO), feature(6, NO)]
    for recipe, code in (
        (to_uri2(PEER_TO_PEER, miguri="tcp://a"), 1),
        (to_uri2(PEER_TO_PEER, dxml="<domain/>"), ARGUMENT_UNSUPPORTED),
        (to_uri3(PEER_TO_PEER, listen_address="::"), ARGUMENT_UNSUPPORTED),
    ):
        error = play(recipe, script).error
        assert isinstance(error, LibvirtError)
        assert error.code == code
    error = play(to_uri3(PEER_TO_PEER, listen_address="::"), [*script[:2], feature(6)]).error
    assert isinstance(error, LibvirtError)
    assert error.code == ARGUMENT_UNSUPPORTED
    assert isinstance(play(to_uri3(), [feature(5), feature(6, NO)]).error, UsageError)


@pytest.mark.parametrize("way", BY_ITSELF)
def test_a_refused_transfer_is_the_error(way: Callable[[int], Any]) -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", REFUSED)]
    assert play(way(PEER_TO_PEER), script).error is REFUSED


def test_a_refused_transfer_is_looked_up_nowhere() -> None:
    script = [feature(4), feature(13), ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", REFUSED)]
    assert play(migrate(PEER_TO_PEER), script, Peer(PEER)).error is REFUSED


def test_unanswered_questions_for_features_mean_no() -> None:
    assert YES.supported
    script = [feature(number, REFUSED) for number in (6, 3, 1)]
    error = play(migrate(), script).error
    assert isinstance(error, LibvirtError)
    assert error.code == NO_SUPPORT
