"""From a channel of an SSH connection to a socket, and back.

Responsible for moving bytes both ways without keeping more than is needed, for another way to the
daemon where the first cannot be taken, for last words, and for the end of everything. Must not know
what the bytes mean, but that none of libvirt's packets begins as a text does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import weakref

import asyncssh

from virtproto.errors import SSHConnectError
from virtproto.transport.road import Road

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.endpoint import LibsshEndpoint

__all__ = ["Bridge"]

# What is told of the far side's own words, in bytes.
_TOLD_BYTES = 1024
# What may be sent before the far side answers and still be sent again by another way.
_HELD_BYTES = 1 << 20
# The first byte of a packet is that of its length, which has a limit below this; texts are above.
_FIRST_OF_TEXT = 3
# What a shell says by its status: not executable, or not there.
_NOT_RUN = (126, 127)
# How much may wait on its way before the other side is asked to pause.
_WINDOW_BYTES = 2 << 20
_HIGH_WATER = 1 << 20

_bridges: weakref.WeakSet[Bridge] = weakref.WeakSet()
# In a forked process: what must not be cleared away, since it would be taken from the parent.
_of_parent: list[object] = []


class _Near(asyncio.Protocol):
    """The end of the socket pair that the road's user does not have."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def data_received(self, data: bytes) -> None:
        self._bridge.send(data)

    def eof_received(self) -> bool:
        self._bridge.leave()
        return False

    def pause_writing(self) -> None:
        self._bridge.pause_far(True)

    def resume_writing(self) -> None:
        self._bridge.pause_far(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.leave()
        self._bridge.near_gone.set()


class _Far(asyncssh.SSHClientSession[bytes]):
    """A channel to what leads to the daemon: a command, or the daemon's socket itself."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.status: int | None = None

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self._bridge.receive(data)
        else:
            self._bridge.hear(data)

    def eof_received(self) -> bool:
        # Not the end yet: words and a status may follow, and then the channel is closed.
        return True

    def pause_writing(self) -> None:
        self._bridge.pause_near(True)

    def resume_writing(self) -> None:
        self._bridge.pause_near(False)

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._bridge.hear(f"the command was ended by signal {signal} {msg}\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.channel_ended(self, exc)


class Bridge:
    """What runs behind a road through an SSH connection of this process's: a Carrier."""

    def __init__(self, endpoint: LibsshEndpoint, tcp: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._tcp = tcp
        self._ours, self._theirs = socket.socketpair()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._near: asyncio.Transport | None = None
        self._channel: Any = None
        self._words = b""
        self._why: str | None = None
        # What was sent so far, until the far side answers.
        self._held: list[bytes] | None = []
        self._held_bytes = 0
        self._said_text = False
        self._second_way: asyncio.Task[None] | None = None
        self._left = False
        self.near_gone = asyncio.Event()
        _bridges.add(self)

    def road(self) -> Road:
        """Return the road whose socket this bridge begins at."""
        return Road(
            self._ours,
            self._endpoint.name,
            host=self._endpoint.host,
            carries_descriptors=False,
            is_secure=True,
            carrier=self,
            by=self._endpoint.name,
            failure=SSHConnectError,
        )

    async def begin(self, connection: asyncssh.SSHClientConnection) -> None:
        """Start what leads to the daemon. Raises SSHConnectError where there is no way at all."""
        self._connection = connection
        try:
            self._channel, _ = await connection.create_session(
                lambda: _Far(self),
                self._endpoint.remote_command,
                encoding=None,
                window=_WINDOW_BYTES,
                request_pty=False,
                x11_forwarding=False,
                env=None,
                send_env=None,
            )
        except asyncssh.Error as error:
            self.hear(f"the host runs no command for us: {error.reason}\n".encode())
            if not await self._take_socket():
                raise SSHConnectError(f"{self._endpoint.name}: {self.last_words()}") from None
        near, _ = await self._loop.create_connection(lambda: _Near(self), sock=self._theirs)
        near.set_write_buffer_limits(high=_HIGH_WATER)
        self._near = near

    def send(self, data: bytes) -> None:
        """Take what the road's user sent."""
        held = self._held
        if held is not None:
            held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > _HELD_BYTES:
                self._held = None
        if self._channel is not None:
            with contextlib.suppress(BrokenPipeError):
                self._channel.write(data)

    def receive(self, data: bytes) -> None:
        """Take what came from the far side for the road's user."""
        if self._held is not None:
            if self._said_text or data[0] >= _FIRST_OF_TEXT:
                # A shell that greets, or refuses: not the daemon.
                self._said_text = True
                self.hear(data)
                return
            self._held = None
        if self._near is not None:
            self._near.write(data)

    def hear(self, words: bytes) -> None:
        """Keep what the far side says to people, the end of it."""
        self._words = (self._words + words)[-_TOLD_BYTES:]

    def pause_far(self, pause: bool) -> None:
        """Have the far side wait, or go on."""
        if self._channel is not None:
            (self._channel.pause_reading if pause else self._channel.resume_reading)()

    def pause_near(self, pause: bool) -> None:
        """Have the road's user wait, or go on."""
        near = self._near
        if near is not None and not near.is_closing():
            (near.pause_reading if pause else near.resume_reading)()

    def channel_ended(self, far: _Far, error: Exception | None) -> None:
        """Look for another way where the channel led nowhere, else end."""
        self._channel = None
        if self._left:
            return
        if error is not None:
            self._why = f"the ssh connection was lost: {getattr(error, 'reason', None) or error}"
        elif far.status:
            self._why = f"the command on the host ended with status {far.status}"
        not_run = far.status in _NOT_RUN or (self._said_text and far.status != 0)
        if error is None and self._held is not None and not_run and self._second_way is None:
            self._second_way = self._loop.create_task(self._go_by_socket())
        else:
            self.leave()

    async def _go_by_socket(self) -> None:
        if await self._take_socket():
            self._said_text = False
            # The first channel's business.
            self.pause_near(False)
            for data in self._held or ():
                self._channel.write(data)
        else:
            self.leave()

    async def _take_socket(self) -> bool:
        """Have the host's SSH server itself connect to the daemon's socket; tell whether it did."""
        path, connection = self._endpoint.socket_path, self._connection
        if path is None or connection is None:
            return False
        try:
            self._channel, _ = await connection.create_unix_connection(
                lambda: _Far(self),  # type: ignore[arg-type, return-value]
                path,
                encoding=None,
                window=_WINDOW_BYTES,
            )
        except (asyncssh.Error, OSError) as error:
            why = getattr(error, "reason", None) or str(error)
            self.hear(f"nor does its SSH server lead to {path} there: {why}\n".encode())
            return False
        return True

    def last_words(self) -> str | None:
        """Return what the far side said, or how it ended, None for nothing; waits for nothing."""
        return self.words() or self._why

    def words(self) -> str | None:
        """Return what the far side has said so far, None for nothing."""
        return self._words.decode("utf-8", "replace").strip() or None

    def end(self) -> None:
        """End everything, soon; on any thread."""
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            self.leave()
            return
        # A loop that was closed has cleared away all this.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.leave)

    def leave(self) -> None:
        """End everything; in its own loop only."""
        if self._left:
            return
        self._left = True
        if self._second_way is not None and self._second_way is not asyncio.current_task():
            self._second_way.cancel()
        if self._near is not None:
            # What came is delivered before.
            self._near.close()
        else:
            self._theirs.close()
            self.near_gone.set()
        if self._connection is not None:
            self._connection.close()

    def forsake(self) -> None:
        """End everything, the road's own end of the socket pair included."""
        self._ours.close()
        self.leave()

    async def wait_ended(self) -> None:
        """Wait until nothing of it is left."""
        await self.near_gone.wait()
        if self._connection is not None:
            await self._connection.wait_closed()

    def leave_to_parent(self) -> None:
        """In a forked process: close its copies of the descriptors, and nothing else."""
        _of_parent.append((self, self._loop))
        self._left = True
        self._tcp.close()
        self._theirs.close()


def _leave_all_to_parent() -> None:
    for bridge in list(_bridges):
        bridge.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all_to_parent)
