"""Being let in by a daemon: what it takes is told, asked, proven.

Responsible for making the calls that this takes, so that no traceback shows what they hold. Which
calls these are is in ``virtproto.model.recipes.authentication`` and ``virtproto.transport.sasl``.
Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, LibvirtError
from virtproto.wire.remote.auth import AUTH_TYPE_POLKIT

from .calls import run_recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from virtproto.model.credentials import Asker, AsyncAsker, Credentials
    from virtproto.model.recipes.authentication import Question, Talk, Work
    from virtproto.model.uri import ConnectionURI
    from virtproto.transport.road import Road
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

    T = TypeVar("T")

__all__ = ["authenticate"]


async def authenticate(
    channel: Channel,
    road: Road,
    kind: int,
    uri: ConnectionURI | None,
    credentials: Credentials | Asker | AsyncAsker | None,
    timeout_s: float | None,
) -> None:
    """Have the daemon let this client in; ``timeout_s`` bounds each call that it takes.

    ``kind`` is the AUTH_TYPE to use, which is not that of none: as `be_let_in` found it.
    What ``credentials`` leave out is read from ``auth.conf``; a function is asked for what neither
    told, and may take its time. A security layer that was agreed on is the channel's from then on.
    Raises AuthenticationError (CredentialsMissingError), ConfigFileError, UsageError for answers
    that are none, and the LibvirtError of a daemon that is not convinced.
    """
    from virtproto.model.recipes.authentication import ask_polkit, patience

    if kind == AUTH_TYPE_POLKIT:
        await run_recipe(channel, ask_polkit(), patience(timeout_s))
        return
    from virtproto.transport.sasl.login import log_in

    layer = await _carry_on(channel, log_in(road, uri, credentials), credentials, timeout_s)
    if layer is not None:
        channel.add_layer(layer)


async def _carry_on(
    channel: Channel, talk: Talk[T], credentials: Any, timeout_s: float | None
) -> T:
    """Do what a conversation asks for, one thing after another."""
    try:
        wish = next(talk)
        while True:
            try:
                result = await _grant(channel, wish, credentials, timeout_s)
            except LibvirtError as error:
                wish = talk.throw(error)
            else:
                wish = talk.send(result)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    finally:
        # Whatever it ended by, what is secret is dropped.
        talk.close()


async def _grant(
    channel: Channel,
    wish: tuple[Procedure[Any, Any], Any] | Work | Question,
    credentials: Any,
    timeout_s: float | None,
) -> Any:
    from virtproto.model.calls import pack_args, unpack_ret
    from virtproto.model.credentials import ConcealedBytes
    from virtproto.model.recipes.authentication import Work

    from .asking import ask, compute

    if isinstance(wish, Work):
        function, args = wish.function, wish.args
        return await compute(function, args, may_block=wish.may_block, timeout_s=timeout_s)
    if not isinstance(wish, tuple):
        return await ask(credentials, wish.requests)
    procedure, args = wish
    packed = ConcealedBytes(pack_args(procedure, args))
    payload = ConcealedBytes(await channel.call(procedure, packed, timeout_s))
    try:
        return unpack_ret(procedure, payload)
    except DecodeError as error:
        failure = error.with_traceback(None)
    # Without the frames of the decoder, before which lies what the daemon said.
    failure.__cause__ = failure.__context__ = None
    raise failure
