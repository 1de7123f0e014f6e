"""What passes on a traced connection of asyncio, told to whoever wants to know of each message.

Responsible for noting what the core is given and gives, in order, and for telling of it in the
loop's next turn, before whoever waits for a reply goes on. A friend of `channel`; loaded for
connections that are traced, and no other pays for it. Must not know what is done with a message.
Does for an event loop what its namesake does for threads.

All that travels passes through the core, below which layers are, and descriptors. So a traced
channel has a core that takes note. A packet counts as sent when the transport is given it. What the
function raises is reported as exceptions of callbacks are, once for a connection.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic, time

from virtproto.protocol.client import ClientSession
from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.overhearing import Overhearing
from virtproto.trace.tracers import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import TypeAlias

    from virtproto.protocol.framing import Buffer
    from virtproto.trace.tracers import Tracer
    from virtproto.transport.road import Road

    from .channel import Channel

    # When it passed; whether the client sent it; the bytes; whether a packet is known to begin
    # there.
    Passed: TypeAlias = tuple[float, bool, bytes, bool]

__all__ = ["Hearing", "note_sign", "overhear"]


def overhear(channel: Channel, tracer: Tracer) -> None:
    """Have ``tracer`` told of all that passes on a channel that nothing has passed on yet."""
    carries = channel._road.carries_descriptors
    hearing = Hearing(channel._loop, tracer, Overhearing(carries_descriptors=carries))
    channel._session = _HeardSession(hearing, fd_passing=carries)
    hearing.begin(channel._road)


def note_sign(channel: Channel, packet: bytes) -> None:
    """Note a packet that is sent past the core."""
    session = channel._session
    if isinstance(session, _HeardSession):
        session.hearing.note(packet, from_client=True, begins=True)


class Hearing:
    """What passed on one channel and was not told yet, and when it is told."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tracer: Tracer, overhearing: Overhearing
    ) -> None:
        self._loop = loop
        self._tracer = tracer
        self._overhearing = overhearing
        self._passed: list[Passed] = []
        self._due = False
        self._reported = False
        # Times that go on evenly, whatever is done to the clock.
        self._began_s = time() - monotonic()

    def begin(self, road: Road) -> None:
        """Tell that the conversation begins, where there are lines of it."""
        tracer = self._tracer
        if isinstance(tracer, Lines):
            now = self._began_s + monotonic()
            try:
                tracer.tell(self._overhearing.begin(now, daemon=road.name, by=road.by))
            except Exception as error:
                self._report(error)

    def note(self, data: bytes, *, from_client: bool, begins: bool) -> None:
        """Note what passed just now."""
        self._passed.append((self._began_s + monotonic(), from_client, data, begins))
        if not self._due:
            self._due = True
            # Where the loop has ended nobody waits for it.
            with suppress(RuntimeError):
                self._loop.call_soon(self.tell)

    def tell(self) -> None:
        """Tell all that was noted."""
        self._due = False
        passed, self._passed = self._passed, []
        for time_s, from_client, data, begins in passed:
            if from_client:
                messages = self._overhearing.sent(data, time_s)
            else:
                messages = self._overhearing.came(data, time_s, begins=begins)
            for message in messages:
                try:
                    self._tracer(message)
                except Exception as error:
                    self._report(error)

    def _report(self, error: Exception) -> None:
        """Report what the function raised, the first time."""
        if not self._reported:
            self._reported = True
            self._loop.call_exception_handler(
                {
                    "message": "a function that traces a libvirt connection raised",
                    "exception": error,
                }
            )


class _HeardSession(ClientSession):
    """A core that takes note of what it is given and gives."""

    __slots__ = ("hearing",)

    def __init__(self, hearing: Hearing, *, fd_passing: bool) -> None:
        super().__init__(fd_passing=fd_passing)
        self.hearing = hearing

    def receive_data(self, data: Buffer, now: float | None = None) -> None:
        """Take bytes as any session does, and note them."""
        if data:
            begins = self.bytes_wanted == PACKET_MIN
            self.hearing.note(bytes(data), from_client=False, begins=begins)
        super().receive_data(data, now)

    def receive_reply(self, serial: int, data: bytes, now: float | None = None) -> None:
        """Take bytes as `receive_data` does: there is no short way here."""
        self.receive_data(data, now)

    def data_to_send(self) -> list[bytes]:
        """Return the chunks to write, and note them."""
        chunks = super().data_to_send()
        if chunks:
            self.hearing.note(b"".join(chunks), from_client=True, begins=True)
        return chunks

    def close(self) -> None:
        """Drop what is queued, and tell what was noted: the loop may not have another turn."""
        super().close()
        self.hearing.tell()
