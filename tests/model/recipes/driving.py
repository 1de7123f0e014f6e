"""Recipes driven by hand: what they ask, answered in order."""

from __future__ import annotations

from typing import Any

__all__ = ["drive"]


def drive(recipe: Any, answers: list[Any]) -> tuple[list[tuple[str, Any]], Any]:
    """Answer a recipe's calls in order; return the calls and what the recipe returned.

    An answer that is an exception is thrown in; every answer has to be asked for.
    """
    calls = []
    waiting = list(answers)
    try:
        procedure, args = next(recipe)
        while True:
            calls.append((procedure.name, args))
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                procedure, args = recipe.throw(answer)
            else:
                procedure, args = recipe.send(answer)
    except StopIteration as done:
        assert not waiting
        return calls, done.value
