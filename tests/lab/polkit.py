"""polkit for one daemon: a bus, a polkitd and rules that nobody else on the machine sees.

Responsible for libvirt's actions (files of a Debian package that is not installed for them, as it
would start services), the bus, and what they are called in the daemon's namespace. The bus starts
polkitd when libvirtd first asks for it. It must not know what the rules are for.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.apt import download_alone
from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.fixtures import private_daemon
from tests.lab.place import LabMissingError, cache_folder, made_whole
from tests.lab.roots import lay_out, unpack

__all__ = ["make_actions", "polkit_daemon"]

_SUITE = "bookworm"
_PACKAGE = "libvirt-daemon-system"
_ACTIONS = "usr/share/polkit-1/actions"

# libvirtd and polkitd have to know the same users, also where the daemon has another root.
_ACCOUNTS = ("/etc/passwd", "/etc/group")

_POLKITD = "/usr/lib/polkit-1/polkitd"
_SERVICE = f"""\
[D-BUS Service]
Name=org.freedesktop.PolicyKit1
Exec={_POLKITD} --no-debug
"""
# No <type>, so that the bus starts polkitd itself, as root: polkitd becomes its own user then.
_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


def make_actions() -> bool:
    """Fetch libvirt's polkit actions unless they are there; return whether they were fetched."""
    target = _actions_folder()
    if target.is_dir():
        return False
    with made_whole(target) as scratch:
        package = download_alone(_SUITE, _PACKAGE, scratch / "apt")
        root = scratch / "root"
        lay_out(root)
        unpack(package, root, f"./{_ACTIONS}/*.policy")
        for policy in (root / _ACTIONS).iterdir():
            policy.rename(scratch / policy.name)
        shutil.rmtree(scratch / "apt")
        shutil.rmtree(root)
    return True


@contextlib.contextmanager
def polkit_daemon(
    rules: str, *, polkitd: bool = True, **settings: Setting
) -> Iterator[PrivateDaemon]:
    """Yield a libvirtd 9.0.0 whose unix sockets ask polkit, which goes by ``rules`` (JavaScript).

    Without ``polkitd`` there is a bus, but nobody on it who could be asked.
    """
    actions = _actions_folder()
    if not actions.is_dir():
        raise LabMissingError(f"there are no polkit actions in {cache_folder()}: run ./test")
    folder = Path(tempfile.mkdtemp(prefix="vp-", dir="/tmp"))
    try:
        folder.chmod(0o755)  # polkitd is no root once it runs
        for name in ("bus", "rules", "services"):
            (folder / name).mkdir()
        (folder / "rules" / "10-lab.rules").write_text(rules)
        if polkitd:
            (folder / "services" / "polkit.service").write_text(_SERVICE)
        configuration = folder / "bus.conf"
        configuration.write_text(_BUS.format(services=folder / "services"))
        asked: dict[str, Setting] = {"auth_unix_ro": "polkit", "auth_unix_rw": "polkit"}
        with private_daemon(
            "9.0.0",
            {**asked, **settings},
            binds=[
                (folder / "bus", "/run/dbus"),
                (folder / "rules", "/etc/polkit-1/rules.d"),
                (actions, f"/{_ACTIONS}"),
                *((Path(file), file) for file in _ACCOUNTS),
            ],
            before=[["dbus-daemon", f"--config-file={configuration}", "--fork", "--nopidfile"]],
        ) as daemon:
            yield daemon
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _actions_folder() -> Path:
    return cache_folder() / "polkit" / _SUITE
