"""Drives recipes with two ends by hand: a script of answers, and which calls they were given to.

Responsible for holding a recipe to the calls that its script expects, in order and at the right
end. It must not know what a migration is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from virtproto.model.recipes.migration_steps import DESTINATION, SOURCE, Call, Pause
from virtproto.wire import remote

__all__ = ["NO", "YES", "Peer", "Played", "feature", "play"]

YES = remote.ConnectSupportsFeatureRet(supported=1)
NO = remote.ConnectSupportsFeatureRet(supported=0)

_ENDS = {"source": SOURCE, "destination": DESTINATION}


@dataclass
class Peer:
    """What a recipe may learn of the destination's connection without a call."""

    uri: str = "qemu+ssh://there/system"
    readonly: bool = False

    def get_uri(self) -> str:
        return self.uri

    def is_readonly(self) -> bool:
        return self.readonly


@dataclass
class Played:
    """What came of a recipe: the arguments of its calls by procedure, and how it ended."""

    calls: list[Call] = field(default_factory=list)
    result: Any = None
    error: BaseException | None = None

    def args(self, procedure: str, number: int = 0) -> Any:
        """Return the arguments of the call of a procedure, of the ``number``-th one from 0."""
        found = [call for call in self.calls if call.procedure and call.procedure.name == procedure]
        return found[number].args

    def patient(self) -> set[str]:
        """Return the names of the procedures that no time limit is for."""
        return {call.procedure.name for call in self.calls if call.procedure and call.patient}


def feature(number: int, answer: Any = YES, end: str = "source") -> tuple[str, Any]:
    """Return a line of a script: the question for a feature and its answer."""
    return f"{end} CONNECT_SUPPORTS_FEATURE {number}", answer


def play(recipe: Any, script: list[tuple[str, Any]], peer: Peer | None = None) -> Played:
    """Answer a recipe by a script of ("end PROCEDURE", answer) lines; an exception is thrown in.

    Pauses pass at once, and the destination's connection is ``peer``. Every line has to be used.
    """
    played = Played()
    lines = list(script)
    try:
        step = next(recipe)
        while True:
            if isinstance(step, Pause):
                assert step.seconds > 0
                step = recipe.send(None)
                continue
            if step.procedure is None:
                assert step.end == DESTINATION
                step = recipe.send(peer or Peer())
                continue
            played.calls.append(step)
            assert lines, f"nothing is left to answer {_line(step)}"
            expected, answer = lines.pop(0)
            assert _line(step) == expected
            # Whatever the recipe made has to be fit to be sent.
            step.procedure.args.unpack(step.args.pack())
            step = (
                recipe.throw(answer) if isinstance(answer, BaseException) else recipe.send(answer)
            )
    except StopIteration as done:
        played.result = done.value
    except AssertionError:
        raise
    except BaseException as error:
        played.error = error
    assert not lines, f"never asked for: {[line for line, _ in lines]}"
    return played


def _line(step: Call) -> str:
    assert step.procedure is not None
    end = next(name for name, number in _ENDS.items() if number == step.end)
    line = f"{end} {step.procedure.name}"
    if isinstance(step.args, remote.ConnectSupportsFeatureArgs):
        line += f" {step.args.feature}"
    return line
