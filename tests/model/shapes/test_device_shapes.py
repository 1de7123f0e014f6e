"""What replies on disks, interfaces, jobs, guests and labels become."""

from __future__ import annotations

import pickle

import pytest

from virtproto import constants, records
from virtproto.model.shapes.block import block_info, block_job_info
from virtproto.model.shapes.domain_interface import interface_addresses, interface_stats
from virtproto.model.shapes.domain_job import job_info, job_stats
from virtproto.model.shapes.guest import filesystems
from virtproto.model.shapes.qemu import answer_and_files
from virtproto.model.shapes.security import security_label, security_labels
from virtproto.wire import qemu, remote
from virtproto.xdr.typedparams import BOOLEAN, STRING, ULLONG, TypedParams


def test_sizes_of_a_disk_keep_their_names() -> None:
    info = block_info(remote.DomainGetBlockInfoRet(allocation=1, capacity=2, physical=3))
    assert (info.capacity_bytes, info.allocation_bytes, info.physical_bytes) == (2, 1, 3)
    assert info == records.BlockInfo(2, 1, 3)


def test_a_job_on_a_disk() -> None:
    ret = remote.DomainGetBlockJobInfoRet(found=1, type=4, bandwidth=5, cur=6, end=7)
    info = block_job_info(ret)
    assert info == (4, 5, 6, 7)
    assert info is not None
    assert info.type is constants.DomainBlockJobType.ACTIVE_COMMIT
    assert pickle.loads(pickle.dumps(info)) == info


def test_no_job_on_a_disk() -> None:
    ret = remote.DomainGetBlockJobInfoRet(found=0, type=4, bandwidth=5, cur=6, end=7)
    assert block_job_info(ret) is None


def test_a_type_that_this_release_does_not_know_stays_a_number() -> None:
    ret = remote.DomainGetBlockJobInfoRet(found=1, type=77, bandwidth=0, cur=0, end=1)
    info = block_job_info(ret)
    assert info is not None
    assert info.type == 77
    assert type(info.type) is int


def test_counters_of_an_interface_keep_their_names() -> None:
    names = [
        "rx_bytes",
        "rx_packets",
        "rx_errs",
        "rx_drop",
        "tx_bytes",
        "tx_packets",
        "tx_errs",
        "tx_drop",
    ]
    counters = {name: number for number, name in enumerate(names, -1)}
    stats = interface_stats(remote.DomainInterfaceStatsRet(**counters))
    assert stats._asdict() == counters


def test_interfaces_with_and_without_addresses() -> None:
    four = remote.DomainIpAddr(type=0, addr="10.0.0.2", prefix=8)
    six = remote.DomainIpAddr(type=1, addr="fe80::1", prefix=64)
    ret = remote.DomainInterfaceAddressesRet(
        ifaces=[
            remote.DomainInterface(name="eth0", hwaddr="52:54:00:00:00:01", addrs=[four, six]),
            remote.DomainInterface(name="lo", hwaddr=None, addrs=[]),
        ]
    )
    eth0, lo = interface_addresses(ret)
    assert (eth0.name, eth0.mac) == ("eth0", "52:54:00:00:00:01")
    assert eth0.addresses == [(0, "10.0.0.2", 8), (1, "fe80::1", 64)]
    assert eth0.addresses[1].type is constants.IPAddrType.IPV6
    assert lo == ("lo", None, [])


def test_a_job_keeps_its_times_and_amounts_apart() -> None:
    names = [
        "type",
        "timeElapsed",
        "timeRemaining",
        "dataTotal",
        "dataProcessed",
        "dataRemaining",
        "memTotal",
        "memProcessed",
        "memRemaining",
        "fileTotal",
        "fileProcessed",
        "fileRemaining",
    ]
    values = {name: number for number, name in enumerate(names, 1)}
    info = job_info(remote.DomainGetJobInfoRet(**values))
    assert info._asdict() == {
        "type": 1,
        "time_elapsed_ms": 2,
        "time_remaining_ms": 3,
        "data_total_bytes": 4,
        "data_processed_bytes": 5,
        "data_remaining_bytes": 6,
        "mem_total_bytes": 7,
        "mem_processed_bytes": 8,
        "mem_remaining_bytes": 9,
        "file_total_bytes": 10,
        "file_processed_bytes": 11,
        "file_remaining_bytes": 12,
    }
    assert info.type is constants.DomainJobType.BOUNDED


def test_statistics_of_a_job() -> None:
    params = TypedParams.from_items(
        [("data_total", ULLONG, 5), ("success", BOOLEAN, 1), ("errmsg", STRING, "no")]
    )
    kind, stats = job_stats(remote.DomainGetJobStatsRet(type=4, params=params))
    assert kind is constants.DomainJobType.FAILED
    assert stats == {"data_total": 5, "success": True, "errmsg": "no"}
    assert stats["success"] is True


def test_file_systems() -> None:
    ret = remote.DomainGetFsinfoRet(
        info=[remote.DomainFsinfo(mountpoint="/", name="vda1", fstype="ext4", dev_aliases=["vda"])],
        ret=1,
    )
    assert filesystems(ret) == [records.FilesystemInfo("/", "vda1", "ext4", ["vda"])]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"libvirt-1\0", "libvirt-1"),
        (b"libvirt-1", "libvirt-1"),
        (b"\0", ""),
        (b"", ""),
        (b"a\0rest\0", "a"),
        ("ä\udcff".encode("utf-8", "surrogateescape"), "ä\udcff"),
    ],
)
def test_a_label_ends_where_c_strings_end(raw: bytes, text: str) -> None:
    label = security_label(remote.DomainGetSecurityLabelRet(label=raw, enforcing=1))
    assert label == (text, True)
    assert label.enforcing is True


def test_labels_of_several_drivers() -> None:
    first = remote.DomainGetSecurityLabelRet(label=b"a\0", enforcing=1)
    second = remote.DomainGetSecurityLabelRet(label=b"+0:+0\0", enforcing=0)
    ret = remote.DomainGetSecurityLabelListRet(labels=[first, second], ret=2)
    assert security_labels(ret) == [("a", True), ("+0:+0", False)]


def test_an_answer_and_files() -> None:
    ret = qemu.DomainMonitorCommandWithFilesRet(result="{}")
    assert answer_and_files(ret, [7, 9]) == ("{}", [7, 9])
