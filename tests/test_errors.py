"""The exception tree: drawn as it is, and whole after copying and pickling."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import virtproto
from virtproto import constants, errors
from virtproto.libvirt_errors import ERROR_CLASSES
from virtproto.libvirt_errors import __all__ as NAMES_BY_CODE

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type)
    and issubclass(value, errors.VirtprotoError)
    and name not in NAMES_BY_CODE
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


# -- one class for each code


def test_codes_have_their_class() -> None:
    assert errors.error_class(42) is errors.NoDomainError
    assert errors.error_class(3) is errors.NoSupportError
    assert errors.error_class(8) is errors.InvalidArgError
    assert errors.error_class(38) is errors.SystemCallError
    assert errors.error_class(0) is errors.error_class(10**6) is errors.LibvirtError


def test_every_code_that_has_a_name_has_a_class_of_its_own() -> None:
    codes = {int(number) for number in constants.ErrorNumber} - {0}
    assert set(ERROR_CLASSES) == codes
    assert len(set(ERROR_CLASSES.values())) == len(codes)


@pytest.mark.parametrize("code", ERROR_CLASSES)
def test_a_class_can_be_found_and_says_what_it_is_for(code: int) -> None:
    cls = ERROR_CLASSES[code]
    name = cls.__name__
    number = constants.ErrorNumber(code)
    assert cls.__bases__ == (errors.LibvirtError,)
    assert getattr(virtproto, name) is getattr(errors, name) is errors.error_class(code) is cls
    assert (cls.__module__, cls.__qualname__) == ("virtproto.errors", name)
    assert name.endswith("Error")
    assert not hasattr(builtins, name)
    assert {name} <= set(dir(errors)) & set(dir(virtproto))
    source = "VIR_" if number.name.startswith("WAR_") else "VIR_ERR_"
    assert re.fullmatch(
        rf"[A-Z].{{9,87}}\.\n\n[A-Z].+\.\nSource: {source}{number.name} \({code}\)\.",
        inspect.cleandoc(cls.__doc__ or ""),
    )


def test_no_class_is_named_like_another() -> None:
    assert not set(NAMES_BY_CODE) & {*errors.__all__, *virtproto.__all__}
    assert {cls.__name__ for cls in ERROR_CLASSES.values()} - {"NoSupportError"} == set(
        NAMES_BY_CODE
    )


def test_an_error_can_be_caught_by_its_name() -> None:
    with pytest.raises(virtproto.NoStorageVolError) as caught:
        raise errors.error_class(50)("no such volume", code=50)
    assert isinstance(caught.value, errors.LibvirtError)


def test_the_classes_of_codes_are_loaded_when_one_is_needed() -> None:
    asked = "print('virtproto.libvirt_errors' in sys.modules)"
    code = (
        f"import sys, virtproto; virtproto.LibvirtError; {asked}; virtproto.NoDomainError; {asked}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue\n"


@pytest.mark.parametrize("name", ["NoDomianError", "Error", "InvalidArg", "Typo"])
@pytest.mark.parametrize("module", [errors, virtproto], ids=["errors", "virtproto"])
def test_other_names_are_refused(module: ModuleType, name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(module, name)


# -- copies


EXAMPLES = [
    errors.UsageError("not like this"),
    errors.ArgumentTypeError("name: expected a str"),
    errors.DecodeError("4 bytes too many", offset=28, path="doms[3].name"),
    errors.DeadlineError("too late"),
    errors.NoDomainError("no domain", code=42, domain=10, str1="%s", procedure="DOMAIN_GET_INFO"),
    errors.LibvirtError(None, code=1),
    errors.NoSecretError("no secret", code=66),
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


def test_an_error_leaves_its_object_behind() -> None:
    """It holds a connection, which no other process can have."""
    error = errors.OperationInvalidError("not running", code=55)
    assert error.object is None
    error.object = domain = object()
    twins = [copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))]
    assert [twin.object for twin in twins] == [None, None, None]
    assert [twin.code for twin in twins] == [55, 55, 55]
    assert error.object is domain
