"""From a certificate to a trusted CA: what the table of verdicts has no daemon for."""

from __future__ import annotations

import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from virtproto.errors import CertificateError
from virtproto.transport.tls import chain as tls_chain
from virtproto.transport.tls.chain import Strength, Trust, verify_chain

KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
NOW = datetime.datetime.now(datetime.UTC)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(
    name: str, issuer: str, *, key: int = 0, signer: int = 0, ca: bool = True
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(KEYS[key].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .sign(KEYS[signer], hashes.SHA256())
    )


def trust(*trusted: x509.Certificate) -> Trust:
    return Trust(trusted, "/ca.pem")


def test_order_of_what_helps_does_not_matter() -> None:
    root, first, second = (
        certificate("root", "root"),
        certificate("first", "root"),
        certificate("second", "first"),
    )
    leaf = certificate("leaf", "second", ca=False)
    verify_chain([leaf, second, first], trust(root), "it")
    verify_chain([leaf, root, first, certificate("stray", "none"), second], trust(root), "it")


def test_many_that_all_signed_each_other_take_no_time() -> None:
    # All have one name and one key: from each, all others can be gone to.
    crowd = [certificate("crowd", "crowd") for _ in range(40)]
    leaf = certificate("leaf", "crowd", ca=False)
    started = time.monotonic()
    with pytest.raises(CertificateError, match="issuer: it was signed by CN=crowd, which is not"):
        verify_chain([leaf, *crowd], trust(certificate("root", "root", key=1, signer=1)), "it")
    assert time.monotonic() - started < 5.0


def test_a_ca_of_the_same_name_is_told_apart() -> None:
    leaf = certificate("leaf", "root", ca=False)
    other = certificate("root", "root", key=1, signer=1)
    with pytest.raises(CertificateError, match=r"the CA of that name in /ca\.pem did not sign it"):
        verify_chain([leaf], trust(other), "it")
    verify_chain([leaf], trust(other, certificate("root", "root")), "it")


def test_keys_have_to_be_strong_enough() -> None:
    chain = [certificate("leaf", "root", ca=False)]
    root = certificate("root", "root")
    verify_chain(chain, trust(root), "it", Strength("SOME", 0, 256))
    with pytest.raises(CertificateError, match="it: subjectPublicKey: 256 bits are too few, 384"):
        verify_chain(chain, trust(root), "it", Strength("MORE", 0, 384))


def test_signatures_that_can_be_forged(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing here makes such a signature any more, so another stands in for them.
    assert set(tls_chain._BROKEN_HASHES) == {hashes.MD5, hashes.SHA1}
    monkeypatch.setattr(tls_chain, "_BROKEN_HASHES", (hashes.SHA256,))
    chain = [certificate("leaf", "root", ca=False)]
    with pytest.raises(CertificateError, match="it: signatureAlgorithm: sha256 can be forged"):
        verify_chain(chain, trust(certificate("root", "root")), "it")
    # A trusted one is not trusted for its signature.
    verify_chain(chain, trust(chain[0]), "it")
