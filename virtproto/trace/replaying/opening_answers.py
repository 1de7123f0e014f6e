"""How a played daemon answers what opens and closes a connection.

Clients differ there, in what they ask and in which order, and none of it is what a recording is
played for. Responsible for those answers. Must not know how they travel.
"""

from __future__ import annotations

from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.wire import PROGRAMS, remote
from virtproto.wire.rpc import MESSAGE_STATUS_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.recalling import Recalled
    from virtproto.trace.replaying.scripts import RecordedCall, Script

__all__ = ["answer", "instead", "is_aside", "is_opening", "opened_name"]

_REMOTE = PROGRAMS["remote"]
_CALLBACKS = ("CONNECT_REGISTER_CLOSE_CALLBACK", "CONNECT_UNREGISTER_CLOSE_CALLBACK")
_OPEN = "CONNECT_OPEN"
_CLOSE = "CONNECT_CLOSE"


def is_opening(call: TracedMessage) -> bool:
    """Tell whether a client makes this call before he has said what he wants to open."""
    name = call.procedure or ""
    return call.packet.program == _REMOTE and (
        name.startswith("AUTH_") or name == "CONNECT_SUPPORTS_FEATURE"
    )


def is_aside(call: TracedMessage) -> bool:
    """Tell whether it means nothing if a client does not make a recorded call."""
    return is_opening(call) or call.procedure in (*_CALLBACKS, _OPEN, _CLOSE, "CONNECT_GET_URI")


def answer(call: TracedMessage, script: Script | None) -> bytes | None:
    """Return the answer to a call that is answered whether it was recorded or not, else None.

    Nobody has to prove who he is; a feature that was not asked for is none.
    """
    name = call.procedure
    if call.packet.program != _REMOTE:
        if name in (_OPEN, _CLOSE) and (script is None or not script.of_procedure(call)):
            return b""
        return None
    if name == "AUTH_LIST":
        return remote.AuthListRet(types=[remote.AUTH_TYPE_NONE]).pack()
    if script is None:
        return b"" if name == _CLOSE else None
    if name == "CONNECT_SUPPORTS_FEATURE":
        return _feature(call, script)
    if script.of_procedure(call):
        return None
    if name == "CONNECT_GET_URI":
        return _uri(call, script)
    return b"" if name in (*_CALLBACKS, _OPEN, _CLOSE) else None


def instead(call: TracedMessage, script: Script) -> tuple[RecordedCall | None, bool]:
    """Return the recorded call that stands for one with other arguments, None where none does.

    And whether that is worth telling: flags of opening are the client's own affair.
    """
    if call.procedure != _OPEN:
        return None, True
    expected = script.of_procedure(call)[0]
    recorded, now = contents(expected.call).plain, contents(call).plain
    same = isinstance(recorded, dict) and isinstance(now, dict)
    return expected, not (same and recorded.get("name") == now.get("name"))


def opened_name(recalled: Recalled) -> str:
    """Return what was opened first when it was recorded, "" where that is not told."""
    for each in recalled.messages:
        if each.kind is kinds.CALL and each.procedure == _OPEN:
            plain = contents(each).plain
            name = plain.get("name") if isinstance(plain, dict) else None
            if isinstance(name, str):
                return name
    return ""


def _feature(call: TracedMessage, script: Script) -> bytes:
    recorded = script.recorded(call)
    if recorded is not None and recorded.reply is not None:
        recorded.played += 1
        if recorded.reply.packet.status == MESSAGE_STATUS_OK:
            return recorded.reply.packet.payload
    return remote.ConnectSupportsFeatureRet(supported=0).pack()


def _uri(call: TracedMessage, script: Script) -> bytes | None:
    """Return the name that was opened when it was recorded, which is how a daemon calls it."""
    opened = next((each for each in script.calls if each.call.procedure == _OPEN), None)
    plain = contents(opened.call).plain if opened is not None else None
    name = plain.get("name") if isinstance(plain, dict) else None
    return remote.ConnectGetUriRet(uri=name).pack() if isinstance(name, str) and name else None
