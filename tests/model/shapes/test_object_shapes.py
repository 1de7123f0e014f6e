"""What networks, pools, volumes and the administration answer, as records."""

from __future__ import annotations

from virtproto import constants
from virtproto.model.shapes.admin import logging_filters
from virtproto.model.shapes.network import dhcp_leases
from virtproto.model.shapes.storage import pool_info, vol_info
from virtproto.records import NetworkDHCPLease, StoragePoolInfo, StorageVolInfo
from virtproto.wire import admin
from virtproto.wire import remote as wire
from virtproto.wire.remote.types import NetworkDhcpLease


def test_leases_keep_what_the_borrower_did_not_say_apart() -> None:
    told = NetworkDhcpLease(
        "virbr0", 1700000000, 0, "52:54:00:00:00:01", None, "10.0.0.2", 24, *"hc"
    )
    silent = NetworkDhcpLease("virbr0", 0, 7, None, "12", "fe80::2", 64, None, None)
    ret = wire.NetworkGetDhcpLeasesRet(leases=[told, silent], ret=2)
    first, second = dhcp_leases(ret)
    assert first == NetworkDHCPLease(
        interface="virbr0",
        expiry_time_s=1700000000,
        type=constants.IPAddrType.IPV4,
        mac="52:54:00:00:00:01",
        iaid=None,
        address="10.0.0.2",
        prefix=24,
        hostname="h",
        client_id="c",
    )
    assert first.type is constants.IPAddrType.IPV4
    assert (second.mac, second.hostname, second.client_id) == (None, None, None)
    assert (second.type, type(second.type)) == (7, int)
    assert (second.iaid, second.prefix, second.address) == ("12", 64, "fe80::2")


def test_pools_and_volumes_have_named_states() -> None:
    pool = wire.StoragePoolGetInfoRet(state=2, capacity=30, allocation=10, available=20)
    assert pool_info(pool) == StoragePoolInfo(constants.StoragePoolState.RUNNING, 30, 10, 20)
    assert pool_info(pool).state is constants.StoragePoolState.RUNNING
    for kind in (wire.StorageVolGetInfoRet, wire.StorageVolGetInfoFlagsRet):
        info = vol_info(kind(type=1, capacity=5, allocation=4))
        assert info == StorageVolInfo(constants.StorageVolType.BLOCK, 5, 4)
        assert info.type is constants.StorageVolType.BLOCK


def test_states_of_a_newer_daemon_stay_numbers() -> None:
    pool = wire.StoragePoolGetInfoRet(state=99, capacity=0, allocation=0, available=0)
    assert pool_info(pool).state == 99
    assert type(pool_info(pool).state) is int


def test_no_filters_are_no_text() -> None:
    none = admin.ConnectGetLoggingFiltersRet(filters=None, nfilters=0)
    assert logging_filters(none) == ""
    one = admin.ConnectGetLoggingFiltersRet(filters="1:qemu", nfilters=1)
    assert logging_filters(one) == "1:qemu"
