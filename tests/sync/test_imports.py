"""What a blocking program has to load, and what it must not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import virtproto

# Each of these takes longer to import than a call to the daemon takes.
HEAVY = (
    "typing",
    "dataclasses",
    "logging",
    "uuid",
    "ssl",
    "subprocess",
    "asyncio",
    "urllib",
    "json",
    "re",
    "collections",
    "importlib",
    "socket",
    "threading",
    "enum",
    "functools",
    "contextlib",
    "inspect",
    "click",
    "xdrlib3",
    "cryptography",
    "virtproto.aio",
    "virtproto.constants.enums",
    "virtproto.libvirt_errors",
    "virtproto.trace",
    "virtproto.wire.contract",
    "virtproto.xdr.reference",
)


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running ``code``."""
    listing = "; import sys; print(' '.join(sys.modules))"
    # Without site: what a site's own .pth files import is not this package's doing.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    command[-1] += listing
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_else_of_it() -> None:
    ours = {name for name in loaded_by("import virtproto") if name.startswith("virtproto")}
    assert ours == {"virtproto"}


def test_the_blocking_front_end_loads_nothing_heavy() -> None:
    loaded = loaded_by("import virtproto; virtproto.open")
    assert "virtproto.sync.connection" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_what_lasts_longer_than_a_call_is_loaded_when_first_used() -> None:
    loaded = loaded_by("import virtproto; virtproto.open")
    assert "virtproto.sync.living" in loaded
    rarer = ("stream", "traffic", "descriptors", "delivery")
    assert not [name for name in rarer if f"virtproto.sync.{name}" in loaded]
    assert "virtproto.model.subscriptions" not in loaded
    assert "virtproto.transport.descriptors" not in loaded


def test_a_call_of_any_procedure_loads_nothing_heavy() -> None:
    loaded = loaded_by(
        "import virtproto; virtproto.open; from virtproto.wire import remote;"
        " remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs, remote.CONNECT_LIST_ALL_DOMAINS"
    )
    assert "virtproto.wire.remote.connect_list" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_opening_and_failing_loads_nothing_heavy() -> None:
    code = (
        "import virtproto\n"
        "try: virtproto.open('test:///default?socket=/none')\n"
        "except virtproto.SocketMissingError: pass\n"
    )
    loaded = loaded_by(f"exec({code!r})")
    assert "virtproto.transport.unix" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_the_front_end_of_asyncio_does_not_load_the_other() -> None:
    loaded = loaded_by("import virtproto; virtproto.aio.open")
    assert "virtproto.aio.connection" in loaded
    assert "asyncio" in loaded
    assert not [name for name in loaded if name.startswith("virtproto.sync")]


@pytest.mark.parametrize("name", virtproto.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(virtproto, name) is not None
    assert name in dir(virtproto)


def test_every_error_is_offered() -> None:
    from virtproto import errors

    classes = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert classes <= set(virtproto.__all__)
    assert {name for name in dir(errors) if name.endswith("Error")} <= set(dir(virtproto))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        virtproto.opne  # noqa: B018
