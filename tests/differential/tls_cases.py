"""Certificates of every kind that a daemon, a client or a CA might have, good and odd.

Responsible for making them and saying where each goes. What is to be thought of them is libvirt's
to say: no verdict stands here.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from virtproto.cli.pki_making import pem

__all__ = ["CASES", "Case", "Wanted", "hosts", "lay_out"]

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)

_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_CODE = ExtendedKeyUsageOID.CODE_SIGNING
_UNHEARD_OF = ObjectIdentifier("1.3.6.1.4.1.99999.1")


@dataclass(frozen=True)
class Wanted:
    """What is to stand in a certificate; None for what is to be left out."""

    names: Sequence[str] = ("localhost",)
    alternatives: Sequence[str] | None = None
    ca: bool | None = False
    path_length: int | None = None
    usage: frozenset[str] | None = frozenset({"digital_signature", "key_encipherment"})
    usage_critical: bool = True
    purposes: Sequence[ObjectIdentifier] | None = None
    purposes_critical: bool = False
    since: datetime.timedelta = -_DAY
    until: datetime.timedelta = 30 * _DAY
    key: str = "ec"
    digest: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    extra: tuple[x509.ExtensionType, bool] | None = None


SERVER = Wanted(alternatives=("localhost", "127.0.0.1", "host.example.org"), purposes=(_SERVER,))
CLIENT = Wanted(names=("client",), purposes=(_CLIENT,))
CA = Wanted(names=("CA",), ca=True, usage=frozenset({"key_cert_sign", "crl_sign"}))


@dataclass(frozen=True)
class Case:
    """A daemon, a client and a CA: which host is asked for, and what is odd about one of them.

    ``chain`` are CAs between the CA and the daemon's certificate, and ``sent`` tells whether the
    daemon sends them; ``revokes`` which certificate's number is in the CA's list, if any.
    """

    name: str
    host: str = "127.0.0.1"
    server: Wanted = SERVER
    client: Wanted | None = CLIENT
    ca: Wanted = CA
    chain: Sequence[Wanted] = ()
    sent: bool = True
    trusted: str = "ca"
    client_signer: str = "ca"
    server_signer: str = "ca"
    revokes: str | None = None
    list_signer: str = "ca"
    list_until: datetime.timedelta = 30 * _DAY
    query: str = ""


# Which host is asked for, and which names its certificate has.
_BY_ALTERNATIVE: list[tuple[str, tuple[str, ...]]] = [
    ("localhost", ("localhost",)),
    ("LOCALHOST", ("localhost",)),
    ("localhost", ("LocalHost",)),
    ("localhost", ("other.example.org",)),
    ("localhost", ("127.0.0.1",)),
    ("127.0.0.1", ("localhost",)),
    ("127.0.0.1", ("127.0.0.2", "127.0.0.1")),
    ("127.0.0.1", ("dns:127.0.0.1",)),
    ("host.example.org", ("*.example.org",)),
    ("host.example.org", ("*.org",)),
    ("host.example.org", ("*",)),
    ("host.example.org", ("h*.example.org",)),
    ("host.example.org", ("*t.example.org",)),
    ("host.example.org", ("host.*.org",)),
    ("host.example.org", ("*.EXAMPLE.org",)),
    ("host.example.org", ("*host.example.org",)),
    ("a.host.example.org", ("*.example.org",)),
    ("a.host.example.org", ("*.host.example.org",)),
    ("a.host.example.org", ("*.*.example.org",)),
    ("example.org", ("*.example.org",)),
    ("example.org", ("*example.org",)),
    ("host", ("*",)),
    ("host", ("host",)),
    ("host.example.org", ("email:host.example.org",)),
    ("host.example.org", ("uri:https://host.example.org/",)),
]

_BY_COMMON_NAME: list[tuple[str, tuple[str, ...], tuple[str, ...] | None]] = [
    ("localhost", ("localhost",), None),
    ("localhost", ("elsewhere", "localhost"), None),
    ("localhost", ("localhost", "elsewhere"), None),
    ("localhost", ("localhost",), ("127.0.0.1",)),
    ("localhost", ("localhost",), ("other.example.org",)),
    ("localhost", ("localhost",), ("email:a@example.org",)),
    ("localhost", ("localhost",), ("uri:https://example.org/",)),
    ("localhost", (), None),
    ("127.0.0.1", ("127.0.0.1",), None),
    ("host.example.org", ("*.example.org",), None),
]


def _names() -> list[Case]:
    """Cases of which name is whose."""
    cases = []
    for host, alternatives in _BY_ALTERNATIVE:
        server = replace(SERVER, names=("elsewhere",), alternatives=alternatives)
        cases.append(Case(f"{host} by {alternatives}", host=host, server=server))
    for host, names, others in _BY_COMMON_NAME:
        server = replace(SERVER, names=names, alternatives=others)
        cases.append(Case(f"{host} by CN {names} {others}", host=host, server=server))
    for purposes in ((_ANY,), (_CLIENT,), (_CODE,)):
        server = replace(SERVER, alternatives=None, purposes=purposes)
        cases.append(Case(f"CN, purposes {purposes}", host="localhost", server=server))
    return cases


def _variants(plain: Wanted) -> list[tuple[str, Wanted]]:
    """Return what a certificate that signs nothing may be like."""
    own = plain.purposes
    assert own is not None
    foreign = (_SERVER,) if own == (_CLIENT,) else (_CLIENT,)
    found = [
        ("expired", replace(plain, since=-9 * _DAY, until=-_DAY)),
        ("not yet", replace(plain, since=_DAY)),
        ("is a CA", replace(plain, ca=True)),
        ("no constraints", replace(plain, ca=None)),
        ("no usage", replace(plain, usage=None)),
        ("ed25519 key", replace(plain, key="ed25519", digest=hashes.SHA256())),
        ("RSA key", replace(plain, key="rsa2048")),
        ("RSA key, 1024", replace(plain, key="rsa1024")),
        ("SHA-512", replace(plain, digest=hashes.SHA512())),
        ("unknown critical", replace(plain, extra=(_unknown(), True))),
        ("unknown", replace(plain, extra=(_unknown(), False))),
    ]
    for key in ("rsa2048", "ec"):
        for usage in ("digital_signature", "key_encipherment", "content_commitment"):
            for critical in (True, False):
                wanted = replace(plain, key=key, usage=frozenset({usage}), usage_critical=critical)
                found.append((f"{key} usage {usage} {critical}", wanted))
    for purposes in (None, own, foreign, (_ANY,), (_CODE,), (_UNHEARD_OF,), (*foreign, *own)):
        for critical in (True, False):
            if purposes is None and critical:
                continue
            wanted = replace(plain, purposes=purposes, purposes_critical=critical)
            found.append((f"purposes {purposes} {critical}", wanted))
    return found


def _unknown() -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(_UNHEARD_OF, b"\x05\x00")


def _only_below(domain: str) -> x509.NameConstraints:
    return x509.NameConstraints([x509.DNSName(domain)], None)


_BETWEEN = replace(CA, names=("between",))
_SECOND = replace(CA, names=("second",))
_BAD_USAGE = frozenset({"digital_signature"})
# Cases of who signed what.
_AUTHORITIES = [
    Case("CA expired", ca=replace(CA, since=-9 * _DAY, until=-_DAY)),
    Case("CA not yet", ca=replace(CA, since=_DAY)),
    Case("CA that is none", ca=replace(CA, ca=False)),
    Case("CA without constraints", ca=replace(CA, ca=None)),
    Case("CA that must not sign", ca=replace(CA, usage=_BAD_USAGE)),
    Case("CA that should not sign", ca=replace(CA, usage=_BAD_USAGE, usage_critical=False)),
    Case("CA without usage", ca=replace(CA, usage=None)),
    Case("CA with purposes", ca=replace(CA, purposes=(_CODE,), purposes_critical=True)),
    Case("CA of 1024 bits", ca=replace(CA, key="rsa1024")),
    Case("no sanity, CA expired", ca=replace(CA, until=-_DAY / 2), query="&no_sanity=1"),
    Case("no sanity, CA that is none", ca=replace(CA, ca=False), query="&no_sanity=1"),
    Case("no verify, CA expired", ca=replace(CA, until=-_DAY / 2), query="&no_verify=1"),
    Case("a CA between", chain=(_BETWEEN,), server_signer="between"),
    Case("a CA between, not sent", chain=(_BETWEEN,), server_signer="between", sent=False),
    Case("two between", chain=(_BETWEEN, _SECOND), server_signer="second"),
    Case(
        "path too long",
        ca=replace(CA, path_length=0),
        chain=(_BETWEEN,),
        server_signer="between",
    ),
    Case(
        "path as long as it may be",
        ca=replace(CA, path_length=1),
        chain=(_BETWEEN,),
        server_signer="between",
    ),
    Case(
        "one between expired",
        chain=(replace(_BETWEEN, until=-_DAY / 2),),
        server_signer="between",
    ),
    Case("one between is none", chain=(replace(_BETWEEN, ca=False),), server_signer="between"),
    Case(
        "one between must not sign",
        chain=(replace(_BETWEEN, usage=_BAD_USAGE),),
        server_signer="between",
    ),
    Case(
        "one between is trusted, and not sent",
        chain=(_BETWEEN,),
        server_signer="between",
        trusted="between",
        client=None,
        sent=False,
    ),
    Case("daemon's own is trusted", trusted="server", client=None),
    Case("daemon's own is trusted, no sanity", trusted="server", client=None, query="&no_sanity=1"),
    Case("daemon's of a rogue CA", server_signer="rogue"),
    Case("daemon's of a rogue CA, no verify", server_signer="rogue", query="&no_verify=1"),
    Case("daemon's of a CA of the same name", server_signer="twin"),
    Case("client's of a rogue CA", client_signer="rogue"),
    Case("client's of a rogue CA, no sanity", client_signer="rogue", query="&no_sanity=1"),
    Case("no client's", client=None),
    Case("daemon's revoked", revokes="server"),
    Case("daemon's revoked, no verify", revokes="server", query="&no_verify=1"),
    Case("another revoked", revokes="client"),
    Case("old list", revokes="client", list_until=-_DAY / 4),
    Case("daemon's revoked by an old list", revokes="server", list_until=-_DAY / 4),
    Case("daemon's revoked by a forged list", revokes="server", list_signer="twin"),
    Case("another revoked by a forged list", revokes="client", list_signer="twin"),
    Case("daemon's revoked by a rogue's list", revokes="server", list_signer="rogue"),
    Case(
        "revoked by a CA between",
        chain=(_BETWEEN,),
        server_signer="between",
        revokes="server",
        list_signer="between",
    ),
    Case("one between revoked", chain=(_BETWEEN,), server_signer="between", revokes="between"),
    Case(
        "CA for other names",
        ca=replace(CA, extra=(_only_below("example.com"), True)),
    ),
    Case(
        "CA for this name",
        host="host.example.org",
        server=replace(SERVER, alternatives=("host.example.org",)),
        ca=replace(CA, extra=(_only_below("example.org"), True)),
    ),
    Case(
        "CA for other names than that without a dot",
        server=replace(SERVER, alternatives=None),
        ca=replace(CA, extra=(_only_below("example.org"), True)),
    ),
    Case(
        "CA for hosts, of a client that is none",
        client=replace(CLIENT, names=("host.example.com",)),
        server=replace(SERVER, alternatives=("host.example.org",)),
        host="host.example.org",
        ca=replace(CA, extra=(_only_below("example.org"), True)),
    ),
]


def _constrained() -> list[Case]:
    """Cases of a CA that may only sign for some names."""
    address = [x509.IPAddress(ipaddress.ip_network(text)) for text in ("127.0.0.0/8", "10.0.0.0/8")]
    name, below = x509.DNSName("host.example.org"), x509.DNSName("example.org")
    cases = []
    for what, constraints in (
        ("only a network", x509.NameConstraints([address[0]], None)),
        ("only another network", x509.NameConstraints([address[1]], None)),
        ("not a network", x509.NameConstraints(None, [address[0]])),
        ("not another network", x509.NameConstraints(None, [address[1]])),
        ("not a name", x509.NameConstraints(None, [name])),
        ("not a domain", x509.NameConstraints(None, [below])),
        ("only a domain, but not a name", x509.NameConstraints([below], [name])),
        ("only a name", x509.NameConstraints([name], None)),
        ("only another name", x509.NameConstraints([x509.DNSName("st.example.org")], None)),
        ("only below it", x509.NameConstraints([x509.DNSName(".host.example.org")], None)),
        ("only below", x509.NameConstraints([x509.DNSName(".example.org")], None)),
        ("not below it", x509.NameConstraints(None, [x509.DNSName(".host.example.org")])),
    ):
        for critical in (True, False):
            for alternatives in (("host.example.org", "127.0.0.1"), None):
                server = replace(SERVER, names=("host.example.org",), alternatives=alternatives)
                ca = replace(CA, extra=(constraints, critical))
                text = f"CA for {what} {critical} {alternatives}"
                cases.append(Case(text, host="host.example.org", server=server, ca=ca))
    return cases


CASES = [
    *_names(),
    *(Case(f"daemon's: {what}", server=wanted) for what, wanted in _variants(SERVER)),
    *(Case(f"client's: {what}", client=wanted) for what, wanted in _variants(CLIENT)),
    *_AUTHORITIES,
    *_constrained(),
]


class _Keys:
    """Keys by kind and number, so that the slow ones are made once."""

    def __init__(self) -> None:
        self._made: dict[str, list[object]] = {}

    def get(self, kind: str, number: int) -> object:
        made = self._made.setdefault(kind, [])
        while len(made) <= number:
            made.append(_new_key(kind))
        return made[number]


def _new_key(kind: str) -> object:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


_KEYS = _Keys()


def _name(wanted: Wanted) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lab")
    common = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in wanted.names]
    return x509.Name([organization, *common])


def _alternative(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind == "dns":
        return x509.DNSName(value)
    if kind == "email":
        return x509.RFC822Name(value)
    if kind == "uri":
        return x509.UniformResourceIdentifier(value)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


_USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


def _certificate(
    wanted: Wanted, key: object, issuer: x509.Name, signer: object
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(wanted))
        .issuer_name(issuer)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW + wanted.since)
        .not_valid_after(_NOW + wanted.until)
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if wanted.ca is not None:
        length = wanted.path_length if wanted.ca else None
        extensions.append((x509.BasicConstraints(wanted.ca, length), True))
    if wanted.usage is not None:
        usage = x509.KeyUsage(**{name: name in wanted.usage for name in _USAGES})
        extensions.append((usage, wanted.usage_critical))
    if wanted.purposes is not None:
        extensions.append((x509.ExtendedKeyUsage(wanted.purposes), wanted.purposes_critical))
    if wanted.alternatives is not None:
        names = [_alternative(text) for text in wanted.alternatives]
        extensions.append((x509.SubjectAlternativeName(names), False))
    if wanted.extra is not None:
        extensions.append(wanted.extra)
    for each, critical in extensions:
        builder = builder.add_extension(each, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else wanted.digest
    return builder.sign(signer, digest)  # type: ignore[arg-type]


def hosts() -> str:
    """Return the hosts of all cases as /etc/hosts has them, each of them this machine."""
    return "".join(f"127.0.0.1 {name}\n" for name in sorted({case.host for case in CASES}))


def lay_out(case: Case, folder: Path) -> tuple[Path, Path]:
    """Write a case's files; return the daemon's certificates with its key, and the pkipath."""
    keys = {name: _KEYS.get("ec", number) for number, name in enumerate(("rogue", "twin"))}
    made: dict[str, x509.Certificate] = {}
    for name, wanted in (("ca", case.ca), ("rogue", replace(CA, names=("rogue",))), ("twin", CA)):
        key = keys.setdefault(name, _KEYS.get(wanted.key, 2))
        made[name] = _certificate(wanted, key, _name(wanted), key)
    signer = "ca"
    for number, wanted in enumerate(case.chain):
        name = wanted.names[0]
        keys[name] = _KEYS.get(wanted.key, 3 + number)
        made[name] = _certificate(wanted, keys[name], made[signer].subject, keys[signer])
        signer = name
    for number, (name, leaf, by) in enumerate(
        (("server", case.server, case.server_signer), ("client", case.client, case.client_signer))
    ):
        if leaf is not None:
            keys[name] = _KEYS.get(leaf.key, 5 + number)
            made[name] = _certificate(leaf, keys[name], made[by].subject, keys[by])
    return _write(case, folder, keys, made)


def _write(
    case: Case, folder: Path, keys: dict[str, object], made: dict[str, x509.Certificate]
) -> tuple[Path, Path]:
    folder.mkdir(parents=True)
    sent = [made["server"]]
    if case.sent:
        sent += [made[wanted.names[0]] for wanted in reversed(case.chain)]
    daemon = folder / "daemon.pem"
    daemon.write_bytes(b"".join(map(pem, sent)) + pem(keys["server"]))  # type: ignore[arg-type]
    (folder / "cacert.pem").write_bytes(pem(made[case.trusted]))
    if "client" in made:
        (folder / "clientcert.pem").write_bytes(pem(made["client"]))
        (folder / "clientkey.pem").write_bytes(pem(keys["client"]))  # type: ignore[arg-type]
    if case.revokes is not None:
        revoked = x509.RevokedCertificateBuilder(made[case.revokes].serial_number, _NOW).build()
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(made[case.list_signer].subject)
            .last_update(_NOW - _DAY)
            .next_update(_NOW + case.list_until)
            .add_revoked_certificate(revoked)
            .sign(keys[case.list_signer], hashes.SHA256())  # type: ignore[arg-type]
        )
        (folder / "cacrl.pem").write_bytes(pem(crl))
    return daemon, folder
