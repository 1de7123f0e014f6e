"""Which examples hypothesis tries: the same ones in every run, unless somebody asks for others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab.place import repository

PROPERTY = """
from hypothesis import given, settings, strategies as st

@settings(max_examples=20)
@given(st.binary(min_size=16))
def test_example(data):
    print(data.hex())
"""


def test_the_profile_is_the_one_asked_for(pytestconfig: pytest.Config) -> None:
    name = pytestconfig.getoption("--hypothesis-profile") or "suite"
    assert settings.default is settings.get_profile(name)
    suite = settings.get_profile("suite")
    assert (suite.derandomize, suite.deadline, suite.print_blob) == (True, None, True)


def test_settings_of_a_test_keep_the_rest_of_the_profile() -> None:
    own = settings(settings.get_profile("suite"), max_examples=3)
    assert (own.max_examples, own.derandomize, own.deadline) == (3, True, None)


def examples(folder: Path, *options: str, **environment: str) -> str:
    """Return what a property test is given when it runs under this project's conftest."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-c"]
    command += [str(repository / "pyproject.toml"), f"--rootdir={repository}"]
    command += ["-p", "tests.conftest", *options, str(folder / "test_property.py")]
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        command,
        cwd=repository,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [line.lstrip(".") for line in done.stdout.splitlines()]
    return "\n".join(line for line in lines if len(line) >= 32 and " " not in line)


def test_every_run_has_the_same_examples_whatever_ci_says(tmp_path: Path) -> None:
    (tmp_path / "test_property.py").write_text(PROPERTY)
    first = examples(tmp_path)
    assert first.count("\n") == 19
    assert examples(tmp_path, CI="true") == first
    assert examples(tmp_path, "--hypothesis-profile=search") != first
