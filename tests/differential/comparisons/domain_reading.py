"""What a domain tells about itself."""

from __future__ import annotations

from tests.differential.comparison import Comparison
from tests.differential.likeness import rising
from tests.differential.writing import reading

__all__ = ["COMPARISONS"]

COMPARISONS: tuple[Comparison, ...] = (
    reading("test qemu", "Domain.get_id", "ID"),
    reading("test qemu", "Domain.get_id", "ID", on="idle"),
    reading("test qemu", "Domain.get_uuid", "UUID"),
    reading("test qemu", "Domain.get_uuid_string", "UUIDString"),
    reading("test qemu", "Domain.get_name", "name"),
    reading("test qemu", "Domain.is_active", "isActive"),
    reading("test qemu", "Domain.is_active", "isActive", on="idle"),
    reading("test qemu", "Domain.is_persistent", "isPersistent"),
    reading("test qemu", "Domain.get_info", "info", by=rising),
    reading("test qemu", "Domain.get_info", "info", on="idle", by=rising),
    reading("test qemu", "Domain.get_state", "state"),
    reading("test qemu", "Domain.get_state", "state", on="idle"),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", 0),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", 2),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", on="idle"),
)
