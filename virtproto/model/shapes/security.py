"""Labels of domains, as records.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

from virtproto.model.chars import chars_to_text
from virtproto.model.records.security import SecurityLabel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain_security import (
        DomainGetSecurityLabelListRet,
        DomainGetSecurityLabelRet,
    )

__all__ = ["security_label", "security_labels"]


def security_label(ret: DomainGetSecurityLabelRet) -> SecurityLabel:
    """Return a label as text; the wire has it as bytes, with the NUL that C strings end with."""
    return SecurityLabel(chars_to_text(ret.label), bool(ret.enforcing))


def security_labels(ret: DomainGetSecurityLabelListRet) -> list[SecurityLabel]:
    """Return one label for each security driver, in the daemon's order."""
    return [security_label(label) for label in ret.labels]
