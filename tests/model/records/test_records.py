"""virtproto.records: every record there is, each with its own documentation."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import virtproto.model.records
from virtproto import records

HOMES = [
    importlib.import_module(f"virtproto.model.records.{one.name}")
    for one in pkgutil.iter_modules(virtproto.model.records.__path__)
]


def records_of(home: ModuleType) -> list[str]:
    """Return the records that a module defines."""
    return [
        name
        for name, value in vars(home).items()
        if isinstance(value, type)
        and issubclass(value, tuple)
        and value.__module__ == home.__name__
    ]


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.__name__.rpartition(".")[2])
def test_every_record_is_listed(home: ModuleType) -> None:
    found = records_of(home)
    assert found
    for name in found:
        assert name in records.__all__
        assert getattr(records, name) is getattr(home, name)


def test_what_is_listed_is_a_record() -> None:
    assert set(records.__all__) == {name for home in HOMES for name in records_of(home)}


def test_type_checkers_are_shown_the_same_records() -> None:
    text = Path(records.__file__).read_text()
    shown = {line.rpartition(" as ")[2] for line in text.splitlines() if " as " in line}
    assert shown == set(records.__all__)


@pytest.mark.parametrize("name", records.__all__)
def test_record_documents_every_field(name: str) -> None:
    record = getattr(records, name)
    fields = getattr(record, "_fields", ())
    source = Path(sys.modules[record.__module__].__file__ or "").read_text()
    own = source.partition(f"class {name}(")[2].partition("\nclass ")[0]
    for field in fields:
        beside = f"    {field}: " in own and '"""' in own.partition(f"    {field}: ")[2]
        families = [f"``{field}``", f"``{field.partition('_')[0]}_*``"]
        assert beside or any(one in (record.__doc__ or "") for one in families), field


def test_a_name_that_is_no_record_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchRecord"):
        records.NoSuchRecord  # noqa: B018


def test_records_are_tuples_with_names() -> None:
    online = frozenset({0})
    made = records.NodeCPUMap(2, online, 1)
    assert made == (2, online, 1)
    assert (made.total, made.online, made.online_count) == (2, online, 1)
