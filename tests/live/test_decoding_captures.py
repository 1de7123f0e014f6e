"""What `decode` reads in captures of real daemons is what Wireshark sees in them.

The captures are made on the loopback device by tshark; others are made of them, with frames lost,
doubled and out of order, in the other format, and with what TLS hides beside them.
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import dpkt
import pytest

import virtproto
from tests.lab.capture import Capture, Message
from tests.lab.daemon import PrivateDaemon
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.live.dissection import Comparison
from virtproto.cli import main
from virtproto.trace.contents import contents
from virtproto.trace.message import TracedMessage
from virtproto.trace.reading.captures import CaptureReader
from virtproto.trace.telling import Teller
from virtproto.wire import load_contract

pytestmark = pytest.mark.lab


class Captured:
    """What was captured of one daemon, in clear and inside TLS."""

    def __init__(self, clear: Path, hidden: Path, messages: list[Message]) -> None:
        self.clear = clear
        self.hidden = hidden
        self.messages = messages


def _converse(port: int) -> None:
    one = f"test+tcp://127.0.0.1:{port}/default"
    # The first of its addresses, which is IPv6's where there is any.
    two = f"test+tcp://localhost:{port}/default"
    with virtproto.open(one) as first, virtproto.open(two) as second:
        for connection in (first, second):
            [domain] = connection.list_all_domains()
            domain.get_info()
            domain.get_xml_description()
            connection.get_all_domain_stats()
            connection.get_hostname()
            with pytest.raises(virtproto.LibvirtError):
                connection.get_domain_by_name("no such")
        [domain] = second.list_all_domains()
        assert first.get_domain_by_uuid(domain.get_uuid()).get_name() == domain.get_name()
    # A third program, whose client library is libvirt's own, at the same time as nobody.
    subprocess.run(["virsh", "-c", one, "list", "--all"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Captured:
    folder = tmp_path_factory.mktemp("captures")
    lab = Lab(folder / "pki")
    clear, hidden = free_port(), free_port()
    settings = {
        **lab.settings("server"),
        "listen_addr": "localhost",
        "listen_tcp": 1,
        "tcp_port": str(clear),
        "tls_port": str(hidden),
        "auth_tcp": "none",
    }
    folders = {name: folder / name for name in ("clear", "hidden")}
    for each in folders.values():
        each.mkdir()
    daemon = PrivateDaemon(settings=settings, listen=True, folders=[lab.folder])
    with daemon:
        with Capture(clear, folders["clear"]) as capture:
            _converse(clear)
        uri = f"test+tls://127.0.0.1:{hidden}/default?pkipath={lab.client('good')}"
        with Capture(hidden, folders["hidden"]), virtproto.open(uri) as connection:
            connection.list_all_domains()
    paths = [folders[name] / "capture.pcapng" for name in ("clear", "hidden")]
    return Captured(paths[0], paths[1], capture.messages())


def _told(path: Path) -> list[TracedMessage]:
    """Return the messages in a capture that has nothing else of interest."""
    reader = CaptureReader()
    records = reader.feed(path.read_bytes()) + reader.rest()
    assert reader.finish() is None
    teller = Teller(reader.started_s)
    told = [each for record in records for each in teller.tell(record)]
    return [each for each in told if isinstance(each, TracedMessage)]


def _by_conversation(messages: list[TracedMessage]) -> dict[int, list[tuple[bool, bytes]]]:
    found: dict[int, list[tuple[bool, bytes]]] = {}
    for each in messages:
        found.setdefault(each.conversation, []).append((each.from_client, each.packet.pack()))
    return found


def test_every_message_and_field_is_what_wireshark_sees(captured: Captured) -> None:
    contract = load_contract()
    comparison = Comparison(contract)
    told = _told(captured.clear)
    assert len(told) == len(captured.messages) > 60
    assert len(_by_conversation(told)) == 3
    types = set()
    for ours, seen in zip(told, captured.messages, strict=True):
        packet = ours.packet
        assert not seen.malformed
        assert {each.name: int(each.show, 0) for each in seen.fields[:7]} == {
            "libvirt.length": ours.size,
            "libvirt.program": packet.program,
            "libvirt.version": packet.version,
            "libvirt.procedure": packet.procedure,
            "libvirt.type": packet.type,
            "libvirt.serial": packet.serial,
            "libvirt.status": packet.status,
        }
        assert (ours.from_client, ours.oddity) == (seen.from_client, None)
        if ours.type_name is None:
            assert seen.fields[7:] == []
            continue
        [payload] = seen.fields[7:]
        read = contents(ours, show_secrets=True)
        assert read.problems == []
        assert comparison.differences(payload, ours.type_name, read.plain) == []
        types.add(ours.type_name)
    assert {"remote_error", "remote_connect_get_all_domain_stats_ret"} <= types
    assert comparison.leaves > 100


def test_command_prints_what_wireshark_sees(
    captured: Captured, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(captured.clear), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = [json.loads(line) for line in said.out.splitlines()]
    printed = [line for line in lines if "serial" in line]
    for line, seen in zip(printed, captured.messages, strict=True):
        shown = {each.name: int(each.show, 0) for each in seen.fields[:7]}
        assert line["size"] == shown["libvirt.length"]
        assert line["procedure_number"] == shown["libvirt.procedure"]
        assert line["serial"] == shown["libvirt.serial"]
        assert line["from"] == ("client" if seen.from_client else "daemon")
    replies = [line for line in printed if line["kind"] == "reply"]
    assert replies
    assert all(0 < line["latency_s"] < 30 for line in replies)


def _frames(path: Path) -> list[tuple[float, bytes]]:
    """Return the frames of a pcap as the library's own reader has them."""
    with open(path, "rb") as file:
        return [(time_s, bytes(data)) for time_s, data in dpkt.pcap.Reader(file)]


def _written(path: Path, frames: list[tuple[float, bytes]]) -> Path:
    with open(path, "wb") as file:
        dpkt.pcap.Writer(file).writepkts(frames)
    return path


@pytest.fixture
def plain(captured: Captured, tmp_path: Path) -> Path:
    """The capture in the older format, as Wireshark's own tool writes it."""
    path = tmp_path / "plain.pcap"
    subprocess.run(["editcap", "-F", "pcap", str(captured.clear), str(path)], check=True)
    return path


def test_older_format_has_the_same(captured: Captured, plain: Path) -> None:
    assert _by_conversation(_told(plain)) == _by_conversation(_told(captured.clear))


def test_frames_out_of_order_and_doubled_change_nothing(plain: Path, tmp_path: Path) -> None:
    expected = _by_conversation(_told(plain))
    frames = _frames(plain)
    rng = random.Random(5)
    mixed = [
        *enumerate(frames),
        *((place + 4, frames[place]) for place in range(0, len(frames), 3)),
    ]
    mixed.sort(key=lambda pair: pair[0] + rng.random() * 3)
    found = _by_conversation(_told(_written(tmp_path / "mixed", [each for _, each in mixed])))
    assert sorted(found.values()) == sorted(expected.values())


def test_capture_that_begins_midway_has_the_end(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = _by_conversation(_told(plain))
    frames = _frames(plain)
    path = _written(tmp_path / "late", frames[40:])
    found = _by_conversation(_told(path))
    assert len(found) == 3
    for conversation in found.values():
        assert any(each[-len(conversation) :] == conversation for each in expected.values())
    assert main(["decode", str(path)]) == 0
    assert "in the middle" in capsys.readouterr().out


def test_lost_frames_are_told_and_the_rest_is_read(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = sum(map(len, _by_conversation(_told(plain)).values()))
    frames = _frames(plain)
    rng = random.Random(9)
    # Only those that have data are missed.
    large = [place for place, (_, data) in enumerate(frames) if len(data) > 100]
    lost = set(rng.sample(large, 4))
    path = _written(tmp_path / "lossy", [f for place, f in enumerate(frames) if place not in lost])
    assert main(["decode", str(path), "--json"]) == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert any("were not captured" in line.get("text", "") for line in lines)
    assert sum("serial" in line for line in lines) >= whole - 12


def test_what_tls_hides_is_told(
    captured: Captured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(captured.hidden)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "no conversation of libvirt's" in said.err
    assert "TLS" in said.err
    both = tmp_path / "both.pcapng"
    subprocess.run(
        ["mergecap", "-w", str(both), str(captured.clear), str(captured.hidden)], check=True
    )
    assert main(["decode", str(both)]) == 0
    said = capsys.readouterr()
    assert "left out" in said.out
    assert "TLS" in said.out
    assert said.out.count("AUTH_LIST") == 6


def test_dump_of_the_same_capture_is_read(captured: Captured, tmp_path: Path) -> None:
    dumped = subprocess.run(
        ["tshark", "-r", str(captured.clear), "-x"], check=True, capture_output=True
    )
    path = tmp_path / "dump.txt"
    path.write_bytes(dumped.stdout)
    assert main(["decode", str(path), "-o", str(tmp_path / "out"), "--json"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert sum("serial" in line for line in lines) == len(captured.messages)
