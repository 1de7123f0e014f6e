"""Objects as people name them on a command line, and what they may have meant instead.

Responsible for names, UUIDs and numbers, and for near misses. Must not know what is done with what
is found.
"""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches

from virtproto.cli.table import visible
from virtproto.errors import (
    LibvirtError,
    NoDomainError,
    NoStoragePoolError,
    NoStorageVolError,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from virtproto.sync import Connection, Domain, StoragePool, StorageVol

__all__ = ["did_you_mean", "find_domain", "find_volume"]

_SUGGESTIONS = 3


def find_domain(connection: Connection, given: str) -> Domain:
    """Return the domain of a name, else of a UUID, else of a number.

    Raises NoDomainError, with names that are much alike.
    """
    try:
        return connection.get_domain_by_name(given)
    except NoDomainError as error:
        found = _by_uuid_or_id(connection, given)
        if found is not None:
            return found
        raise NoDomainError(
            f"there is no domain {visible(given)}"
            f"{did_you_mean(given, _names(connection.list_all_domains))}",
            code=error.code,
            procedure=error.procedure,
        ) from None


def _by_uuid_or_id(connection: Connection, given: str) -> Domain | None:
    try:
        if given.isdecimal():
            return connection.get_domain_by_id(int(given))
        return connection.get_domain_by_uuid(given)
    except (NoDomainError, UsageError):
        return None


def _names(list_all: Callable[[], Iterable[Domain | StoragePool | StorageVol]]) -> list[str]:
    try:
        return [each.get_name() for each in list_all()]
    except LibvirtError:
        # They are for a hint only.
        return []


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return "; did you mean web1 or web2?", or nothing where no name is near."""
    by_small = {name.casefold(): name for name in names}
    near = get_close_matches(given.casefold(), by_small, _SUGGESTIONS)
    if not near:
        return ""
    return f"; did you mean {' or '.join(visible(by_small[name]) for name in near)}?"


def find_volume(connection: Connection, pool: str, given: str) -> StorageVol:
    """Return the volume of a name in a pool; of a path or key, if it is that pool's.

    Raises NoStoragePoolError and NoStorageVolError, with names that are much alike.
    """
    there = _find_pool(connection, pool)
    try:
        return there.get_volume_by_name(given)
    except NoStorageVolError as error:
        for find in (connection.get_storage_volume_by_path, connection.get_storage_volume_by_key):
            with suppress(LibvirtError, UsageError):
                found = find(given)
                if connection.get_storage_pool_by_volume(found) == there:
                    return found
        raise NoStorageVolError(
            f"pool {visible(there.get_name())} has no volume {visible(given)}"
            f"{did_you_mean(given, _names(there.list_all_volumes))}",
            code=error.code,
            procedure=error.procedure,
        ) from None


def _find_pool(connection: Connection, given: str) -> StoragePool:
    try:
        return connection.get_storage_pool_by_name(given)
    except NoStoragePoolError as error:
        with suppress(LibvirtError, UsageError):
            return connection.get_storage_pool_by_uuid(given)
        raise NoStoragePoolError(
            f"there is no storage pool {visible(given)}"
            f"{did_you_mean(given, _names(connection.list_all_storage_pools))}",
            code=error.code,
            procedure=error.procedure,
        ) from None
