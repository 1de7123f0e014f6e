"""Takes the steps of a conversation between two daemons, on two connections.

Responsible for which connection a step is for, how long it may take, and for telling the recipe
whatever becomes of it, an interrupt too; and that a block's deadline ends the migration, but not
what it takes to tidy up behind it. Which steps there are is said by the recipes of
``virtproto.model.recipes.migration``. Its twin of the other colour differs in ``async`` and
``await`` only.
"""

from __future__ import annotations

from time import monotonic

from virtproto.model.calls import pack_args, unpack_ret
from virtproto.model.recipes.migration_steps import Pause, unanswered
from virtproto.transport.deadline import instead, time_left

from .pausing import pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from virtproto.model.recipes.migration_steps import Call, Conversation

    from .connection import Connection

    T = TypeVar("T")

__all__ = ["run_between"]

# How long tidying up at both ends may take when the time that a block allowed is over.
_TIDY_S = 10.0


async def run_between(source: Connection, destination: Connection, recipe: Conversation[T]) -> T:
    """Take a recipe's steps, one after another, and return what came of them.

    Whatever ends a step is thrown into the recipe, which decides what is to be done at either end
    before it goes on its way: of refusals, lost connections, interrupts and cancelled tasks alike.
    """
    ends = (source, destination)
    tidying: instead | None = None
    try:
        step = next(recipe)
        while True:
            try:
                if tidying is None:
                    answer = await _take(ends, step)
                else:
                    with tidying:
                        answer = await _take(ends, step)
            except BaseException as error:
                if tidying is None and unanswered(error) and time_left(None) is not None:
                    tidying = instead(monotonic() + _TIDY_S)
                step = recipe.throw(error)
            else:
                step = recipe.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def _take(ends: tuple[Connection, Connection], step: Call | Pause) -> Any:
    if isinstance(step, Pause):
        await pause(step.seconds)
        return None
    connection = ends[step.end]
    procedure = step.procedure
    if procedure is None:
        return connection
    limit_s = None if step.patient else connection.call_timeout_s
    packed = pack_args(procedure, step.args)
    return unpack_ret(procedure, await connection._channel.call(procedure, packed, limit_s))
