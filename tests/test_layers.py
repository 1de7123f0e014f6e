"""Each layer imports only what is below it, and the blocking road stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import Import, imports_of, modules_of
from tests.lab.place import repository

# What each layer may import of the project: these layers, and for some only parts of them.
# Function-level imports count too: a lazy import is no way around a layer.
ALLOWED: dict[str, tuple[str, ...]] = {
    "errors": ("libvirt_errors",),
    "libvirt_errors": ("errors",),
    "constants": ("constants",),
    "xdr": ("errors", "xdr"),
    "wire": ("errors", "xdr", "wire"),
    "protocol": ("errors", "xdr", "wire.rpc", "wire.keepalive", "protocol"),
    "model": ("errors", "constants", "xdr", "wire", "protocol.events", "model"),
    "transport": ("errors", "model", "transport"),
    "ssh": ("errors", "model", "transport", "ssh"),
    "trace": ("errors", "constants", "xdr", "wire", "protocol", "model", "trace"),
    "sync": (
        "errors",
        "constants",
        "xdr",
        "wire",
        "protocol",
        "model",
        "trace",
        "transport",
        "ssh",
        "sync",
    ),
    "aio": (
        "errors",
        "constants",
        "xdr",
        "wire",
        "protocol",
        "model",
        "trace",
        "transport",
        "ssh",
        "aio",
    ),
    "proxy": (
        "errors",
        "constants",
        "xdr",
        "wire",
        "protocol",
        "model",
        "trace",
        "transport",
        "sync",
        "proxy",
    ),
    "testing": (
        "errors",
        "xdr",
        "wire",
        "protocol",
        "model",
        "trace",
        "transport",
        "sync",
        "proxy",
        "testing",
    ),
    "cli": (
        "errors",
        "constants",
        "xdr",
        "wire",
        "protocol",
        "model",
        "trace",
        "transport",
        "sync",
        "proxy",
        "cli",
        "",
    ),
    # The door: it opens everything, each thing when asked for.
    "": (
        "errors",
        "libvirt_errors",
        "constants",
        "wire",
        "model.credentials",
        "model.records",
        "transport.deadline",
        "sync",
        "aio",
        "cli",
        "",
    ),
}

_WORLD = {"asyncio", "multiprocessing", "os", "select", "selectors", "signal", "socket", "ssl"}
_WORLD |= {"subprocess", "threading", "time"}
# What is behind them: the blocking road imports some of these for their small cost.
_WORLD |= {"_asyncio", "_posixsubprocess", "_socket", "_ssl", "_thread", "posix"}

# The rooms within trace, and what each may know of the others; "" is what stands in none.
TRACE_ROOMS: dict[str, set[str]] = {
    "": {"secrets", "printing"},
    "reading": {""},
    "secrets": {""},
    "printing": {"", "secrets"},
    "replaying": {"", "printing"},
}

# Nothing that reaches the world outside, or a clock, where there is only bytes and state.
FORBIDDEN: dict[str, set[str]] = {
    "errors": _WORLD,
    "libvirt_errors": _WORLD,
    "constants": _WORLD,
    "xdr": _WORLD,
    "wire": _WORLD,
    "protocol": _WORLD,
    "model": _WORLD,
    "trace": _WORLD,
    "transport": {"asyncio", "threading"},
    "sync": {"asyncio"},
    "aio": {"threading", "_thread"},
}

# What costs milliseconds to load, and so is not loaded by `import virtproto` and a blocking call.
HEAVY = {"asyncio", "concurrent", "dataclasses", "logging", "ssl", "subprocess", "typing", "uuid"}

RUNTIME_DEPENDENCIES = {
    "xdrlib3": {"xdr"},
    "click": {"cli"},
    "cryptography": {"transport", "cli"},
    "gssapi": {"transport"},
    "scramp": {"transport"},
    "asyncssh": {"ssh"},
    "rich": {"cli"},
    "dpkt": {"trace"},
}

MODULES = modules_of(repository / "virtproto")


def _layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else ""


def _below_project(imported: Import) -> str:
    """Return what is imported, as a dotted name without the project's own."""
    full = f"{imported.module}.{imported.name}" if imported.name else imported.module
    if full in MODULES:
        return full.partition(".")[2]
    return imported.module.partition(".")[2]


def _is_ours(imported: Import) -> bool:
    return imported.module.split(".")[0] == "virtproto"


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_layers_below(module: str) -> None:
    allowed = ALLOWED[_layer(module)]
    for imported in filter(_is_ours, imports_of(module, MODULES[module])):
        target = _below_project(imported)
        permitted = any(target == name or target.startswith(f"{name}.") for name in allowed if name)
        assert permitted or (target == "" and "" in allowed), (
            f"{MODULES[module]}:{imported.line} imports virtproto.{target}"
        )


@pytest.mark.parametrize("module", [name for name in MODULES if ".trace." in name])
def test_rooms_of_a_trace_know_only_what_they_may(module: str) -> None:
    room = _room(module)
    for imported in filter(_is_ours, imports_of(module, MODULES[module])):
        target = f"virtproto.{_below_project(imported)}"
        if target.startswith("virtproto.trace."):
            where = f"{MODULES[module]}:{imported.line} imports {target}"
            assert _room(target) in {room, *TRACE_ROOMS[room]}, where


def _room(module: str) -> str:
    """Return which folder of trace/ a module is in, "" for none of them."""
    return next((part for part in module.split(".")[2:3] if part in TRACE_ROOMS), "")


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_nothing_foreign_to_its_layer(module: str) -> None:
    layer = _layer(module)
    for imported in imports_of(module, MODULES[module]):
        top = imported.module.split(".")[0]
        where = f"{MODULES[module]}:{imported.line} imports {imported.module}"
        assert top not in FORBIDDEN.get(layer, ()), where
        if top not in sys.stdlib_module_names and top != "virtproto":
            assert layer in RUNTIME_DEPENDENCIES.get(top, ()), where


def _loaded_with(start: str) -> dict[str, list[Import]]:
    """Return the modules that loading ``start`` loads, each with its imports at load."""
    loaded: dict[str, list[Import]] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in loaded or module not in MODULES:
            continue
        loaded[module] = [i for i in imports_of(module, MODULES[module]) if i.at_load]
        parts = module.split(".")
        waiting += [".".join(parts[:count]) for count in range(1, len(parts))]
        for imported in loaded[module]:
            waiting += [imported.module, f"{imported.module}.{imported.name}"]
    return loaded


@pytest.mark.parametrize("start", ["virtproto", "virtproto.sync", "virtproto.wire.remote"])
def test_blocking_road_loads_nothing_heavy(start: str) -> None:
    loaded = _loaded_with(start)
    assert start in loaded
    heavy = {
        f"{module} imports {imported.module}"
        for module, imports in loaded.items()
        for imported in imports
        if imported.module.split(".")[0] in HEAVY
    }
    assert heavy == set()


def test_colours_do_not_load_each_other() -> None:
    assert not [name for name in _loaded_with("virtproto.sync") if ".aio" in name]
    assert not [name for name in _loaded_with("virtproto.aio") if ".sync" in name]


def test_importing_virtproto_loads_nothing_else_of_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import virtproto;"
        "print([name for name in sys.modules if name.startswith('virtproto.')])"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(repository)],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert said.stdout.strip() == "[]"


def test_rules_cover_every_layer_there_is() -> None:
    folders = {path.name for path in (repository / "virtproto").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= set(ALLOWED)
    rooms = {path.name for path in (repository / "virtproto/trace").iterdir() if path.is_dir()}
    assert rooms - {"__pycache__"} <= set(TRACE_ROOMS)


def test_imports_are_seen_where_they_hide(tmp_path: Path) -> None:
    source = tmp_path / "hidden.py"
    source.write_text(
        "TYPE_CHECKING = False\n"
        "if TYPE_CHECKING:\n    import not_seen\n"
        "else:\n    import seen_else\n"
        "try:\n    from . import near\nexcept ImportError:\n    from .. import far\n"
        "def f():\n    with open('x') as y:\n        import late.part\n"
    )
    seen = [(i.module, i.name, i.at_load) for i in imports_of("top.middle.hidden", source)]
    assert seen == [
        ("seen_else", None, True),
        ("top.middle", "near", True),
        ("top", "far", True),
        ("late.part", None, False),
    ]
