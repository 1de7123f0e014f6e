"""From a certificate to a trusted CA: what the table of verdicts has no daemon for."""

from __future__ import annotations

import datetime
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virtproto.errors import CertificateError
from virtproto.transport.tls import chain as tls_chain
from virtproto.transport.tls.certificate import from_der, read_certificates
from virtproto.transport.tls.chain import Strength, Trust, verify_chain

# Nothing makes such a signature any more that Python has; these are OpenSSL's, valid until 2126.
CA_OF_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUKusvmKFcZqQHRkk5ZLmGuLhVHrowCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTIzMDAyNDI5WhgPMjEyNjEwMzAwMDI0Mjla
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELyqECJLE
xgHQKZICQHKBXO+1bdXTmGnglGjq1zIhvlSpxDe8xMjoTFHyS0A9IZVUpBxdr1z1
ksnJzuYWE0clAKNjMGEwHQYDVR0OBBYEFFvonBZlz5HFwQYzBwyPy4+w5YSlMB8G
A1UdIwQYMBaAFFvonBZlz5HFwQYzBwyPy4+w5YSlMA8GA1UdEwEB/wQFMAMBAf8w
DgYDVR0PAQH/BAQDAgIEMAoGCCqGSM49BAMCA0kAMEYCIQDuKKIbTtuzMZiSskX9
MPWeurtN0GuuCW1bmcUw7MOkOQIhAOFEAaLAJg+49KJ15/fGu75e0ohPiTKqtT4/
HS9vVN0N
-----END CERTIFICATE-----
"""
SIGNED_BY_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBFzCBvgIUFJTjfu3sEi26brRD28Ipk8w/oP0wCQYHKoZIzj0EATANMQswCQYD
VQQDDAJjYTAgFw0yNjExMjMwMDI0MjlaGA8yMTI2MTAzMDAwMjQyOVowDzENMAsG
A1UEAwwEbGVhZjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPOK7JKcuHge32yL
QB/wuDOc0KN0maeM8uOzQSeKwWUZfzbLZCO3RoWf7IgnMD0KpmEqmo3NnpjBC9wo
zvdzh0AwCQYHKoZIzj0EAQNJADBGAiEA2S4+CuVWRgeECHyq8yLv2aEuVtEbVJGp
wJPceI1tgL4CIQDMgup49XLAfdc3mlJ6HTXYKue0dtFAEhAaSD56B6KQ1g==
-----END CERTIFICATE-----
"""

KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
NOW = datetime.datetime.now(datetime.UTC)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(
    name: str,
    issuer: str,
    *,
    key: int = 0,
    signer: int = 0,
    ca: bool = True,
    extra: x509.ExtensionType | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(KEYS[key].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(KEYS[signer], hashes.SHA256())


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


def test_signatures_that_can_be_forged() -> None:
    chain = x509.load_pem_x509_certificates(SIGNED_BY_SHA1)
    ca = x509.load_pem_x509_certificate(CA_OF_SHA1)
    with pytest.raises(CertificateError, match="it: signatureAlgorithm: sha1 can be forged; have"):
        verify_chain(chain, trust(ca), "it")
    # A trusted one is not trusted for its signature.
    verify_chain(chain, trust(chain[0]), "it")


def test_signatures_that_can_be_checked_but_forged(monkeypatch: pytest.MonkeyPatch) -> None:
    # Some releases of the library still check those of SHA-1, so SHA-256 stands in for it.
    monkeypatch.setattr(tls_chain, "_BROKEN_HASHES", (hashes.SHA256,))
    chain = [certificate("leaf", "root", ca=False)]
    with pytest.raises(CertificateError, match="it: signatureAlgorithm: sha256 can be forged"):
        verify_chain(chain, trust(certificate("root", "root")), "it")


def test_a_common_name_is_a_hosts_where_there_is_no_other() -> None:
    """A CA for example.org must not sign for host, for which a common name would do."""
    root = certificate(
        "root", "root", extra=x509.NameConstraints([x509.DNSName("example.org")], None)
    )
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    verify_chain([certificate("a.example.org", "root", ca=False)], trust(root), "it")
    verify_chain([certificate("host", "root", ca=False, extra=client)], trust(root), "it")
    with pytest.raises(CertificateError, match="nameConstraints: it must not sign for host;"):
        verify_chain([certificate("host", "root", ca=False)], trust(root), "it")


@pytest.mark.parametrize(("rule", "is_allowed"), [("example.org", True), (".example.org", False)])
def test_a_constraint_that_begins_with_a_dot_is_for_what_is_below(
    rule: str, is_allowed: bool
) -> None:
    root = certificate("root", "root", extra=x509.NameConstraints([x509.DNSName(rule)], None))
    names = x509.SubjectAlternativeName([x509.DNSName("a.example.org")])
    verify_chain([certificate("leaf", "root", ca=False, extra=names)], trust(root), "it")
    itself = x509.SubjectAlternativeName([x509.DNSName("example.org")])
    chain = [certificate("leaf", "root", ca=False, extra=itself)]
    if is_allowed:
        verify_chain(chain, trust(root), "it")
        return
    with pytest.raises(CertificateError, match=r"it must not sign for example\.org;"):
        verify_chain(chain, trust(root), "it")


def test_what_the_library_does_not_know_is_a_certificates_fault() -> None:
    """Not the library's own exceptions, of which some are no ValueErrors."""
    # An x400Address.
    odd = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x04\xa3\x02\x05\x00")
    chain = [certificate("leaf", "root", ca=False, extra=odd)]
    with pytest.raises(CertificateError, match="it: the certificates that lead to its CA cannot"):
        verify_chain(chain, trust(certificate("root", "root")), "it")


def test_a_version_that_there_is_not(tmp_path: Path) -> None:
    good = certificate("leaf", "root").public_bytes(Encoding.DER)
    bad = good.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x08", 1)
    assert bad != good
    with pytest.raises(ValueError, match="8"):
        from_der(bad)
    (tmp_path / "it.pem").write_text(ssl.DER_cert_to_PEM_cert(bad))
    with pytest.raises(CertificateError, match="holds no certificate in PEM that can be read"):
        read_certificates(str(tmp_path / "it.pem"), "certificate")
