"""What may not be done on a read-only connection: refused as by libvirt's own client, unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.c_binding import CBinding, CBindingError, Step
from tests.lab.daemon import PrivateDaemon

pytestmark = pytest.mark.lab

URI = "test:///default"
VOLUME = "<volume><name>v</name><capacity>1</capacity></volume>"

_DOMAIN = (("lookupByName", "test"),)
_NETWORK = (("networkLookupByName", "default"),)
_POOL = (("storagePoolLookupByName", "default-pool"),)

# What is asked of us, the object that the C binding asks, and what it asks of it.
REFUSALS: list[tuple[Callable[[Any], Any], Sequence[Step], Sequence[Any]]] = [
    (lambda c: c.define_domain("<d/>"), (), ("defineXML", "<d/>")),
    (lambda c: c.define_network("<n/>"), (), ("networkDefineXML", "<n/>")),
    (lambda c: c.define_storage_pool("<p/>"), (), ("storagePoolDefineXML", "<p/>", 0)),
    (lambda c: c.create_node_device("<d/>"), (), ("nodeDeviceCreateXML", "<d/>", 0)),
    (lambda c: c.define_interface("<i/>"), (), ("interfaceDefineXML", "<i/>", 0)),
    (lambda c: c.interface_change_begin(), (), ("changeBegin", 0)),
    (lambda c: c.define_secret("<s/>"), (), ("secretDefineXML", "<s/>", 0)),
    (lambda c: c.define_nwfilter("<f/>"), (), ("nwfilterDefineXML", "<f/>")),
    (lambda c: c.create_nwfilter_binding("<b/>"), (), ("nwfilterBindingCreateXML", "<b/>", 0)),
    (
        lambda c: c.get_domain_capabilities(),
        (),
        ("getDomainCapabilities", None, None, None, None, 0),
    ),
    (lambda c: c.node_suspend_for_duration(0, 60), (), ("suspendForDuration", 0, 60, 0)),
    (lambda c: c.find_storage_pool_sources("dir"), (), ("findStoragePoolSources", "dir", None, 0)),
    (lambda c: domain(c).destroy(), _DOMAIN, ("destroy",)),
    (lambda c: domain(c).get_hostname(), _DOMAIN, ("hostname", 0)),
    (lambda c: domain(c).get_xml_description(1), _DOMAIN, ("XMLDesc", 1)),
    (lambda c: domain(c).get_vcpus(8), _DOMAIN, ("vcpusFlags", 8)),
    (lambda c: domain(c).get_interface_addresses(1), _DOMAIN, ("interfaceAddresses", 1, 0)),
    (lambda c: domain(c).create_snapshot("<s/>"), _DOMAIN, ("snapshotCreateXML", "<s/>", 0)),
    (lambda c: domain(c).create_checkpoint("<c/>"), _DOMAIN, ("checkpointCreateXML", "<c/>", 0)),
    (
        lambda c: domain(c).qemu_monitor_command("info", 1),
        _DOMAIN,
        ("libvirt_qemu.qemuMonitorCommand", "info", 1),
    ),
    (
        lambda c: domain(c).list_all_snapshots()[0].delete(),
        (*_DOMAIN, ("snapshotLookupByName", "kept", 0)),
        ("delete", 0),
    ),
    (lambda c: c.get_network_by_name("default").destroy(), _NETWORK, ("destroy",)),
    (
        lambda c: c.get_network_by_name("default").create_port("<p/>"),
        _NETWORK,
        ("portCreateXML", "<p/>", 0),
    ),
    (lambda c: pool(c).refresh(), _POOL, ("refresh", 0)),
    (lambda c: pool(c).create_volume(VOLUME), _POOL, ("createXML", VOLUME, 0)),
    (
        lambda c: pool(c).list_all_volumes()[0].delete(),
        (*_POOL, ("storageVolLookupByName", "v")),
        ("delete", 0),
    ),
    (
        lambda c: c.get_interface_by_name("eth1").destroy(),
        (("interfaceLookupByName", "eth1"),),
        ("destroy", 0),
    ),
    (
        lambda c: c.get_node_device_by_name("computer").reset(),
        (("nodeDeviceLookupByName", "computer"),),
        ("reset",),
    ),
]


def domain(connection: virtproto.Connection) -> virtproto.Domain:
    return connection.get_domain_by_name("test")


def pool(connection: virtproto.Connection) -> virtproto.StoragePool:
    return connection.get_storage_pool_by_name("default-pool")


@pytest.fixture
def furnished(libvirtd: PrivateDaemon) -> Iterator[str]:
    """A test driver with an object of each class that it has; gone with the last connection."""
    uri = libvirtd.uri(URI)
    with virtproto.open(uri) as connection:
        snapshot = domain(connection).create_snapshot(
            "<domainsnapshot><name>kept</name></domainsnapshot>"
        )
        volume = pool(connection).create_volume(VOLUME)
        yield uri
        volume.delete()
        snapshot.delete()


def test_refusals_are_those_of_libvirts_client(furnished: str, open_in_colour: Open) -> None:
    fields = ("code", "domain", "level", "str1", "str3", "int1", "int2")
    with (
        CBinding(furnished, readonly=True) as binding,
        open_in_colour(furnished, readonly=True) as connection,
    ):
        for ours, path, (method, *arguments) in REFUSALS:
            with pytest.raises(CBindingError) as theirs:
                binding.ask_at(path, method, *arguments)
            with pytest.raises(virtproto.OperationDeniedError) as caught:
                ours(connection)
            expected = [theirs.value.fields[name] for name in fields]
            assert (method, [getattr(caught.value, name) for name in fields]) == (method, expected)
            assert caught.value.procedure is None
