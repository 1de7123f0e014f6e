"""Where events are caused: a daemon, something on it to act upon, and the three listeners.

Responsible for the daemons and guests. It must not know which events there are.

======  ============================================================================================
scene   what it is
======  ============================================================================================
test    libvirtd 9.0.0, test driver
ports   libvirtd 9.0.0, QEMU driver, with a guest that writes to its machine's ports as it is told
pair    two such daemons and the same guest, transient, on the first, where all is heard
linux   the same daemon, with a Linux guest that has an agent, a balloon and a memory device
======  ============================================================================================
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.differential.events.ears import Ears
from tests.lab.c_binding import CBinding, CBindingError
from tests.lab.daemon import PrivateDaemon
from tests.lab.guest_image import image_folder
from tests.lab.linux_guest import LinuxGuest
from tests.lab.migration import migration_daemons
from tests.lab.port_guest import PortGuest
from tests.lab.roots import root_of
from tests.lab.seed import SEEDED_VERSION, kept_capabilities

__all__ = ["LINUX", "PAIR", "PORTS", "SCENES", "TEST", "Scene", "open_scene"]

TEST, PORTS, PAIR, LINUX = SCENES = ("test", "ports", "pair", "linux")

_RUNNING = 1
_STATE_S = 60.0
_LOOK_AGAIN_S = 0.02
_ELEMENT = 2
_MIB = 1024 * 1024

_DOMAIN = """\
<domain type='{kind}'><name>heard</name><memory>8192</memory><os><type>hvm</type></os></domain>"""

# What the guest of the scene "ports" has: hdb is on a file system that is full; hdd and sda have
# files that are not there.
_DEVICES = """\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw' error_policy='stop'/><source file='{full}/hdb.img'/>
  <target dev='hdb' bus='ide'/>
</disk>
<disk type='file' device='cdrom'>
  <driver name='qemu' type='raw'/><source file='{folder}/one.iso'/>
  <target dev='hdc' bus='ide'/><readonly/>
</disk>
<disk type='file' device='cdrom'>
  <driver name='qemu' type='raw'/><source file='{folder}/gone.iso' startupPolicy='optional'/>
  <target dev='hdd' bus='ide'/><readonly/>
</disk>
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='{folder}/gone.img' startupPolicy='optional'/>
  <target dev='sda' bus='usb'/>
</disk>
<graphics type='vnc' socket='{folder}/vnc'/>
<video><model type='vga' vram='16384'/></video>"""


class Scene:
    """A daemon, the C binding that acts on it, a guest if there is one, and the listeners."""

    def __init__(self, daemon: PrivateDaemon, uri: str, held: ExitStack) -> None:
        self.folder = daemon.folder
        self.pid = daemon.pid
        self.binding = held.enter_context(CBinding(uri))
        noted = _DOMAIN.format(kind="test" if uri.startswith("test") else "qemu")
        self.ask("defineXML", noted)
        held.callback(self.ask_domain, "undefine", of="heard")
        self.ears = Ears(uri, self._note, held)
        self.ports: PortGuest | None = None
        self.linux: LinuxGuest | None = None
        # Of this daemon and of another one: URI, and the socket by which guests come in.
        self.roads: tuple[tuple[str, Path], ...] = ()

    def _note(self, namespace: str) -> None:
        self.ask_domain("setMetadata", _ELEMENT, "<note/>", "n", namespace, 2, of="heard")

    def filled(self, value: Any) -> Any:
        """Return a value; in a text ``{folder}`` has become the scene's own."""
        return value.replace("{folder}", str(self.folder)) if isinstance(value, str) else value

    def ask(self, method: str, *args: Any) -> Any:
        """Ask the connection."""
        return self.binding.ask(method, *args)

    def ask_domain(self, method: str, *args: Any, of: str = "") -> Any:
        """Ask the scene's guest, or another domain."""
        return self.binding.ask_domain(of or self.guest.name, method, *args)

    @property
    def guest(self) -> PortGuest | LinuxGuest:
        """The scene's guest."""
        guest = self.ports or self.linux
        assert guest is not None
        return guest

    @property
    def hand(self) -> PortGuest:
        """The guest that writes to ports."""
        assert self.ports is not None
        return self.ports

    def ready(self, *, running: bool) -> None:
        """Have the guest that writes to ports run, if it is to; what was heard so far is past."""
        if self.ports is not None and running and self._state() != _RUNNING:
            with suppress(CBindingError):
                self.ask_domain("destroy")
            self.start()
        self.ears.forget()

    def await_state(self, wanted: int) -> None:
        """Wait until the guest is in a state (virDomainState)."""
        deadline = time.monotonic() + _STATE_S
        while (found := self._state()) != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest is in state {found}, not {wanted}")
            time.sleep(_LOOK_AGAIN_S)

    @property
    def qemu_pid(self) -> int:
        """The process of the guest's QEMU."""
        return int((self.folder / "run" / "qemu" / f"{self.guest.name}.pid").read_text())

    def start(self) -> None:
        """Start the guest and wait until it listens."""
        self.ask_domain("create")
        self.hand.pick_up()

    def _state(self) -> int:
        state: int = self.ask_domain("state", 0)[0]
        return state


@contextmanager
def open_scene(name: str) -> Iterator[Scene]:
    """Yield the scene of that name, made ready."""
    with ExitStack() as held:
        if name == PAIR:
            yield _with_pair(held)
            return
        daemon = held.enter_context(_daemon(name))
        scheme = "test:///default" if name == TEST else "qemu:///system"
        scene = Scene(daemon, daemon.uri(scheme), held)
        _CONTENTS[name](scene, held)
        yield scene


def _daemon(name: str) -> PrivateDaemon:
    return PrivateDaemon(
        root=root_of(SEEDED_VERSION),
        capabilities=kept_capabilities(),
        # An asyncio connection answers no pings while its event loop stands still.
        settings={"keepalive_interval": -1},
        folders=[image_folder()] if name == LINUX else [],
    )


def _with_ports(scene: Scene, held: ExitStack) -> None:
    folder = scene.folder
    for name in ("one.iso", "two.iso"):
        (folder / name).write_bytes(bytes(_MIB))
    full = folder / "full"
    full.mkdir()
    # The root too: where this runs in a chroot the namespace's own would be another.
    inside = ["nsenter", "-t", str(scene.pid), "-m", "-r"]
    subprocess.run(
        [*inside, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], check=True
    )
    _fill(seen_by(scene, full))
    devices = _DEVICES.format(full=full, folder=folder)
    scene.ports = held.enter_context(PortGuest(folder, "ports", devices=devices))
    scene.ask("defineXML", scene.ports.xml)
    held.callback(_drop, scene)
    scene.start()
    scene.ears.hear_monitor()


def _with_pair(held: ExitStack) -> Scene:
    pair = held.enter_context(migration_daemons())
    scene = Scene(pair.source, pair.source_uri, held)
    scene.ports = held.enter_context(PortGuest(pair.folder, "ports"))
    scene.ask("createXML", scene.ports.xml)
    held.callback(scene.ask_domain, "destroy")
    scene.ports.pick_up()
    scene.roads = (
        (pair.source_uri, pair.folder / "back.sock"),
        (pair.target_uri, pair.folder / "out.sock"),
    )
    return scene


def seen_by(scene: Scene, path: Path) -> Path:
    """Return where a file of the daemon's own mounts is for others."""
    return Path(f"/proc/{scene.pid}/root{path}")


def _fill(folder: Path) -> None:
    """Make a disk image of holes, and leave no room for anything else."""
    with open(folder / "hdb.img", "wb") as image:
        image.truncate(_MIB)
    with suppress(OSError), open(folder / "filler", "wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass


def _with_linux(scene: Scene, held: ExitStack) -> None:
    guest = LinuxGuest(scene.folder, "linux", memory_device_kib=256 * 1024)
    scene.linux = held.enter_context(guest)
    scene.ask("defineXML", guest.xml)
    held.callback(_drop, scene)


def _drop(scene: Scene) -> None:
    with suppress(CBindingError):
        scene.ask_domain("destroy")
    # With whatever was saved of it.
    scene.ask_domain("undefineFlags", 1)


def _as_it_is(scene: Scene, held: ExitStack) -> None:
    """Leave the test driver with what it has by itself."""


_CONTENTS: dict[str, Callable[[Scene, ExitStack], None]] = {
    TEST: _as_it_is,
    PORTS: _with_ports,
    LINUX: _with_linux,
}
