"""Let in by a digest or a ticket, with all that follows protected where others could listen."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import COLOURS, Open
from tests.live.every_road.way import in_environment
from tests.live.protected import (
    AUTH_FAILED,
    PASSWORD,
    USER,
    Protected,
    c_client,
    protected_daemon,
)
from tests.live.volumes import MIB, content, volume
from virtproto import Credentials
from virtproto.transport.sasl import digest_md5

pytestmark = pytest.mark.lab

_MECHANISMS = ["DIGEST-MD5", "GSSAPI"]
_TRANSPORTS = ["unix", "tls", "tcp"]
_SIZE = 20 * MIB + 4321
# Whose words somebody meddles with.
_OURS, _THEIRS = 0, 1


@pytest.fixture(scope="module")
def protected() -> Iterator[Protected]:
    """A daemon with both mechanisms on all roads."""
    with protected_daemon() as protected:
        yield protected


@pytest.fixture(scope="module")
def ticket(protected: Protected) -> Mapping[str, str]:
    """The environment in which fred is logged in."""
    return protected.kdc.ticket(USER)


@pytest.fixture
def logged_in(ticket: Mapping[str, str]) -> Iterator[None]:
    """Have fred logged in."""
    with in_environment(ticket):
        yield


def _told(open_in_colour: Open, uri: str) -> dict[str, Any]:
    """Return what our client finds, as the C client is asked for it."""
    try:
        with open_in_colour(uri) as connection:
            told = {"hostname": connection.get_hostname(), "is_secure": connection.is_secure()}
            return told | {"is_encrypted": connection.is_encrypted()}
    except virtproto.LibvirtError as error:
        return {"code": error.code}
    except virtproto.AuthenticationError:
        return {"code": AUTH_FAILED}


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("mechanism", [*_MECHANISMS, ""])
@pytest.mark.parametrize("transport", _TRANSPORTS)
def test_the_way_in_is_that_of_the_c_client(
    protected: Protected, transport: str, mechanism: str
) -> None:
    uri = protected.uri(transport, mechanism)
    expected = c_client(uri)
    assert expected["hostname"]
    assert expected["is_encrypted"]
    # There nothing is encrypted, whatever the C client says of whoever logged in.
    expected["is_encrypted"] = transport != "unix"
    for open_in_colour in COLOURS.values():
        assert _told(open_in_colour, uri) == expected


@pytest.mark.parametrize("login", ["wrong", "unknown"])
@pytest.mark.parametrize("transport", _TRANSPORTS)
def test_others_are_refused_as_the_c_client_is(
    protected: Protected, transport: str, login: str
) -> None:
    uri = protected.uri(transport, "DIGEST-MD5", login)
    assert c_client(uri)["code"] == AUTH_FAILED
    for open_in_colour in COLOURS.values():
        with pytest.raises(virtproto.AuthFailedError, match="DIGEST-MD5") as raised:
            open_in_colour(uri).__enter__()
        assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("transport", _TRANSPORTS)
@pytest.mark.parametrize(
    ("situation", "why"),
    [
        ("nobody", "No Kerberos credentials.*kinit"),
        ("expired", "Ticket expired; get a new ticket by kinit"),
        ("unreachable", "Cannot contact any KDC"),
    ],
)
def test_without_a_ticket_nobody_is_let_in(
    protected: Protected,
    situations: Callable[[str], Mapping[str, str]],
    transport: str,
    situation: str,
    why: str,
) -> None:
    uri = protected.uri(transport, "GSSAPI")
    with in_environment(situations(situation)):
        assert c_client(uri)["code"] == AUTH_FAILED
        for open_in_colour in COLOURS.values():
            with pytest.raises(virtproto.AuthenticationError, match=f"libvirt@localhost.*{why}"):
                open_in_colour(uri).__enter__()


@pytest.fixture(scope="module")
def situations(protected: Protected) -> Callable[[str], Mapping[str, str]]:
    """The environments of those who have no ticket, each made once."""
    kdc = protected.kdc
    made = {
        "nobody": kdc.environment,
        "expired": kdc.expired_ticket(USER),
        "unreachable": kdc.without_kdc(kdc.ticket(USER)),
    }
    return made.__getitem__


def test_a_kdc_that_does_not_answer_costs_the_time_limit(
    protected: Protected, open_in_colour: Open
) -> None:
    kdc = protected.kdc
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        in_environment(kdc.with_other_kdc(kdc.ticket(USER), silent.getsockname()[1])),
        pytest.raises(virtproto.DeadlineError, match=r"authenticating .* within 0\.5 s: .* KDC"),
    ):
        open_in_colour(protected.uri("tcp", "GSSAPI"), timeout_s=0.5).__enter__()


@pytest.mark.usefixtures("logged_in")
def test_a_host_that_the_realm_does_not_know(protected: Protected, open_in_colour: Open) -> None:
    def connected() -> socket.socket:
        return socket.create_connection(("127.0.0.1", protected.tcp))

    uri = protected.uri("tcp", "GSSAPI", host="elsewhere.lab.test")
    why = r"libvirt@elsewhere\.lab\.test cannot be logged in to: .*the daemon's keytab"
    with pytest.raises(virtproto.AuthenticationError, match=why):
        open_in_colour(uri, sock=connected()).__enter__()


def test_a_password_that_the_caller_gives(protected: Protected, open_in_colour: Open) -> None:
    uri = protected.uri("tcp", "DIGEST-MD5", "unknown")
    with open_in_colour(uri, credentials=Credentials(USER, PASSWORD)) as connection:
        assert connection.is_secure()


@pytest.mark.parametrize("cipher", ["rc4", "rc4-56"])
def test_ciphers(
    protected: Protected,
    open_in_colour: Open,
    cipher: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(digest_md5, "usable_ciphers", lambda: {cipher})
    with open_in_colour(protected.uri("tcp", "DIGEST-MD5")) as connection:
        assert connection.list_all_domains()


def test_no_cipher_is_no_way_in(
    protected: Protected, open_in_colour: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_md5, "usable_ciphers", set)
    with pytest.raises(virtproto.AuthenticationError, match="use TLS"):
        open_in_colour(protected.uri("tcp", "DIGEST-MD5")).__enter__()


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("mechanism", _MECHANISMS)
def test_much_goes_up_and_down(protected: Protected, open_in_colour: Open, mechanism: str) -> None:
    data = content(_SIZE)
    folder = Path(tempfile.mkdtemp(dir=protected.daemon.folder))
    uri = protected.uri("tcp", mechanism, name="qemu:///system")
    with open_in_colour(uri) as connection, volume(connection, folder, _SIZE) as kept:
        with connection.new_stream() as stream:
            kept.upload(stream, 0, _SIZE)
            stream.send(data)
        written = (folder / "volumes" / "v").read_bytes()
        assert hashlib.sha256(written).digest() == hashlib.sha256(data).digest()
        with connection.new_stream() as stream:
            kept.download(stream, 0, _SIZE)
            came = stream.read()
        assert hashlib.sha256(came).digest() == hashlib.sha256(data).digest()
        assert connection.get_hostname()


class _Eavesdropper:
    """Somebody between a client and a daemon, who listens, and may meddle."""

    def __init__(self, port: int) -> None:
        self.heard = bytearray()
        self.meddles_with: int | None = None
        near, self.client = _pair()
        far = socket.create_connection(("127.0.0.1", port))
        self._ends = [near, far]
        self._threads = [
            threading.Thread(target=self._carry, args=ends) for ends in ((near, far), (far, near))
        ]

    def __enter__(self) -> _Eavesdropper:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):  # it has ended
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # one of them has ended
            while data := source.recv(65536):
                self.heard += data
                if self.meddles_with == self._ends.index(source):
                    data = data[:-1] + bytes([data[-1] ^ 1])
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a connection by TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return server.accept()[0], one


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("mechanism", _MECHANISMS)
def test_who_listens_learns_nothing(
    protected: Protected, open_in_colour: Open, mechanism: str
) -> None:
    with _Eavesdropper(protected.tcp) as between:
        uri = protected.uri("tcp", mechanism)
        with open_in_colour(uri, sock=between.client) as connection:
            assert b"<name>test</name>" in (
                connection.get_domain_by_name("test").get_xml_description().encode()
            )
            hostname = connection.get_hostname().encode()
    assert mechanism.encode() in between.heard
    for secret in (b"<name>", b"test:///default", PASSWORD.encode()):
        assert secret not in between.heard
    # Of a host's name the challenge may tell, but nothing after it.
    assert hostname not in between.heard[-200:]


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("mechanism", _MECHANISMS)
@pytest.mark.parametrize(
    ("whose", "why"), [(_OURS, "the daemon closed it"), (_THEIRS, "{mechanism} protection")]
)
def test_who_meddles_ends_the_connection(
    protected: Protected, open_in_colour: Open, mechanism: str, whose: int, why: str
) -> None:
    with _Eavesdropper(protected.tcp) as between:
        uri = protected.uri("tcp", mechanism)
        with open_in_colour(uri, sock=between.client, keepalive=None) as connection:
            assert connection.get_hostname()
            between.meddles_with = whose
            expected = why.format(mechanism=mechanism)
            with pytest.raises(virtproto.ConnectionLostError, match=expected):
                connection.get_hostname()
            assert not connection.is_alive()


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("mechanism", _MECHANISMS)
def test_a_lasting_connection_is_let_in_again(open_in_colour: Open, mechanism: str) -> None:
    with protected_daemon() as protected, in_environment(protected.kdc.ticket(USER)):
        uri = protected.uri("tcp", mechanism)
        with open_in_colour(uri, reconnect=True) as connection:
            assert connection.get_hostname()
            protected.daemon.kill()
            protected.daemon.restart()
            # One call may be what finds out.
            with contextlib.suppress(virtproto.ConnectionLostError):
                connection.get_hostname()
            assert connection.get_hostname()
            assert connection.is_encrypted()
