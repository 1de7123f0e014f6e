"""Lists by name, id or UUID, and the objects that these denote.

Responsible for the older way to list, which is one call for the names and one for each of them,
and for leaving out what is gone by then. Lists that the daemon makes in one call are plain calls.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError, UsageError
from virtproto.model.refs import uuid_to_raw
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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

# virErrorNumber of what a lookup says of an object that is not there (any more).
_NO_DOMAIN = 42
_NO_NETWORK = 43
_NO_STORAGE_POOL = 49
_NO_NODE_DEVICE = 53
_NO_INTERFACE = 57
_NO_NWFILTER = 62
_NO_SECRET = 66


def _most(parameter: str, wanted: int, limit: int) -> int:
    """Return how many entries to ask for; a daemon may break at numbers below 0."""
    if not 0 <= wanted <= limit:
        raise UsageError(f"{parameter}: {wanted} is not within 0 to {limit}")
    return wanted


def _texts(procedure: P, maxnames: int, limit: int) -> Recipe[list[str]]:
    """Ask for names by a procedure that takes nothing but how many it may return."""
    args = procedure.args
    assert args is not None
    ret = yield procedure, args(maxnames=_most("maxnames", maxnames, limit))
    names: list[str] = ret.names
    return names


def _found(
    procedure: P, keys: Iterable[Any], build: Callable[[Any], Any], missing: int
) -> Recipe[list[Any]]:
    """Look objects up, one call for each key, and leave out what the daemon says is not there."""
    found = []
    for key in keys:
        try:
            ret = yield procedure, build(key)
        except LibvirtError as error:
            if error.code != missing:
                raise
        else:
            found.append(ret)
    return found


def list_domain_ids(*, maxids: int) -> Recipe[list[int]]:
    """Return the ids of running domains. Source: virConnectListDomains."""
    most = _most("maxids", maxids, wire.DOMAIN_LIST_MAX)
    ret = yield wire.CONNECT_LIST_DOMAINS, wire.ConnectListDomainsArgs(maxids=most)
    ids: list[int] = ret.ids
    return ids


def list_domains() -> Recipe[list[types.NonnullDomain]]:
    """Return running domains."""
    ids = yield from list_domain_ids(maxids=wire.DOMAIN_LIST_MAX)
    found = yield from _found(
        wire.DOMAIN_LOOKUP_BY_ID, ids, lambda id: wire.DomainLookupByIdArgs(id=id), _NO_DOMAIN
    )
    return [ret.dom for ret in found]


def list_defined_domain_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of stopped domains. Source: virConnectListDefinedDomains."""
    return _texts(wire.CONNECT_LIST_DEFINED_DOMAINS, maxnames, wire.DOMAIN_LIST_MAX)


def list_defined_domains() -> Recipe[list[types.NonnullDomain]]:
    """Return stopped domains."""
    names = yield from list_defined_domain_names(maxnames=wire.DOMAIN_LIST_MAX)
    found = yield from _found(
        wire.DOMAIN_LOOKUP_BY_NAME,
        names,
        lambda name: wire.DomainLookupByNameArgs(name=name),
        _NO_DOMAIN,
    )
    return [ret.dom for ret in found]


def _networks(names: list[str]) -> Recipe[list[types.NonnullNetwork]]:
    found = yield from _found(
        wire.NETWORK_LOOKUP_BY_NAME,
        names,
        lambda name: wire.NetworkLookupByNameArgs(name=name),
        _NO_NETWORK,
    )
    return [ret.net for ret in found]


def list_network_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of active networks. Source: virConnectListNetworks."""
    return _texts(wire.CONNECT_LIST_NETWORKS, maxnames, wire.NETWORK_LIST_MAX)


def list_networks() -> Recipe[list[types.NonnullNetwork]]:
    """Return active networks."""
    return (yield from _networks((yield from list_network_names(maxnames=wire.NETWORK_LIST_MAX))))


def list_defined_network_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of inactive networks. Source: virConnectListDefinedNetworks."""
    return _texts(wire.CONNECT_LIST_DEFINED_NETWORKS, maxnames, wire.NETWORK_LIST_MAX)


def list_defined_networks() -> Recipe[list[types.NonnullNetwork]]:
    """Return inactive networks."""
    names = yield from list_defined_network_names(maxnames=wire.NETWORK_LIST_MAX)
    return (yield from _networks(names))


def _pools(names: list[str]) -> Recipe[list[types.NonnullStoragePool]]:
    found = yield from _found(
        wire.STORAGE_POOL_LOOKUP_BY_NAME,
        names,
        lambda name: wire.StoragePoolLookupByNameArgs(name=name),
        _NO_STORAGE_POOL,
    )
    return [ret.pool for ret in found]


def list_storage_pool_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of active pools. Source: virConnectListStoragePools."""
    return _texts(wire.CONNECT_LIST_STORAGE_POOLS, maxnames, wire.STORAGE_POOL_LIST_MAX)


def list_storage_pools() -> Recipe[list[types.NonnullStoragePool]]:
    """Return active pools."""
    names = yield from list_storage_pool_names(maxnames=wire.STORAGE_POOL_LIST_MAX)
    return (yield from _pools(names))


def list_defined_storage_pool_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of inactive pools. Source: virConnectListDefinedStoragePools."""
    return _texts(wire.CONNECT_LIST_DEFINED_STORAGE_POOLS, maxnames, wire.STORAGE_POOL_LIST_MAX)


def list_defined_storage_pools() -> Recipe[list[types.NonnullStoragePool]]:
    """Return inactive pools."""
    names = yield from list_defined_storage_pool_names(maxnames=wire.STORAGE_POOL_LIST_MAX)
    return (yield from _pools(names))


def _interfaces(names: list[str]) -> Recipe[list[types.NonnullInterface]]:
    found = yield from _found(
        wire.INTERFACE_LOOKUP_BY_NAME,
        names,
        lambda name: wire.InterfaceLookupByNameArgs(name=name),
        _NO_INTERFACE,
    )
    return [ret.iface for ret in found]


def list_interface_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of interfaces that are up. Source: virConnectListInterfaces."""
    return _texts(wire.CONNECT_LIST_INTERFACES, maxnames, wire.INTERFACE_LIST_MAX)


def list_interfaces() -> Recipe[list[types.NonnullInterface]]:
    """Return interfaces that are up."""
    names = yield from list_interface_names(maxnames=wire.INTERFACE_LIST_MAX)
    return (yield from _interfaces(names))


def list_defined_interface_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of interfaces that are down. Source: virConnectListDefinedInterfaces."""
    return _texts(wire.CONNECT_LIST_DEFINED_INTERFACES, maxnames, wire.INTERFACE_LIST_MAX)


def list_defined_interfaces() -> Recipe[list[types.NonnullInterface]]:
    """Return interfaces that are down."""
    names = yield from list_defined_interface_names(maxnames=wire.INTERFACE_LIST_MAX)
    return (yield from _interfaces(names))


def list_nwfilter_names(*, maxnames: int) -> Recipe[list[str]]:
    """Return the names of network filters. Source: virConnectListNWFilters."""
    return _texts(wire.CONNECT_LIST_NWFILTERS, maxnames, wire.NWFILTER_LIST_MAX)


def list_nwfilters() -> Recipe[list[types.NonnullNwfilter]]:
    """Return network filters."""
    names = yield from list_nwfilter_names(maxnames=wire.NWFILTER_LIST_MAX)
    found = yield from _found(
        wire.NWFILTER_LOOKUP_BY_NAME,
        names,
        lambda name: wire.NwfilterLookupByNameArgs(name=name),
        _NO_NWFILTER,
    )
    return [ret.nwfilter for ret in found]


def list_node_device_names(
    *, capability: str | None, maxnames: int, flags: int
) -> Recipe[list[str]]:
    """Return the names of the host's devices. Source: virNodeListDevices."""
    most = _most("maxnames", maxnames, wire.NODE_DEVICE_LIST_MAX)
    args = wire.NodeListDevicesArgs(cap=capability, maxnames=most, flags=flags)
    names: list[str] = (yield wire.NODE_LIST_DEVICES, args).names
    return names


def list_node_devices(
    *, capability: str | None, flags: int
) -> Recipe[list[types.NonnullNodeDevice]]:
    """Return the host's devices."""
    names = yield from list_node_device_names(
        capability=capability, maxnames=wire.NODE_DEVICE_LIST_MAX, flags=flags
    )
    found = yield from _found(
        wire.NODE_DEVICE_LOOKUP_BY_NAME,
        names,
        lambda name: wire.NodeDeviceLookupByNameArgs(name=name),
        _NO_NODE_DEVICE,
    )
    return [ret.dev for ret in found]


def list_secret_uuids(*, maxuuids: int) -> Recipe[list[str]]:
    """Return the UUIDs of secrets as text. Source: virConnectListSecrets."""
    most = _most("maxuuids", maxuuids, wire.SECRET_LIST_MAX)
    ret = yield wire.CONNECT_LIST_SECRETS, wire.ConnectListSecretsArgs(maxuuids=most)
    uuids: list[str] = ret.uuids
    return uuids


def list_secrets() -> Recipe[list[types.NonnullSecret]]:
    """Return secrets."""
    uuids = yield from list_secret_uuids(maxuuids=wire.SECRET_LIST_MAX)
    found = yield from _found(
        wire.SECRET_LOOKUP_BY_UUID,
        uuids,
        lambda uuid: wire.SecretLookupByUuidArgs(uuid=uuid_to_raw("uuid", uuid)),
        _NO_SECRET,
    )
    return [ret.secret for ret in found]
