"""The administration of a daemon: its servers, clients, threads and logging.

``virtproto.admin.open()`` gives a blocking connection to it, ``await virtproto.aio.admin.open()``
one for asyncio. Source: libvirt-admin.
"""

from __future__ import annotations

from virtproto.sync.admin import AdminClient, AdminConnection, AdminServer, open  # noqa: A004

__all__ = ["AdminClient", "AdminConnection", "AdminServer", "open"]
