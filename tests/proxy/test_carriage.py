"""Sockets on either side of a carriage: what goes in comes out, and is told."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.proxy.running import LIMIT_S, RunningCarriage, receive
from virtproto.protocol.framing import pack_packet
from virtproto.proxy.carriage import Carriage
from virtproto.trace.recording import BEGIN, NOTE
from virtproto.transport.road import Road

CALL = pack_packet(0x20008086, 1, 66, 0, 1, 0, b"args")
REPLY = pack_packet(0x20008086, 1, 66, 1, 1, 0, b"result..")
PASSING = pack_packet(0x20008086, 1, 294, 4, 2, 0, b"args", 2)


@pytest.fixture
def running() -> Iterator[RunningCarriage]:
    with RunningCarriage() as made:
        yield made


def send_with(sock: socket.socket, data: bytes, fd: int) -> None:
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("@i", fd))])


def is_over(writer: int) -> bool:
    """Return whether nobody has the other end of a pipe any more, or soon has not."""
    gone = select.poll()
    gone.register(writer, select.POLLERR)
    return bool(gone.poll(LIMIT_S * 1000))


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_both_directions_are_carried_and_told(family: int) -> None:
    with RunningCarriage() as running:
        client, daemon = running.pair(family)
        client.sendall(CALL)
        assert receive(daemon, len(CALL)) == CALL
        daemon.sendall(REPLY)
        assert receive(client, len(REPLY)) == REPLY
        client.close()
        assert receive(daemon, 1) == b""
        daemon.close()
        assert running.ended.get(timeout=LIMIT_S) == 1
    assert running.bodies(from_client=True) == [CALL]
    assert running.bodies(from_client=False) == [REPLY]
    assert sorted(running.ends()) == [False, True]
    first = running.records()[0]
    assert first.kind == BEGIN
    assert b'"client":"a test"' in first.body
    assert b'"daemon":"the daemon"' in first.body


def test_what_is_not_libvirt_passes_unchanged() -> None:
    with RunningCarriage() as running:
        client, daemon = running.pair()
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert receive(daemon, 18) == b"GET / HTTP/1.1\r\n\r\n"
        client.close()
        daemon.close()
    assert b"".join(running.bodies(from_client=True)) == b"GET / HTTP/1.1\r\n\r\n"


def test_an_end_that_sends_no_more_is_still_answered(running: RunningCarriage) -> None:
    client, daemon = running.pair()
    client.sendall(CALL)
    client.shutdown(socket.SHUT_WR)
    assert receive(daemon, 1000) == CALL
    daemon.sendall(REPLY)
    daemon.shutdown(socket.SHUT_WR)
    assert receive(client, 1000) == REPLY
    assert running.ended.get(timeout=LIMIT_S) == 1
    client.close()
    daemon.close()


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_what_was_said_last_arrives_though_its_sender_is_gone(
    running: RunningCarriage, family: int
) -> None:
    client, daemon = running.pair(family)
    # More than sockets hold, so that some of it waits in the carriage.
    much = os.urandom(1 << 18) * 24

    def say_it_and_go() -> None:
        client.sendall(much)
        client.close()

    sender = threading.Thread(target=say_it_and_go)
    sender.start()
    assert receive(daemon, 2 * len(much)) == much
    sender.join()
    daemon.close()
    assert running.ended.get(timeout=LIMIT_S) == 1


def test_a_daemon_that_goes_takes_the_client_with_it(running: RunningCarriage) -> None:
    client, daemon = running.pair()
    daemon.close()
    assert receive(client, 1) == b""
    assert running.ended.get(timeout=LIMIT_S) == 1
    with pytest.raises(OSError, match="Broken pipe"):
        client.sendall(CALL)
    client.close()


def test_much_goes_both_ways_at_once_and_arrives_as_it_was(running: RunningCarriage) -> None:
    client, daemon = running.pair()
    block = os.urandom(1 << 20)
    size = 48 << 20
    digests: dict[str, str] = {}

    def send(sock: socket.socket) -> None:
        for _ in range(size >> 20):
            sock.sendall(block)

    def take(name: str, sock: socket.socket) -> None:
        seen = hashlib.sha256()
        left = size
        while left:
            piece = sock.recv(min(1 << 20, left))
            seen.update(piece)
            left -= len(piece)
        digests[name] = seen.hexdigest()

    threads = [
        threading.Thread(target=send, args=(client,)),
        threading.Thread(target=send, args=(daemon,)),
        threading.Thread(target=take, args=("client", client)),
        threading.Thread(target=take, args=("daemon", daemon)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    sent = hashlib.sha256()
    for _ in range(size >> 20):
        sent.update(block)
    assert digests == {"client": sent.hexdigest(), "daemon": sent.hexdigest()}
    client.close()
    daemon.close()


def test_no_more_is_taken_than_the_other_end_takes(running: RunningCarriage) -> None:
    client, daemon = running.pair()
    room = select.poll()
    room.register(client, select.POLLOUT)
    client.setblocking(False)
    sent = 0
    while room.poll(200):
        sent += client.send(bytes(1 << 16))
        assert sent < 16 << 20
    # The other direction is none the worse for it.
    daemon.sendall(REPLY)
    assert receive(client, len(REPLY)) == REPLY
    assert receive(daemon, sent) == bytes(sent)
    client.close()
    daemon.close()


@pytest.mark.parametrize("backwards", [False, True])
def test_descriptors_arrive_where_they_were_put(backwards: bool) -> None:
    with RunningCarriage() as running:
        pair = running.pair()
        sender, taker = reversed(pair) if backwards else pair
        pipes = [os.pipe(), os.pipe()]
        sender.sendall(CALL + PASSING)
        for reader, _writer in pipes:
            send_with(sender, b"\0", reader)
        sender.sendall(CALL)
        assert receive(taker, len(CALL + PASSING)) == CALL + PASSING
        for reader, writer in pipes:
            _, fds, _, _ = socket.recv_fds(taker, 1, 1)
            assert [os.fstat(fd).st_ino for fd in fds] == [os.fstat(reader).st_ino]
            os.close(reader)
            os.write(writer, b"it works")
            assert os.read(fds[0], 100) == b"it works"
            os.close(fds[0])
            assert is_over(writer)
            os.close(writer)
        assert receive(taker, len(CALL)) == CALL
        sender.close()
        taker.close()
    assert running.bodies(from_client=not backwards) == [CALL, PASSING, CALL]


def test_descriptors_wait_their_turn_behind_much_data(running: RunningCarriage) -> None:
    client, daemon = running.pair()
    much = bytes(8 << 20)
    reader, writer = os.pipe()

    def send() -> None:
        client.sendall(much)
        client.sendall(PASSING)
        send_with(client, b"\0", reader)
        send_with(client, b"\0", reader)

    sender = threading.Thread(target=send)
    sender.start()
    assert receive(daemon, len(much)) == much
    assert receive(daemon, len(PASSING)) == PASSING
    sender.join()
    for _ in range(2):
        _, fds, _, _ = socket.recv_fds(daemon, 1, 1)
        assert os.fstat(fds[0]).st_ino == os.fstat(reader).st_ino
        os.close(fds[0])
    for fd in (reader, writer):
        os.close(fd)
    client.close()
    daemon.close()


@pytest.mark.parametrize("count", [33, 253])
def test_as_many_descriptors_as_anybody_may_send_arrive(
    running: RunningCarriage, count: int
) -> None:
    client, daemon = running.pair()
    reading, writing = os.pipe()
    with client, daemon, open(reading, "rb"), open(writing, "wb"):
        given = struct.pack(f"@{count}i", *[writing] * count)
        client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
        data, fds, _, _ = socket.recv_fds(daemon, 10, count + 1)
        for fd in fds:
            os.close(fd)
    assert (data, len(fds)) == (b"x", count)


def test_descriptors_that_there_is_no_room_for_are_a_complaint_and_the_end() -> None:
    with RunningCarriage() as running:
        client, daemon = running.pair()
        with client, daemon:
            client.sendall(CALL)
            assert receive(daemon, len(CALL)) == CALL
            reading, writing = os.pipe()
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (writing + 1, hard))
            try:
                send_with(client, b"x", writing)
                assert receive(daemon, 1) == b""
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                os.close(writing)
                os.close(reading)
    notes = [each.body for each in running.records() if each.kind == NOTE]
    assert len(notes) == 1
    assert b"too many open" in notes[0]


def test_descriptors_that_cannot_be_carried_are_a_complaint_and_the_end() -> None:
    with RunningCarriage() as running:
        client, near = socket.socketpair()
        far, daemon = socket.socketpair()
        running.lead(near, Road(far, "host.example", by="TLS", carries_descriptors=False))
        reader, writer = os.pipe()
        client.sendall(PASSING)
        send_with(client, b"\0", reader)
        os.close(reader)
        assert receive(client, 1) == b""
        assert running.ended.get(timeout=LIMIT_S) == 1
        assert is_over(writer)
        os.close(writer)
        client.close()
        daemon.close()
    note = running.notes()[0]
    assert "cannot be carried" in note
    assert "host.example by TLS" in note


def test_the_way_by_a_program_is_told_with_the_host_once() -> None:
    with RunningCarriage() as running:
        near, client = socket.socketpair()
        far, daemon = socket.socketpair()
        name = "ssh to host.example"
        running.lead(near, Road(far, name, host="host.example", by=name))
        client.close()
        daemon.close()
        assert running.ended.get(timeout=LIMIT_S) == 1
    about = json.loads(running.records()[0].body)
    assert (about["daemon"], about["by"]) == ("host.example", "ssh")


def test_many_conversations_do_not_mix(running: RunningCarriage) -> None:
    pairs = [running.pair() for _ in range(60)]
    for number, (client, _) in enumerate(pairs):
        client.sendall(b"%8d" % number * 100)
    for number, (_, daemon) in enumerate(pairs):
        assert receive(daemon, 800) == b"%8d" % number * 100
    assert running.inside(lambda: running.carriage.conversations) == 60
    for pair in pairs:
        for sock in pair:
            sock.close()
    assert sorted(running.ended.get(timeout=LIMIT_S) for _ in pairs) == list(range(1, 61))


def test_a_reader_who_is_late_misses_nothing() -> None:
    with RunningCarriage(reads=False) as running:
        client, daemon = running.pair()
        calls = [pack_packet(0x20008086, 1, 66, 0, n, 0, bytes(200)) for n in range(20000)]
        sender = threading.Thread(target=client.sendall, args=(b"".join(calls),))
        sender.start()
        assert len(receive(daemon, 20000 * 228)) == 20000 * 228
        sender.join()
        client.close()
        daemon.close()
        assert running.ended.get(timeout=LIMIT_S) == 1
    assert running.bodies(from_client=True) == calls


def test_a_reader_who_goes_harms_nobody() -> None:
    reader, writer = os.pipe()
    carriage = Carriage(writer)
    os.close(reader)
    client, near = socket.socketpair()
    far, daemon = socket.socketpair()
    carriage.add(near, Road(far, "the daemon"), {})
    thread = threading.Thread(target=carriage.run)
    thread.start()
    for _ in range(12):
        client.sendall(CALL * 2000)
        assert receive(daemon, 2000 * len(CALL)) == CALL * 2000
    carriage.from_thread(carriage.stop)
    thread.join(LIMIT_S)
    assert not carriage.is_heard
    carriage.close()
    assert receive(client, 1) == b""
    client.close()
    daemon.close()


def test_what_came_by_then_is_delivered_before_it_stops() -> None:
    carriage = Carriage(None)
    client, near = socket.socketpair()
    far, daemon = socket.socketpair()
    carriage.add(near, Road(far, "the daemon"), {})
    client.sendall(CALL * 100)
    carriage.stop()
    stopper = threading.Timer(LIMIT_S, carriage.close)
    carriage.later(0.0, carriage.stop)
    carriage.run()
    stopper.cancel()
    carriage.close()
    assert receive(daemon, 1 << 20) == CALL * 100
    client.close()
    daemon.close()


def test_timers_and_watchers_are_served(running: RunningCarriage) -> None:
    reader, writer = os.pipe()
    seen = threading.Event()
    rang = threading.Event()

    def look() -> None:
        os.read(reader, 1)
        running.carriage.unwatch(reader)
        running.carriage.unwatch(reader)
        seen.set()

    running.inside(lambda: running.carriage.watch(reader, look))
    running.inside(lambda: running.carriage.later(0.01, rang.set))
    os.write(writer, b"xx")
    assert seen.wait(LIMIT_S)
    assert rang.wait(LIMIT_S)
    os.close(reader)
    os.close(writer)


def test_nothing_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with RunningCarriage() as running:
        ends = [running.pair() for _ in range(3)]
        ends[0][0].close()
    for client, daemon in ends:
        client.close()
        daemon.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_conversation_that_could_not_begin_is_told() -> None:
    with RunningCarriage() as running:
        about: dict[str, object] = {"client": "virsh"}
        number = running.inside(lambda: running.carriage.fail(about, "the host is away"))
        assert number == 1
    assert running.notes() == ["the host is away"]
    assert running.ends() == [True, False]
