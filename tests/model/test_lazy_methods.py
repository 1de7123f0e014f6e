"""Classes whose methods are loaded a group at a time."""

from __future__ import annotations

import copy
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

import virtproto.aio
import virtproto.sync
from virtproto.model.lazy_methods import LazyMethods, load_method
from virtproto.model.object_handle import handle
from virtproto.wire.remote.types import NonnullDomain

COLOURS = {"sync": virtproto.sync, "aio": virtproto.aio}


def domain(colour: str) -> Any:
    wire = NonnullDomain(name="web", uuid=bytes(16), id=-1)
    return handle(COLOURS[colour].Domain, object(), wire)


def loaded_after(program: str) -> set[str]:
    """Return the groups of domains that a program of its own has loaded at its end."""
    program += "\nimport sys\nprint(*(m for m in sys.modules if '._methods.domain_' in m))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return {name.rpartition(".")[2] for name in done.stdout.decode().split()}


def test_nothing_is_loaded_before_it_is_used() -> None:
    assert loaded_after("import virtproto.sync") == set()
    one = "from virtproto.sync import Domain\nDomain.get_vcpus"
    assert loaded_after(one) == {"domain_vcpu"}


@pytest.mark.parametrize("colour", COLOURS)
def test_every_method_of_every_group_is_the_objects(colour: str) -> None:
    for cls in (COLOURS[colour].Domain, COLOURS[colour].Connection):
        for _, methods in cls._METHOD_GROUPS.values():
            for name in methods.split():
                assert inspect.isfunction(getattr(cls, name))
                assert name in dir(cls)


@pytest.mark.parametrize("colour", COLOURS)
def test_methods_are_bound_to_the_object(colour: str) -> None:
    dom = domain(colour)
    assert dom.get_vcpus.__self__ is dom
    assert dom.get_vcpus.__func__ is COLOURS[colour].Domain.get_vcpus
    assert {"get_vcpus", "get_name", "connection"} <= set(dir(dom))


@pytest.mark.parametrize("colour", COLOURS)
def test_what_there_is_not_is_an_attribute_error(colour: str) -> None:
    dom = domain(colour)
    with pytest.raises(AttributeError, match=r"^'Domain' object has no attribute 'get_vcpu'"):
        dom.get_vcpu  # noqa: B018
    with pytest.raises(AttributeError, match=r"^type object 'Domain' has no attribute 'nothing'"):
        type(dom).nothing  # noqa: B018
    assert not hasattr(dom, "_private")


def lazy_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Any:
    """Return a class with one group of ``stand`` and ``sit``; ``body`` is its module."""
    (tmp_path / "package_of_one_group").mkdir()
    (tmp_path / "package_of_one_group" / "only.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("package_of_one_group", "package_of_one_group.only"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    class Chair(metaclass=LazyMethods):
        _METHODS_PACKAGE = "package_of_one_group"
        _METHOD_GROUPS: ClassVar = {"only": ("Only", "stand sit")}

        def __getattr__(self, name: str) -> Any:
            return load_method(self, name)

    return Chair


def test_a_group_that_cannot_be_loaded_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = lazy_class(tmp_path, monkeypatch, "import sys\nsys.no_such_thing\n")
    for place in (cls, cls()):
        with pytest.raises(AttributeError, match="no_such_thing"):
            place.stand  # noqa: B018
        with pytest.raises(AttributeError, match="no attribute 'lie'"):
            place.lie  # noqa: B018


def test_a_promise_that_a_group_breaks_is_an_attribute_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = lazy_class(tmp_path, monkeypatch, "class Only:\n    def sit(self): return 'down'\n")
    for place in (cls, cls()):
        with pytest.raises(AttributeError, match="no attribute 'stand'"):
            place.stand  # noqa: B018
    assert cls().sit() == "down"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_near_name_is_told(colour: str) -> None:
    program = f"from virtproto.{colour} import Domain\nDomain.get_vcpuss"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert b"Did you mean: 'get_vcpus'?" in done.stderr


@pytest.mark.parametrize("colour", COLOURS)
def test_copies_are_handles_too(colour: str) -> None:
    dom = domain(colour)
    assert copy.copy(dom) == dom


@pytest.mark.parametrize("colour", COLOURS)
def test_class_of_a_users_own_may_go_on_with_super(colour: str) -> None:
    base: Any = COLOURS[colour].Domain

    class Guest(base):  # type: ignore[misc]
        __slots__ = ()

        def get_vcpus(self, flags: int = 0) -> Any:
            return super().get_vcpus

    wire = NonnullDomain(name="web", uuid=bytes(16), id=-1)
    guest = handle(Guest, object(), wire)
    assert guest.get_vcpus().__func__ is base.get_vcpus
    assert guest.get_max_vcpus.__self__ is guest
