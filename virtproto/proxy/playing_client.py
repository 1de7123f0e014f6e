"""The client's side of a recording, played to a daemon that a URI leads to.

Responsible for opening the connections, being let in, and moving packets in time. What is sent when
and what is told of the answers, `trace.replaying.client_player` knows. Must not know who prints it.
"""

from __future__ import annotations

import socket
from collections import deque
from select import POLLIN, POLLOUT, poll
from time import monotonic

from virtproto.errors import ProtocolError
from virtproto.protocol.framing import PacketReader
from virtproto.protocol.keepalive import PONG_PACKET
from virtproto.proxy.reaching import Destination
from virtproto.sync.connecting import connect
from virtproto.sync.layered_socket import LayeredSocket
from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.replaying.client_player import ClientPlayer
from virtproto.trace.replaying.stand_ins import StandIns
from virtproto.transport.descriptors import ANCILLARY_SIZE, close_descriptors, descriptors_in
from virtproto.wire import PROGRAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.sync.connecting import AnyCredentials
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.client_player import Step
    from virtproto.trace.replaying.judging import Judge
    from virtproto.trace.replaying.recalling import Recalled, RecalledConversation
    from virtproto.transport.road import Road

__all__ = ["PlayingClient"]

_READ_SIZE = 1 << 18
# What waits to be sent before nothing more is added to it.
_AHEAD = 1 << 20
# What an event is waited for longer than when it was recorded.
_EVENT_S = 1.0


class PlayingClient:
    """All of a recording's clients; ``calls`` counts the calls that were made."""

    def __init__(
        self,
        recalled: Recalled,
        uri: str | None,
        judge: Judge,
        *,
        timeout_s: float = 10.0,
        opening_s: float = 10.0,
        pace: bool = False,
        credentials: AnyCredentials | None = None,
        autostart: bool = False,
    ) -> None:
        """Make ready to play ``recalled`` to the daemon of ``uri``, telling ``judge`` what comes.

        ``timeout_s`` bounds each wait for a daemon that says nothing, ``opening_s`` each step of
        opening; with ``pace`` nothing is sent sooner than it was. The others are as for `open`.
        """
        self.calls = 0
        self._recalled = recalled
        self._uri = uri
        self._judge = judge
        self._timeout_s = timeout_s
        self._opening_s = opening_s
        self._pace = pace
        self._credentials = credentials
        self._autostart = autostart
        self._actors: dict[int, _Actor] = {}

    def run(self) -> None:
        """Play everything. Raises as `virtproto.open` does where the daemon cannot be reached."""
        recalled, stand_ins = self._recalled, StandIns()
        players = {
            number: ClientPlayer(each, self._judge, StandIns(stand_ins))
            for number, each in recalled.conversations.items()
            if each.messages
        }
        waiting = {number: deque(each.steps) for number, each in players.items()}
        began, first = monotonic(), None
        try:
            for message in recalled.messages:
                steps = waiting.get(message.conversation)
                if not steps or steps[0].message is not message:
                    continue
                first = message.time_s if first is None else first
                not_before = began + message.time_s - first if self._pace else 0.0
                self._make(steps.popleft(), players[message.conversation], not_before)
            self._rest()
        finally:
            self.calls = sum(each.calls for each in players.values())
            for actor in self._actors.values():
                actor.close()

    def _make(self, step: Step, player: ClientPlayer, not_before: float) -> None:
        """Make one step once all has come that came before it when it was recorded."""
        self._wait(player, step.after, not_before)
        actor = self._actors.get(player.number)
        if actor is None:
            actor = self._actors[player.number] = self._open(player)
        packet = player.send(step)
        if packet is None:
            return
        actor.put(packet.pack())
        self._move(0.0)
        until = monotonic() + self._timeout_s
        while actor.backlog > _AHEAD:
            if monotonic() >= until:
                actor.lose(f"the daemon took nothing for {self._timeout_s:g} s")
            elif self._move(until - monotonic()):
                until = monotonic() + self._timeout_s

    def _rest(self) -> None:
        """Wait for what came last, and end."""
        for actor in self._actors.values():
            self._wait(actor.player, actor.player.rest, 0.0)
            actor.player.finish()

    def _wait(self, player: ClientPlayer, wanted: list[TracedMessage], not_before: float) -> None:
        """Wait until all that is ``wanted`` came, or nothing comes any more."""
        since = monotonic()
        while (rest := not_before - monotonic()) > 0:
            self._move(rest)
        for message in wanted:
            while player.is_missing(message):
                patience_s = self._timeout_s
                if message.kind is kinds.EVENT:
                    patience_s = min(patience_s, _EVENT_S + player.delay_of(message))
                left_s = since + patience_s - monotonic()
                if left_s <= 0:
                    self._give_up(player, message, f"nothing came for {patience_s:.3g} s")
                elif self._move(left_s) and message.kind is not kinds.EVENT:
                    since = monotonic()

    def _give_up(self, player: ClientPlayer, message: TracedMessage, why: str) -> None:
        """Do without an event; a daemon that does not answer is asked for nothing more."""
        if message.kind is kinds.EVENT:
            player.give_up(message, why)
        else:
            self._actors[player.number].lose(why)

    def _move(self, timeout_s: float) -> bool:
        """Read and write what can be; wait at most ``timeout_s`` for it; tell if anything came."""
        waiting = poll()
        by_fd = {}
        for actor in self._actors.values():
            if actor.fd >= 0:
                by_fd[actor.fd] = actor
                waiting.register(actor.fd, POLLIN | POLLOUT if actor.backlog else POLLIN)
        moved = False
        for fd, _events in waiting.poll(max(timeout_s, 0.0) * 1000):
            moved = by_fd[fd].move() or moved
        return moved

    def _open(self, player: ClientPlayer) -> _Actor:
        """Return a connection of a conversation's own, let in by the daemon."""
        conversation = self._recalled.conversations[player.number]
        if _is_admin(conversation):
            from virtproto.transport.resolve_admin import resolve_admin

            return _Actor(connect(resolve_admin(self._uri)[1], self._opening_s), player)
        way = Destination(
            self._uri,
            readonly=_is_readonly(conversation),
            authenticate=True,
            credentials=self._credentials,
            timeout_s=self._opening_s,
            autostart=self._autostart,
        )
        return _Actor(way.road()[0], player)


class _Actor:
    """One connection: what is to be sent on it, and what came."""

    def __init__(self, road: Road, player: ClientPlayer) -> None:
        self.player = player
        self.backlog = 0
        self._road = road
        self._sock = road.sock if road.layer is None else LayeredSocket(road.sock, road.layer)
        self._room = ANCILLARY_SIZE if road.carries_descriptors else 0
        self._reader = PacketReader(fd_passing=road.carries_descriptors)
        self._outgoing: deque[memoryview] = deque()
        self.fd = road.sock.fileno()

    def put(self, data: bytes) -> None:
        self._outgoing.append(memoryview(data))
        self.backlog += len(data)

    def move(self) -> bool:
        """Read and send what can be; return whether any of that was done."""
        try:
            came = self._read()
            return self._write() or came
        except (OSError, ProtocolError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self.lose(f"the connection broke: {reason or error}")
            return True

    def close(self) -> None:
        self.fd = -1
        self._road.leave()

    def _read(self) -> bool:
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_READ_SIZE, self._room, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        # There is nobody here who could use them.
        close_descriptors(descriptors_in(ancillary))
        if not data:
            self.lose("the daemon closed the connection")
            return True
        self._reader.feed(data)
        while (packet := self._reader.next_packet()) is not None:
            if self.player.receive(packet):
                self.put(PONG_PACKET)
        if self._reader.error is not None:
            raise self._reader.error
        return True

    def _write(self) -> bool:
        wrote = False
        while self._outgoing:
            first = self._outgoing[0]
            try:
                sent = self._sock.send(first, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            self.backlog -= sent
            wrote = wrote or sent > 0
            if sent == len(first):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = first[sent:]
        return wrote

    def lose(self, why: str) -> None:
        """Use the connection no more."""
        self.fd = -1
        self.backlog = 0
        self._outgoing.clear()
        self.player.lose(why)


def _is_admin(conversation: RecalledConversation) -> bool:
    return any(
        each.kind is kinds.CALL and each.packet.program == PROGRAMS["admin"]
        for each in conversation.messages[:1]
    )


def _is_readonly(conversation: RecalledConversation) -> bool:
    """Tell whether a client opened a connection that changes nothing."""
    for each in conversation.messages:
        if each.kind is kinds.CALL and each.procedure == "CONNECT_OPEN":
            plain = contents(each).plain
            return isinstance(plain, dict) and bool(plain.get("flags", 0) & 1)
    return False
