"""How a domain is confined on its host.

Knows no message class; shapes fill these.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SecurityLabel"]


class SecurityLabel(NamedTuple):
    """The label that a domain runs under (virSecurityLabel).

    ``label`` is in the words of the security driver (an SELinux context, an AppArmor profile, a
    user and group) and empty where there is none; ``enforcing`` tells whether the label confines
    the domain, rather than being logged only.
    """

    label: str
    enforcing: bool
