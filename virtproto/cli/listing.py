"""``virtproto list``: the domains of a daemon.

Where virsh shows only running domains unless asked, this shows all: what is shut off is there too.
"""

from __future__ import annotations

import json

from virtproto.cli.colouring import print_table
from virtproto.cli.opening import open_connection
from virtproto.errors import NoDomainError
from virtproto.model.records.domain_info import state_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.sync import Connection

__all__ = ["print_domains"]

# virConnectListAllDomainsFlags.
_ACTIVE = 1
_INACTIVE = 2

# On a terminal: what runs stands out, and so does what wants to be looked after.
_LOOKS = {
    "Name": {"": "bold"},
    "State": {
        "running": "green",
        "idle": "green",
        "blocked": "green",
        "paused": "yellow",
        "pmsuspended": "yellow",
        "in shutdown": "yellow",
        "shut off": "dim",
        "crashed": "bold red",
    },
    "UUID": {"": "dim"},
}


def print_domains(
    uri: str | None, *, active: bool, inactive: bool, with_uuid: bool, as_json: bool
) -> None:
    """Print the domains as a table, or as a JSON list of objects; in the daemon's order.

    Neither filter, or both, means all domains. Raises VirtprotoError.
    """
    flags = (_ACTIVE if active else 0) | (_INACTIVE if inactive else 0)
    with open_connection(uri) as connection:
        found = _describe(connection, flags)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    head = ["Id", "Name", "State", "UUID"]
    rows = [
        [str(row["id"]) if row["id"] is not None else "-", row["name"], row["state"], row["uuid"]]
        for row in found
    ]
    width = 4 if with_uuid else 3
    print_table(head[:width], [row[:width] for row in rows], _LOOKS)


def _describe(connection: Connection, flags: int) -> list[dict[str, Any]]:
    found = []
    for domain in connection.list_all_domains(flags):
        try:
            state, _reason = domain.get_state()
        except NoDomainError:
            # Gone since the list was made.
            continue
        number = domain.get_id()
        found.append(
            {
                "id": number if number >= 0 else None,
                "name": domain.get_name(),
                "state": state_name(state),
                "uuid": domain.get_uuid_string(),
            }
        )
    return found
