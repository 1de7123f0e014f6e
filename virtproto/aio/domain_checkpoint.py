"""A checkpoint: a point in time since which changes of a domain's disks are known.

Responsible for putting together the calls, which are generated, the handle, and the way back to
the domain. Its twin of the other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.domain_part_handle import DomainCheckpointHandle

from ._methods.checkpoint import DomainCheckpointMethods
from .domain_part import DomainPart

__all__ = ["DomainCheckpoint"]


class DomainCheckpoint(DomainCheckpointMethods, DomainPart, DomainCheckpointHandle):
    """A checkpoint of a domain; made by its domain.

    Two handles are equal when they mean the same checkpoint (name) of the same domain (UUID) on the
    same connection.

    Once the checkpoint is deleted, every call on it raises NoDomainCheckpointError.
    """

    __slots__ = ()
