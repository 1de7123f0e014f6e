"""Short ways to write comparisons down.

Responsible for the defaults that most of them share. It must not know any stage beyond its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.differential.comparison import (
    Address,
    Ask,
    Comparison,
    Normaliser,
    Outcome,
    Step,
    StreamArgument,
    nothing,
    unchanged,
)
from tests.differential.likeness import Likeness, equal
from tests.differential.stages import MIGRATION, OTHER_RELEASES, QEMU, TEST

__all__ = ["act", "ask", "object_of", "reading", "scenario", "where"]

_PLAIN_OUTCOMES = (Outcome.VALUE, Outcome.REFUSAL, Outcome.EITHER)
_MARKS = {"!": Outcome.REFUSAL, "?": Outcome.EITHER}

# The object that a method of each class is asked of.
_OF_CLASS = {
    "Connection": "connection",
    "Domain": "domain",
    "DomainSnapshot": "snapshot",
    "DomainCheckpoint": "checkpoint",
    "Network": "network",
    "NetworkPort": "port",
    "StoragePool": "pool",
    "StorageVol": "volume",
    "NodeDevice": "device",
    "Interface": "interface",
    "Secret": "secret",
    "NWFilter": "nwfilter",
    "NWFilterBinding": "nwfilter_binding",
}


def where(stages: str) -> Mapping[str, str]:
    """Return stages and outcomes: "test !qemu" expects a value from one, a refusal from the other.

    "?" before a name leaves open which. What is asked of "test" is asked of the other releases'
    test drivers as well, which may be too old for it; "test-only" is not.
    """
    outcomes = {}
    for word in stages.split():
        name = word.lstrip("!?").removesuffix("-only")
        outcome = _MARKS.get(word[0], Outcome.VALUE)
        assert name in (TEST, QEMU, MIGRATION), name
        outcomes[name] = outcome
        if name == TEST and not word.endswith("-only"):
            outcomes.update({f"{TEST} {version}": Outcome.EITHER for version in OTHER_RELEASES})
    return outcomes


def object_of(documented: str) -> str:
    """Return the address of the object that a method is asked of, unless another is named."""
    return _OF_CLASS[documented.partition(".")[0]]


def ask(
    documented: str,
    binding: str,
    *args: Any,
    on: str | Address | None = None,
    binding_args: Sequence[Any] | None = None,
    keywords: Mapping[str, Any] | None = None,
    ours: Normaliser = unchanged,
    theirs: Normaliser = unchanged,
    both: Normaliser = unchanged,
    by: Likeness = equal,
    outcome: str = Outcome.VALUE,
    binding_on: str | Address | None = None,
    by_client: bool = False,
) -> Ask:
    """Return a step that asks ``documented`` of virtproto and ``binding`` of the C binding.

    Both get ``args``, unless the binding wants ``binding_args``; the object is that of the class.
    ``outcome`` is one of ``Outcome``, or stages as for ``where``.
    """
    return Ask(
        documented,
        on if on is not None else object_of(documented),
        args,
        (binding, *(args if binding_args is None else binding_args)),
        keywords=keywords or {},
        ours=ours,
        theirs=theirs,
        both=both,
        by=by,
        outcome=outcome if outcome in _PLAIN_OUTCOMES else where(outcome),
        binding_on=binding_on,
        by_client=by_client,
        also=tuple(name for value in args for name in _used(value)),
    )


def _used(value: Any) -> tuple[str, ...]:
    """Return the methods that using an argument takes."""
    return value.used if isinstance(value, StreamArgument) else ()


def act(documented: str, binding: str, *args: Any, **rest: Any) -> Ask:
    """Return a step like ``ask``'s for a method that answers nothing where it succeeds."""
    return ask(documented, binding, *args, theirs=nothing, **rest)


def reading(
    stages: str,
    documented: str,
    binding: str,
    *args: Any,
    before: Sequence[Step] = (),
    afterwards: Sequence[Step] = (),
    **rest: Any,
) -> Comparison:
    """Return a comparison of one method that changes nothing."""
    shown = ", ".join(repr(value) for value in args)
    step = ask(documented, binding, *args, **rest)
    of = f" of {step.on}" if rest.get("on") is not None else ""
    name = f"{documented}({shown}){of}"
    return Comparison(name, where(stages), (*before, step), tuple(afterwards))


def scenario(name: str, stages: str, *steps: Step, afterwards: Sequence[Step] = ()) -> Comparison:
    """Return a comparison of several steps; ``afterwards`` puts the stage back."""
    return Comparison(name, where(stages), steps, tuple(afterwards))
