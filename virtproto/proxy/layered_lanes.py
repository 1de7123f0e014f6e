"""Lanes to and from a road with a layer: TLS, or a SASL security layer.

Responsible for wrapping what goes to the daemon and unwrapping what comes from it, and for what the
layer has to say itself. Must not know what the layer does.

No record of a layer holds the end of one packet and the beginning of the next: a daemon reads one
packet, then waits for its socket, and what it had decrypted beyond that it would notice late.
"""

from __future__ import annotations

from _socket import MSG_CMSG_CLOEXEC, MSG_CTRUNC

from virtproto.transport.road import MOST_UNTAKEN, UNTAKEN

from .lanes import ANCILLARY_ROOM, Lane

__all__ = ["UnwrappingLane", "WrappingLane"]

_PIECE = 65536


class WrappingLane(Lane):
    """From the client to the daemon."""

    __slots__ = ()

    def carry(self, hung_up: bool) -> None:
        """Read once, wrap what came packet by packet, and send that."""
        layer = self.conversation.road.layer
        assert layer is not None
        view = self.view
        try:
            size, ancillary, flags, _ = self.receive([view], ANCILLARY_ROOM, MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError as error:
            self.came_to_an_end(hung_up=True, why=error.strerror or str(error))
            return
        if ancillary or flags & MSG_CTRUNC:
            self._carry_descriptors(size, ancillary, flags)
            return
        if not size:
            self.came_to_an_end(hung_up=hung_up)
            return
        data = view[:size]
        self.cutter.feed(data, self.conversation.now_us())
        try:
            wrapped = []
            at = 0
            for edge in [*self.cutter.edges, size]:
                while at < edge:
                    end = min(edge, at + _PIECE)
                    wrapped.append(layer.wrap(data[at:end]))
                    at = end
        except ConnectionError as error:
            self.conversation.fail(str(error))
            return
        self.backlog.append((b"".join(wrapped), []))
        self.flush()


class UnwrappingLane(Lane):
    """From the daemon to the client."""

    __slots__ = ()

    def carry(self, hung_up: bool) -> None:
        """Read once, unwrap what came, send that, and say what the layer has to say to it."""
        layer = self.conversation.road.layer
        assert layer is not None
        try:
            came = self.source.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self.came_to_an_end(hung_up=True, why=error.strerror or str(error))
            return
        try:
            plain = layer.unwrap(came)
            answer = layer.wrap(b"")
        except ConnectionError as error:
            self.came_to_an_end(hung_up=not came, why=str(error))
            return
        if plain:
            self.cutter.feed(memoryview(plain), self.conversation.now_us())
            self.backlog.append((plain, []))
            self.flush()
        if answer:
            self._answer(answer)
        if not came or layer.has_ended:
            self.came_to_an_end(hung_up=hung_up)

    def _answer(self, answer: bytes) -> None:
        forth = self.source.outward
        forth.backlog.append((answer, []))
        if sum(len(data) for data, _ in forth.backlog) > MOST_UNTAKEN + _PIECE * 8:
            self.conversation.fail(UNTAKEN)
            return
        forth.flush()
