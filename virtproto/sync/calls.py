"""What a connection does in order to make a call: the typed door and what methods use of it.

Responsible for ``call`` and its kin, for running recipes, and for closing. Which methods a
connection has is in ``_methods``; what costs no call is in ``virtproto.model.connection_handle``.
Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError
from virtproto.model.calls import check_call, pack_args, unpack_ret
from virtproto.model.connection_handle import ConnectionHandle
from virtproto.model.refs import check_timeout
from virtproto.model.refusals import read_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self, TypeVar

    from virtproto.model.recipes import Recipe
    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

    A = TypeVar("A")
    R = TypeVar("R")
    T = TypeVar("T")

__all__ = ["ConnectionCalls", "run_recipe"]


class ConnectionCalls(ConnectionHandle):
    """Any connection's ways to make a call, whether it manages guests or the daemon itself."""

    _channel: Channel
    # The procedure that ends a connection of the kind.
    _goodbye: Procedure[None, None]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye to the daemon and close the connection; does nothing the second time.

        Waits briefly for the daemon's answer. Procedure: CONNECT_CLOSE.
        """
        self._channel.close(self._goodbye)

    def call(self, procedure: Procedure[A, R], args: A, *, timeout_s: float | None = None) -> R:
        """Make one call: the door to every procedure that is one request and one reply.

        ``procedure`` is one of the constants of ``virtproto.wire``, ``args`` its message of
        arguments (None where it has none); the result is its message of results, or None.
        ``timeout_s`` bounds this call, in seconds above 0; without it ``call_timeout_s`` does.

        Raises UsageError (also for events, and for procedures that open streams or pass
        descriptors) and EncodeError before anything is sent; LibvirtError for the daemon's
        refusal (UnknownProcedureError from a daemon older than the procedure); DeadlineError;
        DecodeError; ConnectionLostError; ConnectionClosedError.
        """
        packed = pack_args(procedure, args)
        check_timeout("timeout_s", timeout_s)
        return unpack_ret(procedure, self._exchange(procedure, packed, timeout_s))

    def call_packed(
        self, procedure: Procedure[Any, Any], packed: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Make one call with arguments that are XDR already; return the result's XDR.

        Raises as ``call`` does, but neither EncodeError for the arguments nor DecodeError for the
        result: what they hold is the caller's business. UsageError where they are not bytes.
        """
        check_call(procedure, packed)
        check_timeout("timeout_s", timeout_s)
        return self._exchange(procedure, packed, timeout_s)

    def run(self, recipe: Recipe[T]) -> T:
        """Make the calls that a recipe of ``virtproto.model.recipes`` asks for; return its result.

        Raises as ``call`` does.
        """
        return run_recipe(self._channel, recipe, self._call_timeout_s)

    def _exchange(
        self, procedure: Procedure[Any, Any], packed: bytes, timeout_s: float | None = None
    ) -> bytes:
        """Make a call of which ``check_call`` and ``check_timeout`` would find nothing to say."""
        if timeout_s is None:
            timeout_s = self._call_timeout_s
        return self._channel.call(procedure, packed, timeout_s)

    # What the methods use; their arguments were checked one by one.

    def _ask(self, procedure: Procedure[Any, R], packed: bytes) -> R:
        """Make one call with arguments that are XDR already, and return its result."""
        payload = self._channel.call(procedure, packed, self._call_timeout_s)
        return unpack_ret(procedure, payload)

    def _call(self, procedure: Procedure[Any, R], args: Message) -> R:
        """Make one call and return its result."""
        return self._ask(procedure, args.pack())

    # By the name that the methods of objects know it by, too.
    _run = run

    def _require_writable(self, method: str) -> None:
        if self._readonly:
            raise read_only(f"Connection.{method}")


def run_recipe(channel: Channel, recipe: Recipe[T], timeout_s: float | None) -> T:
    """Make a recipe's calls on a channel, one after another."""
    try:
        procedure, args = next(recipe)
        while True:
            packed = pack_args(procedure, args)
            try:
                payload = channel.call(procedure, packed, timeout_s)
            except LibvirtError as error:
                procedure, args = recipe.throw(error)
            else:
                procedure, args = recipe.send(unpack_ret(procedure, payload))
    except StopIteration as done:
        result: T = done.value
        return result
