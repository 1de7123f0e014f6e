"""Every method that Sys::Virt documents exists under its name and takes what is documented."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import virtproto.aio.admin
import virtproto.errors
import virtproto.sync.admin
from virtproto.errors import LibvirtError

DOCUMENTED: dict[str, dict[str, list[list[str]]]] = tomllib.loads(
    Path(__file__).with_name("documented.toml").read_text()
)
COLOURS = {"sync": virtproto.sync, "aio": virtproto.aio}
ADMIN = {"sync": virtproto.sync.admin, "aio": virtproto.aio.admin}

# What the documentation's classes are here, where that is not a class of the same name.
ELSEWHERE = {
    # Perl calls its constructors; here they are functions and methods that return the object.
    ("Connection", "new"): "virtproto.open",
    ("Stream", "new"): "Connection.new_stream",
}
# Documented arguments that a method here has no need of.
WITHOUT_ARGUMENT = {
    ("Stream", "recv"): "data",  # Perl's buffer to fill: here the data is what is returned
    ("Stream", "send"): "nbytes",  # bytes know their length
    ("Domain", "start_dirty_rate_calc"): "dom",  # the object itself, which Perl passes anyway
}
# Sys::Virt::Event is Perl's door to the event loop of libvirt's C library. Here the loop is
# asyncio's (or none: the blocking front end waits in its own calls), and there is no C library.
WITHOUT_CLASS = {"Event"}
# What documented arguments are called here where it is not the same. Words are parted by "_"
# besides, and a unit may follow.
UNITS = ("_s", "_ms", "_kib", "_bytes")
RENAMED = {
    "st": ["stream"],
    "coderef": ["callback"],
    "filename": ["file"],
    "savefile": ["file"],
    "destcon": ["dest_conn"],
    "path": ["disk", "intf"],
    "dev": ["disk"],
    "id": ["domain_id"],
    "name": ["port_dev"],
    "identity": ["params"],
    "xml": ["xmls"],
    "mem": ["memory"],
    "secs": ["duration"],
    "val": ["value"],
    "bytes": ["value"],
    "flag": ["autostart"],
    "newmask": ["mask"],
    "newcapacity": ["capacity"],
}
METHODS = [
    (cls, name)
    for cls, methods in DOCUMENTED.items()
    if cls not in {*WITHOUT_CLASS, "Error"}
    for name in methods
    if (cls, name) not in ELSEWHERE
]


def method_of(colour: ModuleType, cls: str, name: str) -> Any:
    return getattr(getattr(colour, cls), name)


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=[".".join(each) for each in METHODS])
@pytest.mark.parametrize("colour", COLOURS)
def test_documented_method_takes_what_is_documented(colour: str, cls: str, name: str) -> None:
    method = method_of(COLOURS[colour], cls, name)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    names = [one.name for one in parameters]
    assert all(one.kind is not one.VAR_POSITIONAL for one in parameters)
    required = sum(one.default is one.empty for one in parameters)
    spared = WITHOUT_ARGUMENT.get((cls, name))
    forms = [[one for one in form if one != spared] for form in DOCUMENTED[cls][name]]
    # Of a method with several forms, one takes the most and one the fewest.
    assert required <= min(len(form) for form in forms), names
    assert len(names) >= max(len(form) for form in forms), names
    flags = any("flags" in form for form in forms)
    assert "flags" in names or not flags, names


def plain(name: str) -> str:
    """Return a name without its unit, its words run together."""
    unit = next((each for each in UNITS if name.endswith(each)), "")
    return name.removesuffix(unit).replace("_", "").lower()


def place_of(names: list[str], documented: str) -> int:
    """Return at which place a method takes a documented argument."""
    taken = [plain(name) for name in names]
    known = [plain(name) for name in (documented, *RENAMED.get(documented, []))]
    found = next((name for name in known if name in taken), None)
    assert found is not None, f"{documented} is none of {names}"
    return taken.index(found)


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=[".".join(each) for each in METHODS])
@pytest.mark.parametrize("colour", COLOURS)
def test_arguments_are_called_and_ordered_as_documented(colour: str, cls: str, name: str) -> None:
    method = method_of(COLOURS[colour], cls, name)
    names = list(inspect.signature(method).parameters)[1:]
    spared = WITHOUT_ARGUMENT.get((cls, name))
    for form in DOCUMENTED[cls][name]:
        places = [place_of(names, one) for one in form if one != spared]
        assert places == sorted(set(places)), names


def test_every_argument_with_another_name_is_documented() -> None:
    every = {
        argument for cls, name in METHODS for form in DOCUMENTED[cls][name] for argument in form
    }
    assert every >= RENAMED.keys()


# The error that says so once an object is gone, where it is not named after the class.
GONE = {"AdminServer": "NoServerError", "AdminClient": "NoClientError"}
OBJECTS = [
    *("Domain", "DomainSnapshot", "DomainCheckpoint", "Network", "NetworkPort", "StoragePool"),
    *("StorageVol", "NodeDevice", "Interface", "Secret", "NWFilter", "NWFilterBinding"),
    *GONE,
]


@pytest.mark.parametrize("cls", OBJECTS)
@pytest.mark.parametrize("colour", COLOURS)
def test_class_tells_what_is_raised_once_its_object_is_gone(colour: str, cls: str) -> None:
    module = ADMIN[colour] if cls in GONE else COLOURS[colour]
    error = GONE.get(cls, f"No{cls}Error")
    assert issubclass(getattr(virtproto.errors, error), LibvirtError)
    assert f"every call on it raises {error}" in " ".join(getattr(module, cls).__doc__.split())


@pytest.mark.parametrize("colour", COLOURS)
def test_constructors_are_functions_that_return_the_object(colour: str) -> None:
    assert callable(COLOURS[colour].open)
    assert callable(COLOURS[colour].Connection.new_stream)


def test_errors_tell_what_is_documented() -> None:
    error = LibvirtError("no", code=1, domain=2, level=3)
    assert (error.code, error.domain, error.level, error.message) == (1, 2, 3, "no")
    assert str(error) == "no"
    assert set(DOCUMENTED["Error"]) == {"code", "domain", "level", "message", "stringify"}


def test_all_of_the_documentation_is_held_against() -> None:
    counted = {cls: sum(len(forms) for forms in each.values()) for cls, each in DOCUMENTED.items()}
    assert counted["Domain"] == 154
    assert counted["Connection"] == 137
    assert sum(counted.values()) == 432
