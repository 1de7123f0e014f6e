"""Which methods the comparisons reach, which they do not and why: the count that is published.

Responsible for holding the public methods against the comparisons and ``not_compared.toml``, and
for the page that tells. It must not know how a comparison is carried out.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path

import virtproto.sync
from tests.differential.comparison import Ask, Outcome
from tests.differential.comparisons import ALL, WATCHINGS
from tests.differential.comparisons.closing import QUESTIONS
from tests.differential.events.causes import CAUSES
from tests.differential.stages import FEWEST_ANSWERS, MIGRATION, OTHER_RELEASES, QEMU, TEST
from tests.lab.place import repository

__all__ = ["PAGE", "compared", "not_compared", "page", "public_methods"]

PAGE = repository / "docs" / "differential.md"

_CLASSES = (
    "Connection",
    "Domain",
    "DomainSnapshot",
    "DomainCheckpoint",
    "Network",
    "NetworkPort",
    "StoragePool",
    "StorageVol",
    "NodeDevice",
    "Interface",
    "Secret",
    "NWFilter",
    "NWFilterBinding",
    "Stream",
)

_INTRODUCTION = """\
# Compared with the C binding

Every method below, but for those that say why not, is asked three times of the same real libvirtd:
through Debian's python3-libvirt 9.0.0, which is libvirt's C library, through `virtproto` and
through `virtproto.aio`. The answers have to be equal; only numbers that move meanwhile (counters,
clocks, free memory) may differ, each where its comparison says so. Where the daemon refuses, all
nine fields of the error have to be equal; where the client does, code and domain, since the message
is its own. What changes something is done three times from the same state, and what the C library
sees afterwards has to be equal too. Events are heard by all three at once.

"test" is the test driver of libvirtd 9.0.0, "qemu" its QEMU driver with a running Linux guest whose
agent answers, also between two such daemons. Nearly all that is asked of "test" is asked of the
test drivers of {releases} as well. What they refuse has to be the same for all
three, and each answers {fewest} questions at the least.

"{VALUE}" means that real answers were compared, "{REFUSAL}" that the same request was refused
alike, "{EITHER}" that it depends on the machine which of the two. The object that a method is asked
of is always there: a failed lookup is a failed test.

On a read-only connection all three are refused what libvirt's client refuses there, with the same
code and domain, whatever method of the binding it is; and what the test driver tells about itself
is told alike.

This page is written by `python -m tests.differential`; a test keeps it up to date.
"""

# What a table's cell says of the outcomes of all comparisons of a method on a stage.
_WORDS = {Outcome.VALUE: "answers", Outcome.REFUSAL: "refusals", Outcome.EITHER: "either"}


def public_methods() -> dict[str, list[str]]:
    """Return the public methods of each class that a connection gives access to."""
    found = {}
    for name in _CLASSES:
        cls = getattr(virtproto.sync, name)
        members = (member for member in dir(cls) if not member.startswith("_"))
        found[name] = [member for member in members if callable(getattr(cls, member))]
    return found


def compared() -> dict[str, dict[str, set[str]]]:
    """Return the outcomes on each stage ("test", "qemu") of every method that is compared."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for comparison in ALL:
        for step in comparison.steps:
            if not isinstance(step, Ask):
                continue
            for stage in comparison.stages:
                for name in (step.documented, *step.also):
                    found[name][_column(stage)].add(step.expected(comparison.stages, stage))
    for watching in WATCHINGS:
        for stage in watching.stages:
            for name in watching.documented:
                found[name][_column(stage)].add(Outcome.VALUE)
    for cause in CAUSES:
        column = TEST if cause.scene == TEST else QEMU
        found["Connection.events"][column].add(Outcome.VALUE)
    found["Connection.qemu_monitor_events"][QEMU].add(Outcome.VALUE)
    for question in QUESTIONS:
        found[question.documented][TEST].add(Outcome.VALUE)
    return found


def _column(stage: str) -> str:
    """Return the page's column for a stage; old releases have one that is not shown."""
    return QEMU if stage == MIGRATION else stage


def not_compared() -> dict[str, str]:
    """Return the reason for each method that no comparison reaches."""
    text = Path(__file__).with_name("not_compared.toml").read_text()
    classes: dict[str, dict[str, str]] = tomllib.loads(text)
    return {
        f"{cls}.{name}": reason
        for cls, methods in classes.items()
        for name, reason in methods.items()
    }


def page() -> str:
    """Return the page of the count."""
    releases = f"{', '.join(OTHER_RELEASES[:-1])} and {OTHER_RELEASES[-1]}"
    reached, reasons = compared(), not_compared()
    parts = [_introduction(releases)]
    parts.append(_summary(reached, reasons))
    for cls, methods in public_methods().items():
        rows = [_row(f"{cls}.{name}", reached, reasons) for name in methods]
        parts.append(
            "\n".join([f"## {cls}", "", "| method | test | qemu |", "|---|---|---|", *rows])
        )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _introduction(releases: str) -> str:
    words = {name.upper(): word for name, word in _words().items()}
    fewest = min(FEWEST_ANSWERS.values())
    return _INTRODUCTION.format(releases=releases, fewest=fewest, **words)


def _words() -> dict[str, str]:
    return {"value": _WORDS[Outcome.VALUE], **{k: _WORDS[k] for k in ("refusal", "either")}}


def _summary(reached: dict[str, dict[str, set[str]]], reasons: dict[str, str]) -> str:
    lines = [
        "| class | methods | answers compared | refusals only | not compared |",
        "|---|---:|---:|---:|---:|",
    ]
    sums = [0, 0, 0, 0]
    for cls, methods in public_methods().items():
        names = [f"{cls}.{name}" for name in methods]
        answered = sum(_has_answers(reached[name]) for name in names if name in reached)
        missing = sum(name in reasons for name in names)
        numbers = [len(names), answered, len(names) - answered - missing, missing]
        sums = [a + b for a, b in zip(sums, numbers, strict=True)]
        lines.append(f"| {cls} | {' | '.join(map(str, numbers))} |")
    lines.append(f"| all | {' | '.join(map(str, sums))} |")
    return "\n".join(lines)


def _has_answers(outcomes: dict[str, set[str]]) -> bool:
    return any(Outcome.VALUE in found for found in outcomes.values())


def _row(name: str, reached: dict[str, dict[str, set[str]]], reasons: dict[str, str]) -> str:
    method = name.partition(".")[2]
    if name in reasons:
        return f"| `{method}` | not compared: {reasons[name]} | |"
    cells = [_cell(reached[name].get(stage, set())) for stage in (TEST, QEMU)]
    return f"| `{method}` | {' | '.join(cells)} |"


def _cell(outcomes: set[str]) -> str:
    return ", ".join(word for outcome, word in _WORDS.items() if outcome in outcomes) or "-"
