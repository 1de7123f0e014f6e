"""The virtual environment: made when it is missing or out of date, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import environment
from setup.progress import SetupError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What would have been run; the environment's folder appears as if it had been."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(environment, "PROJECT", tmp_path)
    monkeypatch.setattr(environment, "_ENVIRONMENT", tmp_path / ".venv")
    seen: list[list[str]] = []

    def run(command: list[str]) -> None:
        seen.append(command)
        (tmp_path / ".venv").mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "_run", run)
    return seen


def test_made_once(commands: list[list[str]], tmp_path: Path) -> None:
    python = environment.ready_environment("dev")
    assert python == tmp_path / ".venv" / "bin" / "python"
    assert commands[-1][-2:] == ["--editable", f"{tmp_path}[dev]"]
    count = len(commands)
    assert environment.ready_environment("dev") == python
    assert environment.ready_environment("cli") == python  # "dev" has all of it
    assert len(commands) == count


def test_made_again_when_the_project_asks_for_something_else(
    commands: list[list[str]], tmp_path: Path
) -> None:
    environment.ready_environment("cli")
    count = len(commands)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    environment.ready_environment("cli")
    assert len(commands) == 2 * count
    environment.ready_environment("dev")
    assert len(commands) == 3 * count


def test_failure_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^-c .* failed: first / second$"):
        environment._run(["python3", "-c", "print('first\\nsecond'); raise SystemExit(1)"])


def test_failure_tells_the_cause_rather_than_pip_s_excuses() -> None:
    said = "  ERROR: No matching distribution\nnote: not a problem with pip.\nIt did not run\n"
    with pytest.raises(SetupError, match=r" failed: ERROR: No matching distribution$"):
        environment._run(["python3", "-c", f"print({said!r}); raise SystemExit(1)"])
