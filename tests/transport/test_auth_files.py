"""Where auth.conf is looked for, and what is said of where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproto.errors import ConfigFileError
from virtproto.model.uri import parse_uri
from virtproto.transport import auth_files
from virtproto.transport.auth_files import look_up

TEXT = "[credentials-x]\nauthname={}\npassword=s3cret\n[auth-libvirt-h]\ncredentials=x\n"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Every place where the file may be, none of them there yet."""
    places = {
        "environment": tmp_path / "environment.conf",
        "uri": tmp_path / "uri.conf",
        "user": tmp_path / "config" / "libvirt" / "auth.conf",
        "system": tmp_path / "system.conf",
    }
    places["user"].parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LIBVIRT_AUTH_FILE", raising=False)
    monkeypatch.setattr(auth_files, "SYSTEM_FILE", str(places["system"]))
    return places


def found_for(host: str, uri: str | None = None) -> tuple[str | None, list[str]]:
    found, where = look_up("libvirt", host, parse_uri(uri) if uri is not None else None)
    return (None if found is None else found.authname), where


def test_the_nearest_file_counts(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in places.items():
        path.write_text(TEXT.format(name))
    uri = f"test://h/default?authfile={places['uri']}"
    assert found_for("h")[0] == "user"
    assert found_for("h", uri) == ("uri", [f"{places['uri']} [credentials-x]"])
    places["user"].unlink()
    assert found_for("h")[0] == "system"
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(places["environment"]))
    assert found_for("h", uri)[0] == "environment"


def test_without_xdg_the_user_s_file_is_below_his_home(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config" / "libvirt" / "auth.conf"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT.format("me"))
    assert found_for("h")[0] == "me"


def test_a_user_whom_the_system_has_only_a_number_for_lives_in_the_root(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    looked = found_for("h")[1]
    assert looked[0].startswith("//.config/libvirt/auth.conf ")


def test_a_file_of_the_user_s_hides_the_system_s(places: dict[str, Path]) -> None:
    places["user"].write_text(TEXT.format("user"))
    places["system"].write_text(TEXT.format("system").replace("-h]", "-other]"))
    found, where = found_for("other")
    assert found is None
    assert where == [f"{places['user']} (no [auth-libvirt-other] or [auth-libvirt-default])"]


def test_no_file_at_all(places: dict[str, Path]) -> None:
    found, where = found_for("h")
    assert found is None
    assert where == [
        f"{places['user']} (No such file or directory)",
        f"{places['system']} (No such file or directory)",
    ]


def test_only_the_first_authfile_in_this_spelling_counts(places: dict[str, Path]) -> None:
    places["uri"].write_text(TEXT.format("uri"))
    uri = f"test://h/default?AUTHFILE=/none&authfile={places['uri']}&authfile=/nowhere"
    assert found_for("h", uri)[0] == "uri"


def test_a_file_that_is_named_has_to_be_there(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigFileError, match=r"uri\.conf: cannot be read: No such .*authfile"):
        found_for("h", f"test://h/default?authfile={places['uri']}")
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", "")
    with pytest.raises(ConfigFileError, match="LIBVIRT_AUTH_FILE names it"):
        found_for("h")
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(places["user"].parent))
    with pytest.raises(ConfigFileError, match="Is a directory"):
        found_for("h")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\npassword:s3cret\n", r"user.*auth\.conf: line 2: expected"),
        ("[auth-libvirt-h]\n", r"auth\.conf: \[auth-libvirt-h\]: no credentials=NAME"),
    ],
)
def test_a_file_that_makes_no_sense(places: dict[str, Path], text: str, words: str) -> None:
    places["user"].write_text(text)
    with pytest.raises(ConfigFileError, match=words.removeprefix("user.*")) as caught:
        found_for("h")
    assert "s3cret" not in str(caught.value)


def test_an_endless_file_is_not_read(places: dict[str, Path]) -> None:
    places["user"].write_bytes(b"#" * (1 << 21))
    assert found_for("h")[1][0] == f"{places['user']} (too large)"
