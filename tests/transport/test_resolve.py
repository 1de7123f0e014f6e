"""What this machine adds to a URI."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from virtproto.errors import ConfigFileError, URIError
from virtproto.model.endpoint import TlsEndpoint, UnixEndpoint
from virtproto.transport import resolve as module
from virtproto.transport.resolve import config_path, environment, resolve
from virtproto.transport.resolve_admin import resolve_admin


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of the files of a user who is not root."""
    for name in ("LIBVIRT_DEFAULT_URI", "LIBVIRT_ADMIN_DEFAULT_URI", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    folder = tmp_path / ".config" / "libvirt"
    folder.mkdir(parents=True)
    return folder


def socket_of(text: str | None) -> str:
    endpoint = resolve(text, readonly=False)[1]
    assert isinstance(endpoint, UnixEndpoint)
    return endpoint.path


def test_a_named_socket_needs_nothing_of_the_machine() -> None:
    uri, endpoint = resolve("test:///default?socket=/s", readonly=True)
    assert uri is not None
    assert uri.driver == "test"
    assert isinstance(endpoint, UnixEndpoint)
    assert endpoint.path == "/s"


def test_the_environment_and_the_user_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mine: Path
) -> None:
    assert resolve(None, readonly=False)[0] is None
    run = tmp_path / "run" / "libvirt"
    assert socket_of(None) == f"{run}/libvirt-sock"
    run.mkdir(parents=True)
    (run / "virtqemud-sock").touch()
    assert socket_of(None) == f"{run}/virtqemud-sock"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "smoke")
    with pytest.raises(URIError):
        resolve(None, readonly=False)


def test_the_users_file_names_default_aliases_and_manners(mine: Path) -> None:
    (mine / "libvirt.conf").write_text(
        'uri_default = "web"\nuri_aliases = [ "web=qemu://web/system" ]\n'
        'tls_priority = "SECURE256"\nremote_mode = "direct"\n'
    )
    uri, endpoint = resolve(None, readonly=False)
    assert uri is not None
    assert uri.text == "qemu://web/system"
    assert isinstance(endpoint, TlsEndpoint)
    assert endpoint.priority == "SECURE256"
    with pytest.raises(URIError, match="'web'"):
        resolve(None, readonly=False, aliases=False)
    assert socket_of("lxc:///system").endswith("virtlxcd-sock")


def test_a_file_is_read_again_once_it_changed(mine: Path) -> None:
    file = mine / "libvirt.conf"
    for default in ("test:///a", "test:///bc"):
        file.write_text(f'uri_default = "{default}"')
        for _again in range(2):
            uri = resolve(None, readonly=False)[0]
            assert uri is not None
            assert uri.text == default
    file.unlink()
    assert resolve(None, readonly=False)[0] is None


@pytest.mark.parametrize("remarks", ["", "# nothing\n\n   # is said\n"])
def test_a_file_of_remarks_says_nothing(mine: Path, remarks: str) -> None:
    (mine / "libvirt.conf").write_text(remarks)
    assert resolve(None, readonly=False)[0] is None


def test_a_file_that_cannot_be_used_is_named(mine: Path) -> None:
    file = mine / "libvirt.conf"
    file.write_text("\nuri_default = qemu:///system\n")
    with pytest.raises(ConfigFileError) as caught:
        resolve("qemu:///system", readonly=False)
    assert str(caught.value).startswith(f"{file}, line 2: ")
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigFileError, match="cannot be read: Is a directory") as caught:
        resolve("qemu:///system", readonly=False)
    assert str(file) in str(caught.value)


def test_another_folder_may_be_named_for_the_file(
    mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "libvirt" / "libvirt.conf").write_text('uri_default = "test:///default"')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    uri = resolve(None, readonly=False)[0]
    assert uri is not None
    assert uri.text == "test:///default"


def test_root_has_the_systems_file_and_nobody_else_has() -> None:
    environ = {"HOME": "/h", "XDG_CONFIG_HOME": "/c"}
    assert config_path("libvirt.conf", environ, 0) == "/etc/libvirt/libvirt.conf"
    assert config_path("libvirt.conf", environ, 5) == "/c/libvirt/libvirt.conf"
    assert config_path("libvirt.conf", {"HOME": "/h"}, 5) == "/h/.config/libvirt/libvirt.conf"


def test_the_systems_file_is_read_for_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(module, "_SYSTEM_CONFIG", str(tmp_path))
    (tmp_path / "libvirt.conf").write_text('uri_default = "test:///default"')
    assert resolve(None, readonly=False)[0] is not None


def test_a_home_that_is_not_named_is_the_systems_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert environment()["HOME"] == pwd.getpwuid(os.getuid()).pw_dir
    monkeypatch.setattr("os.getuid", lambda: 1 << 30)
    assert environment()["HOME"] == "/"


def test_administration_has_a_file_of_its_own(
    mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (mine / "libvirt.conf").write_text("nobody reads this")
    assert resolve_admin(None)[0] == "libvirtd:///session"
    (mine / "libvirt-admin.conf").write_text(
        'uri_default = "logs"\nuri_aliases = [ "logs=virtlogd:///session" ]\n'
    )
    text, endpoint = resolve_admin(None)
    assert text == "virtlogd:///session"
    assert endpoint.path == f"{tmp_path}/run/libvirt/virtlogd-admin-sock"
    with pytest.raises(URIError):
        resolve_admin(None, aliases=False)
