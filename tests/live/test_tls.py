"""TLS with real daemons on the loopback device: who is let in, who is not, and what is said."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import COLOURS, Open
from tests.lab.c_binding import CBinding, CBindingError
from tests.lab.daemon import PrivateDaemon
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.lab.roots import RELEASES, root_of
from tests.live.volumes import MIB, content, volume
from virtproto.cli import main
from virtproto.errors import CertificateError, TLSError

pytestmark = pytest.mark.lab

TLS_1_2 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
TLS_1_3 = "NORMAL:-VERS-ALL:+VERS-TLS1.3"


class Listening:
    """A daemon that listens for TLS, and the lab's certificates."""

    def __init__(self, daemon: PrivateDaemon, lab: Lab, port: int) -> None:
        self.daemon = daemon
        self.lab = lab
        self.port = port

    def uri(
        self,
        client: str = "good",
        query: str = "",
        *,
        host: str = "127.0.0.1",
        name: str = "test:///default",
    ) -> str:
        scheme, _, path = name.partition("://")
        pkipath = self.lab.client(client)
        return f"{scheme}+tls://{host}:{self.port}{path}?pkipath={pkipath}{query}"


@contextmanager
def listening(
    lab: Lab,
    *,
    server: str = "server",
    version: str = "9.0.0",
    more: Mapping[str, str | int | list[str]] | None = None,
) -> Iterator[Listening]:
    port = free_port()
    settings = {**lab.settings(server), "tls_port": str(port), **(more or {})}
    daemon = PrivateDaemon(
        root=root_of(version), settings=settings, listen=True, folders=[lab.folder]
    )
    with daemon:
        yield Listening(daemon, lab, port)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def plain(lab: Lab) -> Iterator[Listening]:
    """A daemon that lets in whom its CA knows and has not revoked."""
    with listening(lab, more={"crl_file": str(lab.revocations)}) as one:
        yield one


@pytest.fixture(scope="module")
def picky(lab: Lab) -> Iterator[Listening]:
    """A daemon that lets in one name, and others of another country."""
    allowed = [lab.distinguished_name("good"), "C=FR,*"]
    with listening(lab, more={"tls_allowed_dn_list": allowed}) as one:
        yield one


@pytest.fixture(scope="module")
def elsewhere(lab: Lab) -> Iterator[Listening]:
    """A daemon with the certificate of another host."""
    with listening(lab, server="elsewhere") as one:
        yield one


def _refused(open_in_colour: Open, uri: str) -> str:
    with pytest.raises(CertificateError) as caught, open_in_colour(uri):
        pass
    return str(caught.value)


def _assert_serves(open_in_colour: Open, uri: str) -> None:
    with open_in_colour(uri) as connection:
        assert connection.is_secure()
        assert connection.is_encrypted()
        assert [domain.get_name() for domain in connection.list_all_domains()] == ["test"]


def _their_verdict(uri: str) -> bool:
    try:
        with CBinding(uri) as binding:
            return bool(binding.ask("getLibVersion"))
    except CBindingError:
        return False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
def test_a_good_certificate_is_let_in(plain: Listening, open_in_colour: Open, host: str) -> None:
    _assert_serves(open_in_colour, plain.uri(host=host))


# What is wrong with each client, and what is said by whoever finds out first.
_MATRIX = {
    "none": ("none", "", r"refused this client, which has no certificate .*none/clientcert\.pem"),
    "rogue": ("rogue", "", r"rogue/clientcert\.pem: issuer: .*CN=rogue CA, which is not among"),
    "rogue, unchecked": (
        "rogue",
        "&no_sanity=1",
        r"refused the client certificate .*CN=rogue; .*: issuer: it was signed",
    ),
    "revoked": ("revoked", "", r"refused the client certificate .*revoked/clientcert\.pem .*crl"),
    "expired": ("expired", "", r"expired/clientcert\.pem: notAfter: it expired on 20"),
    "expired, unchecked": (
        "expired",
        "&no_sanity=1",
        r"refused the client .*CN=expired; .*: notAfter: it",
    ),
}
_VERSIONS = {"TLS 1.2": TLS_1_2, "TLS 1.3": TLS_1_3}


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("kind", _MATRIX)
def test_a_bad_certificate_is_not(
    plain: Listening, open_in_colour: Open, kind: str, version: str
) -> None:
    client, query, said = _MATRIX[kind]
    uri = plain.uri(client, f"{query}&tls_priority={_VERSIONS[version]}")
    fault = _refused(open_in_colour, uri)
    assert re.search(said, fault), fault


# Which daemon, which client, and what the URI adds.
_ASKED_OF_BOTH = [
    *(("plain", client, "") for client in ("good", "none", "rogue", "revoked", "expired")),
    ("plain", "rogue", "&no_sanity=1"),
    ("picky", "good", ""),
    ("picky", "other", ""),
    ("elsewhere", "good", ""),
    ("elsewhere", "good", "&no_verify=1"),
]


@pytest.mark.parametrize(("which", "client", "query"), _ASKED_OF_BOTH)
def test_verdicts_are_those_of_the_c_client(
    request: pytest.FixtureRequest, which: str, client: str, query: str
) -> None:
    daemon: Listening = request.getfixturevalue(which)
    uri = daemon.uri(client, query)
    try:
        with virtproto.open(uri):
            ours = True
    except CertificateError:
        ours = False
    assert ours == _their_verdict(uri)


def test_a_list_of_names_lets_in_who_is_on_it(picky: Listening, open_in_colour: Open) -> None:
    _assert_serves(open_in_colour, picky.uri())
    fault = _refused(open_in_colour, picky.uri("other"))
    assert "O=virtproto lab,CN=other" in fault
    assert "tls_allowed_dn_list" in fault


def test_another_hosts_certificate_is_refused(elsewhere: Listening, open_in_colour: Open) -> None:
    fault = _refused(open_in_colour, elsewhere.uri())
    assert "subjectAltName: it is for wrong.example, 192.0.2.1, not for 127.0.0.1" in fault
    _assert_serves(open_in_colour, elsewhere.uri(query="&no_verify=1"))


def test_a_daemon_of_another_ca_is_refused(
    plain: Listening, open_in_colour: Open, tmp_path: Path
) -> None:
    other = Lab(tmp_path)
    uri = plain.uri().replace(str(plain.lab.client("good")), str(other.client("good")))
    fault = _refused(open_in_colour, uri)
    assert "the CA of that name in" in fault
    # Taken for what it says it is, it still does not take this side's.
    fault = _refused(open_in_colour, f"{uri}&no_verify=1")
    assert "refused the client certificate" in fault


def test_a_revoked_daemon_is_refused(
    lab: Lab, plain: Listening, open_in_colour: Open, tmp_path: Path
) -> None:
    folder = tmp_path
    uri = plain.uri().replace(str(lab.client("good")), str(folder))
    for name in ("cacert.pem", "clientcert.pem", "clientkey.pem"):
        (folder / name).symlink_to(lab.client("good") / name)
    revocations = folder / "cacrl.pem"
    revocations.write_bytes(lab.revoking("revoked"))
    _assert_serves(open_in_colour, uri)
    revocations.write_bytes(lab.revoking("server"))
    fault = _refused(open_in_colour, uri)
    assert f"{revocations} says that its CA revoked it" in fault


def test_who_verifies_nobody_lets_everybody_in(lab: Lab, open_in_colour: Open) -> None:
    with listening(lab, more={"tls_no_verify_certificate": 1}) as daemon:
        _assert_serves(open_in_colour, daemon.uri("none"))
        _assert_serves(open_in_colour, daemon.uri("rogue", "&no_sanity=1"))


@pytest.mark.parametrize("version", _VERSIONS)
def test_versions_that_the_daemon_forces(lab: Lab, open_in_colour: Open, version: str) -> None:
    with listening(lab, more={"tls_priority": _VERSIONS[version]}) as daemon:
        _assert_serves(open_in_colour, daemon.uri())
        assert "refused this client" in _refused(open_in_colour, daemon.uri("none"))
        [other] = set(_VERSIONS.values()) - {_VERSIONS[version]}
        uri = daemon.uri(query=f"&tls_priority={other}")
        # The daemon says nothing of its reasons, it hangs up.
        with pytest.raises(TLSError, match="tls_priority here and in the daemon's"):
            open_in_colour(uri).__enter__()


@pytest.mark.parametrize("priority", ["SECURE128", "NORMAL:-AES-256-GCM", "PFS"])
def test_priorities_that_a_client_asks_for(
    plain: Listening, open_in_colour: Open, priority: str
) -> None:
    _assert_serves(open_in_colour, plain.uri(query=f"&tls_priority={priority}"))


@pytest.mark.parametrize(
    "priority",
    [
        "SECURE256",  # of which the lab's keys are too short
        "NORMAL:-ECDHE-ECDSA",
        "NORMAL:-ECDHE-ECDSA:-VERS-TLS1.3",
        "NONE:+VERS-TLS1.2:+ECDHE-ECDSA:+AES-128-GCM:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-ALL",
        "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AES-128-GCM:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-ALL",
        "NORMAL:+VERS-TLS1.1:+ANON-ECDH:%COMPAT:%NO_TICKETS",
        "NORMAL:%PROFILE_HIGH",
        "NORMAL:%PROFILE_FUTURE",
        "NORMAL:-VERS-ALL",
        "NORMAL,-VERS-TLS1.3",
        "NORMAL::-RSA",
        "NORMAL:-NOSUCH",
        "SYSTEM",
    ],
)
def test_priorities_are_those_of_the_c_client(plain: Listening, priority: str) -> None:
    uri = plain.uri(query=f"&tls_priority={priority.replace('%', '%25')}")
    try:
        with virtproto.open(uri):
            ours = True
    except TLSError:
        ours = False
    assert ours == _their_verdict(uri)


def test_a_priority_that_cannot_be_had_is_refused(plain: Listening, open_in_colour: Open) -> None:
    with pytest.raises(TLSError, match=r"at '-SIGN-RSA-SHA256': signatures cannot be chosen"):
        open_in_colour(plain.uri(query="&tls_priority=NORMAL:-SIGN-RSA-SHA256")).__enter__()


def test_a_port_for_plain_tcp_is_no_port_for_tls(lab: Lab, open_in_colour: Open) -> None:
    port = free_port()
    settings: dict[str, str | int] = {
        "listen_tcp": 1,
        "listen_addr": "127.0.0.1",
        "tcp_port": str(port),
        "auth_tcp": "none",
    }
    with PrivateDaemon(settings=settings, listen=True) as daemon:
        uri = Listening(daemon, lab, port).uri()
        with pytest.raises(TLSError, match="instead of beginning TLS") as caught:
            open_in_colour(uri).__enter__()
        assert not isinstance(caught.value, CertificateError)


@pytest.mark.parametrize("version", sorted(set(RELEASES) - {"9.0.0"}))
def test_other_releases_take_these_certificates(
    lab: Lab, open_in_colour: Open, version: str
) -> None:
    with listening(lab, version=version) as daemon:
        _assert_serves(open_in_colour, daemon.uri())
        assert "refused this client" in _refused(open_in_colour, daemon.uri("none"))


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_volume_goes_there_and_back(
    plain: Listening, open_in_colour: Open, version: str, tmp_path: Path
) -> None:
    size = 24 * MIB + 5
    data = content(size)
    query = f"&tls_priority={_VERSIONS[version]}"
    folder = plain.daemon.folder / hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    folder.mkdir()
    with (
        open_in_colour(plain.uri(query=query, name="qemu:///system")) as connection,
        volume(connection, folder, size) as vol,
    ):
        with connection.new_stream() as stream:
            vol.upload(stream, 0, size)
            stream.send(data)
        assert (folder / "volumes" / "v").read_bytes()[:size] == data
        with connection.new_stream() as stream:
            vol.download(stream, 0, size)
            came = hashlib.sha256()
            for piece in stream:
                came.update(piece)
        assert came.digest() == hashlib.sha256(data).digest()
        vol.delete()


def test_replies_may_be_longer_than_a_record(plain: Listening, open_in_colour: Open) -> None:
    with open_in_colour(plain.uri()) as connection:
        domain = connection.get_domain_by_name("test")
        # Larger than any record of TLS, so that a reply is made of many.
        description = "x" * 300_000
        xml = domain.get_xml_description().replace(
            "<name>test</name>",
            f"<name>large</name><description>{description}</description>",
        )
        xml = re.sub(r"<uuid>.*</uuid>", "", xml)
        large = connection.define_domain(xml)
        assert description in large.get_xml_description()
        large.undefine()


def _settings_printed(text: str, port: int) -> dict[str, str | int]:
    """Return the settings that a command told to put into libvirtd.conf."""
    lines = re.findall(r"^    (\w+) = (.+)$", text, re.MULTILINE)
    settings: dict[str, str | int] = {name: json.loads(value) for name, value in lines}
    return {**settings, "tls_port": str(port), "listen_addr": "127.0.0.1", "auth_tls": "none"}


def test_what_the_command_makes_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing to a connection by what the command makes and says, and to a revocation."""
    pki, port = tmp_path / "pki", free_port()
    made = ["pki", "create", str(pki), "--host=localhost,127.0.0.1", "--client=web", "--client=ci"]
    assert main(made) == 0
    settings = _settings_printed(capsys.readouterr().out, port)
    assert settings["listen_tls"] == 1
    web, ci = (
        f"test+tls://127.0.0.1:{port}/default?pkipath={pki}/client/{name}" for name in ("web", "ci")
    )
    with PrivateDaemon(settings=settings, listen=True):
        for uri in (web, ci):
            for open_in_colour in COLOURS.values():
                _assert_serves(open_in_colour, uri)
            assert main(["pki", "check", "--connect", uri]) == 0
        assert _their_verdict(web)
    assert "takes this client, and is who it should be" in capsys.readouterr().out

    assert main(["pki", "revoke", str(pki), "web"]) == 0
    settings["crl_file"] = str(pki / "cacrl.pem")
    with PrivateDaemon(settings=settings, listen=True):
        for open_in_colour in COLOURS.values():
            assert "refused the client certificate" in _refused(open_in_colour, web)
            _assert_serves(open_in_colour, ci)
        capsys.readouterr()
        assert main(["pki", "check", "--connect", web]) == 1
    said = capsys.readouterr().out
    assert "FAULT client certificate" in said
    assert re.search(r"^The daemon\n  FAULT .* refused the client certificate", said, re.MULTILINE)
