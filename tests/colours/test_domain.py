"""The methods of one domain in both colours, against a daemon that says what its script says."""

from __future__ import annotations

import pytest

from tests.colours.asking import WEB, asked_after_opening
from tests.colours.driving import Open
from virtproto.errors import LibvirtError, UsageError
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
RUNNING = WEB
STOPPED = NonnullDomain(name="web", uuid=UUID, id=-1)


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    server.handle(remote.DOMAIN_LOOKUP_BY_ID, remote.DomainLookupByIdRet(dom=STOPPED))
    server.handle(remote.DOMAIN_LOOKUP_BY_UUID, remote.DomainLookupByUuidRet(dom=RUNNING))
    return server


def asked(server: ScriptedServer) -> list[tuple[int, bytes]]:
    """Return the calls after opening and looking up, without those of closing."""
    return asked_after_opening(server)[1:]


def test_what_the_handle_knows_costs_no_call(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        assert domain.get_name() == "web"
        assert domain.get_uuid() == UUID
        assert domain.get_uuid_string() == UUID_TEXT
        assert domain.get_id() == 7
        assert domain.connection == connection
        assert repr(domain) == f"<Domain 'web' {UUID_TEXT}>"
    assert asked(server) == []


def test_handles_are_equal_by_uuid_and_connection(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    other_uuid = NonnullDomain(name="web", uuid=bytes(16), id=7)
    with open_in_colour(uri) as one, open_in_colour(uri) as two:
        domain = one.get_domain_by_name("web")
        assert domain == one.get_domain_by_uuid(UUID)
        assert hash(domain) == hash(one.get_domain_by_uuid(UUID))
        assert domain != two.get_domain_by_name("web")
        assert domain != "web"
        server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=other_uuid))
        assert domain != one.get_domain_by_name("web")


def test_questions(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    info = remote.DomainGetInfoRet(state=1, maxMem=4096, memory=2048, nrVirtCpu=2, cpuTime=99)
    server.handle(remote.DOMAIN_GET_INFO, info)
    server.handle(remote.DOMAIN_GET_STATE, remote.DomainGetStateRet(state=3, reason=1))
    server.handle(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescRet(xml="<domain/>"))
    server.handle(remote.DOMAIN_IS_ACTIVE, remote.DomainIsActiveRet(active=1))
    server.handle(remote.DOMAIN_IS_PERSISTENT, remote.DomainIsPersistentRet(persistent=0))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        assert domain.get_info() == (1, 4096, 2048, 2, 99)
        state, reason = domain.get_state()
        assert (state, reason) == (3, 1)
        assert domain.get_xml_description(2) == "<domain/>"
        assert domain.is_active() is True
        assert domain.is_persistent() is False
    reference = RUNNING.pack()
    assert asked(server) == [
        (remote.DOMAIN_GET_INFO.number, reference),
        (remote.DOMAIN_GET_STATE.number, reference + b"\0\0\0\0"),
        (remote.DOMAIN_GET_XML_DESC.number, reference + b"\0\0\0\2"),
        (remote.DOMAIN_IS_ACTIVE.number, reference),
        (remote.DOMAIN_IS_PERSISTENT.number, reference),
    ]


def test_create_is_two_calls_without_flags(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_CREATE, b"")
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_id(1)
        assert domain.get_id() == -1
        domain.create()
        assert domain.get_id() == 7
    assert asked(server) == [
        (remote.DOMAIN_CREATE.number, STOPPED.pack()),
        (remote.DOMAIN_LOOKUP_BY_UUID.number, UUID),
    ]


def test_create_with_flags_is_one_call(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    started = remote.DomainCreateWithFlagsRet(dom=RUNNING)
    server.handle(remote.DOMAIN_CREATE_WITH_FLAGS, started)
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_id(1)
        domain.create(1)
        assert domain.get_id() == 7
    assert asked(server) == [
        (remote.DOMAIN_CREATE_WITH_FLAGS.number, STOPPED.pack() + b"\0\0\0\1"),
    ]


def test_a_domain_that_does_not_start_keeps_its_id(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_CREATE, ReplyError("already running", code=55, domain=20))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_id(1)
        with pytest.raises(LibvirtError) as caught:
            domain.create()
        assert caught.value.code == 55
        assert domain.get_id() == -1


@pytest.mark.parametrize("flags", [0, 1])
def test_destroy_ends_the_id(
    server: ScriptedServer, uri: str, flags: int, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_DESTROY, b"")
    server.handle(remote.DOMAIN_DESTROY_FLAGS, b"")
    server.handle(remote.DOMAIN_GET_INFO, ReplyError("gone", code=42))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        domain.destroy(flags)
        assert domain.get_id() == -1
        with pytest.raises(LibvirtError):
            domain.get_info()
    number = (remote.DOMAIN_DESTROY_FLAGS if flags else remote.DOMAIN_DESTROY).number
    extra = b"\0\0\0\1" if flags else b""
    assert asked(server) == [
        (number, RUNNING.pack() + extra),
        # The next call names the domain as it is now.
        (remote.DOMAIN_GET_INFO.number, STOPPED.pack()),
    ]


@pytest.mark.parametrize("flags", [0, 3])
def test_undefine(server: ScriptedServer, uri: str, flags: int, open_in_colour: Open) -> None:
    server.handle(remote.DOMAIN_UNDEFINE, b"")
    server.handle(remote.DOMAIN_UNDEFINE_FLAGS, b"")
    with open_in_colour(uri) as connection:
        connection.get_domain_by_name("web").undefine(flags)
    number = (remote.DOMAIN_UNDEFINE_FLAGS if flags else remote.DOMAIN_UNDEFINE).number
    extra = b"\0\0\0\3" if flags else b""
    assert asked(server) == [(number, RUNNING.pack() + extra)]


def test_bad_flags_send_nothing(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(UsageError, match=r"^flags: "):
            domain.get_state(-1)
        with pytest.raises(UsageError, match=r"^flags: "):
            domain.get_xml_description(None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^flags: "):
            domain.create(2**32)
        with pytest.raises(UsageError, match=r"^flags: "):
            domain.destroy(None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^flags: "):
            domain.undefine(None)  # type: ignore[arg-type]
    assert asked(server) == []
