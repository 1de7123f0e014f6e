"""Which lines of a known_hosts file are about a host: as ssh, libssh and libssh2 write them."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from virtproto.errors import HostKeyError
from virtproto.model.endpoint import LibsshEndpoint
from virtproto.ssh.host_keys import HostKeys

KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER = asyncssh.generate_private_key("ssh-ed25519")


def line(written: str, key: asyncssh.SSHKey = KEY) -> str:
    return f"{written} {key.export_public_key().decode().strip()}\n"


def keys_of(path: Path, port: int, host: str = "box") -> HostKeys:
    return HostKeys(
        LibsshEndpoint("libssh", host, port, "root", remote_command="true", known_hosts=str(path))
    )


@pytest.mark.parametrize(
    ("written", "port"),
    [("box", 22), ("[box]:22", 22), ("[box]:2222", 2222), ("box", 2222), ("other,box", 22)],
)
def test_a_line_is_the_hosts(tmp_path: Path, written: str, port: int) -> None:
    (tmp_path / "known").write_text(line(written))
    assert keys_of(tmp_path / "known", port).judge(KEY.convert_to_public(), False)
    # Known by another key, which is worse than not at all.
    (tmp_path / "known").write_text(line(written, OTHER))
    changed = keys_of(tmp_path / "known", port)
    assert not changed.judge(KEY.convert_to_public(), True)
    assert "is not the one" in str(changed.fault)


@pytest.mark.parametrize(
    ("written", "port"), [("[box]:2222", 22), ("[box]:22", 2222), ("boxes", 22)]
)
def test_a_line_is_anothers(tmp_path: Path, written: str, port: int) -> None:
    (tmp_path / "known").write_text(line(written))
    keys = keys_of(tmp_path / "known", port)
    assert keys.judge(KEY.convert_to_public(), True)
    assert keys.unknown == KEY.convert_to_public()


def test_either_line_of_a_host_is_good(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(line("box", OTHER) + line("[box]:22"))
    assert keys_of(tmp_path / "known", 22).judge(KEY.convert_to_public(), False)
    assert keys_of(tmp_path / "known", 22).judge(OTHER.convert_to_public(), False)


def test_a_host_is_the_same_in_capital_letters(tmp_path: Path) -> None:
    """Else whoever is in between would be taken for a host that is new."""
    path = tmp_path / "known"
    path.write_text(line("box"))
    assert keys_of(path, 22, "BOX").judge(KEY.convert_to_public(), False)
    assert not keys_of(path, 22, "BOX").judge(OTHER.convert_to_public(), True)
    path.unlink()
    keys = keys_of(path, 2222, "Box")
    assert keys.judge(KEY.convert_to_public(), True)
    keys.accept()
    assert path.read_text() == line("[box]:2222")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["*", "b?x", "a,b", "box\nother", "a b", "!box", "#", "|1|a|b"])
def test_a_name_that_would_be_others_as_well_is_not_written(tmp_path: Path, host: str) -> None:
    keys = keys_of(tmp_path / "known", 22, host)
    assert keys.judge(KEY.convert_to_public(), True)
    with pytest.raises(HostKeyError, match="the name would mean other hosts"):
        keys.accept()
    assert not (tmp_path / "known").exists()
