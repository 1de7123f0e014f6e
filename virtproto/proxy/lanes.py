"""One conversation: two sockets, and a lane each way on which bytes go from the one to the other.

Responsible for moving what comes, descriptors included, no faster than it is taken; for ends of one
direction and of both; and for having all of it told, afterwards. Must not know when to wait: the
loop calls when a socket is ready.

A descriptor rides on a byte of its own, and the kernel ends a read behind it: what came before that
byte goes out first, then the byte with what it carries. So the other end finds each where the first
one put it.
"""

from __future__ import annotations

from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_NOSIGNAL,
    SCM_RIGHTS,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOL_SOCKET,
)
from collections import deque
from contextlib import suppress
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT
from struct import pack

from virtproto.transport.descriptors import close_descriptors, descriptors_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable
    from typing import Any

    from virtproto.transport.road import Road

    from .cutting import Cutter

__all__ = ["ANCILLARY_ROOM", "BUFFER_SIZE", "Conversation", "Lane", "Port"]

# One read: what a unix socket holds by default, and a packet of a stream's data.
BUFFER_SIZE = 1 << 18
# Room for as many descriptors as the kernel lets anybody send at once (SCM_MAX_FD).
ANCILLARY_ROOM = CMSG_SPACE(253 * 4)

_READABLE = EPOLLIN | EPOLLHUP | EPOLLERR
_RECEIVE_FLAGS = MSG_CMSG_CLOEXEC


class Port:
    """One of the two sockets: what is read of it and written to it, and what it is watched for."""

    __slots__ = ("events", "fd", "inward", "outward", "sock", "watch")

    def __init__(self, sock: socket, watch: Callable[[int, int], object]) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.watch = watch
        self.events = 0
        # The lane that begins here, and the one that ends here.
        self.inward: Lane
        self.outward: Lane

    def ready(self, events: int) -> None:
        """Do what the socket is ready for."""
        lane = self.inward
        if events & _READABLE and not lane.is_over and not lane.backlog:
            lane.carry(bool(events & EPOLLHUP))
        elif events & EPOLLHUP and lane.is_over:
            lane.conversation.hang_up(self)
            return
        if events & EPOLLOUT:
            self.outward.flush()

    def rearm(self) -> None:
        """Be watched for what is wanted by now."""
        lane = self.inward
        if lane.conversation.is_over:
            return
        wanted = 0 if lane.is_over or lane.backlog else EPOLLIN
        if self.outward.backlog:
            wanted |= EPOLLOUT
        # A socket of which nothing is wanted tells of its end all the same, but once.
        wanted = wanted or EPOLLET
        if wanted != self.events:
            self.events = wanted
            self.watch(self.fd, wanted)


class Lane:
    """From one port to the other."""

    __slots__ = (
        "backlog",
        "conversation",
        "cutter",
        "is_over",
        "receive",
        "send",
        "source",
        "target",
        "view",
    )

    def __init__(
        self, conversation: Conversation, source: Port, target: Port, cutter: Cutter
    ) -> None:
        self.conversation = conversation
        self.source = source
        self.target = target
        self.cutter = cutter
        self.view = conversation.view
        # Bound once: this is done for each packet.
        self.receive = source.sock.recvmsg_into
        self.send = target.sock.send
        self.is_over = False
        # What the target did not take, with the descriptors that go with a piece.
        self.backlog: deque[tuple[bytes | memoryview, list[int]]] = deque()
        source.inward = self
        target.outward = self

    def carry(self, hung_up: bool) -> None:
        """Read once, and send what came; ``hung_up`` if the source takes nothing any more."""
        view = self.view
        try:
            size, ancillary, flags, _ = self.receive([view], ANCILLARY_ROOM, _RECEIVE_FLAGS)
        except BlockingIOError:
            return
        except OSError as error:
            self.came_to_an_end(hung_up=True, why=error.strerror or str(error))
            return
        if ancillary or flags & MSG_CTRUNC:
            self._carry_descriptors(size, ancillary, flags)
        elif size:
            data = view[:size]
            # Before it goes on: whoever gets it may answer before this process runs again.
            came_us = self.conversation.now_us()
            try:
                sent = self.send(data, MSG_NOSIGNAL)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.cutter.feed(data, came_us)
                self.lose_target()
                return
            if sent < size:
                self._keep(bytes(data[sent:]))
            self.cutter.feed(data, came_us)
        else:
            self.came_to_an_end(hung_up=hung_up)

    def _carry_descriptors(self, size: int, ancillary: list[Any], flags: int) -> None:
        fds = descriptors_in(ancillary)
        why = ""
        if not self.conversation.carries_descriptors:
            why = (
                "descriptors came that cannot be carried: only unix sockets do, and this one leads "
                f"to {self.conversation.road.name} by {self.conversation.road.by}"
            )
        elif flags & MSG_CTRUNC:
            why = "descriptors came that this process has no room for: it has too many open"
        if why:
            close_descriptors(fds)
            self.cutter.feed(self.view[:size], self.conversation.now_us())
            self.conversation.fail(why)
            return
        data = bytes(self.view[:size])
        self.cutter.feed(memoryview(data), self.conversation.now_us())
        if size > 1:
            self.backlog.append((data[:-1], []))
        self.backlog.append((data[-1:], fds))
        self.flush()

    def _keep(self, data: bytes) -> None:
        """Keep what the target did not take; the source is not read until it has."""
        self.backlog.append((data, []))
        self.source.rearm()
        self.target.rearm()

    def flush(self) -> None:
        """Send what was kept."""
        backlog = self.backlog
        try:
            while backlog:
                data, fds = backlog[0]
                if fds:
                    ancillary = [(SOL_SOCKET, SCM_RIGHTS, pack(f"@{len(fds)}i", *fds))]
                    self.target.sock.sendmsg([data], ancillary, MSG_NOSIGNAL)
                    close_descriptors(fds)
                    backlog.popleft()
                    continue
                sent = self.send(data, MSG_NOSIGNAL)
                if sent == len(data):
                    backlog.popleft()
                else:
                    backlog[0] = (memoryview(data)[sent:], fds)
        except BlockingIOError:
            pass
        except OSError:
            self.lose_target()
            return
        self.source.rearm()
        self.target.rearm()
        if self.is_over and not backlog:
            self.conversation.pass_end_on(self)

    def came_to_an_end(self, *, hung_up: bool, why: str = "") -> None:
        """Take note that the source sends no more, and with ``hung_up`` takes nothing either."""
        self.tell_end(why)
        if hung_up:
            self.conversation.hang_up(self.source)
            return
        self.source.rearm()
        if not self.backlog:
            self.conversation.pass_end_on(self)

    def tell_end(self, why: str = "") -> None:
        """Tell that nothing more comes on this lane; once."""
        if not self.is_over:
            self.is_over = True
            self.conversation.tell_end(self, why)

    def lose_target(self) -> None:
        """Take note that the target takes nothing any more; who sends to it is to see that, too."""
        self.drop_backlog()
        self.tell_end()
        _shut(self.source.sock, SHUT_RD)
        self.source.rearm()
        self.conversation.finish_if_over()

    def drop_backlog(self) -> None:
        """Forget what the target did not take."""
        while self.backlog:
            close_descriptors(self.backlog.popleft()[1])


class Conversation:
    """A client, a road to a daemon, and what passes between them."""

    def __init__(
        self,
        number: int,
        client: socket,
        road: Road,
        *,
        view: memoryview,
        now_us: Callable[[], int],
        watch: Callable[[int, int], object],
        tell_end: Callable[[Conversation, bool, str], object],
        complain: Callable[[Conversation, str], object],
        finish: Callable[[Conversation], object],
        cutter: Callable[[int, bool], Cutter],
    ) -> None:
        """Make one of two sockets that do not block; the rest is how the loop lets it work."""
        self.number = number
        self.road = road
        self.view = view
        self.now_us = now_us
        self._tell_end = tell_end
        self._complain = complain
        self._finish = finish
        self.is_over = False
        # Whether it was the daemon's end that went first.
        self.left_by_daemon = False
        self.client = Port(client, watch)
        self.daemon = Port(road.sock, watch)
        self.carries_descriptors = road.carries_descriptors and client.family == AF_UNIX
        forth: Any = Lane
        back: Any = Lane
        if road.layer is not None:
            from .layered_lanes import UnwrappingLane, WrappingLane

            forth, back = WrappingLane, UnwrappingLane
        self.lanes: tuple[Lane, Lane] = (
            forth(self, self.client, self.daemon, cutter(number, True)),
            back(self, self.daemon, self.client, cutter(number, False)),
        )

    @property
    def has_backlog(self) -> bool:
        """Whether an end has not taken all that came for it."""
        return any(lane.backlog for lane in self.lanes)

    def begin(self) -> None:
        """Be watched."""
        self.client.rearm()
        self.daemon.rearm()

    def tell_end(self, lane: Lane, why: str) -> None:
        """Tell of the end of one direction."""
        from_client = lane is self.lanes[0]
        if not from_client and not self.lanes[0].is_over:
            self.left_by_daemon = True
        lane.cutter.end(self.now_us())
        self._tell_end(self, from_client, why)

    def pass_end_on(self, lane: Lane) -> None:
        """Have the target see that nothing follows: all that came before was taken."""
        _shut(lane.target.sock, SHUT_WR)
        self.finish_if_over()

    def hang_up(self, port: Port) -> None:
        """Take note that one end has gone altogether; what it said last is still passed on."""
        port.outward.drop_backlog()
        port.outward.tell_end()
        if not port.inward.backlog:
            other = port.inward.target
            _shut(other.sock, SHUT_RDWR)
        port.rearm()
        port.inward.target.rearm()
        self.finish_if_over()

    def fail(self, why: str) -> None:
        """End it at once, and say why."""
        self._complain(self, why)
        self.end("")

    def end(self, why: str) -> None:
        """End it at once."""
        for lane in self.lanes:
            lane.drop_backlog()
            lane.tell_end(why)
        self.finish_if_over()

    def finish_if_over(self) -> None:
        """Be done with it where nothing can pass any more."""
        if self.is_over or self.has_backlog or not all(lane.is_over for lane in self.lanes):
            return
        self.is_over = True
        self._finish(self)


def _shut(sock: socket, how: int) -> None:
    # It may be gone already.
    with suppress(OSError):
        sock.shutdown(how)
