"""The two front ends are one program in two colours: equal once async and await are removed."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import virtproto

ROOT = Path(virtproto.__file__).parent
TWINS: tuple[str, ...] = ("calls", "carrying", "connection", "living", "stream", "migrating")
TWINS += ("admin_objects", "node_device", "objects", "storage_vol", "transferring")
TWINS += ("registering", "event_stream", "renewing", "authenticating")
# Without a call of their own, so without a colour.
ALIKE: tuple[str, ...] = (
    "domain",
    "domain_part",
    "interface",
    "network",
    "network_port",
    "nwfilter",
    "nwfilter_binding",
    "secret",
)
ALIKE += ("storage_pool", "domain_snapshot", "domain_checkpoint", "event_records", "admin_calls")
ALIKE += tuple(f"_events/{path.stem}" for path in sorted((ROOT / "sync" / "_events").glob("*.py")))
# Files that one colour has and the other has no use for, and what it offers of them.
OWN_FILES: dict[str, set[str]] = {"sync": {"mending.py", "reading.py", "sending.py", "waiting.py"}}
OWN_FILES["sync"] |= {"packets.py", "layered_socket.py"}
OWN_FILES["aio"] = {"fleet.py", "events.py", "large_packets.py", "shared_memory.py"}
OWN_FILES["aio"] |= {"layered_transport.py"}
OWN_NAMES: dict[str, set[str]] = {"sync": set(), "aio": {"Fleet", "Outcome"}}
METHODS = sorted(path.name for path in (ROOT / "sync" / "_methods").glob("*.py"))
_NAMES = {"__aenter__": "__enter__", "__aexit__": "__exit__"}
_NAMES |= {"__aiter__": "__iter__", "__anext__": "__next__"}


class _Colourless(ast.NodeTransformer):
    """Takes the colour out of a module."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        fields: dict[str, Any] = {
            name: getattr(node, name, None) for name in ast.FunctionDef._fields
        }
        fields["name"] = _NAMES.get(node.name, node.name)
        plain = ast.copy_location(ast.FunctionDef(**fields), node)
        self.generic_visit(plain)
        return plain

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = _NAMES.get(node.name, node.name)
        self.generic_visit(node)
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        return node.value

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.With(items=node.items, body=node.body), node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        plain = ast.For(target=node.target, iter=node.iter, body=node.body, orelse=node.orelse)
        return ast.copy_location(plain, node)


def colourless(source: str) -> str:
    return ast.unparse(ast.fix_missing_locations(_Colourless().visit(ast.parse(source))))


@pytest.mark.parametrize("name", TWINS)
def test_twins_are_equal_but_for_their_colour(name: str) -> None:
    asynchronous = (ROOT / "aio" / f"{name}.py").read_text()
    synchronous = (ROOT / "sync" / f"{name}.py").read_text()
    assert "await " in asynchronous
    assert "await " not in synchronous
    assert colourless(asynchronous) == colourless(synchronous)


@pytest.mark.parametrize("name", ALIKE)
def test_what_has_no_colour_has_the_same_text(name: str) -> None:
    texts = {(ROOT / colour / f"{name}.py").read_text() for colour in ("aio", "sync")}
    assert len(texts) == 1
    assert "async " not in texts.pop()


@pytest.mark.parametrize("name", METHODS)
def test_generated_methods_are_equal_but_for_their_colour(name: str) -> None:
    asynchronous = (ROOT / "aio" / "_methods" / name).read_text()
    synchronous = (ROOT / "sync" / "_methods" / name).read_text()
    assert "await " not in synchronous
    assert ("await " in asynchronous) != name.startswith(("__init__", "of_"))
    assert colourless(asynchronous) == colourless(synchronous)


def test_both_folders_hold_the_same_files() -> None:
    assert files_of_both("sync") == files_of_both("aio")


def files_of_both(colour: str) -> set[str]:
    """Return a front end's files without those that are of one colour only, which must exist."""
    folder = ROOT / colour
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
    assert found >= OWN_FILES[colour]
    return found - OWN_FILES[colour]


def test_both_packages_offer_the_same_names() -> None:
    from virtproto import aio, sync

    for one, other in ((aio, sync), (sync, aio)):
        own = OWN_NAMES[one.__name__.rpartition(".")[2]]
        assert {*one.__all__} - {*other.__all__} == own
        assert [*one.__all__] == sorted(one.__all__)
        for name in one.__all__:
            assert inspect.getdoc(getattr(one, name)), name
    assert list(inspect.signature(aio.open).parameters) == list(
        inspect.signature(sync.open).parameters
    )


def test_both_ways_to_open_are_told_in_the_same_words() -> None:
    from virtproto import aio, sync

    _, *told = (inspect.getdoc(sync.open) or "").split("\n\n")
    _, about_coroutines, *told_there = (inspect.getdoc(aio.open) or "").split("\n\n")
    assert "coroutine" in about_coroutines
    assert told == told_there
    for name in inspect.signature(sync.open).parameters:
        assert any(f"``{name}``" in paragraph for paragraph in told), name


def test_both_administrations_offer_the_same_names() -> None:
    from virtproto import admin
    from virtproto.aio import admin as asynchronous

    assert asynchronous.__all__ == admin.__all__
    for name in admin.__all__:
        assert inspect.getdoc(getattr(asynchronous, name)), name
        assert inspect.getdoc(getattr(admin, name)), name
    assert list(inspect.signature(asynchronous.open).parameters) == list(
        inspect.signature(admin.open).parameters
    )


def test_both_channels_offer_the_same_methods() -> None:
    from virtproto.aio.channel import Channel as Asynchronous
    from virtproto.sync.channel import Channel as Synchronous

    methods: tuple[str, ...] = ("connect", "call", "call_with_fds", "call_opening_stream", "listen")
    methods += ("close", "abandon", "leave_to_parent", "keep_alive", "when_lost")
    methods += ("over", "add_layer")
    own = {name for name in vars(Synchronous) if not name.startswith("_")}
    assert own == {*methods, "is_open", "answers_pings", "long_calls"}
    for name in methods:
        one = inspect.signature(getattr(Synchronous, name)).parameters
        other = inspect.signature(getattr(Asynchronous, name)).parameters
        assert list(one) == list(other), name


def test_the_transformation_sees_a_difference() -> None:
    one = "async def f(x):\n    async with x as y:\n        return await y.g(1)\n"
    assert colourless(one) == colourless("def f(x):\n    with x as y:\n        return y.g(1)\n")
    assert colourless(one) != colourless("def f(x):\n    with x as y:\n        return y.g(2)\n")
