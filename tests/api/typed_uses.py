"""Uses of both colours as a program has them, for the type checker: nothing here is ever run.

mypy reads this file with all others. ``assert_type`` fails where the inferred type is another
one, and a ``type: ignore`` fails where the error that it names is not there.
"""

from __future__ import annotations

from typing import Any, assert_type

import virtproto
from virtproto import aio, constants, events, records
from virtproto.aio import events as aio_events
from virtproto.constants import (
    CPUCompareResult,
    DomainGuestInfoTypes,
    DomainInterfaceAddressesSource,
    DomainJobType,
    DomainState,
    NetworkUpdateCommand,
    NetworkUpdateSection,
)
from virtproto.model.typedvalues import ParamValue


def connection_tells(conn: virtproto.Connection) -> None:
    assert_type(conn.get_hostname(), str)
    assert_type(conn.get_library_version(), int)
    assert_type(conn.is_alive(), bool)
    assert_type(conn.get_node_info(), records.NodeInfo)
    assert_type(conn.get_node_info().memory_kib, int)
    assert_type(conn.get_node_cpu_map(), records.NodeCPUMap)
    assert_type(conn.get_node_cpu_stats(), dict[str, int])
    assert_type(conn.list_all_domains(), list[virtproto.Domain])
    assert_type(conn.get_cpu_model_names("x86_64"), list[str])
    assert_type(conn.compare_cpu("<cpu/>"), CPUCompareResult | int)
    assert_type(conn.get_storage_pool_by_name("images"), virtproto.StoragePool)
    assert_type(conn.get_all_domain_stats(), list[records.DomainStats[virtproto.Domain]])
    assert_type(conn.get_domain_by_uuid(bytes(16)), virtproto.Domain)
    conn.get_domain_by_name(None)  # type: ignore[arg-type]
    conn.list_all_domains("active")  # type: ignore[arg-type]


def domain_tells(dom: virtproto.Domain) -> None:
    assert_type(dom.get_name(), str)
    assert_type(dom.get_uuid(), bytes)
    assert_type(dom.get_uuid_string(), str)
    assert_type(dom.is_active(), bool)
    assert_type(dom.get_info(), records.DomainInfo)
    assert_type(dom.get_info().state, constants.DomainState | int)
    assert_type(dom.get_state(), records.DomainStateInfo)
    assert_type(dom.get_state().state, constants.DomainState | int)
    assert_type(dom.get_vcpu_info()[0].state, constants.VcpuState | int | None)
    assert_type(dom.get_vcpu_info(), list[records.VcpuInfo])
    assert_type(dom.get_vcpu_info()[0].affinity, frozenset[int])
    assert_type(dom.get_emulator_pin_info(), frozenset[int])
    assert_type(dom.get_scheduler_parameters(), dict[str, ParamValue])
    assert_type(dom.get_cpu_stats(), list[dict[str, ParamValue]])
    assert_type(dom.get_job_stats(), tuple[DomainJobType | int, dict[str, ParamValue]])
    assert_type(dom.get_block_job_info("vda"), records.BlockJobInfo | None)
    assert_type(dom.get_guest_info(DomainGuestInfoTypes.OS), dict[str, ParamValue])
    source = DomainInterfaceAddressesSource.AGENT
    assert_type(dom.get_interface_addresses(source), list[records.DomainInterface])
    assert_type(dom.get_interface_addresses(1)[0].addresses[0].prefix, int)
    assert_type(dom.memory_peek(0, 16), bytes)
    assert_type(dom.create_snapshot("<domainsnapshot/>"), virtproto.DomainSnapshot)
    assert_type(dom.connection, virtproto.Connection)
    dom.get_info().state = 5  # type: ignore[misc]
    dom.nothing()  # type: ignore[attr-defined]


def domain_changes(dom: virtproto.Domain, far: virtproto.Connection) -> None:
    dom.set_vcpus(2, constants.DomainVcpuFlags.LIVE | constants.DomainVcpuFlags.CONFIG)
    dom.set_vcpus(2, 3)
    dom.pin_vcpu(0, {0, 1})
    dom.pin_vcpu(0, range(4))
    dom.set_scheduler_parameters({"cpu_shares": 1024})
    assert_type(dom.migrate(far, {"bandwidth": 100}, flags=1), virtproto.Domain)
    dom.migrate(far, {"migrate_disks": ["vda", "vdb"], "bandwidth": 100})
    dom.migrate(far, dom.get_scheduler_parameters())
    dom.migrate(far, {"migrate_disks": [1]})  # type: ignore[list-item]
    dom.set_vcpus("2")  # type: ignore[arg-type]
    dom.set_scheduler_parameters({"cpu_shares": None})  # type: ignore[dict-item]
    dom.migrate("qemu+ssh://far/system")  # type: ignore[arg-type]


def others_tell(
    net: virtproto.Network, vol: virtproto.StorageVol, secret: virtproto.Secret
) -> None:
    assert_type(net.get_dhcp_leases(), list[records.NetworkDHCPLease])
    assert_type(net.list_all_ports(), list[virtproto.NetworkPort])
    net.update(NetworkUpdateCommand.ADD_LAST, NetworkUpdateSection.DNS_HOST, -1, "<host/>")
    assert_type(vol.get_info(), records.StorageVolInfo)
    assert_type(vol.get_info().capacity_bytes, int)
    assert_type(secret.get_value(), bytes)
    secret.set_value("text")  # type: ignore[arg-type]


def events_tell(
    lifecycle: events.DomainLifecycle,
    graphics: events.DomainGraphics,
    tunable: events.DomainTunable,
    gap: events.Gap,
) -> None:
    assert_type(lifecycle.domain, virtproto.Domain)
    assert_type(lifecycle.domain.get_state(), records.DomainStateInfo)
    assert_type(lifecycle.event, constants.DomainEventType | int)
    assert_type(graphics.local, records.GraphicsAddress)
    assert_type(graphics.subject, list[records.GraphicsIdentity])
    assert_type(tunable.parameters, dict[str, ParamValue])
    assert_type(gap.lasted_s, float)
    assert_type(virtproto.events.NetworkLifecycle._fields, tuple[str, str, str])
    lifecycle.event = 5  # type: ignore[misc]
    lifecycle.network  # type: ignore[attr-defined]  # noqa: B018


async def asynchronous_events_tell(
    lifecycle: aio_events.DomainLifecycle,
    pool: aio_events.StoragePoolRefresh,
    device: aio_events.NodeDeviceUpdate,
    secret: aio_events.SecretValueChanged,
    monitor: aio_events.QemuMonitorEvent,
    gap: aio_events.Gap,
) -> None:
    assert_type(lifecycle.domain, aio.Domain)
    assert_type(await lifecycle.domain.get_state(), records.DomainStateInfo)
    assert_type(pool.pool, aio.StoragePool)
    assert_type(device.device, aio.NodeDevice)
    assert_type(secret.secret, aio.Secret)
    assert_type(monitor.details, str | None)
    assert_type(gap.reason, constants.ConnectCloseReason | int)


def errors_tell() -> None:
    try:
        virtproto.open()
    except virtproto.NoDomainError as error:
        assert_type(error.code, int)
        assert_type(error.message, str | None)
    except virtproto.LibvirtError as error:
        assert_type(error.int1, int)


async def asynchronous_connection_tells(conn: aio.Connection) -> None:
    assert_type(await conn.get_hostname(), str)
    assert_type(await conn.get_node_info(), records.NodeInfo)
    assert_type(await conn.list_all_domains(), list[aio.Domain])
    assert_type(await conn.compare_cpu("<cpu/>"), CPUCompareResult | int)
    assert_type(await conn.get_all_domain_stats(), list[records.DomainStats[aio.Domain]])
    assert_type(await conn.get_storage_pool_by_name("images"), aio.StoragePool)
    assert_type(conn.is_alive(), bool)
    assert_type(await (await conn.get_domain_by_name("web")).get_info(), records.DomainInfo)


async def asynchronous_domain_tells(dom: aio.Domain, far: aio.Connection) -> None:
    assert_type(dom.get_name(), str)
    assert_type(await dom.is_active(), bool)
    assert_type(await dom.get_info(), records.DomainInfo)
    assert_type((await dom.get_info()).state, DomainState | int)
    assert_type(await dom.get_vcpu_info(), list[records.VcpuInfo])
    assert_type(await dom.get_scheduler_parameters(), dict[str, ParamValue])
    assert_type(await dom.create_snapshot("<domainsnapshot/>"), aio.DomainSnapshot)
    assert_type(await dom.migrate(far, flags=1), aio.Domain)
    assert_type(dom.connection, aio.Connection)


async def fleet_tells(fleet: aio.Fleet) -> None:
    async def names(conn: aio.Connection) -> list[str]:
        return [domain.get_name() for domain in await conn.list_all_domains()]

    assert_type(await fleet.run(names), list[aio.Outcome[list[str]]])
    assert_type((await fleet.run(names))[0].result(), list[str])
    async for outcome in fleet.each(aio.Connection.get_hostname, timeout_s=3.0):
        assert_type(outcome, aio.Outcome[str])
        assert_type(outcome.value, str | None)
        assert_type(outcome.uri, str)
    async for found in fleet.each(lambda conn: conn.list_all_domains()):
        print(found.uri, found.error or len(found.result()))
        print(found.uri, found.error or len(found.value))  # type: ignore[arg-type]
    assert_type(await fleet.run(lambda conn: conn.get_version()), list[aio.Outcome[int]])
    assert_type(fleet.connections, dict[str, aio.Connection])
    await fleet.run(len)  # type: ignore[arg-type]
    aio.Fleet(["test:///default"], readonly=True, call_timeout_s=5)
    aio.Fleet(["test:///default"], read_only=True)  # type: ignore[call-arg]


async def opened() -> None:
    assert_type(await aio.open("test:///default"), aio.Connection)
    async with aio.open() as conn:
        assert_type(conn, aio.Connection)
    await aio.open(call_timeout_s="5")  # type: ignore[arg-type]
    with virtproto.open(call_timeout_s=5.0) as blocking:
        assert_type(blocking, virtproto.Connection)


def iterators_give(conn: virtproto.Connection) -> None:
    life, reboot = events.DomainLifecycle, events.DomainReboot
    for one in conn.events(life):
        assert_type(one, events.DomainLifecycle)
        assert_type(one.domain, virtproto.Domain)
        assert_type(one.event, constants.DomainEventType | int)
    for either in conn.events(life, reboot, about=conn.get_domain_by_name("web"), limit=5):
        assert_type(either, events.DomainLifecycle | events.DomainReboot)
    for each in conn.events(life, reboot, events.NetworkLifecycle, events.Gap, overflow="block"):
        assert_type(
            each,
            events.DomainLifecycle | events.DomainReboot | events.NetworkLifecycle | events.Gap,
        )
    with conn.qemu_monitor_events() as heard:
        assert_type(heard.next(timeout_s=1.0), events.QemuMonitorEvent)
        assert_type(heard.dropped, int)
    kinds: list[type] = [life, reboot]
    assert_type(next(conn.events(*kinds)), Any)
    conn.events(5)  # type: ignore[call-overload]
    conn.events(int)  # type: ignore[type-var]
    conn.events(aio_events.DomainLifecycle)  # type: ignore[type-var]
    conn.events(life, aio_events.DomainReboot)  # type: ignore[type-var]
    conn.events(life, life, life, life, aio_events.DomainReboot)  # type: ignore[arg-type]
    conn.events(life, limits=5)  # type: ignore[call-overload]


async def asynchronous_iterators_give(conn: aio.Connection) -> None:
    async for one in conn.events(aio_events.DomainLifecycle):
        assert_type(one, aio_events.DomainLifecycle)
        assert_type(one.domain, aio.Domain)
    async with conn.events(aio_events.DomainLifecycle, aio_events.SecretLifecycle) as heard:
        assert_type(await heard.next(), aio_events.DomainLifecycle | aio_events.SecretLifecycle)
    conn.events(events.DomainLifecycle)  # type: ignore[type-var]
    conn.events(aio_events.DomainReboot, events.DomainLifecycle)  # type: ignore[type-var]
    conn.events(aio_events.DomainReboot, aio_events.Gap, events.Gap, about=[])
