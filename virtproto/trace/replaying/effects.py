"""Which calls of a recording may change something at the daemon that they are made to again.

Responsible for that one question, by the permissions that libvirt wants for each procedure. Must
not know who is asked whether he wants that.

What only looks has a permission of its own for that. All others count, also where they end in
looking: what runs a program that the caller names, or asks a guest, is no looking.
"""

from __future__ import annotations

from virtproto.trace import message as kinds
from virtproto.wire import load_contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.recalling import Recalled

__all__ = ["effects", "may_change"]

_LOOKS = frozenset(
    {"block_read", "data_read", "getattr", "mem_read", "none", "read", "read_secure", "screenshot"}
)
_SEARCHES = "search_"

# The program of daemons' administration has no permissions, but speaking names.
_ADMIN = "admin"
_LOOKING_NAMES = ("_GET_", "_LIST_", "_LOOKUP_")
_OF_ALL = frozenset({"CONNECT_OPEN", "CONNECT_CLOSE"})


def effects(recalled: Recalled) -> dict[str, int]:
    """Return the procedures of a recording's calls that may change something, and how many each.

    In the order of the first of each. Calls that are not whole in the recording, or overwritten,
    are not made again, and do not count.
    """
    found: dict[str, int] = {}
    for message in recalled.messages:
        if not message.from_client or message.kind is not kinds.CALL:
            continue
        if message.masked or message.left_out or not may_change(message):
            continue
        name = message.procedure or f"procedure {message.packet.procedure}"
        found[name] = found.get(name, 0) + 1
    return found


def may_change(call: TracedMessage) -> bool:
    """Return whether a call may change something; so may one that is not known."""
    name = call.procedure
    if name is None or call.program is None:
        return True
    if name in _OF_ALL:
        return False
    if call.program == _ADMIN:
        return not any(part in name for part in _LOOKING_NAMES)
    declared = load_contract().procedure(call.packet.program, call.packet.procedure)
    wanted = declared.annotations.get("acl", ())
    # With a condition it is wanted in addition to others.
    verbs = [each.split(":")[1] for each in wanted if each.count(":") == 1]
    verbs += [each for each in wanted if ":" not in each]
    return not verbs or not all(each in _LOOKS or each.startswith(_SEARCHES) for each in verbs)
