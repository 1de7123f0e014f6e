"""All comparisons there are, topic by topic; each module has a table COMPARISONS."""

from __future__ import annotations

from tests.differential.comparison import Comparison
from tests.differential.comparisons import (
    back_doors,
    domain_changes,
    domain_devices,
    domain_jobs,
    domain_life,
    domain_reading,
    guest_changes,
    host_reading,
    listing,
    migrations,
    objects_changes,
    objects_reading,
    snapshots,
)
from tests.differential.comparisons.events import WATCHINGS

__all__ = ["ALL", "WATCHINGS"]

ALL: tuple[Comparison, ...] = (
    *host_reading.COMPARISONS,
    *listing.COMPARISONS,
    *objects_reading.COMPARISONS,
    *domain_reading.COMPARISONS,
    *domain_changes.COMPARISONS,
    *domain_life.COMPARISONS,
    *domain_devices.COMPARISONS,
    *snapshots.COMPARISONS,
    *objects_changes.COMPARISONS,
    *guest_changes.COMPARISONS,
    *domain_jobs.COMPARISONS,
    *migrations.COMPARISONS,
    *back_doors.COMPARISONS,
)
