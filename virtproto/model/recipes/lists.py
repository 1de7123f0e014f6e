"""A connection's lists by name, id or UUID, and the objects that these denote.

Responsible for which calls list and find objects of each kind; how they are listed and found is in
``lookups``. Lists that the daemon makes in one call are plain calls.
"""

from __future__ import annotations

from virtproto.errors import (
    NoDomainError,
    NoInterfaceError,
    NoNetworkError,
    NoNodeDeviceError,
    NoNWFilterError,
    NoSecretError,
    NoStoragePoolError,
)
from virtproto.model.recipes.lookups import Lookup, checked_most, listed_names
from virtproto.model.refs import uuid_to_raw
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote import types
    from virtproto.xdr.procedure import Procedure

    P = Procedure[Any, Any]

__all__ = [
    "list_defined_domain_names",
    "list_defined_domains",
    "list_defined_interface_names",
    "list_defined_interfaces",
    "list_defined_network_names",
    "list_defined_networks",
    "list_defined_storage_pool_names",
    "list_defined_storage_pools",
    "list_domain_ids",
    "list_domains",
    "list_interface_names",
    "list_interfaces",
    "list_network_names",
    "list_networks",
    "list_node_device_names",
    "list_node_devices",
    "list_nwfilter_names",
    "list_nwfilters",
    "list_secret_uuids",
    "list_secrets",
    "list_storage_pool_names",
    "list_storage_pools",
]

# How each kind is found, with the error of a lookup that finds nothing.
_DOMAIN_BY_ID = Lookup(
    lambda: wire.DOMAIN_LOOKUP_BY_ID, key="id", result="dom", missing=NoDomainError
)
_DOMAIN = Lookup(lambda: wire.DOMAIN_LOOKUP_BY_NAME, result="dom", missing=NoDomainError)
_NETWORK = Lookup(lambda: wire.NETWORK_LOOKUP_BY_NAME, result="net", missing=NoNetworkError)
_POOL = Lookup(lambda: wire.STORAGE_POOL_LOOKUP_BY_NAME, result="pool", missing=NoStoragePoolError)
_DEVICE = Lookup(lambda: wire.NODE_DEVICE_LOOKUP_BY_NAME, result="dev", missing=NoNodeDeviceError)
_INTERFACE = Lookup(lambda: wire.INTERFACE_LOOKUP_BY_NAME, result="iface", missing=NoInterfaceError)
_NWFILTER = Lookup(lambda: wire.NWFILTER_LOOKUP_BY_NAME, result="nwfilter", missing=NoNWFilterError)
_SECRET = Lookup(
    lambda: wire.SECRET_LOOKUP_BY_UUID, key="uuid", result="secret", missing=NoSecretError
)


def _objects(procedure: P, limit: int, lookup: Lookup) -> Recipe[list[Any]]:
    """Return the objects that a list of names denotes."""
    return (yield from lookup.each((yield from listed_names(procedure, limit, limit))))


def list_domain_ids(*, maxids: int) -> Recipe[list[int]]:
    """Return the ids of running domains. Source: virConnectListDomains."""
    most = checked_most("maxids", maxids, wire.DOMAIN_LIST_MAX)
    ret = yield wire.CONNECT_LIST_DOMAINS, wire.ConnectListDomainsArgs(maxids=most)
    ids: list[int] = ret.ids
    return ids


def list_domains() -> Recipe[list[types.NonnullDomain]]:
    """Return running domains."""
    ids = yield from list_domain_ids(maxids=wire.DOMAIN_LIST_MAX)
    return (yield from _DOMAIN_BY_ID.each(ids))


def list_defined_domain_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of stopped domains. Source: virConnectListDefinedDomains."""
    return listed_names(wire.CONNECT_LIST_DEFINED_DOMAINS, maxnames, wire.DOMAIN_LIST_MAX)


def list_defined_domains() -> Recipe[list[types.NonnullDomain]]:
    """Return stopped domains."""
    return _objects(wire.CONNECT_LIST_DEFINED_DOMAINS, wire.DOMAIN_LIST_MAX, _DOMAIN)


def list_network_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of active networks. Source: virConnectListNetworks."""
    return listed_names(wire.CONNECT_LIST_NETWORKS, maxnames, wire.NETWORK_LIST_MAX)


def list_networks() -> Recipe[list[types.NonnullNetwork]]:
    """Return active networks."""
    return _objects(wire.CONNECT_LIST_NETWORKS, wire.NETWORK_LIST_MAX, _NETWORK)


def list_defined_network_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of inactive networks. Source: virConnectListDefinedNetworks."""
    return listed_names(wire.CONNECT_LIST_DEFINED_NETWORKS, maxnames, wire.NETWORK_LIST_MAX)


def list_defined_networks() -> Recipe[list[types.NonnullNetwork]]:
    """Return inactive networks."""
    return _objects(wire.CONNECT_LIST_DEFINED_NETWORKS, wire.NETWORK_LIST_MAX, _NETWORK)


def list_storage_pool_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of active pools. Source: virConnectListStoragePools."""
    return listed_names(wire.CONNECT_LIST_STORAGE_POOLS, maxnames, wire.STORAGE_POOL_LIST_MAX)


def list_storage_pools() -> Recipe[list[types.NonnullStoragePool]]:
    """Return active pools."""
    return _objects(wire.CONNECT_LIST_STORAGE_POOLS, wire.STORAGE_POOL_LIST_MAX, _POOL)


def list_defined_storage_pool_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of inactive pools. Source: virConnectListDefinedStoragePools."""
    return listed_names(
        wire.CONNECT_LIST_DEFINED_STORAGE_POOLS, maxnames, wire.STORAGE_POOL_LIST_MAX
    )


def list_defined_storage_pools() -> Recipe[list[types.NonnullStoragePool]]:
    """Return inactive pools."""
    return _objects(wire.CONNECT_LIST_DEFINED_STORAGE_POOLS, wire.STORAGE_POOL_LIST_MAX, _POOL)


def list_interface_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of interfaces that are up. Source: virConnectListInterfaces."""
    return listed_names(wire.CONNECT_LIST_INTERFACES, maxnames, wire.INTERFACE_LIST_MAX)


def list_interfaces() -> Recipe[list[types.NonnullInterface]]:
    """Return interfaces that are up."""
    return _objects(wire.CONNECT_LIST_INTERFACES, wire.INTERFACE_LIST_MAX, _INTERFACE)


def list_defined_interface_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of interfaces that are down. Source: virConnectListDefinedInterfaces."""
    return listed_names(wire.CONNECT_LIST_DEFINED_INTERFACES, maxnames, wire.INTERFACE_LIST_MAX)


def list_defined_interfaces() -> Recipe[list[types.NonnullInterface]]:
    """Return interfaces that are down."""
    return _objects(wire.CONNECT_LIST_DEFINED_INTERFACES, wire.INTERFACE_LIST_MAX, _INTERFACE)


def list_nwfilter_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of network filters. Source: virConnectListNWFilters."""
    return listed_names(wire.CONNECT_LIST_NWFILTERS, maxnames, wire.NWFILTER_LIST_MAX)


def list_nwfilters() -> Recipe[list[types.NonnullNwfilter]]:
    """Return network filters."""
    return _objects(wire.CONNECT_LIST_NWFILTERS, wire.NWFILTER_LIST_MAX, _NWFILTER)


def list_node_device_names(
    *, capability: str | None, maxnames: int, flags: int
) -> Recipe[list[str]]:
    """Return the names of the host's devices. Source: virNodeListDevices."""
    return listed_names(
        wire.NODE_LIST_DEVICES, maxnames, wire.NODE_DEVICE_LIST_MAX, cap=capability, flags=flags
    )


def list_node_devices(
    *, capability: str | None, flags: int
) -> Recipe[list[types.NonnullNodeDevice]]:
    """Return the host's devices."""
    names = yield from list_node_device_names(
        capability=capability, maxnames=wire.NODE_DEVICE_LIST_MAX, flags=flags
    )
    return (yield from _DEVICE.each(names))


def list_secret_uuids(*, maxuuids: int) -> Recipe[list[str]]:
    """Return the UUIDs of secrets as text. Source: virConnectListSecrets."""
    most = checked_most("maxuuids", maxuuids, wire.SECRET_LIST_MAX)
    ret = yield wire.CONNECT_LIST_SECRETS, wire.ConnectListSecretsArgs(maxuuids=most)
    uuids: list[str] = ret.uuids
    return uuids


def list_secrets() -> Recipe[list[types.NonnullSecret]]:
    """Return secrets."""
    uuids = yield from list_secret_uuids(maxuuids=wire.SECRET_LIST_MAX)
    return (yield from _SECRET.each(uuid_to_raw("uuid", uuid) for uuid in uuids))
