"""A host whose SSH server takes passwords: what sshd without PAM cannot do for a test's own users.

Responsible for a server (asyncssh's) on a thread of its own, for whom it lets in, and for the way
to a daemon's socket whatever it is told to run. Must not know who asks, or what for.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import asyncssh

__all__ = ["PasswordHost"]

_READ_SIZE = 1 << 16


class PasswordHost:
    """An SSH server for a ``with`` block; ``user`` gets in with ``password``."""

    def __init__(
        self, socket_path: str, folder: Path, *, methods: tuple[str, ...], password: str
    ) -> None:
        """Describe a host.

        ``methods`` are those it takes: "password", "keyboard-interactive" (one question), "twice"
        (two questions at once, one of them with echo) and "none".
        """
        self._socket_path = socket_path
        self._known = folder / f"known-{'-'.join(methods)}"
        self.methods = methods
        self.password = password
        self.port = 0
        # The passwords that were tried.
        self.tried: list[str] = []
        # Those that are open, which have to be closed before the loop ends.
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="password host")
        self._server: Any = None

    @property
    def known_hosts(self) -> str:
        """A file that knows the host's key."""
        return str(self._known)

    def __enter__(self) -> PasswordHost:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        self._server = await asyncssh.create_server(
            lambda: _Server(self),
            "127.0.0.1",
            0,
            server_host_keys=[key],
            process_factory=self._carry,
            encoding=None,
            allow_scp=False,
            gss_host=None,
        )
        self.port = self._server.get_port()
        public = key.export_public_key().decode().strip()
        self._known.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for connection in tuple(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0.01)
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, process: Any) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket_path)
        both = {
            asyncio.create_task(_copy(process.stdin, writer)),
            asyncio.create_task(_copy(reader, process.stdout)),
        }
        try:
            # Whoever goes first: a client that has left takes nothing any more.
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            writer.close()
            process.exit(0)


async def _copy(source: Any, target: Any) -> None:
    while data := await source.read(_READ_SIZE):
        target.write(data)
        await target.drain()


class _Server(asyncssh.SSHServer):
    def __init__(self, host: PasswordHost) -> None:
        self._host = host
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._host.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return "none" not in self._host.methods

    def password_auth_supported(self) -> bool:
        return "password" in self._host.methods

    def validate_password(self, username: str, password: str) -> bool:
        self._host.tried.append(password)
        return password == self._host.password

    def kbdint_auth_supported(self) -> bool:
        return bool({"keyboard-interactive", "twice"} & {*self._host.methods})

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        if "twice" in self._host.methods:
            return "", "", "", [("Password: ", False), ("Colour: ", True)]
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self._host.tried.extend(responses)
        wanted = [self._host.password]
        if "twice" in self._host.methods:
            wanted.append("blue")
        return list(responses) == wanted
