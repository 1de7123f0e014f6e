"""A domain's devices, jobs, agent and labels in both colours: what is sent, what is refused."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.colours.asking import WEB, asked, assert_denied
from tests.colours.driving import Open
from virtproto.constants import DomainBlockJobType, DomainInterfaceAddressesSource
from virtproto.errors import ArgumentTypeError, NoSupportError, OperationDeniedError, UsageError
from virtproto.records import BlockInfo, BlockJobInfo, DomainInterface, IPAddress, SecurityLabel
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import qemu, remote
from virtproto.xdr.message import Message
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import STRING, UINT, ULLONG, TypedParams


def call(procedure: Procedure[Any, Any], args: Message) -> tuple[int, bytes]:
    return procedure.number, args.pack()


# Every method that changes something or that libvirt treats as if it did, with good arguments.
REFUSED: list[tuple[str, tuple[Any, ...]]] = [
    ("attach_device", ("<disk/>",)),
    ("attach_device", ("<disk/>", 2)),
    ("detach_device", ("<disk/>",)),
    ("detach_device_alias", ("net0",)),
    ("update_device", ("<disk/>",)),
    ("block_peek", ("vda", 0, 512)),
    ("block_resize", ("vda", 1024)),
    ("set_blkio_parameters", ({"weight": 100},)),
    ("set_block_iotune", ("vda", {"total_iops_sec": 1})),
    ("set_throttle_group", ("slow", {"total_iops_sec": 1})),
    ("set_block_threshold", ("vda", 1)),
    ("set_interface_parameters", ("vnet0", {"inbound.average": 1})),
    ("get_interface_addresses", (1,)),
    ("fd_associate", ("images", [0])),
    ("announce_interface", (None, {})),
    ("set_block_job_speed", ("vda", 1)),
    ("abort_block_job", ("vda",)),
    ("block_pull", ("vda", 0)),
    ("block_rebase", ("vda", None, 0)),
    ("block_copy", ("vda", "<disk/>", {})),
    ("block_commit", ("vda", None, None, 0)),
    ("backup_begin", ("<domainbackup/>",)),
    ("abort_job", ()),
    ("abort_job", (1,)),
    ("graphics_reload", (0,)),
    ("open_graphics_fd", (0,)),
    ("get_guest_info", (0,)),
    ("get_fs_info", ()),
    ("fs_trim", (None, 0)),
    ("fs_freeze", ([],)),
    ("fs_thaw", ([],)),
    ("set_agent_response_timeout", (5,)),
    ("authorized_ssh_keys_get", ("root",)),
    ("authorized_ssh_keys_set", ("root", [])),
    ("get_launch_security_info", ()),
    ("set_launch_security_state", ({"sev-secret": ""},)),
    ("qemu_monitor_command", ("{}",)),
    ("qemu_monitor_command_with_files", ("{}", [])),
    ("qemu_agent_command", ("{}",)),
    ("lxc_open_namespace", ()),
    ("create_snapshot", ("<domainsnapshot/>",)),
    ("create_checkpoint", ("<domaincheckpoint/>",)),
]


def test_what_a_read_only_connection_refuses_is_not_sent(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        for name, args in REFUSED:
            assert_denied(domain, name, args)
        with pytest.raises(OperationDeniedError):
            connection.qemu_attach(1)
    assert asked(server) == []


# What a method is given, and what is said of it.
BAD: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("attach_device", (None,), ArgumentTypeError, "xml: a text is required, not None"),
    ("attach_device", ("a\0",), UsageError, "xml: a NUL"),
    ("detach_device", ("<disk/>", -1), UsageError, "flags: -1 is not within"),
    ("detach_device_alias", (b"net0",), ArgumentTypeError, "alias: expected text, not bytes"),
    ("update_device", ("<disk/>", None), ArgumentTypeError, "flags: a whole number is required"),
    ("get_block_info", (7,), ArgumentTypeError, "disk: expected text"),
    ("block_peek", ("vda", -1, 1), UsageError, "offset: -1 is not within"),
    ("block_peek", ("vda", 0, 4194305), UsageError, "size: 4194305 bytes are more than"),
    ("block_peek", ("vda", 0, -1), UsageError, "size: -1 is not within"),
    ("block_resize", ("vda", 1 << 64), UsageError, "new_size: 18446744073709551616 is not"),
    ("block_stats", (None,), ArgumentTypeError, "disk: a text is required"),
    ("set_blkio_parameters", (7,), ArgumentTypeError, "params: expected a mapping"),
    ("set_blkio_parameters", ({"weight": "1"},), ArgumentTypeError, r"params\['weight'\]: "),
    ("set_blkio_parameters", ({"weight": -1},), UsageError, r"params\['weight'\]: -1 is not"),
    ("set_block_iotune", ("vda", {"x" * 80: 1}), UsageError, r"params\['x*'\]: the name is long"),
    ("set_block_iotune", (None, {}), ArgumentTypeError, "disk: a text is required"),
    ("set_throttle_group", ("g", {"group_name": 1}), ArgumentTypeError, r"params\['group_name'\]"),
    ("set_throttle_group", ("g", {f"{n}": 1 for n in range(33)}), UsageError, "params: more"),
    ("del_throttle_group", (None,), ArgumentTypeError, "group: a text is required, not None"),
    ("set_block_threshold", ("vda", -1), UsageError, "threshold_bytes: -1 is not within"),
    ("interface_stats", (0,), ArgumentTypeError, "intf: expected text, not int"),
    ("get_interface_parameters", (None,), ArgumentTypeError, "intf: a text is required"),
    ("get_interface_addresses", (-1,), UsageError, "src: -1 is not within"),
    ("get_interface_addresses", ("lease",), ArgumentTypeError, "src: expected a whole number"),
    ("fd_associate", ("images", 3), ArgumentTypeError, "fds: "),
    ("fd_associate", ("images", [None]), ArgumentTypeError, r"fds\[0\]: "),
    ("fd_associate", ("images", [1 << 20]), UsageError, r"fds\[0\]: 1048576 is no"),
    ("fd_associate", ("images", [0] * 33), UsageError, "fds: more than the 32"),
    ("announce_interface", (5, {}), ArgumentTypeError, "intf: expected text, not int"),
    ("announce_interface", (None, {"max": -5}), UsageError, r"params\['max'\]: -5 is not within"),
    ("get_block_job_info", (None,), ArgumentTypeError, "disk: a text is required"),
    ("set_block_job_speed", ("vda", -1), UsageError, "bandwidth: -1 is not within"),
    ("abort_block_job", ("vda", 1 << 32), UsageError, "flags: 4294967296 is not within"),
    ("block_pull", ("vda", None), ArgumentTypeError, "bandwidth: a whole number is required"),
    ("block_rebase", ("vda", 1, 0), ArgumentTypeError, "base: expected text, not int"),
    ("block_copy", ("vda", None, {}), ArgumentTypeError, "dest_xml: a text is required"),
    ("block_copy", ("vda", "", {"granularity": 1 << 32}), UsageError, r"params\['granularity'\]"),
    ("block_commit", ("vda", b"", None, 0), ArgumentTypeError, "base: expected text, not bytes"),
    ("block_commit", ("vda", None, 3, 0), ArgumentTypeError, "top: expected text, not int"),
    ("backup_begin", (None,), ArgumentTypeError, "backup_xml: a text is required"),
    ("backup_begin", ("<a/>", 1), ArgumentTypeError, "checkpoint_xml: expected text, not int"),
    ("get_job_stats", (-1,), UsageError, "flags: -1 is not within"),
    ("open_console", (None,), ArgumentTypeError, "stream: expected a Stream, not NoneType"),
    ("open_channel", ("stream",), ArgumentTypeError, "stream: expected a Stream, not str"),
    ("open_graphics", (-1, 0), UsageError, "idx: -1 is not within"),
    ("open_graphics", (0, None), ArgumentTypeError, "fd: "),
    ("open_graphics", (0, 1 << 20), UsageError, "fd: 1048576 is no"),
    ("open_graphics_fd", ("0",), ArgumentTypeError, "idx: expected a whole number, not str"),
    ("graphics_reload", (-1,), UsageError, "type: -1 is not within"),
    ("get_guest_info", (None,), ArgumentTypeError, "types: a whole number is required"),
    ("fs_trim", (3, 0), ArgumentTypeError, "mount_point: expected text, not int"),
    ("fs_trim", (None, -1), UsageError, "minimum_bytes: -1 is not within"),
    ("fs_freeze", ("/",), ArgumentTypeError, "mount_points: expected several texts, not one"),
    ("fs_freeze", (["/", None],), ArgumentTypeError, r"mount_points\[1\]: a text is required"),
    ("fs_thaw", (["/"] * 257,), UsageError, "mount_points: more than the 256"),
    ("set_agent_response_timeout", (1.5,), ArgumentTypeError, "timeout_s: expected a whole"),
    ("authorized_ssh_keys_get", (None,), ArgumentTypeError, "user: a text is required"),
    ("authorized_ssh_keys_set", ("root", "key"), ArgumentTypeError, "keys: expected several"),
    ("authorized_ssh_keys_set", ("root", ["k"] * 2049), UsageError, "keys: more than"),
    ("set_launch_security_state", (None,), ArgumentTypeError, "params: expected a mapping"),
    ("qemu_monitor_command", (None,), ArgumentTypeError, "cmd: a text is required"),
    ("qemu_monitor_command_with_files", ("{}", 5), ArgumentTypeError, "fds: "),
    ("qemu_agent_command", ("{}", None), ArgumentTypeError, "timeout_s: a whole number"),
    ("lxc_open_namespace", (-1,), UsageError, "flags: -1 is not within"),
]


def test_what_cannot_be_is_named_and_not_sent(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        for name, args, error, words in BAD:
            with pytest.raises(error, match=f"^{words}"):
                getattr(domain, name)(*args)
        with pytest.raises(UsageError, match=r"^pid: -1 is not within"):
            connection.qemu_attach(-1)
    assert asked(server) == []


def test_a_secret_that_does_not_fit_is_not_shown(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(UsageError) as caught:
            domain.set_launch_security_state({"sev-secret": "hush\0"})
    assert "hush" not in str(caught.value)


def test_graphics_take_no_file_that_is_not_a_socket(
    server: ScriptedServer, uri: str, open_in_colour: Open, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    with open_in_colour(uri) as connection, plain.open() as file:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(UsageError, match=r"^fd: .*not a socket"):
            domain.open_graphics(0, file)
    assert asked(server) == []


def test_graphics_get_no_socket_on_a_read_only_connection(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    one, other = socket.socketpair()
    with open_in_colour(uri, readonly=True) as connection, one, other:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(OperationDeniedError):
            domain.open_graphics(0, one)
    assert asked(server) == []


def test_addresses_that_the_agent_need_not_tell_are_for_everybody(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    address = remote.DomainIpAddr(type=0, addr="10.0.0.2", prefix=24)
    nic = remote.DomainInterface(name="vnet0", hwaddr="52:54:00:00:00:01", addrs=[address])
    server.handle(
        remote.DOMAIN_INTERFACE_ADDRESSES, remote.DomainInterfaceAddressesRet(ifaces=[nic])
    )
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        found = domain.get_interface_addresses(DomainInterfaceAddressesSource.LEASE)
        assert found == [
            DomainInterface("vnet0", "52:54:00:00:00:01", [IPAddress(0, "10.0.0.2", 24)])
        ]
    assert asked(server) == [
        call(
            remote.DOMAIN_INTERFACE_ADDRESSES,
            remote.DomainInterfaceAddressesArgs(dom=WEB, source=0, flags=0),
        )
    ]


def test_devices_go_to_the_older_call_unless_there_are_flags(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    for procedure in (
        remote.DOMAIN_ATTACH_DEVICE,
        remote.DOMAIN_ATTACH_DEVICE_FLAGS,
        remote.DOMAIN_DETACH_DEVICE,
        remote.DOMAIN_DETACH_DEVICE_FLAGS,
        remote.DOMAIN_ABORT_JOB,
        remote.DOMAIN_ABORT_JOB_FLAGS,
    ):
        server.handle(procedure, None)
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        domain.attach_device("<disk/>")
        domain.attach_device("<disk/>", 3)
        domain.detach_device("<disk/>")
        domain.detach_device("<disk/>", flags=2)
        domain.abort_job()
        domain.abort_job(1)
    assert asked(server) == [
        call(remote.DOMAIN_ATTACH_DEVICE, remote.DomainAttachDeviceArgs(dom=WEB, xml="<disk/>")),
        call(
            remote.DOMAIN_ATTACH_DEVICE_FLAGS,
            remote.DomainAttachDeviceFlagsArgs(dom=WEB, xml="<disk/>", flags=3),
        ),
        call(remote.DOMAIN_DETACH_DEVICE, remote.DomainDetachDeviceArgs(dom=WEB, xml="<disk/>")),
        call(
            remote.DOMAIN_DETACH_DEVICE_FLAGS,
            remote.DomainDetachDeviceFlagsArgs(dom=WEB, xml="<disk/>", flags=2),
        ),
        call(remote.DOMAIN_ABORT_JOB, remote.DomainAbortJobArgs(dom=WEB)),
        call(remote.DOMAIN_ABORT_JOB_FLAGS, remote.DomainAbortJobFlagsArgs(dom=WEB, flags=1)),
    ]


def test_results_are_records(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(
        remote.DOMAIN_GET_BLOCK_INFO,
        remote.DomainGetBlockInfoRet(allocation=1, capacity=2, physical=3),
    )
    server.handle(
        remote.DOMAIN_GET_BLOCK_JOB_INFO,
        remote.DomainGetBlockJobInfoRet(found=1, type=2, bandwidth=0, cur=5, end=9),
    )
    server.handle(
        remote.DOMAIN_GET_SECURITY_LABEL,
        remote.DomainGetSecurityLabelRet(label=b"label\0", enforcing=1),
    )
    server.handle(
        remote.DOMAIN_GET_JOB_STATS,
        remote.DomainGetJobStatsRet(
            type=2, params=TypedParams.from_items([("data_total", ULLONG, 5)])
        ),
    )
    server.handle(remote.DOMAIN_FSFREEZE, remote.DomainFsfreezeRet(filesystems=2))
    server.handle(qemu.DOMAIN_AGENT_COMMAND, qemu.DomainAgentCommandRet(result=None))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        assert domain.get_block_info("vda") == BlockInfo(2, 1, 3)
        assert domain.get_block_job_info("vda") == BlockJobInfo(DomainBlockJobType.COPY, 0, 5, 9)
        assert domain.get_security_label() == SecurityLabel("label", True)
        assert domain.get_job_stats() == (2, {"data_total": 5})
        assert domain.fs_freeze(["/"]) == 2
        assert domain.qemu_agent_command("{}") is None


def test_counters_of_a_disk_from_an_old_driver(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(
        remote.DOMAIN_BLOCK_STATS_FLAGS, ReplyError(code=3, message="not supported", domain=10)
    )
    server.handle(
        remote.DOMAIN_BLOCK_STATS,
        remote.DomainBlockStatsRet(rd_req=1, rd_bytes=2, wr_req=3, wr_bytes=4, errs=-1),
    )
    with open_in_colour(uri) as connection:
        stats = connection.get_domain_by_name("web").block_stats("vda")
        assert stats == {"rd_req": 1, "rd_bytes": 2, "wr_req": 3, "wr_bytes": 4, "errs": -1}


def test_limits_are_sent_with_their_types(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_SET_BLKIO_PARAMETERS, None)
    server.handle(remote.DOMAIN_SET_THROTTLE_GROUP, None)
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        domain.set_blkio_parameters({"weight": 500, "device_weight": "/dev/sda,100"}, 2)
        domain.set_throttle_group("slow", {"total_iops_sec": 5})
    weights = TypedParams.from_items(
        [("weight", UINT, 500), ("device_weight", STRING, "/dev/sda,100")]
    )
    limit = TypedParams.from_items([("total_iops_sec", ULLONG, 5)])
    assert asked(server) == [
        call(
            remote.DOMAIN_SET_BLKIO_PARAMETERS,
            remote.DomainSetBlkioParametersArgs(dom=WEB, params=weights, flags=2),
        ),
        call(
            remote.DOMAIN_SET_THROTTLE_GROUP,
            remote.DomainSetThrottleGroupArgs(dom=WEB, group="slow", params=limit, flags=0),
        ),
    ]


def test_announcements_are_of_one_interface_or_of_all(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_ANNOUNCE_INTERFACE, None)
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        domain.announce_interface(None, {"rounds": 3})
        domain.announce_interface("vnet0", {})
    rounds = TypedParams.from_items([("rounds", UINT, 3)])
    assert asked(server) == [
        call(
            remote.DOMAIN_ANNOUNCE_INTERFACE,
            remote.DomainAnnounceInterfaceArgs(dom=WEB, device=device, params=params, flags=0),
        )
        for device, params in ((None, rounds), ("vnet0", TypedParams()))
    ]


def test_a_refusal_tells_of_which_domain(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_GET_BLKIO_PARAMETERS, ReplyError(code=3, message="no", domain=10))
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(NoSupportError) as caught:
            domain.get_blkio_parameters()
        assert caught.value.object == domain
