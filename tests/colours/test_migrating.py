"""Who takes the steps of a conversation between two connections, without a daemon at either end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.model.recipes.conversations import YES
from virtproto import deadline
from virtproto.aio.migrating import run_between as run_between_aio
from virtproto.errors import DeadlineError, LibvirtError
from virtproto.model.recipes.migration_steps import (
    DESTINATION,
    SOURCE,
    Call,
    Pause,
    ask_both,
    the_destination,
)
from virtproto.sync.migrating import run_between as run_between_sync
from virtproto.transport.deadline import time_left
from virtproto.wire import remote

ASKED = remote.ConnectSupportsFeatureArgs(feature=6)


class Channel:
    """Answers every call from a list; an exception is raised."""

    def __init__(self, answers: list[Any], waits: bool) -> None:
        self.answers = answers
        self.waits = waits
        self.limits: list[float | None] = []

    def call(self, procedure: Any, packed: bytes, limit_s: float | None) -> Any:
        assert procedure.args.unpack(packed) is not None
        self.limits.append(limit_s)
        return self._waiting() if self.waits else self._answer()

    def _answer(self) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        packed: bytes = answer.pack()
        return packed

    async def _waiting(self) -> bytes:
        await asyncio.sleep(0)
        return self._answer()


class Connection:
    def __init__(self, waits: bool, *answers: Any) -> None:
        self._channel = Channel(list(answers), waits)
        self.call_timeout_s = 3.0


class Colour:
    def __init__(self, waits: bool) -> None:
        self.waits = waits

    def connection(self, *answers: Any) -> Any:
        return Connection(self.waits, *answers)

    def run(self, source: Any, destination: Any, recipe: Any) -> Any:
        if self.waits:
            return asyncio.run(run_between_aio(source, destination, recipe), debug=True)
        return run_between_sync(source, destination, recipe)


@pytest.fixture(params=[False, True], ids=["sync", "aio"])
def colour(request: pytest.FixtureRequest) -> Colour:
    return Colour(request.param)


def test_each_step_goes_to_its_end(colour: Colour) -> None:
    source, destination = colour.connection(YES), colour.connection(YES)
    assert colour.run(source, destination, ask_both(6)) is True
    assert len(source._channel.limits) == len(destination._channel.limits) == 1


def test_the_destination_itself_can_be_asked_for(colour: Colour) -> None:
    destination = colour.connection()
    assert colour.run(colour.connection(), destination, the_destination()) is destination


def test_patient_calls_have_no_time_limit(colour: Colour) -> None:
    def recipe() -> Any:
        yield Call(SOURCE, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
        yield Call(SOURCE, remote.CONNECT_SUPPORTS_FEATURE, ASKED, patient=True)

    source = colour.connection(YES, YES)
    colour.run(source, colour.connection(), recipe())
    assert source._channel.limits == [3.0, None]


def test_pauses_pass(colour: Colour) -> None:
    def recipe() -> Any:
        yield Pause(0.001)
        return 5

    assert colour.run(colour.connection(), colour.connection(), recipe()) == 5


@pytest.mark.parametrize("error", [LibvirtError("no", code=1), DeadlineError("late"), OSError()])
def test_whatever_ends_a_step_is_told_to_the_recipe(colour: Colour, error: Exception) -> None:
    def recipe() -> Any:
        try:
            yield Call(SOURCE, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
        except BaseException:
            yield Call(DESTINATION, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
            raise

    destination = colour.connection(YES)
    with pytest.raises(type(error)) as caught:
        colour.run(colour.connection(error), destination, recipe())
    assert caught.value is error
    assert destination._channel.limits == [3.0]


@pytest.mark.parametrize(
    ("error", "gets_time"), [(DeadlineError("late"), True), (LibvirtError("no", code=1), False)]
)
def test_tidying_up_after_a_blocks_deadline_has_time_of_its_own(
    colour: Colour, error: Exception, gets_time: bool
) -> None:
    left: list[float | None] = []

    def recipe() -> Any:
        try:
            yield Call(SOURCE, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
        except BaseException:
            yield Call(DESTINATION, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
            raise

    destination = colour.connection(YES)
    answer = destination._channel._answer

    def noting() -> bytes:
        left.append(time_left(None))
        packed: bytes = answer()
        return packed

    destination._channel._answer = noting
    with deadline(0.5):
        with pytest.raises(type(error)):
            colour.run(colour.connection(error), destination, recipe())
        # The caller's own limit is as it was.
        assert 0 < (time_left(None) or 0) <= 0.5
    assert len(left) == 1
    assert (5 < (left[0] or 0) <= 10) == gets_time


def test_pauses_end_with_the_block(colour: Colour) -> None:
    def recipe() -> Any:
        yield Pause(60)
        return 5

    with deadline(0.01):
        assert colour.run(colour.connection(), colour.connection(), recipe()) == 5
        assert (time_left(None) or 0) <= 0


def test_an_interrupt_is_told_to_the_recipe() -> None:
    def recipe() -> Any:
        try:
            yield Call(SOURCE, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
        except KeyboardInterrupt:
            yield Call(DESTINATION, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
            raise

    colour = Colour(waits=False)
    destination = colour.connection(YES)
    with pytest.raises(KeyboardInterrupt):
        colour.run(colour.connection(KeyboardInterrupt()), destination, recipe())
    assert destination._channel.limits == [3.0]


def test_a_cancelled_task_is_told_to_the_recipe() -> None:
    waiting = asyncio.Event()

    def recipe() -> Any:
        try:
            waiting.set()
            yield Pause(60)
        except asyncio.CancelledError:
            yield Call(DESTINATION, remote.CONNECT_SUPPORTS_FEATURE, ASKED)
            raise

    colour = Colour(waits=True)
    destination = colour.connection(YES)

    async def cancel() -> None:
        task = asyncio.ensure_future(run_between_aio(colour.connection(), destination, recipe()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel(), debug=True)
    assert destination._channel.limits == [3.0]
