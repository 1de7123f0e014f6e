"""A domain's state, life, memory and CPUs in both colours: what is sent, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.colours.asking import WEB, asked
from tests.colours.driving import Open
from virtproto.constants import DomainControlState, DomainModificationImpact
from virtproto.records import (
    DomainControlInfo,
    DomainTime,
    GuestVcpus,
    IOThreadInfo,
)
from virtproto.testing import ScriptedServer
from virtproto.wire import remote
from virtproto.xdr.message import Message
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import BOOLEAN, LLONG, STRING, ULLONG, TypedParams


def typed(*items: Any) -> TypedParams:
    return TypedParams.from_items(items)


# Method, its arguments, the procedure, the message sent; all return nothing.
SENT: list[tuple[str, tuple[Any, ...], Procedure[Any, Any], Message]] = [
    (
        "set_metadata",
        (2, "<a/>", "k", "urn:x", 2),
        remote.DOMAIN_SET_METADATA,
        remote.DomainSetMetadataArgs(
            dom=WEB, type=2, metadata="<a/>", key="k", uri="urn:x", flags=2
        ),
    ),
    (
        "set_metadata",
        (0, None),
        remote.DOMAIN_SET_METADATA,
        remote.DomainSetMetadataArgs(dom=WEB, type=0, metadata=None, key=None, uri=None, flags=0),
    ),
    (
        "set_time",
        (-5, 6, 1),
        remote.DOMAIN_SET_TIME,
        remote.DomainSetTimeArgs(dom=WEB, seconds=-5, nseconds=6, flags=1),
    ),
    (
        "set_autostart",
        (True,),
        remote.DOMAIN_SET_AUTOSTART,
        remote.DomainSetAutostartArgs(dom=WEB, autostart=1),
    ),
    (
        "set_autostart_once",
        (False,),
        remote.DOMAIN_SET_AUTOSTART_ONCE,
        remote.DomainSetAutostartOnceArgs(dom=WEB, autostart=0),
    ),
    (
        "set_lifecycle_action",
        (2, 1, DomainModificationImpact.LIVE | DomainModificationImpact.CONFIG),
        remote.DOMAIN_SET_LIFECYCLE_ACTION,
        remote.DomainSetLifecycleActionArgs(dom=WEB, type=2, action=1, flags=3),
    ),
    ("suspend", (), remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=WEB)),
    ("resume", (), remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=WEB)),
    ("pm_wakeup", (), remote.DOMAIN_PM_WAKEUP, remote.DomainPmWakeupArgs(dom=WEB, flags=0)),
    (
        "pm_suspend_for_duration",
        (1, 60),
        remote.DOMAIN_PM_SUSPEND_FOR_DURATION,
        remote.DomainPmSuspendForDurationArgs(dom=WEB, target=1, duration=60, flags=0),
    ),
    ("shutdown", (), remote.DOMAIN_SHUTDOWN, remote.DomainShutdownArgs(dom=WEB)),
    (
        "shutdown",
        (2,),
        remote.DOMAIN_SHUTDOWN_FLAGS,
        remote.DomainShutdownFlagsArgs(dom=WEB, flags=2),
    ),
    ("reboot", (1,), remote.DOMAIN_REBOOT, remote.DomainRebootArgs(dom=WEB, flags=1)),
    ("reset", (), remote.DOMAIN_RESET, remote.DomainResetArgs(dom=WEB, flags=0)),
    ("inject_nmi", (), remote.DOMAIN_INJECT_NMI, remote.DomainInjectNmiArgs(dom=WEB, flags=0)),
    (
        "send_key",
        (0, 50, (29, 56, 111)),
        remote.DOMAIN_SEND_KEY,
        remote.DomainSendKeyArgs(dom=WEB, codeset=0, holdtime=50, keycodes=[29, 56, 111], flags=0),
    ),
    (
        "send_process_signal",
        (-1, 15),
        remote.DOMAIN_SEND_PROCESS_SIGNAL,
        remote.DomainSendProcessSignalArgs(dom=WEB, pid_value=-1, signum=15, flags=0),
    ),
    (
        "set_user_password",
        ("root", "hunter2", 1),
        remote.DOMAIN_SET_USER_PASSWORD,
        remote.DomainSetUserPasswordArgs(dom=WEB, user="root", password="hunter2", flags=1),
    ),
    (
        "managed_save_remove",
        (),
        remote.DOMAIN_MANAGED_SAVE_REMOVE,
        remote.DomainManagedSaveRemoveArgs(dom=WEB, flags=0),
    ),
    (
        "managed_save_define_xml",
        ("<domain/>", 2),
        remote.DOMAIN_MANAGED_SAVE_DEFINE_XML,
        remote.DomainManagedSaveDefineXmlArgs(dom=WEB, dxml="<domain/>", flags=2),
    ),
    (
        "core_dump",
        ("/a/../b//c", 16),
        remote.DOMAIN_CORE_DUMP,
        remote.DomainCoreDumpArgs(dom=WEB, to="/b/c", flags=16),
    ),
    (
        "core_dump_format",
        ("/c", 1, 16),
        remote.DOMAIN_CORE_DUMP_WITH_FORMAT,
        remote.DomainCoreDumpWithFormatArgs(dom=WEB, to="/c", dumpformat=1, flags=16),
    ),
    (
        "set_max_memory",
        (1 << 40,),
        remote.DOMAIN_SET_MAX_MEMORY,
        remote.DomainSetMaxMemoryArgs(dom=WEB, memory=1 << 40),
    ),
    ("set_memory", (4096,), remote.DOMAIN_SET_MEMORY, remote.DomainSetMemoryArgs(WEB, 4096)),
    (
        "set_memory",
        (4096, 2),
        remote.DOMAIN_SET_MEMORY_FLAGS,
        remote.DomainSetMemoryFlagsArgs(dom=WEB, memory=4096, flags=2),
    ),
    (
        "set_memory_stats_period",
        (5, 1),
        remote.DOMAIN_SET_MEMORY_STATS_PERIOD,
        remote.DomainSetMemoryStatsPeriodArgs(dom=WEB, period=5, flags=1),
    ),
    (
        "start_dirty_rate_calc",
        (1,),
        remote.DOMAIN_START_DIRTY_RATE_CALC,
        remote.DomainStartDirtyRateCalcArgs(dom=WEB, seconds=1, flags=0),
    ),
    (
        "set_memory_parameters",
        ({"hard_limit": 1}, 2),
        remote.DOMAIN_SET_MEMORY_PARAMETERS,
        remote.DomainSetMemoryParametersArgs(
            dom=WEB, params=typed(("hard_limit", ULLONG, 1)), flags=2
        ),
    ),
    (
        "set_numa_parameters",
        ({"numa_nodeset": "0-1"},),
        remote.DOMAIN_SET_NUMA_PARAMETERS,
        remote.DomainSetNumaParametersArgs(
            dom=WEB, params=typed(("numa_nodeset", STRING, "0-1")), flags=0
        ),
    ),
    ("set_vcpus", (3,), remote.DOMAIN_SET_VCPUS, remote.DomainSetVcpusArgs(dom=WEB, nvcpus=3)),
    (
        "set_vcpus",
        (3, 2),
        remote.DOMAIN_SET_VCPUS_FLAGS,
        remote.DomainSetVcpusFlagsArgs(dom=WEB, nvcpus=3, flags=2),
    ),
    (
        "set_vcpu",
        ({2, 3, 5}, True, 1),
        remote.DOMAIN_SET_VCPU,
        remote.DomainSetVcpuArgs(dom=WEB, cpumap="2-3,5", state=1, flags=1),
    ),
    (
        "set_guest_vcpus",
        ([False, True], False),
        remote.DOMAIN_SET_GUEST_VCPUS,
        remote.DomainSetGuestVcpusArgs(dom=WEB, cpumap="1", state=0, flags=0),
    ),
    (
        "pin_vcpu",
        (1, range(3)),
        remote.DOMAIN_PIN_VCPU,
        remote.DomainPinVcpuArgs(dom=WEB, vcpu=1, cpumap=b"\7"),
    ),
    (
        "pin_vcpu",
        (1, [9], 2),
        remote.DOMAIN_PIN_VCPU_FLAGS,
        remote.DomainPinVcpuFlagsArgs(dom=WEB, vcpu=1, cpumap=b"\0\2", flags=2),
    ),
    (
        "pin_emulator",
        ([0],),
        remote.DOMAIN_PIN_EMULATOR,
        remote.DomainPinEmulatorArgs(dom=WEB, cpumap=b"\1", flags=0),
    ),
    (
        "pin_iothread",
        (1, [0], 1),
        remote.DOMAIN_PIN_IOTHREAD,
        remote.DomainPinIothreadArgs(dom=WEB, iothreads_id=1, cpumap=b"\1", flags=1),
    ),
    (
        "add_iothread",
        (2,),
        remote.DOMAIN_ADD_IOTHREAD,
        remote.DomainAddIothreadArgs(dom=WEB, iothread_id=2, flags=0),
    ),
    (
        "del_iothread",
        (2, 2),
        remote.DOMAIN_DEL_IOTHREAD,
        remote.DomainDelIothreadArgs(dom=WEB, iothread_id=2, flags=2),
    ),
    (
        "set_iothread",
        (2, {"poll_max_ns": 9}, 1),
        remote.DOMAIN_SET_IOTHREAD_PARAMS,
        remote.DomainSetIothreadParamsArgs(
            dom=WEB, iothread_id=2, params=typed(("poll_max_ns", ULLONG, 9)), flags=1
        ),
    ),
    (
        "set_perf_events",
        ({"cmt": True},),
        remote.DOMAIN_SET_PERF_EVENTS,
        remote.DomainSetPerfEventsArgs(dom=WEB, params=typed(("cmt", BOOLEAN, 1)), flags=0),
    ),
    (
        "set_scheduler_parameters",
        ({"vcpu_quota": -1},),
        remote.DOMAIN_SET_SCHEDULER_PARAMETERS,
        remote.DomainSetSchedulerParametersArgs(dom=WEB, params=typed(("vcpu_quota", LLONG, -1))),
    ),
]


@pytest.mark.parametrize(
    ("method", "args", "procedure", "message"), SENT, ids=[one[0] for one in SENT]
)
def test_what_is_sent(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    method: str,
    args: tuple[Any, ...],
    procedure: Procedure[Any, Any],
    message: Message,
) -> None:
    server.handle(procedure, b"")
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        assert getattr(domain, method)(*args) is None
        assert domain.get_id() == 7
    assert asked(server) == [(procedure.number, message.pack())]


# Method, its arguments, the procedure, the reply, the result.
TOLD: list[tuple[str, tuple[Any, ...], Procedure[Any, Any], Message, Any]] = [
    (
        "get_hostname",
        (2,),
        remote.DOMAIN_GET_HOSTNAME,
        remote.DomainGetHostnameRet(hostname="web.lan"),
        "web.lan",
    ),
    ("get_os_type", (), remote.DOMAIN_GET_OS_TYPE, remote.DomainGetOsTypeRet(type="hvm"), "hvm"),
    (
        "get_metadata",
        (2, "urn:x", 1),
        remote.DOMAIN_GET_METADATA,
        remote.DomainGetMetadataRet(metadata="<a/>"),
        "<a/>",
    ),
    (
        "get_messages",
        (1,),
        remote.DOMAIN_GET_MESSAGES,
        remote.DomainGetMessagesRet(msgs=["tainted"]),
        ["tainted"],
    ),
    ("is_updated", (), remote.DOMAIN_IS_UPDATED, remote.DomainIsUpdatedRet(updated=1), True),
    (
        "get_control_info",
        (),
        remote.DOMAIN_GET_CONTROL_INFO,
        remote.DomainGetControlInfoRet(state=2, details=0, stateTime=9),
        DomainControlInfo(DomainControlState.OCCUPIED, 0, 9),
    ),
    (
        "get_time",
        (),
        remote.DOMAIN_GET_TIME,
        remote.DomainGetTimeRet(seconds=5, nseconds=6),
        DomainTime(5, 6),
    ),
    (
        "get_autostart",
        (),
        remote.DOMAIN_GET_AUTOSTART,
        remote.DomainGetAutostartRet(autostart=0),
        False,
    ),
    (
        "get_autostart_once",
        (),
        remote.DOMAIN_GET_AUTOSTART_ONCE,
        remote.DomainGetAutostartOnceRet(autostart=1),
        True,
    ),
    (
        "has_managed_save_image",
        (),
        remote.DOMAIN_HAS_MANAGED_SAVE_IMAGE,
        remote.DomainHasManagedSaveImageRet(result=1),
        True,
    ),
    (
        "managed_save_get_xml_description",
        (1,),
        remote.DOMAIN_MANAGED_SAVE_GET_XML_DESC,
        remote.DomainManagedSaveGetXmlDescRet(xml="<domain/>"),
        "<domain/>",
    ),
    (
        "get_max_memory",
        (),
        remote.DOMAIN_GET_MAX_MEMORY,
        remote.DomainGetMaxMemoryRet(memory=1 << 40),
        1 << 40,
    ),
    (
        "memory_stats",
        (),
        remote.DOMAIN_MEMORY_STATS,
        remote.DomainMemoryStatsRet(stats=[remote.DomainMemoryStat(tag=7, val=5)]),
        {"rss": 5},
    ),
    (
        "memory_peek",
        (4096, 2),
        remote.DOMAIN_MEMORY_PEEK,
        remote.DomainMemoryPeekRet(buffer=b"ab"),
        b"ab",
    ),
    ("get_max_vcpus", (), remote.DOMAIN_GET_MAX_VCPUS, remote.DomainGetMaxVcpusRet(num=4), 4),
    ("get_vcpus", (8,), remote.DOMAIN_GET_VCPUS_FLAGS, remote.DomainGetVcpusFlagsRet(num=2), 2),
    (
        "get_guest_vcpus",
        (),
        remote.DOMAIN_GET_GUEST_VCPUS,
        remote.DomainGetGuestVcpusRet(params=typed(("vcpus", STRING, "0-1"))),
        GuestVcpus(frozenset({0, 1}), frozenset(), frozenset()),
    ),
    (
        "get_iothread_info",
        (2,),
        remote.DOMAIN_GET_IOTHREAD_INFO,
        remote.DomainGetIothreadInfoRet(
            info=[remote.DomainIothreadInfo(iothread_id=1, cpumap=b"\5")], ret=1
        ),
        [IOThreadInfo(1, frozenset({0, 2}))],
    ),
    (
        "get_perf_events",
        (),
        remote.DOMAIN_GET_PERF_EVENTS,
        remote.DomainGetPerfEventsRet(params=typed(("cmt", BOOLEAN, 1))),
        {"cmt": True},
    ),
    (
        "get_scheduler_type",
        (),
        remote.DOMAIN_GET_SCHEDULER_TYPE,
        remote.DomainGetSchedulerTypeRet(type="posix", nparams=9),
        "posix",
    ),
]


@pytest.mark.parametrize(
    ("method", "args", "procedure", "reply", "result"), TOLD, ids=[one[0] for one in TOLD]
)
def test_what_is_told(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    method: str,
    args: tuple[Any, ...],
    procedure: Procedure[Any, Any],
    reply: Message,
    result: Any,
) -> None:
    server.handle(procedure, reply)
    with open_in_colour(uri) as connection:
        told = getattr(connection.get_domain_by_name("web"), method)(*args)
    assert told == result
    assert type(told) is type(result)
    [(number, payload)] = asked(server)
    assert number == procedure.number
    assert payload.startswith(WEB.pack())
