"""``virtproto call`` with objects by name, against libvirtd 9.0.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon
from virtproto.cli.calling import print_call
from virtproto.errors import (
    LibvirtError,
    NoDomainError,
    NoDomainSnapshotError,
    NoInterfaceError,
    NoNetworkError,
    NoNWFilterError,
    NoStoragePoolError,
    NoStorageVolError,
    UsageError,
)

pytestmark = pytest.mark.lab

VOLUME = "<volume><name>disk.img</name><capacity>1048576</capacity></volume>"
SECRET = """\
<secret ephemeral='yes' private='no'>
<usage type='{kind}'><{inner}>{use}</{inner}></usage></secret>"""
FILTER = "<filter name='calls-filter' chain='root'/>"


@pytest.fixture(scope="module")
def test_uri(libvirtd: PrivateDaemon) -> Iterator[str]:
    """The test driver, with a snapshot and a checkpoint of its domain, and a volume."""
    uri = libvirtd.uri("test:///default")
    with virtproto.open(uri) as connection:
        domain = connection.get_domain_by_name("test")
        domain.create_snapshot("<domainsnapshot><name>first</name></domainsnapshot>")
        pool = connection.get_storage_pool_by_name("default-pool")
        volume = pool.create_volume(VOLUME)
        yield uri
        domain.get_snapshot_by_name("first").delete()
        volume.delete()


@pytest.fixture(scope="module")
def qemu_uri(libvirtd: PrivateDaemon) -> Iterator[str]:
    """The QEMU driver, with secrets and a network filter."""
    uri = libvirtd.uri("qemu:///system")
    with virtproto.open(uri) as connection:
        made = [
            connection.define_secret(SECRET.format(kind=kind, inner=inner, use=use))
            for kind, inner, use in (("ceph", "name", "calls"), ("volume", "volume", "/calls/v"))
        ]
        filter_ = connection.define_nwfilter(FILTER)
        yield uri
        filter_.undefine()
        for secret in made:
            secret.undefine()


def called(capsys: pytest.CaptureFixture[str], uri: str, proc: str, *words: str) -> Any:
    capsys.readouterr()
    print_call(uri, proc, words)
    said = capsys.readouterr().out
    return json.loads(said) if said else None


def refusal(uri: str, proc: str, word: str, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        print_call(uri, proc, (word,))
    return str(caught.value)


def test_a_domain_has_three_names(capsys: pytest.CaptureFixture[str], test_uri: str) -> None:
    uuid = called(capsys, test_uri, "DOMAIN_LOOKUP_BY_NAME", "name=test")["dom"]["uuid"]
    for name in ("test", uuid, "1"):
        assert called(capsys, test_uri, "DOMAIN_GET_STATE", f"dom={name}")["state"] == 1
    xml = called(capsys, test_uri, "DOMAIN_GET_XML_DESC", "dom=test", "flags=INACTIVE|SECURE")
    assert xml["xml"].startswith("<domain")


@pytest.mark.parametrize(
    ("proc", "word", "expected"),
    [
        ("NETWORK_IS_ACTIVE", "net=default", {"active": 1}),
        ("STORAGE_POOL_IS_ACTIVE", "pool=default-pool", {"active": 1}),
        ("INTERFACE_IS_ACTIVE", "iface=eth1", {"active": 1}),
        ("INTERFACE_IS_ACTIVE", "iface=aa:bb:cc:dd:ee:ff", {"active": 1}),
        ("NODE_DEVICE_NUM_OF_CAPS", "name=computer", {"num": 1}),
        ("STORAGE_VOL_GET_PATH", "vol=default-pool/disk.img", {"name": "/default-pool/disk.img"}),
        ("STORAGE_VOL_GET_PATH", "vol=/default-pool/disk.img", {"name": "/default-pool/disk.img"}),
        ("DOMAIN_SNAPSHOT_IS_CURRENT", "snap=test/first", {"current": 1}),
        ("DOMAIN_SNAPSHOT_NUM_CHILDREN", "snap=1/first", {"num": 0}),
    ],
)
def test_objects_by_name(
    capsys: pytest.CaptureFixture[str], test_uri: str, proc: str, word: str, expected: object
) -> None:
    assert called(capsys, test_uri, proc, word) == expected


@pytest.mark.parametrize(
    ("proc", "word", "kind", "said"),
    [
        ("DOMAIN_GET_STATE", "dom=tset", NoDomainError, "dom: there is no domain tset; did you "),
        ("NETWORK_IS_ACTIVE", "net=defalt", NoNetworkError,
         "net: there is no network defalt; did you mean default?"),
        ("STORAGE_POOL_IS_ACTIVE", "pool=default-pol", NoStoragePoolError,
         "pool: there is no storage pool default-pol; did you mean default-pool?"),
        ("INTERFACE_IS_ACTIVE", "iface=eth2", NoInterfaceError,
         "iface: there is no interface eth2; did you mean eth1?"),
        ("STORAGE_VOL_GET_PATH", "vol=default-pool/disk.im", NoStorageVolError,
         "vol: pool default-pool has no volume disk.im; did you mean disk.img?"),
        ("STORAGE_VOL_GET_PATH", "vol=nothing", UsageError,
         "vol: there is no storage volume nothing; it is written as POOL/VOLUME"),
        ("DOMAIN_SNAPSHOT_NUM_CHILDREN", "snap=test/firts", NoDomainSnapshotError,
         "snap: domain test has no snapshot firts; did you mean first?"),
        ("DOMAIN_SNAPSHOT_NUM_CHILDREN", "snap=first", UsageError,
         "snap: it is written as DOMAIN/SNAPSHOT"),
        ("DOMAIN_SNAPSHOT_NUM_CHILDREN", "snap=tset/first", NoDomainError,
         "snap: there is no domain tset; did you mean test?"),
        ("DOMAIN_CHECKPOINT_GET_XML_DESC", "checkpoint=test/x", LibvirtError, "checkpoint: "),
        ("NETWORK_PORT_GET_XML_DESC", "port=default", UsageError,
         "port: it is written as NETWORK/UUID"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_with_the_argument(
    test_uri: str, proc: str, word: str, kind: type[Exception], said: str
) -> None:
    assert refusal(test_uri, proc, word, kind).startswith(said)


def test_a_list_is_asked_for_as_a_whole(capsys: pytest.CaptureFixture[str], test_uri: str) -> None:
    found = called(capsys, test_uri, "CONNECT_LIST_ALL_DOMAINS", "flags=active")
    assert [each["name"] for each in found["domains"]] == ["test"]


def test_typed_parameters_reach_the_driver(
    capsys: pytest.CaptureFixture[str], test_uri: str
) -> None:
    words = ("dom=test", "params.weight=60")
    assert called(capsys, test_uri, "DOMAIN_SET_SCHEDULER_PARAMETERS", *words) is None


def test_secrets_by_what_they_are_for(capsys: pytest.CaptureFixture[str], qemu_uri: str) -> None:
    called(capsys, qemu_uri, "SECRET_SET_VALUE", "secret=calls", "value=c0ffee")
    uuid = called(
        capsys, qemu_uri, "SECRET_LOOKUP_BY_USAGE", "usageType=CEPH", "usageID=calls"
    )["secret"]["uuid"]  # fmt: skip
    for name in ("calls", "ceph:calls", uuid):
        got = called(capsys, qemu_uri, "SECRET_GET_VALUE", f"secret={name}")
        assert got == {"value": "c0ffee"}
    xml = called(capsys, qemu_uri, "SECRET_GET_XML_DESC", "secret=/calls/v")["xml"]
    assert "/calls/v" in xml
    assert "there is no secret call; there are those for" in refusal(
        qemu_uri, "SECRET_GET_XML_DESC", "secret=call", UsageError
    )


def test_network_filters_and_node_devices(
    capsys: pytest.CaptureFixture[str], qemu_uri: str
) -> None:
    xml = called(capsys, qemu_uri, "NWFILTER_GET_XML_DESC", "nwfilter=calls-filter")["xml"]
    assert "calls-filter" in xml
    assert refusal(
        qemu_uri, "NWFILTER_GET_XML_DESC", "nwfilter=calls-filer", NoNWFilterError
    ).startswith("nwfilter: there is no network filter calls-filer; did you mean calls-filter?")
    assert refusal(qemu_uri, "NWFILTER_BINDING_GET_XML_DESC", "nwfilter=vnet9", LibvirtError)
    assert refusal(
        qemu_uri, "NETWORK_PORT_GET_XML_DESC", "port=nothing/x", NoNetworkError
    ).startswith("port: there is no network nothing")
