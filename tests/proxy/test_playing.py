"""The sockets of a played daemon and of a played client."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import virtproto
from tests.trace.replaying.tape import (
    CALL,
    CONTINUE,
    REPLY,
    STREAM,
    WEB,
    Tape,
    found,
    lookup,
    packet,
)
from virtproto.errors import RecordingError, UsageError
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.proxy.playing_client import PlayingClient
from virtproto.testing import OpenStream, ReplayedDaemon, ScriptedServer, SendPing, replayed
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.judging import Judge
from virtproto.wire import remote

LOOKUP = "DOMAIN_LOOKUP_BY_NAME"
DOWNLOAD, UPLOAD = "STORAGE_VOL_DOWNLOAD", "STORAGE_VOL_UPLOAD"
_VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")
_PIECE = bytes(range(256)) * 1024


@contextmanager
def played(tape: Tape, tmp_path: Path, **manner: bool) -> Iterator[ReplayedDaemon]:
    with replayed(tape.save(tmp_path / "it.vprec"), **manner) as daemon:
        yield daemon


def read(sock: socket.socket, count: int) -> list[Packet]:
    """Read packets, until the end where there are fewer."""
    reader = PacketReader()
    packets: list[Packet] = []
    while len(packets) < count and (data := sock.recv(1 << 20)):
        reader.feed(data)
        packets += iter(reader.next_packet, None)
    return packets


def test_calls_that_come_split_and_together_are_answered(tmp_path: Path) -> None:
    ask = packet(LOOKUP, CALL, lookup("web"), serial=3).pack()
    tape = Tape().ask(LOOKUP, lookup("web"), found(WEB))
    with played(tape, tmp_path) as daemon, daemon.connect() as sock:
        sock.settimeout(10)
        for byte in ask[:-1]:
            sock.send(bytes([byte]))
        sock.send(ask[-1:] + ask + ask)
        assert [each.payload for each in read(sock, 3)] == [found(WEB).pack()] * 3
    assert daemon.deviations == []


def test_much_waits_until_it_is_taken(tmp_path: Path) -> None:
    args = remote.StorageVolDownloadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().ask(DOWNLOAD, args)
    for _ in range(40):
        tape.stream(DOWNLOAD, _PIECE, from_client=False)
    tape.stream(DOWNLOAD, from_client=False)
    with played(tape, tmp_path) as daemon, daemon.connect() as slow:
        slow.settimeout(10)
        slow.send(packet(DOWNLOAD, CALL, args, serial=3).pack())
        # Meanwhile another is served.
        with daemon.connect() as other:
            other.settimeout(10)
            other.send(packet("AUTH_LIST", CALL).pack())
            assert len(read(other, 1)) == 1
        _reply, *data, end = read(slow, 42)
        assert [each.payload for each in data] == [_PIECE] * 40
        assert end.payload == b""


def test_descriptors_come_as_many_and_lead_nowhere(tmp_path: Path) -> None:
    said = packet("DOMAIN_OPEN_GRAPHICS_FD", 5, serial=1)
    said.nfds = 1
    args = remote.DomainOpenGraphicsFdArgs(dom=WEB, idx=0, flags=0)
    tape = Tape().opened().call("DOMAIN_OPEN_GRAPHICS_FD", args).put(said, from_client=False)
    with played(tape, tmp_path) as daemon, virtproto.open(daemon.uri()) as connection:
        with pytest.raises(virtproto.LibvirtError, match="not in the recording"):
            connection.get_domain_by_name("web")
        with daemon.connect() as sock:
            sock.settimeout(10)
            sock.send(packet("DOMAIN_OPEN_GRAPHICS_FD", CALL, args, serial=7).pack())
            size = 32
            data, fds, _, _ = socket.recv_fds(sock, size, 4)
            while not fds:
                more, fds, _, _ = socket.recv_fds(sock, size, 4)
                data += more
        assert len(fds) == 1
        with socket.socket(fileno=fds[0]) as nobody:
            assert nobody.recv(1) == b""


def test_descriptors_of_a_client_are_closed(tmp_path: Path) -> None:
    said = packet("DOMAIN_CREATE_WITH_FILES", 4, serial=1)
    said.nfds = 1
    tape = Tape().put(said, from_client=True).reply("DOMAIN_CREATE_WITH_FILES")
    ours, theirs = socket.socketpair()
    with played(tape, tmp_path) as daemon, daemon.connect() as sock, ours:
        sock.settimeout(10)
        sock.send(said.pack())
        socket.send_fds(sock, [b"\0"], [theirs.fileno()])
        theirs.close()
        assert read(sock, 1)[0].type == REPLY
        ours.settimeout(10)
        assert ours.recv(1) == b""


def test_what_is_no_packet_ends_the_connection_and_is_told(tmp_path: Path) -> None:
    with played(Tape().opened(), tmp_path) as daemon, daemon.connect() as sock:
        sock.settimeout(10)
        sock.send(b"GET / HTTP/1.1\r\n\r\n" * 4)
        assert sock.recv(1) == b""
    (told,) = daemon.deviations
    assert "is no packet" in told.text


def test_what_was_not_asked_for_is_known_at_the_end(tmp_path: Path) -> None:
    tape = Tape().opened().ask(LOOKUP, lookup("web"), found(WEB)).ask("CONNECT_GET_HOSTNAME")
    with played(tape, tmp_path) as daemon, virtproto.open(daemon.uri()) as connection:
        assert connection.get_domain_by_name("web").get_uuid() == WEB.uuid
        assert daemon.uri("qemu:///system").startswith("qemu+unix:///system?socket=/")
    assert (daemon.deviations, daemon.not_made) == ([], ["CONNECT_GET_HOSTNAME"])
    daemon.stop()
    with pytest.raises(UsageError, match="stopped"):
        daemon.connect()
    assert not os.path.exists(daemon.socket_path)


def test_a_damaged_recording_is_refused(tmp_path: Path) -> None:
    file = Tape().opened().save(tmp_path / "it.vprec")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="cut off"):
        replayed(file)


def test_nothing_of_a_played_daemon_is_left(tmp_path: Path) -> None:
    file = Tape().opened().save(tmp_path / "it.vprec")
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with replayed(file) as daemon, daemon.connect() as sock:
            sock.send(b"\0\0")
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


def _play(tape: Tape, server: ScriptedServer, place: Path, **manner: float) -> list[Deviation]:
    told: list[Deviation] = []
    uri = f"test+unix:///default?socket={server.listen(place)}"
    PlayingClient(tape.recalled(), uri, Judge(told.append), **manner).run()  # type: ignore[arg-type]
    return told


def test_a_played_client_answers_pings(tmp_path: Path) -> None:
    tape = Tape().opened().ask(LOOKUP, lookup("web"), found(WEB))
    with ScriptedServer({remote.DOMAIN_LOOKUP_BY_NAME: [SendPing(), found(WEB)]}) as server:
        assert _play(tape, server, tmp_path / "sock") == []
        server.wait_until(lambda seen: any(each.procedure == 2 for each in seen.packets[-1:]))


def test_a_played_client_sends_much(tmp_path: Path) -> None:
    args = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().opened().ask(UPLOAD, args)
    for _ in range(30):
        tape.stream(UPLOAD, _PIECE, from_client=True)
    tape.stream(UPLOAD, from_client=True, status=0)
    tape.stream(UPLOAD, from_client=False, status=0)
    with ScriptedServer({remote.STORAGE_VOL_UPLOAD: [OpenStream(), b""]}) as server:
        assert _play(tape, server, tmp_path / "sock") == []
        sent = [each for each in server.packets if each.type == STREAM and each.status == CONTINUE]
        assert b"".join(each.payload for each in sent) == _PIECE * 30


def test_a_daemon_that_says_nothing_more_is_left(tmp_path: Path) -> None:
    args = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().opened().ask(UPLOAD, args)
    for _ in range(30):
        tape.stream(UPLOAD, _PIECE, from_client=True)
    tape.stream(UPLOAD, from_client=True, status=0)
    tape.stream(UPLOAD, from_client=False, status=0)
    # It takes the data, and never confirms their end.
    with ScriptedServer({remote.STORAGE_VOL_UPLOAD: [OpenStream(), b""]}) as server:
        server.confirm_streams = False
        told = _play(tape, server, tmp_path / "sock", timeout_s=0.3)
    assert [each.text for each in told] == ["its stream did not go on: nothing came for 0.3 s"]


def test_each_conversation_has_a_connection_of_its_own(tmp_path: Path) -> None:
    tape = Tape()
    for on in (1, 2):
        tape.opened(on=on)
    tape.call(LOOKUP, lookup("web"), on=2).call("CONNECT_GET_HOSTNAME", on=1)
    tape.reply(LOOKUP, found(WEB), on=2)
    tape.reply("CONNECT_GET_HOSTNAME", remote.ConnectGetHostnameRet(hostname="h"), on=1)
    handlers = {
        remote.DOMAIN_LOOKUP_BY_NAME: found(WEB),
        remote.CONNECT_GET_HOSTNAME: remote.ConnectGetHostnameRet(hostname="other"),
    }
    with ScriptedServer(handlers) as server:  # type: ignore[arg-type]
        (told,) = _play(tape, server, tmp_path / "sock")
        assert (told.conversation, told.procedure) == (1, "CONNECT_GET_HOSTNAME")
        assert told.lines(several=True)[0].startswith("message 1/3, CONNECT_GET_HOSTNAME()")
        names = [each.procedure for each in server.calls]
    assert names.count(remote.CONNECT_OPEN.number) == 2
