"""A host that SSH clients in the client's own process reach: who came, with what, to run what.

Responsible for speaking SSH (by asyncssh), for hosts that are known and one that is not, and for
the users' keys. What is run on the host is never run: it reaches a daemon whatever it says.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh

from tests.differential.uri_place import HOMES, PLACE, USERS

__all__ = ["SSH_PORTS", "SshHost", "known_hosts", "lay_out_keys"]

SSH_PORTS = (22, 26522)

# A host of the network 127.0.0.0/8 that no file knows; all others are known.
_KNOWN = ("localhost", "127.0.0.1", "box", "127.0.0.8", "::1", "six")
# Files that know a host by one name; each case that may add to one has its own.
_ONE_HOST = {
    **{f"known_22_{number}": "[box]:22" for number in range(8)},
    **{f"known_plain_{number}": "box" for number in range(8)},
    **{f"known_port_{number}": "[box]:26522" for number in range(8)},
}
_PASSWORD = "secret"
# More than it takes from a client's coming to his being noted.
_TURNS = 10
_SIGNATURES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "ssh-rsa",
)


def lay_out_keys() -> None:
    """Write the host's keys, the users' keys, and files of known hosts."""
    folder = PLACE / "ssh"
    folder.mkdir()
    keys = {}
    for name, algorithm in (("ed", "ssh-ed25519"), ("ec", "ecdsa-sha2-nistp256")):
        keys[name] = asyncssh.generate_private_key(algorithm)
        keys[name].write_private_key(folder / f"host_{name}")
    for name in ("usual", "named", "a b", "unwelcome"):
        _make_key(folder / name)
    publics = [key.export_public_key().decode().strip() for key in keys.values()]
    known = "".join(f"{name} {key}\n" for name in _known_names() for key in publics)
    (folder / "known").write_text(known)
    for name, written in _ONE_HOST.items():
        (folder / name).write_text("".join(f"{written} {key}\n" for key in publics))
    (folder / "known_22_changed").write_text(f"[box]:22 {_stranger()}\n")
    # With a name that cannot be read, and with a remark.
    hashed = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
    (folder / "known_odd").write_text(f"# Hosts\n\n{hashed} {publics[0]}\n" + known)
    (folder / "changed").write_text("".join(f"{name} {_stranger()}\n" for name in _known_names()))
    for user, home in HOMES.items():
        shutil.copy(folder / "usual", Path(home, ".ssh/id_rsa"))
        shutil.copy(folder / "usual.pub", Path(home, ".ssh/id_rsa.pub"))
        shutil.copy(folder / "known", Path(home, ".config/libvirt/known_hosts"))
        subprocess.run(["chown", "-R", str(USERS[user]), home], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)


def known_hosts() -> set[tuple[str, str]]:
    """Return what clients remember by now: pairs of a file and a host's name as it is written."""
    files = [Path(home, ".config/libvirt/known_hosts") for home in HOMES.values()]
    files += (PLACE / "ssh").glob("known*")
    return {
        (str(path), line.split()[0])
        for path in files
        if path.exists()
        for line in path.read_text().splitlines()
        if line
    }


def _make_key(path: Path) -> None:
    """Write an RSA key as every SSH library reads it, and its public half."""
    key = asyncssh.generate_private_key("ssh-rsa", comment=path.name)
    key.write_private_key(path, "pkcs1-pem")
    key.write_public_key(f"{path}.pub")


def _stranger() -> str:
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key()
    return key.decode().strip()


def _known_names() -> list[str]:
    return [*_KNOWN, *(f"[{name}]:26522" for name in _KNOWN)]


class _Watch(asyncssh.SSHServer):
    """One client: which ways of proving who he is he tried, and as whom."""

    def __init__(self, note: Callable[[dict[str, Any]], None]) -> None:
        self._note = note
        self.visit: dict[str, Any] = {"tried": []}

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        conn.set_extra_info(watch=self)
        host, port = conn.get_extra_info("sockname")[:2]
        self.visit["at"] = [host.removeprefix("::ffff:"), port]
        self._note(self.visit)

    def begin_auth(self, username: str) -> bool:
        self.visit["user"] = username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        public = key.export_public_key().decode().split()[1]
        for path in (PLACE / "ssh").glob("*.pub"):
            if path.read_text().split()[1] == public:
                self._try(f"key {path.stem}")
                return path.stem != "unwelcome"
        self._try("key of somebody else")
        return False

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._try("password")
        return password == _PASSWORD

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self._try("keyboard-interactive")
        return list(responses) == [_PASSWORD]

    def _try(self, what: str) -> None:
        # A key is shown twice: asked whether it would do, and used.
        if self.visit["tried"][-1:] != [what]:
            self.visit["tried"].append(what)


class SshHost:
    """The host, in a thread and loop of its own until the process ends."""

    def __init__(
        self,
        note: Callable[[dict[str, Any]], None],
        converse: Callable[[socket.socket, str], None],
    ) -> None:
        self._note = note
        self._converse = converse
        self._ready = threading.Event()

    def start(self) -> None:
        """Listen on ``SSH_PORTS``."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._ready.wait(20.0):
            raise RuntimeError("the SSH host does not come up")

    def settle(self) -> None:
        """Have all clients noted that have come by now, also those that have gone already."""
        asyncio.run_coroutine_threadsafe(self._turn(), self._loop).result(20.0)

    async def _turn(self) -> None:
        # Each turn of the loop takes in who waits, and lets what that began go a step on.
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        keys = [str(PLACE / "ssh" / name) for name in ("host_ed", "host_ec")]
        for port in SSH_PORTS:
            await asyncssh.create_server(
                lambda: _Watch(self._note),
                "",
                port,
                server_host_keys=keys,
                process_factory=self._run,
                encoding=None,
                signature_algs=_SIGNATURES,
            )
        self._ready.set()
        await asyncio.Event().wait()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        watch = process.get_extra_info("connection").get_extra_info("watch")
        watch.visit["command"] = process.command
        sock = process.get_extra_info("socket")
        far, near = socket.socketpair()
        self._converse(far, "ssh")
        reader, writer = await asyncio.open_connection(sock=near)

        async def onward() -> None:
            try:
                while data := await process.stdin.read(65536):
                    writer.write(data)
            except asyncssh.Error:
                pass  # gone without a word
            writer.close()

        going = asyncio.create_task(onward())
        while data := await reader.read(65536):
            # In one piece: asyncssh sends a packet of padding first, and libssh forgets what comes
            # while it looks at that.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            process.stdout.write(data)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        await going
        process.exit(0)
