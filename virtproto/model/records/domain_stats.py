"""Statistics of one of many domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from virtproto.model.typedvalues import ParamValue

__all__ = ["DomainStats"]

D = TypeVar("D")


class DomainStats(NamedTuple, Generic[D]):
    """What a daemon told of one domain (virDomainStatsRecord)."""

    domain: D
    """The domain: a handle of the colour that was asked."""
    params: dict[str, ParamValue]
    """The statistics by name: ``state.state``, ``cpu.time``, ``block.0.name`` and so on."""
