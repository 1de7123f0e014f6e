"""GnuTLS priority strings: what they mean here, and which are refused aloud."""

from __future__ import annotations

import ssl

import pytest

from virtproto.errors import TLSError
from virtproto.transport.tls.files import TlsFiles
from virtproto.transport.tls.handshake import make_context
from virtproto.transport.tls.priority import Policy, read_priority


def suites(policy: Policy) -> list[str]:
    """Return the suites of TLS 1.2 that OpenSSL makes of a policy."""
    found = make_context(TlsFiles("none"), policy).get_ciphers()
    return [each["name"] for each in found if each["protocol"] != "TLSv1.3"]


def test_without_one_it_is_what_gnutls_has() -> None:
    policy = read_priority(None)
    assert (policy.oldest, policy.newest) == ("TLS1.2", "TLS1.3")
    assert policy.tls13[0] == "TLS_AES_256_GCM_SHA384"
    offered = suites(policy)
    assert offered[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    # Daemons of old may have keys that do nothing else.
    assert "AES256-SHA" in offered
    assert suites(read_priority("NORMAL")) == offered


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("NORMAL:-VERS-TLS1.3", ("TLS1.2", "TLS1.2")),
        ("NORMAL:!VERS-TLS1.2", ("TLS1.3", "TLS1.3")),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", ("TLS1.2", "TLS1.2")),
        ("normal:-vers-tls-all:+vers-tls1.3", ("TLS1.3", "TLS1.3")),
        ("NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", ("TLS1.2", "TLS1.3")),
        ("SECURE128:-VERS-DTLS-ALL", ("TLS1.2", "TLS1.3")),
        ("NORMAL:+VERS-TLS1.1", ("TLS1.2", "TLS1.3")),
        # The first suite of TLS 1.3 cannot be left out, the version can.
        ("NORMAL:-AES-256-GCM", ("TLS1.2", "TLS1.2")),
        ("@LIBVIRT,SYSTEM", ("TLS1.2", "TLS1.3")),
        ("@LIBVIRT,SYSTEM:-VERS-TLS1.3", ("TLS1.2", "TLS1.2")),
        ("NORMAL:-VERS-TLS1.3:+VERS-TLS1.3", ("TLS1.2", "TLS1.3")),
        # What is left of TLS 1.2 has no suite.
        ("NORMAL:-KX-ALL", ("TLS1.3", "TLS1.3")),
    ],
)
def test_versions(text: str, versions: tuple[str, str]) -> None:
    policy = read_priority(text)
    assert (policy.oldest, policy.newest) == versions
    context = make_context(TlsFiles("none"), policy)
    known = {"TLS1.2": ssl.TLSVersion.TLSv1_2, "TLS1.3": ssl.TLSVersion.TLSv1_3}
    assert context.minimum_version == known[versions[0]]
    assert context.maximum_version == known[versions[1]]


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("NORMAL:-RSA", "AES256-SHA", "ECDHE-RSA-AES256-SHA"),
        ("PFS", "AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"),
        ("NORMAL:-DHE-RSA", "DHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384"),
        ("NORMAL:-ECDHE-ECDSA", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("NORMAL:-AES-128-GCM", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("NORMAL:-AES-256-CBC", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA"),
        ("NORMAL:-SHA1", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES256-SHA384"),
        ("NORMAL:-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "AES256-SHA"),
        ("SECURE192", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("SECURE256", "AES128-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("NORMAL:-CIPHER-ALL:+AES-256-GCM", "AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("NORMAL:-MAC-ALL:+AEAD", "AES256-SHA", "AES256-GCM-SHA384"),
        (
            "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AES-128-GCM:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-ALL",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
    ],
)
def test_suites(text: str, gone: str, left: str) -> None:
    assert gone in suites(read_priority("NORMAL:-VERS-TLS1.3:%PROFILE_LOW"))
    offered = suites(read_priority(text))
    if "SECURE" not in text:  # whose strength keeps out some that OpenSSL finds weak
        assert left in offered
    assert gone not in offered
    assert offered


@pytest.mark.parametrize(
    "text",
    [
        "NORMAL:%COMPAT",
        "NORMAL:%SERVER_PRECEDENCE:%LATEST_RECORD_VERSION",
        "NORMAL:-ARCFOUR-128:-3DES-CBC:-MD5:-CAMELLIA-128-CBC",
        "NORMAL:-ANON-ECDH:-SRP:-PSK:-DHE-PSK:-DHE-DSS",
        "NORMAL:+CTYPE-X509:+COMP-NULL:-CTYPE-OPENPGP:-COMP-DEFLATE",
        "NORMAL:+SIGN-ALL:+GROUP-ALL:+CURVE-ALL:+GROUP-FFDHE2048",
        "NORMAL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-SIGN-RSA-MD5:-SIGN-DSA-SHA256",
        "NORMAL:-COMP-ALL:-CTYPE-ALL",
        "NORMAL:+ANON-ECDH:+3DES-CBC:+VERS-TLS1.0",
        "LEGACY",
        "PERFORMANCE",
        "SECURE",
    ],
)
def test_what_makes_no_difference_is_taken(text: str) -> None:
    assert suites(read_priority(text)) == suites(read_priority(None))


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("NORMAL", None),
        ("SECURE128", None),
        ("SECURE192", "secp384r1"),
        ("SECURE256:-VERS-TLS1.3", "secp384r1"),
        ("SECURE256:+GROUP-ALL", None),
        ("NORMAL:-GROUP-ALL:+GROUP-SECP384R1", "secp384r1"),
        ("NORMAL:-CURVE-ALL:+CURVE-SECP256R1:+GROUP-SECP256R1", "prime256v1"),
        (
            "NORMAL:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-SECP521R1:-GROUP-SECP256R1:-GROUP-X25519",
            "secp521r1",
        ),
    ],
)
def test_groups(text: str, group: str | None) -> None:
    policy = read_priority(text)
    assert policy.group == group
    make_context(TlsFiles("none"), policy)


def test_tickets_and_strength() -> None:
    assert read_priority(None).tickets
    policy = read_priority("NORMAL:%NO_TICKETS:%PROFILE_MEDIUM")
    assert not policy.tickets
    assert (policy.strength.name, policy.strength.modulus) == ("MEDIUM", 2048)
    assert policy.ciphers.endswith(":@SECLEVEL=2")
    assert make_context(TlsFiles("none"), policy).options & ssl.OP_NO_TICKET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.0", "leaves no version of TLS"),
        ("NORMAL:-VERS-ALL", "leaves no version of TLS"),
        ("NONE", "leaves no version of TLS"),
        ("-VERS-TLS1.3", "leaves no version of TLS"),
        ("", "it has an empty word"),
        ("NORMAL::-RSA", "it has an empty word"),
        ("NORMAL,-VERS-TLS1.3", "'NORMAL,-VERS-TLS1.3': no priority string"),
        ("NORMAL -VERS-TLS1.3", "'NORMAL -VERS-TLS1.3': no priority string"),
        ("SYSTEM", "'SYSTEM': no priority string"),
        ("NORMAL:-VERS-TLS1.3:-KX-ALL", "leaves no cipher suite of TLS 1.2"),
        ("NORMAL:-SIGN-RSA-SHA256", "'-SIGN-RSA-SHA256': signatures cannot be chosen here"),
        ("NORMAL:-GROUP-X25519", "'-GROUP-X25519': no single group can be left out here"),
        ("NORMAL:-GROUP-FFDHE2048", "'-GROUP-FFDHE2048': no single group"),
        ("NORMAL:-CURVE-ALL:+CURVE-X448", "'\\+CURVE-X448': of groups that can be chosen"),
        (
            "NORMAL:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-SECP256R1",
            "not GROUP-SECP384R1 and GROUP-SECP256R1",
        ),
        ("NORMAL:-GROUP-ALL", "or all of them, not none"),
        (
            "NORMAL:-VERS-TLS1.2:-AES-256-GCM",
            "'-AES-256-GCM': AES-256-GCM cannot be left out of TLS 1.3",
        ),
        ("NORMAL:%FORCE_ETM", "'%FORCE_ETM': this option cannot be had"),
        ("NORMAL:%VERIFY_ALLOW_SIGN_WITH_SHA1", "this option cannot be had"),
        ("NORMAL:%UNSAFE_RENEGOTIATION", "this option cannot be had"),
        ("NORMAL:-NOSUCH", "'-NOSUCH': GnuTLS has nothing of this name"),
        ("SUITEB128", "'SUITEB128': it cannot be translated"),
        ("ORDINARY", "'ORDINARY': no priority string of GnuTLS has such a word"),
        ("@MINE", "'@MINE': this refers to the machine's policy"),
    ],
)
def test_what_cannot_be_had_is_refused(text: str, said: str) -> None:
    with pytest.raises(TLSError, match=said) as caught:
        read_priority(text)
    assert repr(text) in str(caught.value)
