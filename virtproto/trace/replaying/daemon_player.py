"""The daemon's side of a recorded conversation, played to a client: packets in, messages out.

Responsible for what a played daemon says to each packet, and for telling where the client does not
do as recorded. Must not know sockets or clocks: times come in as arguments, in seconds.
"""

from __future__ import annotations

from heapq import heappop, heappush

from virtproto.errors import VIR_ERR_RPC
from virtproto.protocol.framing import Packet, pack_packet
from virtproto.protocol.limits import FDS_MAX
from virtproto.protocol.server import pack_error
from virtproto.trace import message as kinds
from virtproto.trace.following import Follower
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.opening_answers import answer, instead, is_opening
from virtproto.trace.replaying.scripts import AGAIN, LOOSE, Script, StreamPart
from virtproto.wire.keepalive import PONG, PROGRAM, VERSION
from virtproto.wire.rpc import (
    MESSAGE_STATUS_ERROR,
    MESSAGE_STATUS_OK,
    MESSAGE_TYPE_MESSAGE,
    MESSAGE_TYPE_REPLY,
    MESSAGE_TYPE_STREAM,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.scripts import RecordedCall

__all__ = ["DaemonPlayer", "Said"]

_PONG = Packet(PROGRAM, VERSION, PONG, MESSAGE_TYPE_MESSAGE, 0, MESSAGE_STATUS_OK)

# What an event waits longer than it did when recorded, if the call before it does not come.
_PATIENCE_S = 1.0


class Said:
    """What goes to the client: a packet of which only the serial, 0 for an event's, is new.

    ``descriptors`` are how many go with it. `pack` makes the bytes when there is room for them.
    """

    __slots__ = ("_packet", "_serial", "_zeros", "descriptors")

    def __init__(self, packet: Packet, serial: int, *, zeros: int = 0) -> None:
        self._packet = packet
        self._serial = serial
        self._zeros = zeros
        # A damaged recording may say anything.
        self.descriptors = min(packet.nfds or 0, FDS_MAX)

    def pack(self, *, carries_descriptors: bool) -> bytes:
        """Return the packet's bytes; without descriptors where the road carries none."""
        packet = self._packet
        kind, nfds = packet.type, None if packet.nfds is None else self.descriptors
        if nfds is not None and not carries_descriptors:
            kind, nfds, self.descriptors = MESSAGE_TYPE_REPLY, None, 0
        return pack_packet(
            packet.program,
            packet.version,
            packet.procedure,
            kind,
            self._serial,
            packet.status,
            packet.payload + bytes(self._zeros),
            nfds,
        )


class DaemonPlayer:
    """One client of a played daemon.

    Feed it with `receive`; take what it says with `take`, which may be later where ``next_due_s``
    tells so. ``closing`` is true once the connection is to be closed behind that.
    """

    def __init__(
        self,
        choose: Callable[[TracedMessage | None], Script | None],
        tell: Callable[[Deviation], object],
        *,
        number: int = 1,
        pace: bool = False,
        strict: bool = False,
    ) -> None:
        """Make the daemon's end of connection ``number``.

        ``choose(call)`` returns the script to play for a client whose first call of its own is
        ``call``, and for None the one that would be next, to look at; None where there is none.
        ``tell`` is given what differs. With ``pace`` answers take as long as they did, and with
        ``strict`` a call counts that is made more often than it was.
        """
        self._choose = choose
        self._tell = tell
        self._number = number
        self._pace = pace
        self._strict = strict
        self._script: Script | None = None
        self._follower = Follower(number)
        self._streams: dict[int, StreamPart] = {}
        self._queue: list[tuple[float, int, Said | None]] = []
        self._count = 0
        self._latest: dict[int, float] = {}
        # When the last call was found, and when it was made in the recording.
        self._now = 0.0
        self._found_at = 0.0
        self._recorded_at = 0.0
        self.calls = 0
        self.closing = False

    @property
    def script(self) -> Script | None:
        """What is played, None before the client has opened anything."""
        return self._script

    @property
    def next_due_s(self) -> float | None:
        """When there will be something to take, None where that depends on the client."""
        times = [self._queue[0][0]] if self._queue else []
        event = self._script.next_event() if self._script is not None else None
        if event is not None:
            times.append(self._due_of(event.message.time_s) + _PATIENCE_S)
        return min(times, default=None)

    def take(self, now: float) -> list[Said]:
        """Return what is to be said by now, in order."""
        self._now = now
        script = self._script
        while script is not None and (event := script.next_event()) is not None:
            if self._due_of(event.message.time_s) + _PATIENCE_S > now:
                break
            script.take(event)
            self._say(event.message, 1, now)
        said: list[Said] = []
        while self._queue and self._queue[0][0] <= now:
            _, _, each = heappop(self._queue)
            if each is None:
                self.closing = True
                self._queue.clear()
            else:
                said.append(each)
        return said

    def receive(self, packet: Packet, now: float) -> None:
        """Take a packet of the client's."""
        self._now = now
        message = self._follower.follow(packet, from_client=True, time_s=now)
        if message.kind is kinds.CALL:
            self.calls += 1
            self._call(message)
            # The follower sees no reply, and would keep them all.
            self._follower.forget_calls()
        elif message.kind is kinds.PING:
            self._push(Said(_PONG, 0), now)
        elif packet.serial in self._streams:
            self._stream(message, self._streams[packet.serial])
        elif message.kind in (kinds.FINISH, kinds.ABORT):
            self._confirm(packet)

    def gone(self) -> None:
        """The client has gone: tell of what he did not do."""
        for part in self._streams.values():
            self._close_stream(part)
        self._streams.clear()

    def complain(self, text: str) -> None:
        """Tell of something that is no call."""
        self._tell(Deviation(self._number, 0, "", text))

    def _call(self, call: TracedMessage) -> None:
        if self._script is None and not is_opening(call):
            self._script = self._choose(call)
        script = self._script if self._script is not None else self._choose(None)
        payload = answer(call, script)
        if payload is not None:
            self._courtesy(call, payload)
            return
        if script is None:
            self._refuse(call, "there is no conversation in the recording")
            return
        expected, how = script.find(call)
        if expected is None:
            expected, is_told = instead(call, script)
            if is_told:
                self._differs(call, script, expected)
            if expected is None:
                return
            script.play(expected)
        elif how is AGAIN:
            text = "made more often than recorded; answered as the last time"
            self._report(call, text, mild=not self._strict)
        elif how is LOOSE:
            self._differs(call, script, expected)
        self._found(call, expected, script)

    def _courtesy(self, call: TracedMessage, payload: bytes) -> None:
        packet = call.packet
        answer = Packet(
            packet.program,
            packet.version,
            packet.procedure,
            MESSAGE_TYPE_REPLY,
            packet.serial,
            MESSAGE_STATUS_OK,
            payload,
        )
        self._push(Said(answer, packet.serial), self._now)
        if call.procedure == "CONNECT_CLOSE":
            self._push(None, self._now)

    def _found(self, call: TracedMessage, expected: RecordedCall, script: Script) -> None:
        """Say what the daemon said to the call, with what it said of itself before and after."""
        self._found_at, self._recorded_at = self._now, expected.call.time_s
        for event in script.events_due(expected.reply_at if expected.reply_at >= 0 else None):
            self._say(event.message, 1)
        serial = call.packet.serial
        reply = expected.reply
        # It closed behind the last call; where the last ones were never answered, instead of that.
        ends = script.ends_after is not None and script.cursor + 1 >= script.ends_after
        if reply is None and not ends:
            self._refuse(call, "the recording ends before this call was answered")
        elif reply is not None and reply.left_out:
            self._refuse(call, "the recording has only a part of the answer to this call")
        elif reply is not None:
            self._say(reply, serial)
        if expected.stream:
            part = self._streams[serial] = StreamPart(expected)
            self._push_stream(serial, part)
        for event in script.events_due():
            self._say(event.message, 1)
        if call.procedure == "CONNECT_CLOSE" or ends:
            self._push(None, max([self._now, *(due for due, _, _ in self._queue)]))

    def _stream(self, message: TracedMessage, part: StreamPart) -> None:
        serial = message.packet.serial
        had_fault = part.flow.fault is not None
        part.take(message)
        if part.flow.fault is not None and not had_fault:
            self._report(part.expected.call, f"its stream's data: {part.flow.fault}")
        if part.unconfirmed:
            self._confirm(message.packet)
        self._push_stream(serial, part)
        if part.ended:
            del self._streams[serial]

    def _confirm(self, packet: Packet) -> None:
        """Confirm the end of a stream in the daemon's usual way, where none was recorded."""
        confirmed = Packet(
            packet.program,
            packet.version,
            packet.procedure,
            MESSAGE_TYPE_STREAM,
            packet.serial,
            MESSAGE_STATUS_OK,
        )
        self._push(Said(confirmed, packet.serial), self._now, packet.serial)

    def _push_stream(self, serial: int, part: StreamPart) -> None:
        for each in part.due:
            self._say(each, serial)
        part.due.clear()

    def _close_stream(self, part: StreamPart) -> None:
        part.flow.end()
        if part.flow.fault is not None:
            self._report(part.expected.call, f"its stream's data: {part.flow.fault}")

    def _due_of(self, time_s: float) -> float:
        """Return when that is now which in the recording was at ``time_s``."""
        return self._found_at + max(time_s - self._recorded_at, 0.0)

    def _say(self, message: TracedMessage, serial: int, due: float | None = None) -> None:
        if due is None:
            due = self._due_of(message.time_s) if self._pace else self._now
        packet = message.packet
        self._push(Said(packet, serial, zeros=message.left_out), due, serial)

    def _push(self, said: Said | None, due: float, serial: int = 0) -> None:
        # What belongs together keeps its order.
        if self._pace:
            due = self._latest[serial] = max(due, self._latest.get(serial, 0.0))
        self._count += 1
        heappush(self._queue, (due, self._count, said))

    def _differs(self, call: TracedMessage, script: Script, answered: RecordedCall | None) -> None:
        """Tell that a call is not in the recording; refuse it, unless it was ``answered``."""
        near = script.nearest(call)
        if near is None:
            text = "not in the recording, and no other call of this procedure"
        else:
            places = "; ".join(
                f"{each.path or 'arguments'} is {each.now}, recorded was {each.recorded}"
                for each in near[1][:3]
            )
            text = f"not in the recording with these arguments: {places or 'they look the same'}"
        if answered is None:
            self._refuse(call, text, reported=True)
        else:
            text += "; answered all the same"
        # What a client calls it that he opens is his own affair, where he is answered.
        self._report(call, text, mild=answered is not None and call.procedure == "CONNECT_OPEN")

    def _refuse(self, call: TracedMessage, text: str, *, reported: bool = False) -> None:
        name = call.procedure or f"procedure {call.packet.procedure}"
        packet = call.packet
        error = pack_error(f"virtproto replay: {name}: {text}", code=VIR_ERR_RPC)
        answer = Packet(
            packet.program,
            packet.version,
            packet.procedure,
            MESSAGE_TYPE_REPLY,
            packet.serial,
            MESSAGE_STATUS_ERROR,
            error,
        )
        self._push(Said(answer, packet.serial), self._now)
        if not reported:
            self._report(call, text)

    def _report(self, call: TracedMessage, text: str, *, mild: bool = False) -> None:
        self._tell(Deviation.of(call, text, conversation=self._number, mild=mild))
