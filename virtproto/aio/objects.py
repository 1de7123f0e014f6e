"""What every object of a connection does in order to make a call.

Responsible for the calls of an object's methods: packing, the way to the connection, unpacking, and
naming the object in what the daemon refused. What a handle remembers is in the model, which methods
there are in ``_methods``. Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError
from virtproto.model.arguments import to_peer
from virtproto.model.calls import unpack_ret
from virtproto.model.object_handle import ObjectHandle
from virtproto.model.refusals import read_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from virtproto.model.recipes import Recipe
    from virtproto.model.recipes.migration_steps import Conversation
    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    from .connection import Connection
    from .stream import Stream

    R = TypeVar("R")
    T = TypeVar("T")

__all__ = ["RemoteObject"]


class RemoteObject(ObjectHandle):
    """An object that belongs to a connection, and whose methods are calls on it."""

    __slots__ = ()

    _connection: Connection

    @property
    def connection(self) -> Connection:
        """The connection that the object belongs to."""
        return self._connection

    async def _ask(self, procedure: Procedure[Any, R], packed: bytes) -> R:
        """Make one call with arguments that are XDR already, and return its result."""
        connection = self._connection
        try:
            payload = await connection._channel.call(procedure, packed, connection._call_timeout_s)
        except LibvirtError as error:
            error.object = self
            raise
        return unpack_ret(procedure, payload)

    async def _call(self, procedure: Procedure[Any, R], args: Message) -> R:
        """Make one call and return its result."""
        return await self._ask(procedure, args.pack())

    async def _run(self, recipe: Recipe[T]) -> T:
        """Make the calls that a recipe asks for and return what came of them."""
        try:
            return await self._connection.run(recipe)
        except LibvirtError as error:
            error.object = self
            raise

    async def _run_between(self, recipe: Conversation[T], destination: Connection) -> T:
        """Take the steps that a recipe asks for, here and at another connection."""
        from .migrating import run_between

        if destination is not self._connection:
            to_peer("dest_conn", destination, type(self._connection))
        try:
            return await run_between(self._connection, destination, recipe)
        except LibvirtError as error:
            error.object = self
            raise

    async def _call_with_fds(
        self, procedure: Procedure[Any, R], args: Message, fds: Sequence[int]
    ) -> tuple[R, list[int]]:
        """Make one call that sends or brings descriptors; return its result and what came."""
        try:
            return await self._connection._call_with_fds(procedure, args, fds)
        except LibvirtError as error:
            error.object = self
            raise

    async def _call_with_stream(
        self, procedure: Procedure[Any, R], args: Message, stream: Stream
    ) -> R:
        """Make the call that opens a stream and return its result."""
        try:
            return await self._connection._call_with_stream(procedure, args, stream)
        except LibvirtError as error:
            error.object = self
            raise

    def _require_writable(self, method: str, enum: str = "", asked: int = 0) -> None:
        if self._connection.is_readonly():
            name = f"{type(self).__name__}.{method}"
            raise read_only(name, self, enum=enum, asked=asked)
