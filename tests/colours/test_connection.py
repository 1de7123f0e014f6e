"""Opening, lookups, lists and the typed door in both colours, against a scripted daemon."""

from __future__ import annotations

import copy
import pickle
import re
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.colours.asking import asked_after_opening
from tests.colours.driving import Open
from virtproto.errors import (
    ArgumentTypeError,
    AuthenticationError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    DecodeError,
    EncodeError,
    FramingError,
    LibvirtError,
    NoDomainError,
    SocketMissingError,
    SocketRefusedError,
    UnknownProcedureError,
    URIError,
    UsageError,
    VirtprotoError,
)
from virtproto.testing import NoReply, ReplyError, ReplyUnknownProcedure, ScriptedServer
from virtproto.wire import find_procedure, remote
from virtproto.wire.remote.types import NonnullDomain

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WEB = NonnullDomain(name="web", uuid=UUID, id=7)
MAIL = NonnullDomain(name="mail", uuid=UUID[::-1], id=-1)
# The features that are asked for. The first starts the daemon's pings, and is no use after
# CONNECT_OPEN.
FEATURES = [10]
# A peer that cannot be a daemon is told in under a second: it takes milliseconds.
PROMPT_S = 1.0


def names(server: ScriptedServer) -> list[int]:
    return [call.procedure for call in server.calls]


def asked(server: ScriptedServer) -> list[bytes]:
    """Return the arguments of the calls after opening."""
    return [payload for _, payload in asked_after_opening(server)]


def asked_to_open(server: ScriptedServer) -> remote.ConnectOpenArgs:
    (payload,) = (call.payload for call in server.calls if call.procedure == 1)
    return remote.ConnectOpenArgs.unpack(payload)


def open_and_close(open_in_colour: Open, uri: str, **options: Any) -> None:
    with open_in_colour(uri, **options):
        pass


def test_opening_makes_no_more_calls_than_it_has_to(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        assert names(server) == [66, 60, 1]
        assert connection.is_alive()
        assert connection.get_uri() == uri
        assert not connection.is_readonly()
    assert names(server)[-1] == 2
    opened = asked_to_open(server)
    assert (opened.name, opened.flags) == ("test:///default", 0)
    payloads = [call.payload for call in server.calls if call.procedure == 60]
    features = [remote.ConnectSupportsFeatureArgs.unpack(payload) for payload in payloads]
    assert [feature.feature for feature in features] == FEATURES


def test_read_only_is_bit_0(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        assert connection.is_readonly()
    assert asked_to_open(server).flags == 1


def test_without_a_uri_the_daemon_is_asked_which_it_is(
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    colour: str,
    open_in_colour: Open,
) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (tmp_path / "libvirt").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    server.listen(tmp_path / "libvirt" / "libvirt-sock")
    server.handle(remote.CONNECT_GET_URI, remote.ConnectGetUriRet(uri="qemu:///session"))
    with open_in_colour() as connection:
        assert connection.get_uri() == "qemu:///session"
        assert "qemu:///session" in repr(connection)
    assert names(server) == [66, 60, 1, 110, 2]
    assert asked_to_open(server).name == ""


def test_the_environment_names_the_default(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch, open_in_colour: Open
) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", uri)
    with open_in_colour() as connection:
        assert connection.get_uri() == uri


def test_a_daemon_without_the_features_is_opened_all_the_same(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_SUPPORTS_FEATURE, ReplyError("no", code=1))
    with open_in_colour(uri) as connection:
        assert connection.is_alive()


@pytest.mark.parametrize(
    ("offered", "query", "words"),
    [
        ([9, 1], "", "it offers type 9, sasl"),
        ([0], "&auth=sasl", "the URI wants authentication by sasl; the daemon offers none"),
        ([1], "&auth=polkit", "the URI wants authentication by polkit; the daemon offers sasl"),
    ],
)
def test_authentication_that_is_not_available_is_named(
    server: ScriptedServer,
    uri: str,
    offered: list[int],
    query: str,
    words: str,
    open_in_colour: Open,
) -> None:
    server.handle(remote.AUTH_LIST, remote.AuthListRet(types=offered))
    with pytest.raises(AuthenticationError) as caught:
        open_and_close(open_in_colour, uri + query)
    assert words in str(caught.value)
    server.wait_until(lambda seen: seen.connections_ended == 1)
    assert names(server) == [66]


def test_a_daemon_that_offers_nothing_asks_for_nothing(
    server: ScriptedServer, uri: str, colour: str, open_in_colour: Open
) -> None:
    server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[]))
    open_and_close(open_in_colour, uri)
    assert names(server) == [66, 60, 1, 2]


def test_a_driver_that_refuses_closes_the_socket(
    server: ScriptedServer, uri: str, colour: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_OPEN, ReplyError("no such driver", code=3))
    with pytest.raises(LibvirtError, match="no such driver"):
        open_and_close(open_in_colour, uri)
    server.wait_until(lambda seen: seen.connections_ended == 1)
    # Without CONNECT_CLOSE: nothing was opened.
    assert names(server) == [66, 60, 1]


def test_a_daemon_that_says_nothing_meets_the_deadline(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.AUTH_LIST, NoReply())
    with pytest.raises(DeadlineError, match="AUTH_LIST"):
        open_and_close(open_in_colour, uri, timeout_s=0.05)
    server.wait_until(lambda seen: seen.connections_ended == 1)


def test_sockets_that_lead_nowhere(tmp_path: Path, open_in_colour: Open) -> None:
    start = time.monotonic()
    with pytest.raises(SocketMissingError, match=str(tmp_path)):
        open_and_close(open_in_colour, f"test:///default?socket={tmp_path}/none")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "dead"))
    listener.close()
    with pytest.raises(SocketRefusedError, match="nobody listens"):
        open_and_close(open_in_colour, f"test:///default?socket={tmp_path}/dead")
    with pytest.raises(URIError, match="bytes long"):
        open_and_close(open_in_colour, f"test:///default?socket=/{'x' * 200}")
    assert time.monotonic() - start < PROMPT_S


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", FramingError),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", FramingError),
        ((3).to_bytes(4, "big"), FramingError),
        ((27).to_bytes(4, "big"), FramingError),
        ((2**31).to_bytes(4, "big"), FramingError),
        ((2**32 - 1).to_bytes(4, "big"), FramingError),
        (b"", ConnectionLostError),
        (bytes.fromhex("00000024 20008086"), ConnectionLostError),
    ],
)
def test_a_peer_that_is_no_daemon_is_found_out_at_once(
    tmp_path: Path, answer: bytes, kind: type[VirtprotoError], open_in_colour: Open
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        start = time.monotonic()
        with pytest.raises(
            kind, match=f"^{re.escape(str(tmp_path))}/s let nobody in: .*; see that"
        ):
            open_and_close(open_in_colour, f"test:///default?socket={tmp_path}/s", timeout_s=None)
        assert time.monotonic() - start < PROMPT_S
        thread.join(10)


def test_what_the_daemon_says_of_itself(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_GET_LIB_VERSION, remote.ConnectGetLibVersionRet(lib_ver=12008000))
    server.handle(remote.CONNECT_GET_VERSION, remote.ConnectGetVersionRet(hv_ver=2))
    server.handle(remote.CONNECT_GET_HOSTNAME, remote.ConnectGetHostnameRet(hostname="höst"))
    server.handle(remote.CONNECT_GET_TYPE, remote.ConnectGetTypeRet(type="TEST"))
    with open_in_colour(uri) as connection:
        assert connection.get_library_version() == 12008000
        assert connection.get_version() == 2
        assert connection.get_hostname() == "höst"
        assert connection.get_type() == "TEST"
        assert connection.get_type() == "TEST"
    # Asked once, then remembered.
    assert names(server).count(remote.CONNECT_GET_TYPE.number) == 1


def test_all_domains(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    answer = remote.ConnectListAllDomainsRet(domains=[WEB, MAIL], ret=2)
    server.handle(remote.CONNECT_LIST_ALL_DOMAINS, answer)
    with open_in_colour(uri) as connection:
        domains = connection.list_all_domains(3)
        assert [domain.get_name() for domain in domains] == ["web", "mail"]
        assert [domain.get_id() for domain in domains] == [7, -1]
        assert all(domain.connection == connection for domain in domains)
    (payload,) = asked(server)
    args = remote.ConnectListAllDomainsArgs.unpack(payload)
    assert (args.need_results, args.flags) == (1, 3)


def test_lookups(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
    server.handle(remote.DOMAIN_LOOKUP_BY_ID, remote.DomainLookupByIdRet(dom=WEB))
    server.handle(remote.DOMAIN_LOOKUP_BY_UUID, remote.DomainLookupByUuidRet(dom=WEB))
    with open_in_colour(uri) as connection:
        found = [
            connection.get_domain_by_name("web"),
            connection.get_domain_by_id(7),
            connection.get_domain_by_uuid(UUID),
            connection.get_domain_by_uuid(UUID_TEXT.upper()),
            connection.get_domain_by_uuid(uuid.UUID(UUID_TEXT)),
        ]
    assert len(set(found)) == 1
    by_name, by_id, *by_uuid = asked(server)
    assert remote.DomainLookupByNameArgs.unpack(by_name).name == "web"
    assert remote.DomainLookupByIdArgs.unpack(by_id).id == 7
    assert by_uuid == [UUID, UUID, UUID]


def test_a_domain_that_is_not_there(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    error = ReplyError("Domain not found", code=42, domain=10, str1="Domain not found: %s")
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, error)
    with open_in_colour(uri) as connection, pytest.raises(NoDomainError) as caught:
        connection.get_domain_by_name("nobody")
    assert caught.value.code == 42
    assert caught.value.str1 == "Domain not found: %s"


def test_defining_and_creating(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlRet(dom=MAIL))
    server.handle(remote.DOMAIN_DEFINE_XML_FLAGS, remote.DomainDefineXmlFlagsRet(dom=MAIL))
    server.handle(remote.DOMAIN_CREATE_XML, remote.DomainCreateXmlRet(dom=WEB))
    with open_in_colour(uri) as connection:
        assert connection.define_domain("<a/>").get_name() == "mail"
        assert connection.define_domain("<b/>", 1).get_name() == "mail"
        assert connection.create_domain("<c/>", 2).get_id() == 7
    plain, with_flags, started = asked(server)
    assert remote.DomainDefineXmlArgs.unpack(plain).xml == "<a/>"
    assert remote.DomainDefineXmlFlagsArgs.unpack(with_flags).flags == 1
    created = remote.DomainCreateXmlArgs.unpack(started)
    assert (created.xml_desc, created.flags) == ("<c/>", 2)


def test_bad_arguments_send_nothing(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as connection:
        with pytest.raises(UsageError, match=r"^name: a text is required"):
            connection.get_domain_by_name(None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^name: a NUL"):
            connection.get_domain_by_name("a\0b")
        with pytest.raises(UsageError, match=r"^domain_id: "):
            connection.get_domain_by_id(2**31)
        with pytest.raises(UsageError, match=r"^uuid: "):
            connection.get_domain_by_uuid("not one")
        with pytest.raises(UsageError, match=r"^flags: -1"):
            connection.list_all_domains(-1)
        with pytest.raises(UsageError, match=r"^xml: "):
            connection.define_domain(None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^xml: "):
            connection.create_domain(None)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^flags: "):
            connection.create_domain("<c/>", 2**32)
        assert asked(server) == []


def test_the_typed_door(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
    server.handle(remote.DOMAIN_SUSPEND, b"")
    with open_in_colour(uri) as connection:
        args = remote.DomainLookupByNameArgs(name="web")
        ret = connection.call(remote.DOMAIN_LOOKUP_BY_NAME, args)
        assert ret.dom == WEB
        args_of_suspend = remote.DomainSuspendArgs(dom=WEB)
        connection.call(remote.DOMAIN_SUSPEND, args_of_suspend, timeout_s=5.0)
        assert server.calls[-1].payload == WEB.pack()


def test_what_is_no_plain_call_sends_nothing(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        wrong = remote.DomainSuspendArgs(dom=WEB)
        with pytest.raises(UsageError, match="takes a DomainResumeArgs, not DomainSuspendArgs"):
            connection.call(remote.DOMAIN_RESUME, wrong)  # type: ignore[misc]
        with pytest.raises(UsageError, match="takes no arguments"):
            connection.call(remote.CONNECT_GET_TYPE, wrong)  # type: ignore[misc]
        with pytest.raises(EncodeError, match=r"dom\.uuid"):
            connection.call(
                remote.DOMAIN_SUSPEND,
                remote.DomainSuspendArgs(dom=NonnullDomain(name="web", uuid=b"short", id=1)),
            )
        assert asked(server) == []


def test_arguments_that_are_xdr_already(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
    packed = remote.DomainLookupByNameArgs(name="web").pack()
    with open_in_colour(uri) as connection:
        payload = connection.call_packed(remote.DOMAIN_LOOKUP_BY_NAME, packed, timeout_s=5.0)
        assert payload == remote.DomainLookupByNameRet(dom=WEB).pack()
        assert server.calls[-1].payload == packed


@pytest.mark.parametrize(
    ("program", "name", "packed", "reason"),
    [
        ("remote", "DOMAIN_SCREENSHOT", b"", "opens a stream"),
        ("remote", "DOMAIN_EVENT_REBOOT", b"", "is an event"),
        ("remote", "DOMAIN_OPEN_GRAPHICS_FD", b"", "passes file descriptors"),
        ("remote", "NODE_GET_INFO", "abcd", "packed arguments are bytes, not str"),
        ("remote", "NODE_GET_INFO", None, "packed arguments are bytes, not NoneType"),
        ("remote", "NODE_GET_INFO", bytearray(4), "packed arguments are bytes, not bytearray"),
    ],
)
def test_what_is_no_plain_call_sends_nothing_though_it_is_packed(
    server: ScriptedServer,
    uri: str,
    program: str,
    name: str,
    packed: Any,
    reason: str,
    open_in_colour: Open,
) -> None:
    with open_in_colour(uri) as connection:
        with pytest.raises(UsageError, match=f"{name}:? {reason}"):
            connection.call_packed(find_procedure(program, name), packed)
        assert asked(server) == []


def test_an_unknown_procedure_names_the_release_that_has_it(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_DEL_THROTTLE_GROUP, ReplyUnknownProcedure())
    args = remote.DomainDelThrottleGroupArgs(dom=WEB, group="g", flags=0)
    with open_in_colour(uri) as connection:
        with pytest.raises(UnknownProcedureError) as caught:
            connection.call(remote.DOMAIN_DEL_THROTTLE_GROUP, args)
        assert connection.is_alive()
    assert caught.value.since == "11.2.0"
    assert str(caught.value) == (
        "DOMAIN_DEL_THROTTLE_GROUP is not known to this daemon; it takes libvirt 11.2.0 or later"
    )
    assert caught.value.message == "unknown procedure: 452"


def test_a_result_that_cannot_be_read_fails_its_call_alone(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_GET_HOSTNAME, bytes.fromhex("00000009 61626300"))
    with open_in_colour(uri) as connection:
        with pytest.raises(DecodeError, match="hostname"):
            connection.get_hostname()
        assert connection.is_alive()


def test_a_deadline_for_every_call(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.CONNECT_GET_HOSTNAME, NoReply())
    with open_in_colour(uri) as connection:
        connection.call_timeout_s = 0.05
        with pytest.raises(DeadlineError, match=r"CONNECT_GET_HOSTNAME: no answer within 0\.05 s"):
            connection.get_hostname()
        with pytest.raises(DeadlineError, match=r"within 0\.01 s"):
            connection.call(remote.CONNECT_GET_HOSTNAME, None, timeout_s=0.01)
        assert connection.is_alive()


@pytest.mark.parametrize("seconds", [0, -1, -0.5, float("nan"), "1", 10**400])
def test_a_deadline_that_is_none_sends_nothing(
    server: ScriptedServer, uri: str, seconds: Any, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        with pytest.raises(UsageError, match=r"^timeout_s: "):
            connection.call(remote.CONNECT_GET_HOSTNAME, None, timeout_s=seconds)
        with pytest.raises(UsageError, match=r"^timeout_s: "):
            connection.call_packed(remote.CONNECT_GET_HOSTNAME, b"", timeout_s=seconds)
        with pytest.raises(UsageError, match=r"^call_timeout_s: "):
            connection.call_timeout_s = seconds
        assert connection.call_timeout_s is None
        assert asked(server) == []
    with pytest.raises(UsageError, match=r"^timeout_s: "):
        open_and_close(open_in_colour, uri, timeout_s=seconds)


def test_a_closed_connection_makes_no_calls(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        connection.close()
        connection.close()
        assert not connection.is_alive()
        assert repr(connection).endswith(" closed>")
        with pytest.raises(ConnectionClosedError):
            connection.get_hostname()
    assert names(server).count(2) == 1


def test_a_connection_stays_where_it_is(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        plain: object = getattr(connection, "_target", connection)
        for do in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(ArgumentTypeError, match=r"^a connection .*neither pickled nor cop"):
                do(plain)
