"""`virtproto pki check`: which files TLS uses here, and what both sides would say to them.

Responsible for looking at everything instead of stopping at the first fault, and for putting it in
words. Must not know click; the rules themselves are those by which connections are made.
"""

from __future__ import annotations

import json
import os
import socket
import stat

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from virtproto.cli.table import visible
from virtproto.errors import CertificateError, TLSError, URIError, VirtprotoError
from virtproto.model.endpoint import TlsEndpoint
from virtproto.model.uri import shown
from virtproto.transport.resolve import resolve
from virtproto.transport.tls import certificate as reading
from virtproto.transport.tls.chain import Trust, verify_chain
from virtproto.transport.tls.files import files_here
from virtproto.transport.tls.handshake import make_context
from virtproto.transport.tls.hostname import is_for, names_of
from virtproto.transport.tls.priority import DEFAULT, Policy, read_priority
from virtproto.transport.tls.sanity import faults_of, read_trusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.transport.tls.files import TlsFiles
    from virtproto.transport.tls.sanity import Role

__all__ = ["run_check"]

GOOD, NOTE, BAD = "ok", "note", "FAULT"
_CONNECT_S = 10.0


class Report:
    """What was found so far, in order: parts with a heading, each with verdicts on things."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []
        self._part = ""

    def part(self, heading: str) -> None:
        """Begin a part."""
        self._part = heading

    def say(self, verdict: str, text: str) -> None:
        """Add what was found of one thing."""
        self.found.append((self._part, verdict, text))

    @property
    def is_good(self) -> bool:
        """Whether nothing that was found stands in the way of TLS."""
        return all(verdict != BAD for _, verdict, _ in self.found)

    def show(self, *, as_json: bool) -> None:
        """Print all of it."""
        if as_json:
            keys = ("part", "verdict", "text")
            print(json.dumps([dict(zip(keys, each, strict=True)) for each in self.found], indent=2))
            return
        part = None
        for heading, verdict, text in self.found:
            if heading != part:
                print(visible(heading))
                part = heading
            # What stands in a stranger's certificate is a stranger's.
            print(f"  {verdict:5} {visible(text)}")


def run_check(uri: str | None, *, connects: bool, as_json: bool) -> bool:
    """Print what TLS finds here, for ``uri`` or in general; tell whether it would do.

    Raises URIError for a URI that leads elsewhere than over TLS.
    """
    report = Report()
    if uri is None:
        if connects:
            raise URIError("--connect: which daemon is to be asked takes a URI")
        _check_machine(report)
    else:
        _check_uri(report, _endpoint(uri), connects=connects)
    report.show(as_json=as_json)
    return report.is_good


def _endpoint(uri: str) -> TlsEndpoint:
    _, endpoint = resolve(uri, readonly=False)
    if not isinstance(endpoint, TlsEndpoint):
        raise URIError(
            f"connection URI {shown(uri)!r}: it leads to {endpoint.name}, not over TLS; write a"
            " host and +tls, as in qemu+tls://host/system"
        )
    return endpoint


def _check_machine(report: Report) -> None:
    client, server = files_here(None), files_here(None, "server")
    report.part("This machine as a client")
    _check_side(report, client, "client", read_priority(None))
    report.part("This machine as a server")
    _check_side(report, server, "server", read_priority(None), _own_names())
    if client.certificate is None and server.certificate is None:
        report.say(BAD, "neither a client's nor a server's certificate: TLS cannot be used here")


def _own_names() -> list[str]:
    return list(dict.fromkeys([socket.gethostname(), socket.getfqdn()]))


def _check_uri(report: Report, endpoint: TlsEndpoint, *, connects: bool) -> None:
    report.part(f"To {endpoint.name}")
    try:
        policy = read_priority(endpoint.priority)
    except TLSError as error:
        report.say(BAD, str(error))
        policy = read_priority(None)
    else:
        versions = " to ".join(dict.fromkeys((policy.oldest, policy.newest)))
        report.say(GOOD, f"TLS priority {endpoint.priority or DEFAULT}: {versions}")
    if not endpoint.verify:
        report.say(NOTE, "no_verify: any daemon is taken for this one, whatever it shows")
    if not endpoint.check_files:
        report.say(NOTE, "no_sanity: these files are used without being looked at first")
    files = files_here(endpoint.pkipath)
    _check_side(report, files, "client", policy)
    if files.certificate is None:
        report.say(BAD, "a daemon refuses a client without one, unless it verifies nobody")
    server = files_here(endpoint.pkipath, "server")
    local = endpoint.host in ("localhost", "127.0.0.1", "::1", *_own_names())
    if server.certificate is not None and (endpoint.pkipath is not None or local):
        report.part("The server's files beside them")
        _check_side(report, server, "server", policy, [endpoint.host], BAD)
    if connects:
        report.part("The daemon")
        _ask(report, endpoint)


def _check_side(
    report: Report,
    files: TlsFiles,
    role: Role,
    policy: Policy,
    hosts: list[str] | None = None,
    mismatch: str = NOTE,
) -> None:
    trust = _check_trust(report, files)
    if files.certificate is None or files.key is None:
        looked = files.missing_pair or ("", "")
        for path, what in zip(looked, ("certificate", "key"), strict=True):
            report.say(NOTE, f"{role} {what} {path} {_why_not(path)}")
        report.say(NOTE, f"this machine cannot act as a {role}")
        return
    label = f"{role} certificate {files.certificate}"
    try:
        chain = reading.read_certificates(files.certificate, f"{role} certificate")
    except CertificateError as error:
        report.say(BAD, str(error))
        return
    if _check_fields(report, chain[0], role, label):
        name = reading.distinguished_name(chain[0].subject)
        report.say(GOOD, f"{label}: {name}, until {chain[0].not_valid_after_utc:%Y-%m-%d}")
    if trust is not None:
        try:
            verify_chain(chain, trust, label, policy.strength)
        except CertificateError as error:
            report.say(BAD, str(error))
    _check_key(report, files, role, policy)
    if hosts is not None:
        _check_hosts(report, chain[0], hosts, label, mismatch)


def _why_not(path: str) -> str:
    """Return why a certificate or key is not used."""
    folder = os.path.dirname(path)
    if os.path.isdir(folder) and not os.access(folder, os.X_OK):
        return f"may be there, but user {os.geteuid()} may not enter {folder}"
    return "is there, but of no use alone" if os.path.exists(path) else "is not there"


def _check_trust(report: Report, files: TlsFiles) -> Trust | None:
    """Look at the CA's file, and the list if there is one."""
    try:
        trusted = read_trusted(files.ca)
    except CertificateError as error:
        report.say(BAD, str(error))
        return None
    for each in trusted:
        if _check_fields(report, each, "CA", f"CA certificate {files.ca}"):
            name = reading.distinguished_name(each.subject)
            until = f"{each.not_valid_after_utc:%Y-%m-%d}"
            report.say(GOOD, f"CA certificate {files.ca}: {name}, until {until}")
    if files.crl is None:
        return Trust(trusted, files.ca)
    try:
        lists = reading.read_lists(files.crl)
    except CertificateError as error:
        report.say(BAD, str(error))
        return Trust(trusted, files.ca)
    for one in lists:
        _check_list(report, one, trusted, f"revocation list {files.crl}")
    return Trust(trusted, files.ca, lists, files.crl)


def _check_list(
    report: Report,
    one: x509.CertificateRevocationList,
    trusted: list[x509.Certificate],
    label: str,
) -> None:
    makers = [each for each in trusted if each.subject == one.issuer]
    name = reading.distinguished_name(one.issuer)
    if not makers:
        report.say(NOTE, f"{label}: issuer: {name} is not among the CAs; it has no effect")
        return
    keys = [each.public_key() for each in makers]
    if not any(one.is_signature_valid(key) for key in keys):  # type: ignore[arg-type]
        report.say(BAD, f"{label}: signature: {name} did not make it; get the CA's own list")
        return
    report.say(GOOD, f"{label}: of {name}, {len(one)} revoked")


def _check_fields(report: Report, certificate: x509.Certificate, role: Role, label: str) -> bool:
    """Report what is wrong with one certificate by itself; tell whether it may be used."""
    fine = True
    try:
        for fault in faults_of(certificate, role):
            report.say(BAD if fault.is_fatal else NOTE, f"{label}: {fault}")
            fine = fine and not fault.is_fatal
        usage = reading.extension(certificate, x509.KeyUsage)
    except ValueError as error:
        report.say(BAD, f"{label}: its fields cannot be read ({error}); have a new one made")
        return False
    is_curve = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    if role != "CA" and usage is not None and is_curve and not usage.value.key_encipherment:
        report.say(
            NOTE,
            f"{label}: keyUsage: older releases of libvirt, 9.0 among them, want keyEncipherment of"
            " elliptic curves, too; have one made with it if such a release is to take it",
        )
    return fine


def _check_key(report: Report, files: TlsFiles, role: Role, policy: Policy) -> None:
    assert files.key is not None
    try:
        make_context(files, policy, role)
    except TLSError as error:
        report.say(BAD, str(error))
        return
    found = os.stat(files.key)
    mode = stat.S_IMODE(found.st_mode)
    label = f"{role} key {files.key}"
    if mode & 0o022:
        report.say(BAD, f"{label}: mode {mode:04o}: others may write it; chmod 600 {files.key}")
    elif mode & 0o044:
        # A client's key in the system's folder may be meant for all of its users.
        verdict = BAD if role == "server" else NOTE
        who = "the daemon" if role == "server" else "this client"
        text = f"others may read it and pass for {who}; chmod 600 {files.key}"
        report.say(verdict, f"{label}: mode {mode:04o}: {text}")
    else:
        report.say(GOOD, f"{label}: it belongs to the certificate, and nobody else may read it")
    if found.st_uid not in (0, os.geteuid()):
        report.say(NOTE, f"{label}: it is user {found.st_uid}'s, who may change it")


def _check_hosts(
    report: Report, certificate: x509.Certificate, hosts: list[str], label: str, mismatch: str
) -> None:
    try:
        names = names_of(certificate)
        if any(is_for(certificate, host) for host in hosts):
            report.say(GOOD, f"{label}: subjectAltName: it is for {names}")
            return
    except ValueError:
        return  # that its fields cannot be read was said before
    wanted = " or ".join(hosts)
    report.say(
        mismatch,
        f"{label}: subjectAltName: it is for {names}, not for {wanted}; clients have to write one"
        " of those names into their URIs",
    )


def _ask(report: Report, endpoint: TlsEndpoint) -> None:
    from virtproto.sync.connecting import connect

    try:
        road = connect(endpoint, _CONNECT_S)
    except VirtprotoError as error:
        report.say(BAD, str(error))
        return
    road.leave()
    report.say(GOOD, f"{endpoint.name} takes this client, and is who it should be")
