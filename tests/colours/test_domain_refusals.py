"""What a domain's methods refuse, in both colours, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.colours.asking import asked, assert_denied
from tests.colours.driving import Open
from virtproto.errors import ArgumentTypeError, OperationDeniedError, UsageError
from virtproto.testing import ScriptedServer
from virtproto.wire import remote

# Every method that changes something, or that libvirt treats as if it did, with good arguments.
CHANGES: list[tuple[str, tuple[Any, ...]]] = [
    ("get_hostname", ()),
    ("rename", ("shop",)),
    ("set_metadata", (0, "x")),
    ("get_time", ()),
    ("set_time", (0,)),
    ("get_xml_description", (1,)),
    ("get_xml_description", (8,)),
    ("undefine", ()),
    ("undefine", (1,)),
    ("set_autostart", (True,)),
    ("set_autostart_once", (True,)),
    ("set_lifecycle_action", (0, 0)),
    ("create", ()),
    ("create", (1,)),
    ("create_with_files", ([],)),
    ("suspend", ()),
    ("resume", ()),
    ("pm_wakeup", ()),
    ("pm_suspend_for_duration", (0,)),
    ("shutdown", ()),
    ("shutdown", (1,)),
    ("reboot", ()),
    ("reset", ()),
    ("destroy", ()),
    ("destroy", (1,)),
    ("inject_nmi", ()),
    ("send_key", (0, 1, [1])),
    ("send_process_signal", (1, 9)),
    ("set_user_password", ("root", "x")),
    ("save", ("/f",)),
    ("managed_save", ()),
    ("managed_save_remove", ()),
    ("managed_save_define_xml", ("<a/>",)),
    ("managed_save_get_xml_description", (1,)),
    ("core_dump", ("/f",)),
    ("core_dump_format", ("/f", 0)),
    ("set_max_memory", (1,)),
    ("set_memory", (1,)),
    ("set_memory", (1, 2)),
    ("set_memory_stats_period", (1,)),
    ("memory_peek", (0, 1)),
    ("set_memory_parameters", ({},)),
    ("set_numa_parameters", ({},)),
    ("start_dirty_rate_calc", (1,)),
    ("get_vcpus", (8,)),
    ("set_vcpus", (1,)),
    ("set_vcpus", (1, 2)),
    ("set_vcpu", ([1], True)),
    ("get_guest_vcpus", ()),
    ("set_guest_vcpus", ([1], True)),
    ("pin_vcpu", (0, [0])),
    ("pin_vcpu", (0, [0], 1)),
    ("pin_emulator", ([0],)),
    ("pin_iothread", (1, [0])),
    ("add_iothread", (1,)),
    ("del_iothread", (1,)),
    ("set_iothread", (1, {})),
    ("set_perf_events", ({},)),
    ("set_scheduler_parameters", ({},)),
    ("set_scheduler_parameters", ({}, 1)),
]


def test_changes_are_refused_on_a_read_only_connection(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        for method, args in CHANGES:
            assert_denied(domain, method, args)
        with pytest.raises(OperationDeniedError):
            domain.screenshot(connection.new_stream())
        assert domain.get_id() == 7
    assert asked(server) == []


@pytest.mark.parametrize(
    ("method", "asked", "words"),
    [
        ("get_xml_description", 1 | 2, "with SECURE while"),
        ("get_xml_description", 1 | 8, r"with SECURE\|MIGRATABLE while"),
        ("get_vcpus", 8, "with GUEST while"),
        ("get_interface_addresses", 1, "with AGENT while"),
        ("managed_save_get_xml_description", 1, "with SECURE while"),
    ],
)
def test_what_asks_too_much_of_a_read_only_connection_is_named(
    method: str, asked: int, words: str, server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(OperationDeniedError, match=rf"Domain\.{method} {words}"):
            getattr(domain, method)(asked)


def test_questions_are_asked_on_a_read_only_connection(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescRet(xml="<domain/>"))
    server.handle(remote.DOMAIN_GET_VCPUS_FLAGS, remote.DomainGetVcpusFlagsRet(num=2))
    server.handle(
        remote.DOMAIN_MANAGED_SAVE_GET_XML_DESC,
        remote.DomainManagedSaveGetXmlDescRet(xml="<domain/>"),
    )
    with open_in_colour(uri, readonly=True) as connection:
        domain = connection.get_domain_by_name("web")
        assert domain.get_xml_description(6) == "<domain/>"
        assert domain.get_vcpus(7) == 2
        assert domain.managed_save_get_xml_description() == "<domain/>"


# Method, what it is given, the error, and how that begins.
BAD: list[tuple[str, tuple[Any, ...], type[UsageError], str]] = [
    ("get_hostname", (-1,), UsageError, "flags: -1 is not within"),
    ("rename", (None,), ArgumentTypeError, "new_name: a text is required, not None"),
    ("rename", ("a\0b",), UsageError, "new_name: a NUL"),
    ("get_metadata", (None,), ArgumentTypeError, "type: a whole number is required"),
    ("get_metadata", ("title",), ArgumentTypeError, "type: expected a whole number, not str"),
    ("get_metadata", (2, 5), ArgumentTypeError, "uri: expected text, not int"),
    ("set_metadata", (0, b"x"), ArgumentTypeError, "value: expected text, not bytes"),
    ("set_metadata", (2, "<a/>", "k\0"), UsageError, "key: a NUL"),
    ("get_messages", (2**32,), UsageError, "flags: 4294967296 is not within"),
    ("get_control_info", ("0",), ArgumentTypeError, "flags: expected a whole number"),
    ("get_disk_errors", (None,), ArgumentTypeError, "flags: a whole number is required"),
    ("set_time", (2**63,), UsageError, "secs: 9223372036854775808 is not within"),
    ("set_time", (0, -1), UsageError, "nsecs: -1 is not within"),
    ("set_time", (0.5,), ArgumentTypeError, "secs: expected a whole number, not float"),
    ("set_autostart", ("yes",), ArgumentTypeError, "autostart: expected True or False, not str"),
    ("set_autostart_once", (2,), UsageError, "autostart: expected True or False, not 2"),
    ("set_lifecycle_action", (-1, 0), UsageError, "type: -1 is not within"),
    ("create_with_files", (None,), ArgumentTypeError, "fds: "),
    ("create_with_files", (["x"],), ArgumentTypeError, r"fds\[0\]: "),
    ("pm_suspend_for_duration", (0, -1), UsageError, "duration_s: -1 is not within"),
    ("send_key", (0, -1, [1]), UsageError, "holdtime_ms: -1 is not within"),
    ("send_key", (0, 1, None), ArgumentTypeError, "keycodes: expected several whole numbers"),
    ("send_key", (0, 1, range(17)), UsageError, "keycodes: more than the 16 allowed"),
    ("send_key", (0, 1, [1, -1]), UsageError, r"keycodes\[1\]: -1 is not within"),
    ("send_process_signal", (2**63, 9), UsageError, "pid: 9223372036854775808 is not within"),
    ("set_user_password", (None, "x"), ArgumentTypeError, "username: a text is required"),
    ("set_user_password", ("root", None), ArgumentTypeError, "password: a text is required"),
    ("save", (None,), ArgumentTypeError, "file: a text is required, not None"),
    ("save", ("",), UsageError, "file: a path is required"),
    ("save", ("/f", 1), ArgumentTypeError, "dxml: expected text, not int"),
    ("save", ("/f", None, "raw"), ArgumentTypeError, "params: expected a mapping"),
    ("save", ("/f", None, {"image_format": 1}), ArgumentTypeError, r"params\['image_format'\]: "),
    ("managed_save_define_xml", (None,), ArgumentTypeError, "xml: a text is required"),
    ("core_dump", ("a\0b",), UsageError, "file: a NUL"),
    ("core_dump_format", ("/f", "raw"), ArgumentTypeError, "format: expected a whole number"),
    ("screenshot", (None,), ArgumentTypeError, "stream: expected a Stream, not NoneType"),
    ("set_max_memory", (-1,), UsageError, "memory_kib: -1 is not within"),
    ("set_memory", (1.5,), ArgumentTypeError, "memory_kib: expected a whole number, not float"),
    ("set_memory", (2**64,), UsageError, "memory_kib: 18446744073709551616 is not within"),
    ("set_memory_stats_period", (2**31,), UsageError, "period_s: 2147483648 is not within"),
    ("memory_peek", (-1, 1), UsageError, "offset: -1 is not within"),
    ("memory_peek", (0, 4194305), UsageError, "size: 4194305 bytes are more"),
    ("set_memory_parameters", (None,), ArgumentTypeError, "params: expected a mapping"),
    ("set_memory_parameters", ({"hard_limit": -1},), UsageError, r"params\['hard_limit'\]: -1"),
    ("set_numa_parameters", ({"numa_mode": "x"},), ArgumentTypeError, r"params\['numa_mode'\]: "),
    ("set_numa_parameters", ({f"p{n}": "" for n in range(17)},), UsageError, "params: more"),
    ("start_dirty_rate_calc", (None,), ArgumentTypeError, "duration_s: a whole number is required"),
    ("set_vcpus", (-1,), UsageError, "count: -1 is not within"),
    ("set_vcpu", ("0-3", True), ArgumentTypeError, "cpumap: expected several CPU numbers"),
    ("set_vcpu", ([0], None), ArgumentTypeError, "state: expected True or False"),
    ("set_guest_vcpus", ([-1], True), UsageError, "cpumap: -1 is no CPU number"),
    ("pin_vcpu", (-1, [0]), UsageError, "vcpu: -1 is not within"),
    ("pin_vcpu", (0, [16384]), UsageError, "mask: 16384 is no CPU number"),
    ("pin_emulator", (None,), ArgumentTypeError, "mask: expected several CPU numbers"),
    ("pin_iothread", (1, b"\1"), ArgumentTypeError, "mask: expected several CPU numbers"),
    ("add_iothread", (2**32,), UsageError, "iothread: 4294967296 is not within"),
    ("set_iothread", (1, {"poll_grow": 2**32}), UsageError, r"params\['poll_grow'\]: "),
    ("set_iothread", (1, {"a" * 80: 1}), UsageError, "params.*: the name is longer than 79"),
    ("get_cpu_stats", (-2,), UsageError, "start_cpu: -2 is neither"),
    ("get_cpu_stats", (0, -1), UsageError, "num_cpus: -1 is not within"),
    ("get_cpu_stats", (-1, 2), UsageError, "num_cpus: the total is one"),
    ("set_perf_events", ({"cmt": 2},), UsageError, r"params\['cmt'\]: expected True or False"),
    ("set_scheduler_parameters", ({"weight": "x"},), ArgumentTypeError, r"params\['weight'\]: "),
    ("get_vcpu_info", (-1,), UsageError, "flags: -1 is not within"),
]


def test_bad_arguments_send_nothing(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        for method, args, kind, words in BAD:
            with pytest.raises(kind, match=f"^{words}") as caught:
                getattr(domain, method)(*args)
            assert isinstance(caught.value, ValueError), method
    assert asked(server) == []


def test_a_stream_of_another_connection_is_refused(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection, open_in_colour(uri) as other:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(UsageError, match=r"^stream: .* another connection"):
            domain.screenshot(other.new_stream())
    assert asked(server) == []


def test_a_refused_password_is_not_shown(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        with pytest.raises(UsageError) as caught:
            domain.set_user_password("root", "hunter2\0")
    assert str(caught.value).startswith("password: ")
    assert "hunter2" not in str(caught.value)
