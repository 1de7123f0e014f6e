"""Conversations of a domain in both colours, and what its handle remembers of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.colours.asking import WEB, asked
from tests.colours.driving import Open
from virtproto.records import DomainDiskError, VcpuInfo
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import STRING, ULLONG, TypedParams

STOPPED = NonnullDomain(name="web", uuid=bytes(range(16)), id=-1)


def typed(*items: Any) -> TypedParams:
    return TypedParams.from_items(items)


def test_recipes_go_through_both_colours(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    node = remote.NodeGetInfoRet(
        model=bytes(32), memory=1, cpus=2, mhz=1, nodes=1, sockets=1, cores=2, threads=1
    )
    info = remote.DomainGetInfoRet(state=5, maxMem=1, memory=1, nrVirtCpu=1, cpuTime=0)
    pinned = remote.DomainGetVcpuPinInfoRet(cpumaps=b"\3", num=1)
    emulator = remote.DomainGetEmulatorPinInfoRet(cpumaps=b"\2", ret=1)
    bad = [remote.DomainDiskError(disk="vda", error=1)]
    server.handle(remote.NODE_GET_INFO, node)
    server.handle(remote.DOMAIN_GET_INFO, info)
    server.handle(remote.DOMAIN_GET_VCPUS, ReplyError("not running", code=55))
    server.handle(remote.DOMAIN_GET_VCPU_PIN_INFO, pinned)
    server.handle(remote.DOMAIN_GET_EMULATOR_PIN_INFO, emulator)
    server.handle(
        remote.DOMAIN_GET_DISK_ERRORS, remote.DomainGetDiskErrorsRet(errors=bad, nerrors=1)
    )
    server.handle(
        remote.DOMAIN_GET_CPU_STATS,
        remote.DomainGetCpuStatsRet(params=typed(("cpu_time", ULLONG, 5)), nparams=1),
    )
    server.handle(
        remote.DOMAIN_GET_NUMA_PARAMETERS,
        remote.DomainGetNumaParametersRet(params=typed(("numa_nodeset", STRING, "0")), nparams=1),
    )
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        assert domain.get_vcpu_info() == [VcpuInfo(0, None, None, None, frozenset({0, 1}))]
        assert domain.get_emulator_pin_info() == frozenset({1})
        assert domain.get_disk_errors() == [DomainDiskError("vda", 1)]
        assert domain.get_cpu_stats() == [{"cpu_time": 5}]
        assert domain.get_numa_parameters() == {"numa_nodeset": "0"}


@pytest.mark.parametrize(
    ("method", "args", "procedure"),
    [
        ("save", ("/f",), remote.DOMAIN_SAVE),
        ("save", ("/f", None, None, 4), remote.DOMAIN_SAVE_FLAGS),
        ("save", ("/f", None, {"image_format": "raw"}), remote.DOMAIN_SAVE_PARAMS),
        ("managed_save", (), remote.DOMAIN_MANAGED_SAVE),
    ],
)
def test_a_saved_domain_has_stopped(
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    method: str,
    args: tuple[Any, ...],
    procedure: Procedure[Any, Any],
) -> None:
    server.handle(procedure, b"")
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        getattr(domain, method)(*args)
        assert domain.get_id() == -1
    assert [number for number, _ in asked(server)] == [procedure.number]


def test_a_renamed_domain_is_known_by_its_new_name(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_RENAME, remote.DomainRenameRet(retcode=0))
    server.handle(remote.DOMAIN_IS_ACTIVE, remote.DomainIsActiveRet(active=0))
    renamed = NonnullDomain(name="shop", uuid=WEB.uuid, id=7)
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("web")
        domain.rename("shop")
        assert domain.get_name() == "shop"
        domain.is_active()
    assert asked(server)[1] == (remote.DOMAIN_IS_ACTIVE.number, renamed.pack())


def test_started_with_files_it_learns_its_id(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=STOPPED))
    server.handle(remote.DOMAIN_CREATE_WITH_FILES, remote.DomainCreateWithFilesRet(dom=WEB))
    with open_in_colour(uri) as connection, Path("/dev/null").open() as null:
        domain = connection.get_domain_by_name("web")
        domain.create_with_files([null, null.fileno()], 1)
        assert domain.get_id() == 7
    assert len(server.fds_received) == 2
