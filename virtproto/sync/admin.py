"""The administration of a daemon, for threads: ``open`` and what it leads to.

As ``virtproto.admin``. Blocking calls on the thread that makes them; must not load asyncio.
"""

from __future__ import annotations

from virtproto.sync.admin_objects import AdminClient, AdminConnection, AdminServer
from virtproto.sync.admin_objects import open_admin_connection as open  # noqa: A004

__all__ = ["AdminClient", "AdminConnection", "AdminServer", "open"]
