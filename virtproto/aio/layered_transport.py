"""What stands between an event loop's transport and a channel where a layer does: TLS or SASL's.

Responsible for turning what the channel writes into what travels, and back, in order. The channel
sees a transport like any other, and is itself a protocol like any other. Must not know what the
layer does, or what travels.
"""

from __future__ import annotations

import asyncio

from virtproto.model.replies import why_broken
from virtproto.transport.road import MOST_UNTAKEN, UNTAKEN

from .shared_memory import BUFFER_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.transport.road import Layer

    from .channel import Channel

__all__ = ["LayeredTransport", "put_between"]


def put_between(channel: Channel) -> None:
    """Put the layer of a channel's road between it and the transport that it has."""
    transport, layer = channel._transport, channel._road.layer
    assert transport is not None
    assert layer is not None
    between = _Between(channel, transport, layer)
    transport.set_protocol(between)
    channel._transport = between.transport


class LayeredTransport(asyncio.Transport):
    """A transport that has a layer wrap what it writes."""

    def __init__(self, transport: asyncio.Transport, layer: Layer, between: _Between) -> None:
        super().__init__()
        # The one below.
        self.below = transport
        self._layer = layer
        self._between = between

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write what the layer makes of ``data``."""
        if self._between.broken is not None:
            return
        try:
            wrapped = self._layer.wrap(bytes(data))
        except OSError as error:
            self._between.end(error)
            return
        if wrapped:
            self.below.write(wrapped)

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        self.below.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self.below.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes, as they travel, the socket has not taken yet."""
        return self.below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the transport below."""
        return self.below.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether it is closed, or is being closed."""
        return self.below.is_closing()

    def close(self) -> None:
        """Close it when all is written."""
        self.below.close()

    def abort(self) -> None:
        """Close it at once."""
        self.below.abort()


class _Between(asyncio.BufferedProtocol):
    """What the loop knows as the protocol: it has the layer unwrap what comes for the channel."""

    def __init__(self, channel: Channel, transport: asyncio.Transport, layer: Layer) -> None:
        self._channel = channel
        self._below = transport
        self._layer = layer
        # Why the layer can be used no more.
        self.broken: OSError | None = None
        # How much of the layer's own words was written since the socket last took everything.
        self._untaken = 0
        self.transport = LayeredTransport(transport, layer, self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._channel._shared

    def buffer_updated(self, nbytes: int) -> None:
        if self.broken is None:
            self._take_in(self._channel._shared[:nbytes])

    def eof_received(self) -> None:
        if self.broken is None:
            self._take_in(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel.connection_lost(exc or self.broken)

    def pause_writing(self) -> None:
        self._channel.pause_writing()

    def resume_writing(self) -> None:
        self._channel.resume_writing()

    def _take_in(self, data: bytes | memoryview) -> None:
        layer = self._layer
        try:
            plain = layer.unwrap(data)
            answer = layer.wrap(b"")
        except OSError as error:
            self.end(error)
            return
        if answer and not self._answer(answer):
            return
        channel = self._channel
        start, size = 0, len(plain)
        while start < size:
            if channel._large is None:
                channel.buffer_updated(size - start, plain[start:])
                break
            room = channel.get_buffer(BUFFER_SIZE)
            count = min(size - start, len(room))
            room[:count] = memoryview(plain)[start : start + count]
            channel.buffer_updated(count)
            start += count
        if layer.has_ended and data:
            self._below.abort()

    def _answer(self, words: bytes) -> bool:
        """Write what the layer itself says; tell whether the peer takes such words at all."""
        below = self._below
        self._untaken = self._untaken + len(words) if below.get_write_buffer_size() else 0
        if self._untaken > MOST_UNTAKEN:
            self.end(ConnectionError(UNTAKEN))
            return False
        below.write(words)
        return True

    def end(self, error: OSError) -> None:
        """End the connection, as the layer cannot go on."""
        self.broken = error
        self._channel._end(why_broken(error), None)
        self._below.abort()
