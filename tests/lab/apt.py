"""Debian packages of other releases, fetched from the mirror that this machine itself uses.

Responsible for finding that mirror in apt's own settings and for downloading the closure of a
package list, with signatures checked against Debian's keyring. It installs nothing and must not
touch the machine's own package state.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab.place import LabMissingError

__all__ = ["download_alone", "download_closure"]

_ONLY_PACKAGES = ["Created-By: Packages"]
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Everything apt writes goes below a folder of ours, and dpkg's state is an empty file, so that the
# closure is complete. Old and testing releases may be served with a Release file past its date.
_SETTINGS = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Update::Post-Invoke-Success "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::PDiffs "false";
Acquire::Check-Valid-Until "false";
"""


def download_closure(suite: str, packages: Sequence[str], folder: Path) -> list[Path]:
    """Download ``packages`` of ``suite`` and all they depend on; return the .deb files.

    ``folder`` is for apt's scratch files, about 100 MB. LabMissingError holds what apt said.
    """
    apt = _ready_apt(suite, folder)
    _run([*apt, "--download-only", "install", *packages], suite)
    return sorted((folder / "archives").glob("*.deb"))


def download_alone(suite: str, package: str, folder: Path) -> Path:
    """Download ``package`` of ``suite`` without what it depends on; else as download_closure."""
    apt = _ready_apt(suite, folder)
    _run([*apt, "download", package], suite, folder / "archives")
    return next((folder / "archives").glob("*.deb"))


def _ready_apt(suite: str, folder: Path) -> list[str]:
    """Return the start of a command of apt that has the lists of ``suite`` in ``folder``."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in _sources(suite)))
    (folder / "apt.conf").write_text(_SETTINGS.format(folder=folder))
    apt = ["apt-get", "-q", "-q", "-y", "-c", str(folder / "apt.conf")]
    _run([*apt, "update", "-o", "APT::Update::Error-Mode=any"], suite)
    return apt


def _sources(suite: str) -> list[str]:
    main, security = _mirrors()
    lines = [f"deb [signed-by={_KEYRING}] {main} {suite} main"]
    if security and suite not in ("forky", "sid"):
        lines.append(f"deb [signed-by={_KEYRING}] {security} {suite}-security main")
    return lines


def _mirrors() -> tuple[str, str]:
    """Return the addresses of Debian's main and (or "") security archive, as apt is set here."""
    sites = _sites()
    if "Debian" not in sites:  # whose archive it is stands in the lists, which may never have come
        subprocess.run(["apt-get", "-q", "-q", "update"], check=False, capture_output=True)
        sites = _sites()
    if "Debian" not in sites:
        raise LabMissingError("apt on this machine names no Debian mirror (apt-get indextargets)")
    return sites["Debian"], sites.get("Debian-Security", "")


def _sites() -> dict[str, str]:
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", *_ONLY_PACKAGES],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    sites: dict[str, str] = {}
    for line in listed.splitlines():
        origin, label, site = line.split("|")
        if origin == "Debian":
            sites.setdefault(label, site)
    return sites


def _run(command: list[str], suite: str, folder: Path | None = None) -> None:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip())[-2000:]
        raise LabMissingError(f"packages of Debian {suite} cannot be fetched: {said}")
