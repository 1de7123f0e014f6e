"""GSSAPI against a real realm: the library's own acceptor, and the library that daemons have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.cyrus import CyrusServer
from tests.lab.kdc import Kdc
from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType
from virtproto.transport.sasl.gssapi import GSSAPI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.transport.road import Layer

_NONE, _INTEGRITY, _CONFIDENTIALITY = 1, 2, 4
_ALL = _NONE | _INTEGRITY | _CONFIDENTIALITY


def _client(least: int = 0, most: int = 0, host: str = "localhost", external: int = 0) -> GSSAPI:
    return GSSAPI("libvirt", host, min_ssf=least, max_ssf=most, external_ssf=external)


def test_a_missing_library_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gssapi", None)
    with pytest.raises(AuthenticationError, match=r"pip install 'virtproto\[gssapi\]'"):
        _client().start({})


@pytest.fixture(scope="module")
def kdc() -> Iterator[Kdc]:
    """A realm with a user fred and services on this machine."""
    with Kdc() as kdc:
        yield kdc


@pytest.fixture(scope="module")
def fred(kdc: Kdc) -> Mapping[str, str]:
    """The environment in which fred is logged in."""
    return kdc.ticket("fred")


def test_only_the_ticket_is_asked_of_others(as_fred: None) -> None:
    client = _client()
    assert client.may_block
    client.start({})
    assert not client.may_block


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """What gives this process an environment for the test."""

    def live(environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return live


@pytest.fixture
def as_fred(living: Callable[[Mapping[str, str]], None], fred: Mapping[str, str]) -> None:
    """Have fred logged in."""
    living(fred)


class _Acceptor:
    """The daemon's side, spelled out: the library's acceptor, then the offer of protections."""

    def __init__(self, offer: int = _ALL, buffer: int = 65536) -> None:
        import gssapi

        self._gssapi: Any = gssapi
        self.words = bytes([offer]) + buffer.to_bytes(3, "big")
        self.context: Any = gssapi.SecurityContext(usage="accept")

    def offer(self, client: GSSAPI, answers: Mapping[CredentialType, str] | None = None) -> bytes:
        """Bring the context about; return the offer."""
        said = client.start(answers or {})
        assert said is not None
        said = client.step(self.context.step(said))
        assert said == b""
        return self._wrapped(self.words)

    def choice(self, said: bytes | None) -> tuple[int, int, bytes]:
        """Return the client's choice, what it takes in a packet, and as whom it acts."""
        opened = self._gssapi.raw.unwrap(self.context, said).message
        acting: bytes = opened[4:]
        return opened[0], int.from_bytes(opened[1:4], "big"), acting

    def _wrapped(self, data: bytes) -> bytes:
        wrapped: bytes = self._gssapi.raw.wrap(self.context, data, confidential=False).message
        return wrapped

    def packet(self, data: bytes, *, encrypts: bool = True) -> bytes:
        """Return ``data`` in a packet."""
        wrapped: bytes = self._gssapi.raw.wrap(self.context, data, confidential=encrypts).message
        return len(wrapped).to_bytes(4, "big") + wrapped

    def opened(self, packets: bytes) -> list[tuple[bytes, bool]]:
        """Return what each packet holds, and whether it was encrypted."""
        found = []
        while packets:
            end = 4 + int.from_bytes(packets[:4], "big")
            opened = self._gssapi.raw.unwrap(self.context, packets[4:end])
            found.append((opened.message, opened.encrypted))
            packets = packets[end:]
        return found


def _agreed(client: GSSAPI) -> Layer:
    layer = client.layer()
    assert layer is not None
    return layer


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize(
    ("least", "most", "offer", "choice", "ssf"),
    [
        (56, 100000, _ALL, _CONFIDENTIALITY, 256),
        (56, 100000, _CONFIDENTIALITY, _CONFIDENTIALITY, 256),
        (0, 100000, _INTEGRITY | _NONE, _INTEGRITY, 1),
        (0, 1, _ALL, _INTEGRITY, 1),
        (0, 0, _ALL, _NONE, 0),
        (0, 0, _NONE, _NONE, 0),
        (0, 100000, _NONE, _NONE, 0),
    ],
)
def test_the_strongest_protection_that_fits_is_chosen(
    least: int, most: int, offer: int, choice: int, ssf: int
) -> None:
    client, acceptor = _client(least, most), _Acceptor(offer)
    said = client.step(acceptor.offer(client))
    assert acceptor.choice(said) == (choice, 0 if choice == _NONE else 65536, b"")
    assert client.is_complete
    assert client.ssf == ssf
    assert (client.layer() is None) == (choice == _NONE)


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize(
    ("least", "most", "offer", "why"),
    [
        (56, 100000, _NONE | _INTEGRITY, "nothing that libvirt@localhost offers protects with.*56"),
        (56, 100000, 0, "nothing that libvirt@localhost offers"),
        (0, 0, _CONFIDENTIALITY, "insists on protection"),
    ],
)
def test_no_protection_that_fits_is_an_error(least: int, most: int, offer: int, why: str) -> None:
    client = _client(least, most)
    with pytest.raises(AuthenticationError, match=why):
        client.step(_Acceptor(offer).offer(client))
    assert not client.is_complete


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
def test_what_the_road_has_already_counts() -> None:
    client, acceptor = _client(56, 256, external=256), _Acceptor()
    assert acceptor.choice(client.step(acceptor.offer(client)))[0] == _NONE


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
def test_acting_as_somebody_else_is_said() -> None:
    client, acceptor = _client(), _Acceptor()
    said = client.step(acceptor.offer(client, {CredentialType.USERNAME: "böss"}))
    assert acceptor.choice(said)[2] == "böss".encode()


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize("buffer", [0, 255])
def test_a_packet_size_that_cannot_be_used_is_an_error(buffer: int) -> None:
    client = _client(56, 100000)
    with pytest.raises(AuthenticationError, match=f"takes packets of {buffer} bytes"):
        client.step(_Acceptor(buffer=buffer).offer(client))


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize("token", [None, b"", b"nonsense", b"\x60\x82" * 40])
def test_a_token_that_is_none_is_an_error(token: bytes | None) -> None:
    client = _client()
    client.start({})
    with pytest.raises(AuthenticationError, match="GSSAPI: libvirt@localhost"):
        client.step(token)
    client = _client()
    _Acceptor().offer(client)
    with pytest.raises(AuthenticationError, match="GSSAPI: libvirt@localhost"):
        client.step(token)


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
def test_an_offer_that_is_none_is_an_error() -> None:
    client, acceptor = _client(), _Acceptor()
    acceptor.words = b"\x07\0\0"
    with pytest.raises(AuthenticationError, match="no list of protections"):
        client.step(acceptor.offer(client))


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
def test_a_word_too_many_is_an_error() -> None:
    client, acceptor = _client(), _Acceptor()
    client.step(acceptor.offer(client))
    with pytest.raises(AuthenticationError, match="went on where all was agreed"):
        client.step(b"")


def _protected(most: int = 100000, buffer: int = 65536) -> tuple[Layer, _Acceptor]:
    client, acceptor = _client(min(most, 56), most), _Acceptor(buffer=buffer)
    acceptor.choice(client.step(acceptor.offer(client)))
    return _agreed(client), acceptor


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize("buffer", [256, 1000, 65536, 0xFFFFFF])
@pytest.mark.parametrize("most", [1, 100000])
def test_packets_are_no_larger_than_the_daemon_takes(most: int, buffer: int) -> None:
    layer, acceptor = _protected(most, buffer)
    packets = layer.wrap(bytes(200_000))
    opened = acceptor.opened(packets)
    assert b"".join(piece for piece, _ in opened) == bytes(200_000)
    assert {encrypted for _, encrypted in opened} == {most > 1}
    while packets:
        size = int.from_bytes(packets[:4], "big")
        assert size <= min(buffer, 65536)
        packets = packets[4 + size :]


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    layer, acceptor = _protected()
    packet = bytearray(acceptor.packet(data.draw(st.binary(min_size=1, max_size=40))))
    place = data.draw(st.integers(4, len(packet) - 1))
    packet[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ConnectionError, match="the GSSAPI protection of the connection to"):
        layer.unwrap(bytes(packet))


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
def test_packets_left_out_or_said_twice_or_in_clear_are_noticed() -> None:
    layer, acceptor = _protected()
    packet = acceptor.packet(b"abc")
    assert layer.unwrap(packet) == b"abc"
    with pytest.raises(ConnectionError, match="changed on its way"):
        layer.unwrap(packet)
    layer, acceptor = _protected()
    acceptor.packet(b"abc")
    with pytest.raises(ConnectionError, match="changed on its way"):
        layer.unwrap(acceptor.packet(b"def"))
    layer, acceptor = _protected()
    with pytest.raises(ConnectionError, match="not encrypted"):
        layer.unwrap(acceptor.packet(b"abc", encrypts=False))


@pytest.mark.lab
@pytest.mark.usefixtures("as_fred")
@pytest.mark.parametrize(("least", "most", "ssf"), [(0, 0, 0), (1, 1, 1), (56, 100000, 256)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(
    st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=500)), max_size=8),
    st.sampled_from([300, 65536]),
)
def test_all_comes_through_to_and_from_cyrus(
    least: int, most: int, ssf: int, said: list[tuple[bool, bytes]], buffer: int
) -> None:
    with CyrusServer("localhost", buffer=buffer) as server:
        client = _client(least, most)
        answer = server.start("GSSAPI", client.start({}))
        while not server.is_complete:
            answer = server.step(client.step(answer))
        assert client.is_complete
        assert server.username == "fred"
        assert (client.ssf, server.ssf) == (ssf, ssf)
        layer = client.layer()
        for is_ours, text in said:
            if layer is None:
                continue
            if is_ours:
                assert server.decode(layer.wrap(text)) == text
            else:
                assert layer.unwrap(server.encode(text)) == text


@pytest.mark.lab
@pytest.mark.parametrize(
    ("situation", "host", "why"),
    [
        ("nobody", "localhost", r"No Kerberos credentials available.*get a ticket by kinit"),
        ("expired", "localhost", r"Ticket expired; get a new ticket by kinit"),
        ("fred", "elsewhere.lab.test", r"libvirt@elsewhere\.lab\.test .* the host name that the"),
        ("unreachable", "127.0.0.1", r"Cannot contact any KDC .* krb5\.conf names is up"),
        ("no keys", "localhost", r"No Kerberos credentials available"),
    ],
)
def test_what_kerberos_finds_wrong_is_told_with_what_to_do(
    kdc: Kdc,
    living: Callable[[Mapping[str, str]], None],
    situation: str,
    host: str,
    why: str,
) -> None:
    situations = {
        "nobody": lambda: kdc.environment,
        "expired": lambda: kdc.expired_ticket("fred"),
        "fred": lambda: kdc.ticket("fred"),
        "unreachable": lambda: kdc.without_kdc(kdc.ticket("fred")),
        "no keys": lambda: kdc.environment | {"KRB5CCNAME": "FILE:/dev/null"},
    }
    living(situations[situation]())
    with pytest.raises(AuthenticationError, match=f"GSSAPI: .*{why}"):
        _client(host=host).start({})
