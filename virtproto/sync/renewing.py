"""What a new channel is asked, so that all goes on that a lost one was asked for.

Responsible for the registrations for events, and for word of the connection's end. Must not know
why there is a new channel, or what waits for it. Its twin of the other colour differs in ``async``
and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError
from virtproto.model.calls import unpack_ret
from virtproto.wire.remote.connect_event import CONNECT_REGISTER_CLOSE_CALLBACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes.opening import Opened
    from virtproto.model.records.events import Gap

    from .channel import Channel
    from .delivery import Living

__all__ = ["renew"]

# virConnectCloseReason.
_ERROR = 0


def renew(
    living: Living, channel: Channel, timeout_s: float | None, gap: Gap, opened: Opened
) -> None:
    """Ask for all that the connection wants to hear of, and tell iterators of the gap first.

    For who has the turn. What this daemon refuses is over for who wanted it, and nobody else.
    Raises as ``call`` does, but not LibvirtError.
    """
    registry = living.registry
    registry.forget_daemon()
    registry.begin()
    try:
        registry.mark(gap)
        living.delivery.rejoin(channel)
        if registry.close_callback is not None:
            try:
                channel.call(CONNECT_REGISTER_CLOSE_CALLBACK, b"", timeout_s)
                opened.close_callbacks = True
            except LibvirtError:
                opened.close_callbacks = False
        for wanted in registry.registrations():
            try:
                payload = channel.call(wanted.procedure, wanted.args, timeout_s)
            except LibvirtError as error:
                for listener in registry.refuse(wanted, error):
                    living.delivery.dismiss(listener)
            else:
                answer = unpack_ret(wanted.procedure, payload)
                registry.renew(wanted, getattr(answer, "callbackID", None))
        living.delivery.renewing = False
    finally:
        if living.delivery.renewing:
            channel.listen(None)
            living.delivery.lose(_ERROR)
        if registry.end():
            living.delivery.released()
