"""The virtual environment in .venv, with this project installed in it as it stands.

Responsible for making it and for noticing that it is out of date. Where pip finds packages is the
machine's own setting.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from setup.progress import SetupError, tell

__all__ = ["PROJECT", "ready_environment"]

# Python packages that the tests take from Debian, where pip would have to compile them.
_OF_DEBIAN = ("gssapi", "decorator.py")
_DEBIAN_PACKAGES = Path("/usr/lib/python3/dist-packages")

PROJECT = Path(__file__).resolve().parent.parent.parent
_ENVIRONMENT = PROJECT / ".venv"


def ready_environment(extra: str) -> Path:
    """Return the Python of an environment that has virtproto with ``extra`` ("cli" or "dev")."""
    python = _ENVIRONMENT / "bin" / "python"
    wanted = _fingerprint()
    stamps = [_stamp(name) for name in {extra, "dev"}]  # "dev" has all that "cli" has
    if any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        _borrow()
        return python
    tell(f"making .venv with virtproto[{extra}]")
    shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(_ENVIRONMENT)])
    pip = [str(python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    _run([*pip, "install", "--editable", f"{PROJECT}[{extra}]"])
    _stamp(extra).write_text(wanted)
    _borrow()
    return python


def _borrow() -> None:
    """Let the environment have Debian's packages of _OF_DEBIAN, where they are for this Python.

    They may have been installed after the environment was made.
    """
    version = sys.version_info
    built = f"*.cpython-{version.major}{version.minor}-*"
    if not any((_DEBIAN_PACKAGES / _OF_DEBIAN[0]).rglob(built)):
        return
    folder = f"python{version.major}.{version.minor}/site-packages"
    for name in _OF_DEBIAN:
        link = _ENVIRONMENT / "lib" / folder / name
        if not link.exists():
            link.symlink_to(_DEBIAN_PACKAGES / name)


def _stamp(extra: str) -> Path:
    return _ENVIRONMENT / f"virtproto-{extra}.stamp"


def _fingerprint() -> str:
    """Return what the environment depends on, as one short text."""
    facts = [sys.version, sys.executable, str(PROJECT), (PROJECT / "pyproject.toml").read_text()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _run(command: list[str]) -> None:
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        raise SetupError(f"{' '.join(command[1:4])} failed: {_cause(ended.stdout)}")


def _cause(said: str) -> str:
    """Return what pip calls an error, else how its words end; its last lines only excuse it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "Could not fetch"))]
    return " / ".join(dict.fromkeys(errors or lines[-8:]))
