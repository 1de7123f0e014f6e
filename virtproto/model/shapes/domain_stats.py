"""Statistics of many domains: which domains to ask for, and the records of what came.

Knows no colour: the class of the handles comes in as an argument.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.arguments import to_objects
from virtproto.model.domain_handle import DomainHandle
from virtproto.model.object_handle import handle
from virtproto.model.records.domain_stats import DomainStats
from virtproto.wire.remote import DOMAIN_LIST_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from virtproto.wire.remote.connect import ConnectGetAllDomainStatsRet
    from virtproto.wire.remote.types import NonnullDomain

    D = TypeVar("D", bound=DomainHandle)

__all__ = ["domain_stats", "to_some_domains"]


def to_some_domains(
    parameter: str, domains: Iterable[D] | None, kind: type[D], connection: object
) -> list[NonnullDomain]:
    """Return the daemon's names for domains of the same connection; none at all means every one.

    An empty collection is refused, since the daemon would take it for all domains.
    """
    if domains is None:
        return []
    wires = to_objects(parameter, domains, kind, connection, DOMAIN_LIST_MAX)
    if not wires:
        raise UsageError(f"{parameter}: at least one domain is required, or None for all")
    return wires


def domain_stats(
    kind: type[D], connection: object, ret: ConnectGetAllDomainStatsRet
) -> list[DomainStats[D]]:
    """Return a record for each domain, with a handle of a colour's class ``kind``.

    Source: virConnectGetAllDomainStats, virDomainListGetStats.
    """
    return [
        DomainStats(handle(kind, connection, record.dom), record.params.to_dict())
        for record in ret.retStats
    ]
