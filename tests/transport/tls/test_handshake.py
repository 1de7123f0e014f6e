"""The handshake against peers that no real daemon is: each end of it, and each thing gone wrong."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.pki import Lab
from tests.transport.tls.peer import Peer, endpoint_of
from virtproto.errors import CertificateError, TLSError
from virtproto.model.endpoint import TlsEndpoint
from virtproto.transport.tls.handshake import shake_hands

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def server(lab: Lab, **options: object) -> Peer:
    return Peer(lab.folder / "server", **options)  # type: ignore[arg-type]


def failure(
    lab: Lab,
    peer: Peer,
    kind: type[TLSError] = TLSError,
    endpoint: TlsEndpoint | None = None,
    **options: object,
) -> str:
    with pytest.raises(kind) as caught:
        peer.shake(endpoint or endpoint_of(lab), **options)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


@pytest.mark.parametrize("newest", VERSIONS)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_two_agree_however_the_bytes_come(lab: Lab, newest: ssl.TLSVersion, piece: int) -> None:
    peer = server(lab, newest=newest)
    layer, bits = peer.shake(endpoint_of(lab), piece=piece)
    assert layer.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[newest.name]
    assert bits in (128, 256)
    assert not layer.has_ended


def test_strength_is_that_of_the_cipher(lab: Lab) -> None:
    old = ssl.TLSVersion.TLSv1_2
    for cipher, bits in (("ECDHE-ECDSA-AES128-SHA", 128), ("ECDHE-ECDSA-AES256-SHA", 256)):
        layer, found = server(lab, newest=old, ciphers=cipher).shake(endpoint_of(lab))
        assert (layer.cipher, found) == (cipher, bits)


@pytest.mark.parametrize("newest", VERSIONS)
def test_no_name_goes_out_in_the_clear(lab: Lab, newest: ssl.TLSVersion) -> None:
    hello = next(shake_hands(endpoint_of(lab)))
    assert b"localhost" not in hello


@pytest.mark.parametrize("newest", VERSIONS)
@pytest.mark.parametrize(
    ("client", "said"),
    [("good", "refused the client certificate"), ("none", "which has no certificate")],
)
def test_hanging_up_after_the_handshake_is_a_refusal(
    lab: Lab, newest: ssl.TLSVersion, client: str, said: str
) -> None:
    peer = server(lab, newest=newest, says=None)
    with pytest.raises(CertificateError, match=said) as caught:
        peer.shake(endpoint_of(lab, client))
    assert str(lab.client(client) / "clientcert.pem") in str(caught.value)


@pytest.mark.parametrize("newest", VERSIONS)
def test_a_reset_after_the_handshake_is_a_refusal(lab: Lab, newest: ssl.TLSVersion) -> None:
    peer = server(lab, newest=newest, says=None)
    conversation = shake_hands(endpoint_of(lab))
    answer = peer.hear(next(conversation))
    while answer:
        answer = peer.hear(conversation.send(answer))
    with pytest.raises(CertificateError, match="refused the client certificate"):
        conversation.throw(ConnectionResetError("reset"))


@pytest.mark.parametrize(
    ("newest", "client", "said"),
    [
        # For none at all, TLS 1.2 has no alert that would tell.
        (ssl.TLSVersion.TLSv1_2, "rogue", "CN=rogue"),
        (ssl.TLSVersion.TLSv1_3, "rogue", "CN=rogue"),
        (ssl.TLSVersion.TLSv1_3, "none", "which has no certificate"),
    ],
)
def test_an_alert_about_the_certificate_is_a_refusal(
    lab: Lab, newest: ssl.TLSVersion, client: str, said: str
) -> None:
    peer = server(lab, newest=newest, wants_certificate=True)
    with pytest.raises(CertificateError, match=said) as caught:
        peer.shake(endpoint_of(lab, client, check_files=False))
    assert "it said: " in str(caught.value)
    assert "alert" in str(caught.value)


def test_a_farewell_after_the_handshake_is_a_refusal(lab: Lab) -> None:
    peer = server(lab, says=None)
    conversation = shake_hands(endpoint_of(lab))
    answer = peer.hear(next(conversation))
    answer = peer.hear(conversation.send(answer))
    with pytest.raises(ssl.SSLWantReadError):
        peer.session.unwrap()
    with pytest.raises(CertificateError, match="it closed the connection"):
        conversation.send(answer + peer.outgoing.read())


def test_a_connection_that_breaks_before_is_no_refusal(lab: Lab) -> None:
    said = failure(lab, server(lab), carry=lambda data: b"")
    assert "localhost:16514 dropped the connection instead of beginning TLS" in said
    said = failure(lab, server(lab), carry=lambda data: data[:100], piece=100)
    assert "dropped the connection in the middle of the TLS handshake" in said


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\0\0\0\x1c "]
)
def test_who_speaks_no_tls_is_told_so(lab: Lab, answer: bytes) -> None:
    said = failure(lab, server(lab), carry=lambda data: answer)
    assert "localhost:16514 does not speak TLS: it answered" in said
    assert repr(answer[:24]) in said


def test_garbage_in_the_middle_is_no_refusal(lab: Lab) -> None:
    said = failure(lab, server(lab), carry=lambda data: data[:3] + b"\xff\xff" + data[5:])
    assert "the TLS handshake failed" in said


@pytest.mark.parametrize("says", [b"\2", b"H", b"\0\0\0\x1c"])
def test_another_word_than_consent_is_no_daemons(lab: Lab, says: bytes) -> None:
    said = failure(lab, server(lab, says=says))
    assert f"it began with {says[:1]!r} instead of accepting" in said


def test_a_daemon_that_speaks_unasked_is_none(lab: Lab) -> None:
    assert "before it is spoken to" in failure(lab, server(lab, says=b"\1\0\0\0\x1c"))


def test_nothing_in_common_is_told(lab: Lab) -> None:
    peer = server(lab, newest=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(TLSError, match="no version or cipher of TLS that both sides allow"):
        peer.shake(endpoint_of(lab, priority="NORMAL:-VERS-TLS1.2"))


def test_a_cipher_that_is_not_allowed_is_refused_when_chosen(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = endpoint_of(lab, priority="NORMAL:-AES-128-GCM")
    layer, _ = server(lab).shake(endpoint)
    assert layer.cipher == "TLS_AES_256_GCM_SHA384"
    # Python cannot have a server choose another.
    monkeypatch.setattr(ssl.SSLObject, "cipher", lambda _: ("TLS_AES_128_GCM_SHA256", "", 128))
    said = failure(lab, server(lab), endpoint=endpoint)
    assert "chose cipher TLS_AES_128_GCM_SHA256, which TLS priority 'NORMAL:-A" in said


def test_files_are_looked_at_before_anything_is_sent(lab: Lab) -> None:
    with pytest.raises(CertificateError, match="notAfter: it expired"):
        shake_hands(endpoint_of(lab, "expired"))
    with pytest.raises(
        CertificateError, match=r"CA certificate .*nowhere/cacert\.pem: there is no"
    ):
        shake_hands(endpoint_of(lab, "nowhere"))


def test_another_hosts_certificate(lab: Lab) -> None:
    peer = Peer(lab.folder / "elsewhere")
    said = failure(lab, peer, CertificateError)
    assert "subjectAltName: it is for wrong.example, 192.0.2.1, not for localhost;" in said
    layer, _ = Peer(lab.folder / "elsewhere").shake(endpoint_of(lab, verify=False))
    assert layer.version == "TLSv1.3"


def test_a_key_that_is_not_strong_enough(lab: Lab) -> None:
    with pytest.raises(CertificateError, match="subjectPublicKey: 256 bits are too few, 384"):
        server(lab).shake(endpoint_of(lab, priority="SECURE256"))


@pytest.mark.parametrize("newest", VERSIONS)
def test_a_group_that_is_chosen(lab: Lab, newest: ssl.TLSVersion) -> None:
    endpoint = endpoint_of(lab, priority="NORMAL:-GROUP-ALL:+GROUP-SECP256R1")
    server(lab, newest=newest, group="prime256v1").shake(endpoint)
    said = failure(lab, server(lab, newest=newest, group="secp521r1"), endpoint=endpoint)
    assert "no version or cipher of TLS that both sides allow" in said
    server(lab, newest=newest, group="secp521r1").shake(endpoint_of(lab))
