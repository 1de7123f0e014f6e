"""The exception tree: drawn as it is, and whole after copying and pickling."""

from __future__ import annotations

import builtins
import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from virtproto import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.VirtprotoError)
}

# A line of the drawing: what stands before the name shows how deep it is.
DRAWN = re.compile(r"^    ([│├└─ ]*)(\w+Error)\b(?:.*\(also a (\w+)\))?", re.MULTILINE)


def test_the_tree_is_as_drawn() -> None:
    above: list[type] = []
    drawn = {}
    for branch, name, builtin in DRAWN.findall(errors.__doc__ or ""):
        depth = len(branch) // 4
        cls = CLASSES[name]
        parents = [*above[depth - 1 : depth], *([getattr(builtins, builtin)] if builtin else [])]
        assert list(cls.__bases__) == (parents or [Exception]), name
        above[depth:] = [cls]
        drawn[name] = cls
    assert drawn == CLASSES


def test_every_class_is_public() -> None:
    assert set(CLASSES) <= set(errors.__all__)


def test_codes_have_their_class() -> None:
    assert errors.error_class(42) is errors.NoDomainError
    assert errors.error_class(3) is errors.NoSupportError
    assert errors.error_class(38) is errors.error_class(10**6) is errors.LibvirtError


EXAMPLES = [
    errors.UsageError("not like this"),
    errors.ArgumentTypeError("name: expected a str"),
    errors.DecodeError("4 bytes too many", offset=28, path="doms[3].name"),
    errors.DeadlineError("too late"),
    errors.NoDomainError("no domain", code=42, domain=10, str1="%s", procedure="DOMAIN_GET_INFO"),
    errors.LibvirtError(None, code=1),
]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_a_copy_is_as_the_original(
    error: errors.VirtprotoError, again: Callable[[Any], Any]
) -> None:
    twin = again(error)
    assert type(twin) is type(error)
    assert twin is not error
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_an_unknown_procedure_keeps_its_release() -> None:
    error = errors.UnknownProcedureError("too old", code=3)
    error.since = "7.1.0"
    assert pickle.loads(pickle.dumps(error)).since == "7.1.0"
