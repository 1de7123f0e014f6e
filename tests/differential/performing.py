"""A comparison carried out: each party in turn goes through its steps, then the rows are compared.

Responsible for the order of things, for putting the stage back, and for telling what differs. It
must not know any method.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.differential.comparison import (
    Ask,
    CallbackArgument,
    Comparison,
    Do,
    Outcome,
    Remove,
    See,
    Step,
    Wait,
    Watching,
)
from tests.differential.likeness import Likeness, equal
from tests.differential.parties import Answer, BindingParty, OurParty, Party, StageError

__all__ = ["Stage", "StageError", "go_through", "perform", "watch"]

_GLANCE_S = 0.02
# What is compared of an error that a client makes by itself, in its own words.
_OF_A_CLIENT = ("code", "domain")


@dataclass(frozen=True)
class Stage:
    """A daemon with things made ready on it, the C binding and both colours connected to it."""

    name: str
    binding: BindingParty
    ours: Sequence[OurParty]
    # The C binding with an event loop: it hears of events and does nothing else.
    watcher: BindingParty
    # The same daemon and objects, and all three connected to it to read only.
    read_only: Stage | None = None


def perform(comparison: Comparison, stage: Stage) -> list[str]:
    """Return what differs between the parties, or from what was expected; nothing is good."""
    theirs = go_through(comparison, stage, stage.binding)
    found = _surprises(theirs, comparison, stage)
    for party in stage.ours:
        for (step, a), (_, b) in zip(theirs, go_through(comparison, stage, party), strict=True):
            difference = _difference(step, a, b)
            if difference is not None:
                found.append(f"{party.name}, {_title(step)}: {difference}")
    return found


def watch(watching: Watching, stage: Stage) -> list[str]:
    """Return what differs between the events that the parties hear of; nothing is good."""
    parties: tuple[Party, ...] = (stage.watcher, *stage.ours)
    for party in parties:
        party.forget()
    numbers = [_value(party.answer(watching.register)) for party in parties]
    heard: list[list[Any]] = []
    try:
        for step in watching.causes:
            if isinstance(step, Do):
                _succeed(step, stage.binding.see(step))
            else:
                _put_back(step, stage.binding)
        heard += [watching.shape(party.hear(watching.count)) for party in parties]
    finally:
        for party, number in zip(parties, numbers, strict=True):
            _value(party.answer(_undone(watching, number)))
        for step in watching.afterwards:
            _put_back(step, stage.binding)
    theirs, *ours = heard
    differences = [equal(_comparable(theirs), _comparable(events)) for events in ours]
    return [difference for difference in differences if difference is not None]


def _undone(watching: Watching, number: Any) -> Ask:
    """Return the question that ends a registration, which answered ``number`` if anything."""
    method, counterpart = watching.deregister
    cls = watching.register.documented.partition(".")[0]
    given = () if number is None else (number,)
    # Where there is no number, the binding wants the callback itself.
    named = given or (CallbackArgument(),)
    return replace(
        watching.register,
        documented=f"{cls}.{method}",
        args=given,
        binding=(counterpart, *named),
    )


def _value(answer: Answer) -> Any:
    if "error" in answer:
        raise StageError(str(answer["error"]))
    return answer["value"]


def go_through(
    comparison: Comparison, stage: Stage, party: Party
) -> list[tuple[Ask | See, Answer]]:
    """Have one party go through the steps; return what is to be compared, step by step."""
    answers: list[tuple[Ask | See, Answer]] = []
    try:
        for step in comparison.steps:
            match step:
                case Ask():
                    answers.append((step, party.answer(step)))
                case See():
                    answers.append((step, _shaped(stage.binding.see(step), step)))
                case Do():
                    _succeed(step, stage.binding.see(step))
                case Wait():
                    _wait(step, stage.binding)
                case Remove():
                    stage.binding.remove(step)
    finally:
        for step in comparison.afterwards:
            _put_back(step, stage.binding)
    return answers


def _put_back(step: Step, binding: BindingParty) -> None:
    match step:
        case Wait():
            with contextlib.suppress(StageError):
                _wait(step, binding)
        case Remove():
            binding.remove(step)
        case Do() | See():
            binding.see(step)


def _shaped(answer: Answer, step: See) -> Answer:
    return {"value": step.shape(answer["value"])} if "value" in answer else answer


def _succeed(step: Do, answer: Answer) -> None:
    if "error" in answer and not step.may_fail:
        raise StageError(f"{step.method}{step.args}: {answer['error']}")


def _wait(step: Wait, binding: BindingParty) -> None:
    # The C binding's blocking side has no event to wait for, hence the glances.
    deadline = time.monotonic() + step.timeout_s
    while True:
        answer = binding.see(step)
        if "value" in answer and step.until(answer["value"]):
            return
        if "error" in answer or time.monotonic() > deadline:
            raise StageError(f"{step.method}{step.args} still gives {answer}")
        time.sleep(_GLANCE_S)


def _surprises(
    answers: list[tuple[Ask | See, Answer]], comparison: Comparison, stage: Stage
) -> list[str]:
    found = []
    for step, answer in answers:
        if isinstance(step, See):  # what is looked for may well be gone
            continue
        wanted = step.expected(comparison.stages, stage.name)
        if wanted == Outcome.VALUE and "error" in answer:
            found.append(f"{_title(step)} was refused: {answer['error']}")
        if wanted == Outcome.REFUSAL and "value" in answer:
            found.append(f"{_title(step)} was not refused: {answer['value']!r}")
    return found


def _difference(step: Ask | See, theirs: Answer, ours: Answer) -> str | None:
    by: Likeness = step.by
    if "value" in theirs and "value" in ours:
        return by(_comparable(theirs["value"]), _comparable(ours["value"]))
    if "error" in theirs and "error" in ours:
        told = _OF_A_CLIENT if isinstance(step, Ask) and step.by_client else tuple(theirs["error"])
        return equal(*({name: answer["error"][name] for name in told} for answer in (theirs, ours)))
    return f"{theirs} and {ours}"


def _comparable(value: Any) -> Any:
    """Lists for tuples, so that a shape may return either."""
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return value


def _title(step: Ask | See) -> str:
    return step.documented if isinstance(step, Ask) else f"as seen by {step.method}"
