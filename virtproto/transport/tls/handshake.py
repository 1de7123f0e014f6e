"""How TLS with a daemon begins: the handshake, both sides' certificates, the daemon's word.

Responsible for the conversation, and for telling apart whoever refuses whom, and those who speak
no TLS. Must not know sockets: bytes go out and come in.
"""

from __future__ import annotations

import ssl

from cryptography import x509

from virtproto.errors import CertificateError, TLSError
from virtproto.transport.tls.certificate import (
    distinguished_name,
    extension,
    from_der,
    read_certificates,
    read_lists,
    read_pem,
)
from virtproto.transport.tls.chain import Trust, verify_chain
from virtproto.transport.tls.files import files_here
from virtproto.transport.tls.hostname import is_for, names_of
from virtproto.transport.tls.kept import Prepared, find, identity_of, keep, span_of
from virtproto.transport.tls.layer import TlsLayer, is_hanging_up
from virtproto.transport.tls.priority import read_priority
from virtproto.transport.tls.sanity import check, check_own_files, unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtproto.model.endpoint import TlsEndpoint
    from virtproto.transport.road import Conversation
    from virtproto.transport.tls.files import TlsFiles
    from virtproto.transport.tls.priority import Policy

__all__ = ["make_context", "shake_hands", "verify_daemon"]

_ACCEPTED = b"\x01"
# That of _ssl, which has no place for it that is for others.
_ENCODING_DER = 2
_VERSIONS = {"TLS1.2": ssl.TLSVersion.TLSv1_2, "TLS1.3": ssl.TLSVersion.TLSv1_3}
# What the first byte of TLS can be from a server: a handshake, or an alert.
_TLS_BEGINS = (22, 21)

# Alerts by which a peer says that it will not have this side's certificate.
_REFUSALS = (
    "ACCESS_DENIED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "UNSUPPORTED_CERTIFICATE",
)
# Alerts, and OpenSSL's own findings, by which nothing is left that both would speak.
_DISAGREEMENTS = (
    "HANDSHAKE_FAILURE",
    "INSUFFICIENT_SECURITY",
    "NO_PROTOCOLS_AVAILABLE",
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION",
)


def shake_hands(
    endpoint: TlsEndpoint, files: TlsFiles | None = None
) -> Conversation[tuple[TlsLayer, int]]:
    """Return the conversation by which TLS with ``endpoint`` begins, up to the daemon's consent.

    It returns the layer and how many bits strong the cipher is. ``files`` are this machine's unless
    given; they are read, and looked at unless the endpoint says otherwise, before this function
    returns: to be called before connecting, so that what is wrong here is told at once.

    Raises CertificateError for a file, certificate or key that is missing, wrong or refused, of
    either side, and TLSError where the two do not come to terms. The conversation does as well; a
    ConnectionError thrown into it, in place of what would have come, counts as the peer's end.
    Source: virNetTLSContextNewClientPath, virNetClientSetTLSSession.
    """
    files = files_here(endpoint.pkipath) if files is None else files
    return _converse(endpoint, files, _prepared(endpoint, files))


def _prepared(endpoint: TlsEndpoint, files: TlsFiles) -> Prepared:
    """Return what the handshake takes of this side, made anew unless all is as it was."""
    identity = identity_of(files)
    key = (identity, endpoint.priority, endpoint.check_files)
    prepared = find(key) if identity is not None else None
    if prepared is not None:
        return prepared
    policy = read_priority(endpoint.priority)
    checked = check_own_files(files) if endpoint.check_files else []
    context = make_context(files, policy)
    prepared = Prepared(context, policy, _read_trust(files), span_of(checked))
    if identity is not None:
        keep(key, prepared)
    return prepared


def make_context(files: TlsFiles, policy: Policy, role: str = "client") -> ssl.SSLContext:
    """Return a context with the certificate of ``role``, if any; TLSError for what OpenSSL refuses.

    It verifies nothing of the peer: that is done after the handshake, by libvirt's rules.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Hanging up and taking leave are two things.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # since OpenSSL 3
    if not policy.tickets:
        context.options |= ssl.OP_NO_TICKET
    context.minimum_version = _VERSIONS[policy.oldest]
    context.maximum_version = _VERSIONS[policy.newest]
    if policy.group is not None:
        context.set_ecdh_curve(policy.group)
    try:
        context.set_ciphers(policy.ciphers)
    except ssl.SSLError:
        raise TLSError(
            f"TLS priority {policy.text!r}: it leaves no suite of TLS 1.2 that OpenSSL has on"
            " this machine"
        ) from None
    if files.certificate is not None and files.key is not None:
        _load_pair(context, files.certificate, files.key, role)
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, role: str) -> None:
    asked = False

    def no_passphrase() -> str:
        nonlocal asked
        asked = True
        return ""

    both = f"{role} certificate {certificate} and key {key}"
    # OpenSSL would not say which of the two cannot be read.
    read_pem(certificate, f"{role} certificate", size_at_most=None)
    read_pem(key, f"{role} key", size_at_most=None)
    try:
        context.load_cert_chain(certificate, key, no_passphrase)
    except ssl.SSLError as error:
        if asked:
            raise CertificateError(
                f"{role} key {key}: it is encrypted, and libvirt's keys have no passphrase; write"
                " it without one, readable by its user alone"
            ) from None
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(
                f"{both}: they do not belong together; the key has to be the one that the"
                " certificate was made for"
            ) from None
        if error.reason is not None and error.reason.endswith("_TOO_SMALL"):
            raise CertificateError(
                f"{role} certificate {certificate}: its key, or a CA's, is too short for what is"
                " asked for; have one made for a longer key"
            ) from None
        read_certificates(certificate, f"{role} certificate", size_at_most=None)
        raise CertificateError(
            f"{role} key {key}: it holds no private key in PEM that can be read"
        ) from None
    except OSError as error:
        raise CertificateError(f"{both}: cannot be read: {error.strerror}") from None


def _read_trust(files: TlsFiles) -> Trust:
    trusted = read_certificates(files.ca, "CA certificate", size_at_most=None)
    lists = read_lists(files.crl) if files.crl is not None else []
    return Trust(trusted, files.ca, lists, files.crl)


def _converse(
    endpoint: TlsEndpoint,
    files: TlsFiles,
    prepared: Prepared,
) -> Conversation[tuple[TlsLayer, int]]:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    policy = prepared.policy
    # No name goes out in the clear: libvirt's client sends none either.
    session = prepared.context.wrap_bio(incoming, outgoing)
    yield from _handshake(endpoint, files, session, incoming, outgoing)
    cipher = session.cipher()
    name, bits = (cipher[0], cipher[2]) if cipher is not None else ("none", 0)
    if session.version() == "TLSv1.3" and name not in policy.tls13:
        raise TLSError(
            f"{endpoint.name}: the daemon chose cipher {name}, which TLS priority {policy.text!r}"
            " does not allow; allow it, or add -VERS-TLS1.3"
        )
    if endpoint.verify:
        # In TLS 1.2 a daemon can prove who it is without signing, in the suites without a prefix.
        signed = session.version() == "TLSv1.3" or name.startswith(("ECDHE-", "DHE-"))
        _verify(tuple(_peer_chain(session)), endpoint, prepared, signed=signed)
    yield from _consent(endpoint, files, session, incoming, outgoing)
    return TlsLayer(session, incoming, outgoing), bits


def _handshake(
    endpoint: TlsEndpoint,
    files: TlsFiles,
    session: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
) -> Conversation[None]:
    begun = False
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise _refusal(endpoint, files, error) from None
        else:
            return
        data = yield from _heard(outgoing.read())
        if not data:
            raise TLSError(_broken_off(endpoint, begun=begun))
        if not begun and data[0] not in _TLS_BEGINS:
            raise TLSError(
                f"{endpoint.name} does not speak TLS: it answered {data[:24]!r}; see that host and"
                " port are those of a libvirt daemon that listens for TLS"
            )
        begun = True
        incoming.write(data)


def _heard(data: bytes) -> Conversation[bytes]:
    """Send ``data`` and return what comes; b"" for the end, however it comes about."""
    try:
        return (yield data)
    except ConnectionError:
        return b""


def _broken_off(endpoint: TlsEndpoint, *, begun: bool) -> str:
    if begun:
        return f"{endpoint.name} dropped the connection in the middle of the TLS handshake"
    return (
        f"{endpoint.name} dropped the connection instead of beginning TLS: see that it is a port of"
        " libvirt for TLS (16514), not one for plain TCP (16509), that tls_priority here and in the"
        " daemon's libvirtd.conf leaves a version and a cipher that both allow, and that the daemon"
        " is well"
    )


def _refusal(endpoint: TlsEndpoint, files: TlsFiles, error: ssl.SSLError) -> TLSError:
    reason = error.reason or "UNKNOWN"
    said = reason.lower().replace("_", " ")
    if "ALERT" in reason and reason.endswith(_REFUSALS):
        return CertificateError(_refused_here(endpoint, files, f"it said: {said}"))
    if reason.endswith(_DISAGREEMENTS):
        return TLSError(
            f"{endpoint.name}: no version or cipher of TLS that both sides allow ({said}); compare"
            " tls_priority here and in the daemon's libvirtd.conf"
        )
    return TLSError(f"{endpoint.name}: the TLS handshake failed: {said}")


def _peer_chain(session: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that the daemon sent, its own first, as DER."""
    own = session.getpeercert(binary_form=True)
    if own is None:
        return []
    chain = getattr(session, "get_unverified_chain", None)
    if chain is not None:  # Python 3.13
        return [*chain()] or [own]
    inner = session._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return [each.public_bytes(_ENCODING_DER) for each in inner or ()] or [own]


def _verify(
    certificates: tuple[bytes, ...], endpoint: TlsEndpoint, prepared: Prepared, *, signed: bool
) -> None:
    """Verify a daemon unless the very same was found to be right, with the same files here."""
    daemon = (certificates, endpoint.host, signed)
    if not prepared.is_right(daemon):
        trust = prepared.trust
        chain = verify_daemon(certificates, endpoint, trust, prepared.policy, signed=signed)
        prepared.note_right(daemon, span_of([*chain, *trust.certificates]))


def verify_daemon(
    certificates: Sequence[bytes],
    endpoint: TlsEndpoint,
    trust: Trust,
    policy: Policy,
    *,
    signed: bool,
) -> list[x509.Certificate]:
    """Return the daemon's certificates; CertificateError unless they are right by libvirt's rules.

    ``certificates`` are what it sent, in DER; ``signed`` tells whether it proved by a signature
    that it has the key. Source: virNetTLSContextCheckCertificate.
    """
    label = f"certificate of {endpoint.name}"
    if not certificates:
        raise CertificateError(f"{label}: it sent none; give the daemon one")
    try:
        chain = [from_der(each) for each in certificates]
    except ValueError as error:
        raise unreadable(label, error) from None
    verify_chain(chain, trust, label, policy.strength)
    for index, each in enumerate(chain[1:]):
        check(each, "CA", f"{label}: number {index + 2} that came with it", dates_only=True)
    _check_host(chain[0], endpoint.host, label)
    check(chain[0], "server", label)
    usage = extension(chain[0], x509.KeyUsage)
    if signed and usage is not None and not usage.value.digital_signature:
        # GnuTLS does not let this pass, whether or not the extension is critical.
        raise CertificateError(
            f"{label}: keyUsage: it does not allow digitalSignature, by which the daemon proved"
            " that it is its own; have one made with digitalSignature"
        )
    return chain


def _check_host(certificate: x509.Certificate, host: str, label: str) -> None:
    try:
        if is_for(certificate, host):
            return
        names = names_of(certificate)
    except ValueError as error:
        raise unreadable(label, error) from None
    raise CertificateError(
        f"{label}: subjectAltName: it is for {names}, not for {host}; write one of those into the"
        f" URI, or have one made for {host} (no_verify=1 would take any daemon for this one)"
    )


def _consent(
    endpoint: TlsEndpoint,
    files: TlsFiles,
    session: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
) -> Conversation[None]:
    """Wait for the byte by which the daemon says that it accepts this side's certificate.

    Source: virNetServerClientCheckAccess.
    """
    while True:
        try:
            byte = session.read(1)
        except ssl.SSLWantReadError:
            data = yield from _heard(outgoing.read())
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()
        except ssl.SSLZeroReturnError:
            break
        except ssl.SSLError as error:
            if is_hanging_up(error):
                break
            raise _refusal(endpoint, files, error) from None
        else:
            if not byte:
                break
            _check_consent(endpoint, byte, session)
            return
    raise CertificateError(_refused_here(endpoint, files, "it closed the connection"))


def _check_consent(endpoint: TlsEndpoint, byte: bytes, session: ssl.SSLObject) -> None:
    if byte != _ACCEPTED:
        raise TLSError(
            f"{endpoint.name} speaks TLS but not libvirt's: it began with {byte!r} instead of"
            " accepting this client; see that host and port are those of a libvirt daemon"
        )
    # What it might say before it is asked would be hidden in here: nobody would wake up for it.
    try:
        more = session.read(1)
    except ssl.SSLError:
        return
    if more:
        raise TLSError(f"{endpoint.name} speaks before it is spoken to: this is no libvirt daemon")


def _refused_here(endpoint: TlsEndpoint, files: TlsFiles, how: str) -> str:
    if files.certificate is None:
        looked = " and ".join(files.missing_pair or ())
        return (
            f"{endpoint.name} refused this client, which has no certificate ({how}): there is not"
            f" both {looked}; put them there, or name another folder by ?pkipath="
        )
    name, fault = _own_certificate(files)
    cause = (
        "its log says why; see that the daemon's ca_file has the CA that signed it, that its"
        " crl_file does not list it, and that its tls_allowed_dn_list, if any, allows that name"
    )
    return (
        f"{endpoint.name} refused the client certificate {files.certificate} ({name}; {how}):"
        f" {fault or cause}"
    )


def _own_certificate(files: TlsFiles) -> tuple[str, str | None]:
    """Return the name in this side's certificate, and what is known here to be wrong with it."""
    assert files.certificate is not None
    try:
        chain = read_certificates(files.certificate, "client certificate", size_at_most=None)
        name = distinguished_name(chain[0].subject)
    except (CertificateError, ValueError):
        return "unknown", None
    try:
        check(chain[0], "client", "it")
        verify_chain(chain, _read_trust(files), "it")
    except CertificateError as error:
        return name, str(error).removeprefix("it: ")
    return name, None
