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
    from typing import Any, TypeVar

    from virtproto.sync import Connection, Domain, StoragePool, StorageVol

    T = TypeVar("T")

__all__ = ["did_you_mean", "find_domain", "find_named", "find_pool", "find_volume", "not_there"]

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


def _names(list_all: Callable[[], Iterable[Any]]) -> list[str]:
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
    there = find_pool(connection, pool)
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


def find_pool(connection: Connection, given: str) -> StoragePool:
    """Return the storage pool of a name, else of a UUID.

    Raises NoStoragePoolError, with names that are much alike.
    """
    return find_named(
        "storage pool",
        given,
        (connection.get_storage_pool_by_name, connection.get_storage_pool_by_uuid),
        connection.list_all_storage_pools,
        NoStoragePoolError,
    )


def find_named(
    kind: str,
    given: str,
    ways: Iterable[Callable[[str], T]],
    list_all: Callable[[], Iterable[Any]],
    missing: type[LibvirtError],
) -> T:
    """Return what the first of some ways finds that finds anything.

    Raises ``missing``, with names that are much alike; what else the first way raises passes.
    """
    first: LibvirtError | None = None
    for way in ways:
        try:
            return way(given)
        except missing as error:
            first = first or error
        except (LibvirtError, UsageError):
            # No UUID, or a driver that does not know this way.
            if first is None:
                raise
    raise not_there(f"there is no {kind} {visible(given)}", given, list_all, missing, first)


def not_there(
    said: str,
    given: str,
    list_all: Callable[[], Iterable[Any]],
    kind: type[LibvirtError],
    error: LibvirtError | None,
) -> LibvirtError:
    """Return the error for what was not found, with near names of what there is."""
    found = kind(
        f"{said}{did_you_mean(given, _names(list_all))}",
        code=error.code if error is not None else 0,
        procedure=error.procedure if error is not None else None,
    )
    # The daemon's own words say less.
    found.__suppress_context__ = True
    return found
