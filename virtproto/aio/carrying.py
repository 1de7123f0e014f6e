"""What a connection does in calls that carry more than bytes: descriptors and streams.

What the generated methods use is ``_call_with_fds`` and ``_call_with_stream`` (and, for arguments
that are XDR already, ``_exchange_with_fds`` and ``_exchange_with_stream``). The machinery
(`stream`, `traffic`, `descriptors`) is loaded when first used. Its twin of the other colour differs
in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError, SequenceError
from virtproto.model.calls import (
    asks_for_fd_passing,
    check_stream_call,
    fds_wanted,
    unpack_ret,
)
from virtproto.wire.remote.connect import (
    CONNECT_GET_LIB_VERSION,
    CONNECT_SUPPORTS_FEATURE,
    ConnectSupportsFeatureArgs,
)

from .calls import ConnectionCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    from .stream import Stream

    R = TypeVar("R")

__all__ = ["CarryingCalls"]

# virDrvFeature.
_FEATURE_FD_PASSING = 8
# virErrorNumber.
_ARGUMENT_UNSUPPORTED = 74


class CarryingCalls(ConnectionCalls):
    """A connection's ways to pass descriptors and to open streams, as the methods use them."""

    async def _call_with_fds(
        self, procedure: Procedure[Any, R], args: Message, fds: Sequence[int]
    ) -> tuple[R, list[int]]:
        """Make one call that sends or brings descriptors; return its result and what came."""
        payload, received = await self._exchange_with_fds(procedure, args.pack(), fds)
        try:
            return unpack_ret(procedure, payload), received
        except BaseException:
            from virtproto.transport.descriptors import close_descriptors

            close_descriptors(received)
            raise

    async def _call_with_stream(
        self, procedure: Procedure[Any, R], args: Message, stream: Stream
    ) -> R:
        """Make the call that opens a stream and return its result."""
        payload = await self._exchange_with_stream(procedure, args.pack(), stream)
        return unpack_ret(procedure, payload)

    async def _exchange_with_fds(
        self, procedure: Procedure[Any, Any], packed: bytes, fds: Sequence[int]
    ) -> tuple[bytes, list[int]]:
        """Make one call that sends or brings descriptors; return the result's XDR and what came.

        ``fds`` are open descriptors and stay the caller's; what is returned is the caller's to
        close. Raises UsageError where the road to the daemon carries none, ArgumentUnsupportedError
        where the daemon passes none, SequenceError where it passed others than the procedure
        brings, and what ``call`` raises.
        """
        wanted = fds_wanted(procedure)
        if fds or wanted != 0:
            from virtproto.transport.descriptors import check_road

            check_road(procedure, self._channel._road)
        asked = asks_for_fd_passing(procedure, len(fds))
        if asked and not await self._supports(_FEATURE_FD_PASSING):
            from virtproto.errors import ArgumentUnsupportedError

            raise ArgumentUnsupportedError(
                "the daemon passes no file descriptors",
                code=_ARGUMENT_UNSUPPORTED,
                procedure=procedure.name,
            )
        if fds and not await self._knows(procedure):
            # For the error alone: the daemon would send the descriptors back, unannounced, and what
            # they ride on would be taken for the beginning of the next packet.
            fds = []
        channel, timeout_s = self._channel, self._call_timeout_s
        if wanted == 0 and not fds:
            return await channel.call(procedure, packed, timeout_s), []
        payload, received = await channel.call_with_fds(procedure, packed, fds, timeout_s)
        if wanted is not None and len(received) != wanted:
            from virtproto.transport.descriptors import close_descriptors

            close_descriptors(received)
            raise SequenceError(
                f"{procedure.name}: {len(received)} descriptors came, it brings {wanted}"
            )
        return payload, received

    async def _exchange_with_stream(
        self, procedure: Procedure[Any, Any], packed: bytes, stream: Stream
    ) -> bytes:
        """Make the call that opens ``stream`` and return the result's XDR.

        Raises UsageError for a stream that cannot be opened by it, and what ``call`` raises.
        """
        from virtproto.model.arguments import to_stream

        from .stream import Stream

        check_stream_call(procedure)
        to_stream("stream", stream, Stream, self)
        return await stream._open(procedure, packed, self._call_timeout_s)

    async def _supports(self, feature: int) -> bool:
        """Return whether the daemon has a feature (virDrvFeature); asked once."""
        features: dict[int, bool] = vars(self).setdefault("_features", {})
        if feature not in features:
            asked = ConnectSupportsFeatureArgs(feature=feature)
            try:
                answer = await self._call(CONNECT_SUPPORTS_FEATURE, asked)
            except LibvirtError:
                return False
            features[feature] = bool(answer.supported)
        return features[feature]

    async def _knows(self, procedure: Procedure[Any, Any]) -> bool:
        """Return whether the daemon's release has a procedure; the release is asked once."""
        from virtproto.model.releases import release_needed

        needed = release_needed(procedure)
        if not needed:
            return True
        kept = vars(self)
        if "_daemon_release" not in kept:
            kept["_daemon_release"] = (await self._ask(CONNECT_GET_LIB_VERSION, b"")).lib_ver
        return bool(kept["_daemon_release"] >= needed)
