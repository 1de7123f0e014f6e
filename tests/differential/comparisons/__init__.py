"""All comparisons there are, topic by topic; each module has a table COMPARISONS."""

from __future__ import annotations

from tests.differential.comparison import Comparison
from tests.differential.comparisons import (
    domain_reading,
    host_reading,
    listing,
    objects_reading,
)

__all__ = ["ALL"]

ALL: tuple[Comparison, ...] = (
    *host_reading.COMPARISONS,
    *listing.COMPARISONS,
    *objects_reading.COMPARISONS,
    *domain_reading.COMPARISONS,
)
