"""A signal that raises wherever the interpreter looks for signals, while another thread waits."""

from __future__ import annotations

import dis
import os
import socket
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from virtproto.errors import ConnectionClosedError, ConnectionLostError
from virtproto.protocol.framing import PacketReader, pack_packet
from virtproto.sync.asked import Asked
from virtproto.sync.channel import Channel
from virtproto.transport.road import Road
from virtproto.wire.remote.connect import CONNECT_GET_HOSTNAME as OTHER
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION as MINE

OURS = os.path.dirname(virtproto.__file__) + os.sep
# Behind these the interpreter looks for signals.
_LOOKS = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD")
# Nobody is to wait longer: who sleeps looks again every second.
PROMPT_S = 5.0


class Stop(BaseException):
    """What the signal handler raises."""


class Tearing:
    """Raises Stop at one place in our code, counted among those where a signal could."""

    def __init__(self, place: int) -> None:
        self.left = place
        self._before: dict[FrameType, int] = {}
        self._places: dict[CodeType, tuple[dict[int, str], dict[int, int]]] = {}

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *failure: object) -> None:
        sys.settrace(None)
        # Else what was torn would stay until the garbage collector comes, as it does of no signal.
        self._before.clear()

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._is_place(frame):
                self.left -= 1
                if self.left == 0:
                    raise Stop
            self._before[frame] = frame.f_lasti
        return self._trace

    def _is_place(self, frame: FrameType) -> bool:
        names, behind = self._instructions(frame.f_code)
        here = frame.f_lasti
        before = self._before.get(frame)
        if before is not None:
            if names.get(before) not in _LOOKS:
                return False
            # Python 3.13 does not always tell of what comes straight behind a call. Further on no
            # signal is looked for, and it might be in a `finally` already, unlike the call.
            if names[before] != "JUMP_BACKWARD" and behind[before] != here:
                return False
        # A call that failed is not looked behind, and torn there the interpreter itself would take
        # the failure for one that is still being handled, ever after.
        return names.get(here) != "PUSH_EXC_INFO"

    def _instructions(self, code: CodeType) -> tuple[dict[int, str], dict[int, int]]:
        """Return what is at each offset of some code, and which offset follows on it."""
        known = self._places.get(code)
        if known is None:
            each = list(dis.get_instructions(code))
            names = {one.offset: one.opname for one in each}
            behind = {one.offset: other.offset for one, other in pairwise(each)}
            known = self._places[code] = names, behind
        return known


class Peer:
    """Answers the first two calls at once, the other thread's first, and then each as it comes."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self._theirs = theirs
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end, when the other side is closed."""
        self._thread.join(PROMPT_S)
        self._theirs.close()

    def _serve(self) -> None:
        reader = PacketReader()
        held: dict[int, bytes] | None = {}
        try:
            while data := self._theirs.recv(65536):
                reader.feed(data)
                while (call := reader.next_packet()) is not None:
                    payload = b"other" if call.procedure == OTHER.number else b"mine"
                    target = call.program, call.version, call.procedure
                    reply = pack_packet(*target, 1, call.serial, 0, payload)
                    if held is None:
                        self._theirs.sendall(reply)
                        continue
                    held[call.procedure] = held.get(call.procedure, b"") + reply
                    if len(held) == 2:
                        self._theirs.sendall(held[OTHER.number] + held[MINE.number])
                        held = None
        except OSError:
            pass


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def tear(place: int, work: Callable[[], object]) -> bool:
    """Do ``work`` and tear it at a place; return whether there is such a place."""
    tearing = Tearing(place)
    try:
        with tearing:
            work()
    except Stop:
        return True
    return tearing.left <= 0


def check(
    channel: Channel,
    thread: threading.Thread,
    results: list[object],
    told: tuple[type[Exception], ...] = (ConnectionLostError,),
) -> None:
    """The other thread has its answer, or was told; so is who calls now."""
    try:
        assert channel.call(MINE, b"", PROMPT_S) == b"mine"
        alive = True
    except (ConnectionLostError, ConnectionClosedError):
        alive = False
    thread.join(PROMPT_S)
    assert not thread.is_alive()
    if results != [b"other"]:
        assert isinstance(results[0], told)
    assert channel.is_open == alive
    assert channel._lead is None
    assert channel._waiting == {}
    assert channel._followers == []
    assert not channel._outgoing
    channel.close()


def places(leads: bool) -> int:
    """Tear a call at every place in turn, which leads or follows; return how many there were."""
    place = 0
    torn = True
    while torn:
        place += 1
        peer = Peer()
        channel = Channel(Road(peer.ours, "a socket pair"))
        done = threading.Event()

        def other(channel: Channel = channel, done: threading.Event = done) -> bytes:
            if leads:
                until(None, lambda: channel._lead is not None or done.is_set())
            return channel.call(OTHER, b"")

        thread, results = in_thread(other)
        if not leads:
            until(None, lambda: channel._lead is not None)  # noqa: B023 - called at once
        torn = tear(place, lambda: channel.call(MINE, b""))  # noqa: B023 - called at once
        done.set()
        check(channel, thread, results)
        peer.stop()
    return place - 1


@pytest.mark.parametrize("leads", [True, False], ids=["leads", "follows"])
def test_a_call_is_torn_while_another_waits(leads: bool) -> None:
    assert places(leads) > 30


def registration_places(leads: bool) -> int:
    """Tear a registration at every place in turn, as `places` does a call.

    What the daemon was asked for is not forgotten on a connection that is still used.
    """
    place = 0
    torn = True
    while torn:
        place += 1
        peer = Peer()
        channel = Channel(Road(peer.ours, "a socket pair"))
        done = threading.Event()

        def other(channel: Channel = channel, done: threading.Event = done) -> bytes:
            if leads:
                until(None, lambda: channel._lead is not None or done.is_set())
            return channel.call(OTHER, b"")

        asked = Asked(channel, MINE, b"")
        thread, results = in_thread(other)
        if not leads:
            until(None, lambda: channel._lead is not None)  # noqa: B023 - called at once
        torn = tear(place, lambda: asked.answer(None))  # noqa: B023 - called at once
        done.set()
        try:
            assert asked.answer(PROMPT_S) == b"mine"
        except (ConnectionLostError, ConnectionClosedError):
            assert not channel.is_open, place
        # Of a connection that is lost, the other one may be the one who tidies up.
        until(None, lambda: channel._streams == {})  # noqa: B023 - called at once
        # The other one may only have come when the connection was lost.
        check(channel, thread, results, (ConnectionLostError, ConnectionClosedError))
        peer.stop()
    return place - 1


@pytest.mark.parametrize("leads", [True, False], ids=["leads", "follows"])
def test_a_registration_is_torn_while_another_waits(leads: bool) -> None:
    assert registration_places(leads) > 30


@pytest.mark.parametrize("where", ["deliver", "forget", "_rouse"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_the_thread_that_reads_is_torn_from_anothers_registration(
    monkeypatch: pytest.MonkeyPatch, where: str, before: bool
) -> None:
    peer = Peer()
    channel = Channel(Road(peer.ours, "a socket pair"))
    asked = Asked(channel, MINE, b"")
    method = getattr(Asked, where)
    main = threading.get_ident()

    def torn(*args: object) -> None:
        mine = threading.get_ident() == main
        if mine:
            monkeypatch.setattr(Asked, where, method)
        if not mine or not before:
            method(*args)
        if mine:
            raise Stop

    def answer() -> object:
        until(None, lambda: channel._lead is not None)
        return asked.answer(PROMPT_S)

    thread, results = in_thread(answer)
    monkeypatch.setattr(Asked, where, torn)
    with pytest.raises(Stop):
        channel.call(OTHER, b"")
    thread.join(PROMPT_S)
    assert results == [b"mine"]
    assert channel._streams == {}
    assert channel.call(MINE, b"", PROMPT_S) == b"mine"
    channel.close()
    peer.stop()
