"""The front end for threads: ``open``, Connection, Domain, and the records that they return.

Blocking calls on the thread that makes them; no thread of its own. Must not load asyncio.
"""

from __future__ import annotations

from virtproto.model.records.domain_info import DomainInfo, DomainStateInfo
from virtproto.sync.connection import Connection
from virtproto.sync.connection import open_connection_to as open  # noqa: A004
from virtproto.sync.domain import Domain

__all__ = ["Connection", "Domain", "DomainInfo", "DomainStateInfo", "open"]
