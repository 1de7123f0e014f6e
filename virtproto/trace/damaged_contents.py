"""Damaged payloads read as far as they go, into the plain form of what was meant.

Responsible for the values before the damage and behind it, where their places are clear, and for
the problems. Must not know secrets: what may have some is not read here unless they may be shown.
"""

from __future__ import annotations

import re

from virtproto.trace.secrets.places import damage_offset
from virtproto.wire import load_contract
from virtproto.xdr.annotate import MAX_FIELDS, Problem, annotate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.trace.secrets.plans import Plan

__all__ = ["read_as_far"]

# With a limit of elements: enough for all that is then told of a damaged payload.
_FEW_FIELDS = 1000

_TOKENS = re.compile(r"[^.\[\]]+|\[\d+\]")


def read_as_far(
    plan: Plan, payload: bytes, limit: int | None
) -> tuple[Any, list[Problem], dict[str, int]]:
    """Return what could be read, as plain values, what is wrong, and how long cut lists are.

    Nothing at all is None.
    """
    most = MAX_FIELDS if limit is None else _FEW_FIELDS
    contract = load_contract()
    read = annotate(contract, plan.type_name, payload, show_secrets=True, max_fields=most)
    counts: dict[str, int] = {}
    root: dict[str, Any] = {}
    for field in read.fields:
        tokens = _TOKENS.findall(field.path)
        if not tokens:
            continue
        if limit is not None and any(int(t[1:-1]) >= limit for t in tokens if t[0] == "["):
            continue
        if field.type == "count" and limit is not None and field.value > limit:
            counts[field.path] = field.value
        _put(root, tokens, field.type, field.value)
    problems = [each for each in read.problems if limit is None or not each.legal]
    if not any(not each.legal for each in problems):
        offset = damage_offset(plan, payload)
        problems.append(Problem(offset, "", "it cannot be read from here on", fatal=True))
    return root or None, problems, counts


def _put(root: dict[str, Any], tokens: list[str], type_name: str, value: Any) -> None:
    """Put the value of one field into the tree."""
    here: Any = root
    for index, token in enumerate(tokens[:-1]):
        here = _below(here, token, is_list=tokens[index + 1][0] == "[")
    last = tokens[-1]
    if type_name == "count":
        value = []
    elif type_name == "optional":
        if value:
            return
        value = None
    elif type_name == "int" and last == "value" and "field" in here:
        # The type of a typed parameter, in front of its value.
        value = {"type": value}
    elif isinstance(here, dict) and here.keys() == {"type"}:
        last = "value"
    if isinstance(here, list):
        here.append(value)
    else:
        here[last] = value


def _below(here: Any, token: str, *, is_list: bool) -> Any:
    """Return the value inside of ``here`` that goes by ``token``, made if it is not there yet."""
    made: Any = [] if is_list else {}
    if token[0] != "[":
        return here.setdefault(token, made)
    # Elements come in their order.
    if int(token[1:-1]) == len(here):
        here.append(made)
    return here[-1]
