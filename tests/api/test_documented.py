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
# What documented arguments are called here, beyond words being parted by "_": everywhere, and in
# one method alone.
RENAMED = {
    "st": "stream",
    "coderef": "callback",
    "filename": "file",
    "savefile": "file",
    "destcon": "dest_conn",
    "mem": "memory_kib",
    "period": "period_s",
    "timeout": "timeout_s",
    "interval": "interval_s",
    "holdtime": "holdtime_ms",
    "flag": "autostart",
}
RENAMED_OF = {
    ("Connection", "baseline_cpu", "xml"): "xmls",
    ("Connection", "baseline_hypervisor_cpu", "xml"): "xmls",
    ("Connection", "get_domain_by_id", "id"): "domain_id",
    ("Connection", "get_nwfilter_binding_by_port_dev", "name"): "port_dev",
    ("Connection", "node_suspend_for_duration", "duration"): "duration_s",
    ("Connection", "set_identity", "identity"): "params",
    ("Domain", "abort_block_job", "path"): "disk",
    ("Domain", "block_commit", "path"): "disk",
    ("Domain", "block_copy", "path"): "disk",
    ("Domain", "block_peek", "path"): "disk",
    ("Domain", "block_pull", "path"): "disk",
    ("Domain", "block_rebase", "path"): "disk",
    ("Domain", "block_stats", "path"): "disk",
    ("Domain", "fs_trim", "minimum"): "minimum_bytes",
    ("Domain", "get_block_info", "dev"): "disk",
    ("Domain", "get_block_job_info", "path"): "disk",
    ("Domain", "interface_stats", "path"): "intf",
    ("Domain", "migrate_set_compression_cache", "cacheSize"): "cache_size_bytes",
    ("Domain", "migrate_set_max_downtime", "downtime"): "downtime_ms",
    ("Domain", "pin_emulator", "newmask"): "mask",
    ("Domain", "pm_suspend_for_duration", "duration"): "duration_s",
    ("Domain", "set_block_job_speed", "path"): "disk",
    ("Domain", "set_block_threshold", "dev"): "disk",
    ("Domain", "set_block_threshold", "threshold"): "threshold_bytes",
    ("Domain", "set_metadata", "val"): "value",
    ("Domain", "start_dirty_rate_calc", "secs"): "duration_s",
    ("Network", "set_metadata", "val"): "value",
    ("Secret", "set_value", "bytes"): "value",
    ("StorageVol", "resize", "newcapacity"): "capacity_bytes",
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


def place_of(names: list[str], cls: str, method: str, documented: str) -> int:
    """Return at which place a method takes a documented argument."""
    ours = RENAMED_OF.get((cls, method, documented), RENAMED.get(documented, documented))
    run_together = [name.replace("_", "") for name in names]
    return run_together.index(ours.replace("_", "").lower())


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=[".".join(each) for each in METHODS])
@pytest.mark.parametrize("colour", COLOURS)
def test_arguments_are_called_and_ordered_as_documented(colour: str, cls: str, name: str) -> None:
    method = method_of(COLOURS[colour], cls, name)
    names = list(inspect.signature(method).parameters)[1:]
    spared = WITHOUT_ARGUMENT.get((cls, name))
    for form in DOCUMENTED[cls][name]:
        places = [place_of(names, cls, name, one) for one in form if one != spared]
        assert places == sorted(set(places)), names


def test_every_argument_with_another_name_is_documented() -> None:
    every = {
        (cls, name, argument)
        for cls, name in METHODS
        for form in DOCUMENTED[cls][name]
        for argument in form
    }
    assert every >= RENAMED_OF.keys()
    assert {argument for _, _, argument in every} >= RENAMED.keys()


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
