"""`virtproto pki`: certificates made, revoked, and explained."""

from __future__ import annotations

import datetime
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.lab.pki import Lab
from virtproto.cli import main
from virtproto.model.endpoint import TlsEndpoint
from virtproto.model.uri import parse_uri
from virtproto.transport.tls.handshake import shake_hands
from virtproto.transport.tls.hostname import is_for


@dataclass
class Said:
    """What one run of the command printed and returned."""

    code: int
    out: str
    err: str


class Command:
    """``virtproto pki``."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Said:
        code = main(["pki", *map(str, arguments)])
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)


@pytest.fixture
def pki(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def made(pki: Command, tmp_path: Path) -> Path:
    """A folder with a CA, a server of three names, and two clients."""
    folder = tmp_path / "pki"
    hosts = "--host=host.example.org,localhost,127.0.0.1,::1"
    said = pki("create", folder, hosts, "--client=web", "--client=mail", "--key=ec")
    assert (said.code, said.err) == (0, "")
    return folder


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def usable(folder: Path) -> bool:
    """Tell whether TLS takes the client's files; raises if it does not."""
    return shake_hands(TlsEndpoint("localhost", 1, pkipath=str(folder))) is not None


def test_made_certificates_fit_together(made: Path) -> None:
    for client in ("web", "mail"):
        assert usable(made / "client" / client)
    server = certificate(made / "server" / "host.example.org" / "servercert.pem")
    for host in ("host.example.org", "localhost", "127.0.0.1", "::1"):
        assert is_for(server, host)
    assert not is_for(server, "elsewhere.example.org")
    usage = server.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.key_encipherment
    purposes = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_keys_are_their_owners_alone(made: Path) -> None:
    keys = [*made.glob("**/*key.pem")]
    assert len(keys) == 4
    for key in keys:
        assert key.stat().st_mode & 0o777 == 0o600
    assert not [*made.glob("**/*.part-*")]


def test_keys_are_secret_whatever_the_umask(pki: Command, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pki("create", tmp_path / "pki", "--client=web", "--key=ec")
    finally:
        os.umask(before)
    for key in (tmp_path / "pki").glob("**/*key.pem"):
        assert key.stat().st_mode & 0o777 == 0o600


def test_what_to_do_is_told(pki: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    said = pki("create", folder, "--host=h", "--client=web", "--organization=Us, Ltd", "--key=ec")
    place = folder / "server" / "h"
    for line in (
        "listen_tls = 1",
        f'ca_file = "{place}/cacert.pem"',
        f'cert_file = "{place}/servercert.pem"',
        f'key_file = "{place}/serverkey.pem"',
    ):
        assert f"    {line}\n" in said.out
    assert f"qemu+tls://HOST/system?pkipath={folder}/client/web" in said.out
    assert 'tls_allowed_dn_list = ["O=Us\\, Ltd,CN=web"]' in said.out
    assert "PRIVATE" not in said.out


def test_a_uri_that_is_told_can_be_used(pki: Command, tmp_path: Path) -> None:
    said = pki("create", tmp_path / "our pki", "--client=Jörg", "--key=ec").out
    told = next(word for word in said.split() if word.startswith("qemu+tls:"))
    place = str(tmp_path / "our pki" / "client" / "Jörg")
    assert parse_uri(told).parameter("pkipath") == place


def test_rsa_unless_told_otherwise(pki: Command, tmp_path: Path) -> None:
    assert pki("create", tmp_path, "--days=10").code == 0
    made = certificate(tmp_path / "cacert.pem")
    key = made.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072
    left = made.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert 9 <= left.days <= 11


def test_nothing_is_replaced_unasked(pki: Command, made: Path) -> None:
    before = {path: path.read_bytes() for path in made.glob("**/*.pem")}
    said = pki("create", made, "--client=new", "--client=web", "--key=ec")
    assert said.code == 2
    assert f"{made}/client/web/clientcert.pem is there already: --force" in said.err
    assert {path: path.read_bytes() for path in made.glob("**/*.pem")} == before
    assert pki("create", made).code == 2

    assert pki("create", made, "--client=web", "--key=ec", "--force").code == 0
    changed = {path for path, content in before.items() if path.read_bytes() != content}
    assert {path.name for path in changed} == {"clientcert.pem", "clientkey.pem"}
    assert usable(made / "client" / "web")


def test_a_ca_is_used_again(pki: Command, made: Path) -> None:
    assert pki("create", made, "--client=later", "--key=ec").code == 0
    assert usable(made / "client" / "later")
    assert (made / "cacert.pem").read_bytes() == (made / "client/later/cacert.pem").read_bytes()


def test_half_a_ca_signs_nothing(pki: Command, made: Path) -> None:
    (made / "cakey.pem").unlink()
    said = pki("create", made, "--client=later")
    assert said.code == 2
    assert f"{made}/cakey.pem is missing" in said.err


def test_a_ca_with_anothers_key_signs_nothing(pki: Command, made: Path, tmp_path: Path) -> None:
    assert pki("create", tmp_path / "other", "--key=ec").code == 0
    (made / "cakey.pem").write_bytes((tmp_path / "other" / "cakey.pem").read_bytes())
    said = pki("create", made, "--client=later")
    assert said.code == 1
    assert "it is not the one of the certificate" in said.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--client=../web"], "client '../web'"),
        (["--client="], "client ''"),
        (["--client=a/b"], "client 'a/b'"),
        (["--host=,"], "host: expected a name"),
        (["--host=.."], "server '..'"),
        (["--host=a b"], "host 'a b': this is neither"),
        (["--host=h", "--days=0"], "days 0"),
        (["--host=h", "--days=99999999"], "days"),
        (["--client=" + "x" * 65], "client 'xxx"),
        (["--client=web", "--organization="], "organization ''"),
        (["--key=dsa"], "--key"),
    ],
)
def test_names_that_cannot_be(
    pki: Command, tmp_path: Path, arguments: list[str], named: str
) -> None:
    said = pki("create", tmp_path / "pki", "--key=ec", *arguments)
    assert said.code == 2
    assert named in said.err
    assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "pki").exists()


def test_a_long_name_of_a_host(pki: Command, tmp_path: Path) -> None:
    host = ".".join(["part-of-a-long-name"] * 6)
    assert pki("create", tmp_path, f"--host={host}", "--key=ec").code == 0
    assert is_for(certificate(tmp_path / "server" / host / "servercert.pem"), host)


def test_a_folder_that_cannot_be_written(pki: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = pki("create", tmp_path / "file" / "pki", "--key=ec")
    assert said.code == 1
    assert f"{tmp_path}/file" in said.err


def test_revoked_are_listed_everywhere(pki: Command, made: Path) -> None:
    said = pki("revoke", made, "web")
    assert (said.code, said.err) == (0, "")
    assert "revoked O=libvirt,CN=web" in said.out
    assert f'crl_file = "{made}/cacrl.pem"' in said.out
    lists = [*made.glob("**/cacrl.pem")]
    assert len(lists) == 4
    assert len({path.read_bytes() for path in lists}) == 1

    # A second one is added; one that is on it already changes nothing.
    assert pki("revoke", made, "server/host.example.org", "web").code == 0
    revoked = x509.load_pem_x509_crl((made / "cacrl.pem").read_bytes())
    names = ("client/web/clientcert.pem", "server/host.example.org/servercert.pem")
    numbers = {certificate(made / name).serial_number for name in names}
    assert {each.serial_number for each in revoked} == numbers

    # Whoever comes later has the list, too.
    assert "crl_file" in pki("create", made, "--host=later", "--key=ec").out
    assert (made / "server/later/cacrl.pem").read_bytes() == lists[0].read_bytes()


def test_revoked_by_the_path_of_a_certificate(pki: Command, made: Path, lab: Lab) -> None:
    assert pki("revoke", made, made / "client/mail/clientcert.pem").code == 0
    said = pki("revoke", made, lab.client("good") / "clientcert.pem")
    assert said.code == 2
    assert "this was not signed by the CA of" in said.err
    said = pki("revoke", made, made / "cacert.pem")
    assert said.code == 2
    assert "this is the CA itself" in said.err


def test_who_is_to_be_revoked_has_to_be_there(pki: Command, made: Path) -> None:
    said = pki("revoke", made, "nobody")
    assert said.code == 2
    assert "'nobody'" in said.err
    pki("create", made, "--host=web", "--key=ec")
    said = pki("revoke", made, "web")
    assert said.code == 2
    assert "client/web" in said.err


def uri(folder: Path, query: str = "", host: str = "localhost") -> str:
    return f"qemu+tls://{host}/system?pkipath={folder}{query}"


def test_good_files_are_explained(pki: Command, made: Path) -> None:
    said = pki("check", uri(made / "client/web"))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("To localhost:16514\n")
    assert "FAULT" not in said.out
    for name in ("cacert.pem", "clientcert.pem", "clientkey.pem"):
        assert re.search(f"^  ok    .*client/web/{name}: ", said.out, re.MULTILINE), name


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("none", "a daemon refuses a client without one"),
        ("expired", r"expired/clientcert\.pem: notAfter: it expired"),
        ("rogue", r"rogue/clientcert\.pem: issuer: it was signed by O=virtproto lab,CN=rogue CA"),
        ("nowhere", r"nowhere/cacert\.pem: there is no such file"),
    ],
)
def test_faults_are_found(pki: Command, lab: Lab, client: str, said: str) -> None:
    found = pki("check", uri(lab.client(client)))
    assert found.code == 1
    assert re.search(f"^  FAULT .*{said}", found.out, re.MULTILINE), found.out


def test_every_fault_is_told_at_once(pki: Command, made: Path) -> None:
    pki("revoke", made, "web")
    folder = made / "client/web"
    (folder / "clientkey.pem").write_bytes((made / "client/mail/clientkey.pem").read_bytes())
    said = pki("check", uri(folder, "&tls_priority=NOSUCH&no_verify=1&no_sanity=1"))
    assert said.code == 1
    assert "FAULT TLS priority 'NOSUCH'" in said.out
    assert "note  no_verify" in said.out
    assert "note  no_sanity" in said.out
    assert "says that its CA revoked it" in said.out
    assert "they do not belong together" in said.out


@pytest.mark.parametrize(
    ("mode", "verdict", "code"), [(0o600, "ok", 0), (0o644, "note", 0), (0o666, "FAULT", 1)]
)
def test_a_keys_permissions(pki: Command, made: Path, mode: int, verdict: str, code: int) -> None:
    key = made / "client/web/clientkey.pem"
    key.chmod(mode)
    said = pki("check", uri(key.parent))
    assert said.code == code
    assert re.search(f"^  {verdict:5} client key {key}: ", said.out, re.MULTILINE)


def test_a_list_that_the_ca_did_not_make(pki: Command, made: Path, lab: Lab) -> None:
    folder = made / "client/web"
    (folder / "cacrl.pem").write_bytes(lab.revocations.read_bytes())
    said = pki("check", uri(folder))
    assert "cacrl.pem: issuer: O=virtproto lab,CN=lab CA is not among the CAs" in said.out


def test_the_servers_files_beside_them(pki: Command, made: Path) -> None:
    folder = made / "server/host.example.org"
    for file in (made / "client/web").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    said = pki("check", uri(folder))
    assert "The server's files beside them\n" in said.out
    assert "FAULT" not in said.out
    said = pki("check", uri(folder, host="elsewhere.example.org"))
    assert said.code == 1
    assert "FAULT server certificate" in said.out
    assert "127.0.0.1, ::1, not for elsewhere.example.org;" in said.out
    (folder / "serverkey.pem").chmod(0o644)
    assert "others may read it and pass for the daemon" in pki("check", uri(folder)).out


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands in for the system's folder of certificates, for a user who is root."""
    monkeypatch.setattr("virtproto.transport.tls.files._SYSTEM", str(tmp_path / "etc"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path / "etc"


def test_a_machine_without_anything(pki: Command, system: Path) -> None:
    said = pki("check")
    assert said.code == 1
    assert f"FAULT CA certificate {system}/CA/cacert.pem: there is no such file" in said.out
    assert f"note  server key {system}/libvirt/private/serverkey.pem is not there" in said.out
    assert "TLS cannot be used here" in said.out


def test_a_machine_that_is_a_server_only(pki: Command, system: Path, made: Path) -> None:
    private = system / "libvirt" / "private"
    private.mkdir(parents=True)
    (system / "CA").mkdir()
    place = made / "server/host.example.org"
    (place / "cacert.pem").rename(system / "CA" / "cacert.pem")
    (place / "servercert.pem").rename(system / "libvirt" / "servercert.pem")
    (place / "serverkey.pem").rename(private / "serverkey.pem")
    said = pki("check", "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert {each["part"] for each in found} == {
        "This machine as a client",
        "This machine as a server",
    }
    assert {"verdict": "note", "part": "This machine as a client"}.items() <= found[1].items()
    texts = [each["text"] for each in found]
    assert "this machine cannot act as a client" in texts
    # It has names that URIs may use, but not the machine's own.
    assert any("subjectAltName: it is for host.example.org" in text for text in texts)


def test_what_leads_elsewhere_is_refused(pki: Command) -> None:
    said = pki("check", "qemu:///system")
    assert said.code == 2
    assert "not over TLS" in said.err
    assert pki("check", "--connect").code == 2


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))
