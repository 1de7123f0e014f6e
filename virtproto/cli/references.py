"""Objects as arguments of a call: from the contract's type and what was typed to a reference.

Responsible for how each kind of object is written: POOL/VOLUME, DOMAIN/SNAPSHOT, NETWORK/PORT, a
secret by what it is for. Every reference to an object that the contract has is here.
"""

from __future__ import annotations

from virtproto.cli.finding import find_domain, find_named, find_pool, find_volume, not_there
from virtproto.cli.table import visible
from virtproto.errors import (
    LibvirtError,
    NoDomainCheckpointError,
    NoDomainSnapshotError,
    NoInterfaceError,
    NoNetworkError,
    NoNetworkPortError,
    NoNodeDeviceError,
    NoNWFilterBindingError,
    NoNWFilterError,
    NoSecretError,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from virtproto.model.call_arguments import Reference
    from virtproto.sync import Connection, Network

__all__ = ["SPELLINGS", "look_up"]

# How a reference of each type is written, as it is told to people.
SPELLINGS: Mapping[str, str] = {
    "remote_nonnull_domain": "name, UUID or number",
    "remote_nonnull_network": "name or UUID",
    "remote_nonnull_network_port": "NETWORK/UUID",
    "remote_nonnull_nwfilter": "name or UUID",
    "remote_nonnull_nwfilter_binding": "port device",
    "remote_nonnull_storage_pool": "name or UUID",
    "remote_nonnull_storage_vol": "POOL/VOLUME, path or key",
    "remote_nonnull_node_device": "name",
    "remote_nonnull_secret": "UUID, use, or TYPE:USE",
    "remote_nonnull_interface": "name or MAC address",
    "remote_nonnull_domain_checkpoint": "DOMAIN/CHECKPOINT",
    "remote_nonnull_domain_snapshot": "DOMAIN/SNAPSHOT",
}


def look_up(connection: Connection, reference: Reference) -> None:
    """Make a reference that was written whole by asking the daemon.

    Raises LibvirtError or UsageError, both naming the argument, with names that are much alike.
    """
    find = _FINDING.get(reference.type)
    if find is None:
        raise UsageError(f"{reference.path}: give it as JSON")
    try:
        found = find(connection, reference.given)
    except UsageError as error:
        raise UsageError(f"{reference.path}: {error}") from None
    except LibvirtError as error:
        raise type(error)(
            f"{reference.path}: {error}", code=error.code, procedure=error.procedure
        ) from None
    reference.update(found._wire.to_plain())


def _network(connection: Connection, given: str) -> Network:
    return find_named(
        "network",
        given,
        (connection.get_network_by_name, connection.get_network_by_uuid),
        connection.list_all_networks,
        NoNetworkError,
    )


def _network_port(connection: Connection, given: str) -> Any:
    owner, name = _parts(given, "NETWORK/UUID")
    network = _network(connection, owner)
    try:
        return network.get_port_by_uuid(name)
    except NoNetworkPortError as error:
        ports = [each.get_uuid_string() for each in network.list_all_ports()]
        there_are = f"; there are {', '.join(ports)}" if ports else ", which has none"
        said = f"there is no port {visible(name)} of network {visible(owner)}{there_are}"
        raise NoNetworkPortError(said, code=error.code, procedure=error.procedure) from None


def _nwfilter(connection: Connection, given: str) -> Any:
    return find_named(
        "network filter",
        given,
        (connection.get_nwfilter_by_name, connection.get_nwfilter_by_uuid),
        connection.list_all_nwfilters,
        NoNWFilterError,
    )


def _nwfilter_binding(connection: Connection, given: str) -> Any:
    find = connection.get_nwfilter_binding_by_port_dev
    return find_named("network filter binding", given, (find,), list, NoNWFilterBindingError)


def _volume(connection: Connection, given: str) -> Any:
    pool, slash, name = given.partition("/")
    if slash and pool and name:
        return find_volume(connection, pool, name)
    find_by = (connection.get_storage_volume_by_path, connection.get_storage_volume_by_key)
    for find in find_by:
        try:
            return find(given)
        except LibvirtError:
            continue
    raise UsageError(f"there is no storage volume {visible(given)}; it is written as POOL/VOLUME")


def _node_device(connection: Connection, given: str) -> Any:
    find = connection.get_node_device_by_name
    return find_named(
        "node device", given, (find,), connection.list_all_node_devices, NoNodeDeviceError
    )


def _interface(connection: Connection, given: str) -> Any:
    return find_named(
        "interface",
        given,
        (connection.get_interface_by_name, connection.get_interface_by_mac),
        connection.list_all_interfaces,
        NoInterfaceError,
    )


def _secret(connection: Connection, given: str) -> Any:
    """Return the secret of a UUID, of a use, or of a type of use and a use."""
    from virtproto.constants.enums import ENUMS

    try:
        return connection.get_secret_by_uuid(given)
    except (UsageError, NoSecretError):
        types = ENUMS["SecretUsageType"][3]
        kind, colon, use = given.partition(":")
        if colon and kind.upper() in types:
            try:
                return connection.get_secret_by_usage(types[kind.upper()], use)
            except NoSecretError:
                pass
    secrets = connection.list_all_secrets()
    found = [each for each in secrets if each.get_usage_id() and each.get_usage_id() == given]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"there are {len(found)} secrets for {visible(given)}; say TYPE:USE")
    uses = ", ".join(visible(each.get_usage_id() or each.get_uuid_string()) for each in secrets)
    there_are = f"; there are those for {uses}" if uses else "; there are none"
    raise UsageError(f"there is no secret {visible(given)}{there_are}")


def _snapshot(connection: Connection, given: str) -> Any:
    owner, name = _parts(given, "DOMAIN/SNAPSHOT")
    domain = find_domain(connection, owner)
    try:
        return domain.get_snapshot_by_name(name)
    except NoDomainSnapshotError as error:
        said = f"domain {visible(owner)} has no snapshot {visible(name)}"
        raise not_there(said, name, domain.list_all_snapshots, type(error), error) from None


def _checkpoint(connection: Connection, given: str) -> Any:
    owner, name = _parts(given, "DOMAIN/CHECKPOINT")
    domain = find_domain(connection, owner)
    try:
        return domain.get_checkpoint_by_name(name)
    except NoDomainCheckpointError as error:
        said = f"domain {visible(owner)} has no checkpoint {visible(name)}"
        raise not_there(said, name, domain.list_all_checkpoints, type(error), error) from None


def _parts(given: str, spelling: str) -> tuple[str, str]:
    owner, _slash, name = given.partition("/")
    if not owner or not name:
        raise UsageError(f"it is written as {spelling}")
    return owner, name


_FINDING: Mapping[str, Callable[[Connection, str], Any]] = {
    "remote_nonnull_domain": find_domain,
    "remote_nonnull_network": _network,
    "remote_nonnull_network_port": _network_port,
    "remote_nonnull_nwfilter": _nwfilter,
    "remote_nonnull_nwfilter_binding": _nwfilter_binding,
    "remote_nonnull_storage_pool": find_pool,
    "remote_nonnull_storage_vol": _volume,
    "remote_nonnull_node_device": _node_device,
    "remote_nonnull_secret": _secret,
    "remote_nonnull_interface": _interface,
    "remote_nonnull_domain_checkpoint": _checkpoint,
    "remote_nonnull_domain_snapshot": _snapshot,
}
