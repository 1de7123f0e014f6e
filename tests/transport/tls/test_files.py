"""Where the files of TLS are looked for."""

from __future__ import annotations

import pytest

from virtproto.transport.tls.files import TlsFiles, locate

HOME = "/there/me"
OWN = f"{HOME}/.pki/libvirt"
SYSTEM = (
    "/etc/pki/CA/cacert.pem",
    "/etc/pki/CA/cacrl.pem",
    "/etc/pki/libvirt/clientcert.pem",
    "/etc/pki/libvirt/private/clientkey.pem",
)
USER = tuple(f"{OWN}/{name}.pem" for name in ("cacert", "cacrl", "clientcert", "clientkey"))


def found(present: tuple[str, ...], *, euid: int = 1000, home: str | None = HOME) -> TlsFiles:
    return locate(None, euid=euid, home=home, exists=lambda path: path in present)


def names(files: TlsFiles) -> tuple[str | None, ...]:
    return files.ca, files.crl, files.certificate, files.key


def test_a_users_own_come_before_the_systems() -> None:
    assert names(found((*USER, *SYSTEM))) == USER


def test_root_has_the_systems() -> None:
    assert names(found((*USER, *SYSTEM), euid=0)) == SYSTEM


def test_a_user_without_a_home_has_the_systems() -> None:
    assert names(found((*USER, *SYSTEM), home=None)) == SYSTEM


def test_ca_and_list_fall_back_each_by_itself() -> None:
    assert names(found((USER[0], SYSTEM[1], *USER[2:]))) == (USER[0], SYSTEM[1], *USER[2:])
    assert names(found((SYSTEM[0], USER[1], *USER[2:]))) == (SYSTEM[0], USER[1], *USER[2:])


@pytest.mark.parametrize("alone", USER[2:])
def test_certificate_and_key_fall_back_together(alone: str) -> None:
    assert names(found((alone, *SYSTEM)))[2:] == SYSTEM[2:]


@pytest.mark.parametrize("alone", SYSTEM[2:])
def test_one_of_the_two_is_as_none(alone: str) -> None:
    files = found((SYSTEM[0], alone))
    assert names(files) == (SYSTEM[0], None, None, None)
    assert files.missing_pair == SYSTEM[2:]


def test_a_missing_ca_is_named_all_the_same() -> None:
    assert found(()).ca == SYSTEM[0]


def test_a_folder_of_the_uri_is_the_only_one() -> None:
    files = locate("/d", euid=1000, home=HOME, exists=lambda path: path != "/d/cacrl.pem")
    assert names(files) == ("/d/cacert.pem", None, "/d/clientcert.pem", "/d/clientkey.pem")
    files = locate("/d", euid=1000, home=HOME, exists=lambda path: path in (*USER, *SYSTEM))
    assert names(files) == ("/d/cacert.pem", None, None, None)


def test_a_servers_have_names_of_their_own() -> None:
    files = locate(None, euid=0, home=HOME, exists=lambda path: True, role="server")
    assert files.certificate == "/etc/pki/libvirt/servercert.pem"
    assert files.key == "/etc/pki/libvirt/private/serverkey.pem"
