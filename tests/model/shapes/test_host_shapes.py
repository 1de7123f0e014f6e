"""What the host says of itself, in records and sets."""

from __future__ import annotations

import pytest

from virtproto.model.shapes.host import cpu_map, node_info, security_model
from virtproto.model.shapes.versions import major, micro, minor
from virtproto.records import NodeInfo, NodeSecurityModel
from virtproto.wire import remote


def test_node_info_names_what_it_counts() -> None:
    ret = remote.NodeGetInfoRet(
        model=b"x86_64".ljust(32, b"\0"),
        memory=6514904,
        cpus=8,
        mhz=2596,
        nodes=1,
        sockets=2,
        cores=3,
        threads=4,
    )
    info = node_info(ret)
    assert info == NodeInfo("x86_64", 6514904, 8, 2596, 1, 2, 3, 4)
    assert (info.memory_kib, info.mhz, info.threads) == (6514904, 2596, 4)


def test_a_model_may_fill_its_array() -> None:
    fields = dict.fromkeys(("memory", "cpus", "mhz", "nodes", "sockets", "cores", "threads"), 0)
    assert node_info(remote.NodeGetInfoRet(model=b"m" * 32, **fields)).model == "m" * 32


def test_cpus_that_are_online_come_out_by_number() -> None:
    ret = remote.NodeGetCpuMapRet(cpumap=b"\x15\x02", online=4, ret=12)
    assert cpu_map(ret) == (12, frozenset({0, 2, 4, 9}), 4)


@pytest.mark.parametrize(
    ("model", "doi", "text"),
    [(b"selinux\0", b"0\0", ("selinux", "0")), (b"", b"", ("", "")), (b"dac", b"0", ("dac", "0"))],
)
def test_a_security_model_ends_before_its_nul(
    model: bytes, doi: bytes, text: tuple[str, str]
) -> None:
    found = security_model(remote.NodeGetSecurityModelRet(model=model, doi=doi))
    assert found == NodeSecurityModel(*text)
    assert (found.model, found.doi) == text


@pytest.mark.parametrize(
    ("number", "parts"),
    [(7002022, (7, 2, 22)), (2, (0, 0, 2)), (12999001, (12, 999, 1)), (1000000, (1, 0, 0))],
)
def test_a_version_has_three_parts(number: int, parts: tuple[int, int, int]) -> None:
    ret = remote.ConnectGetVersionRet(hv_ver=number)
    assert (major(ret), minor(ret), micro(ret)) == parts
