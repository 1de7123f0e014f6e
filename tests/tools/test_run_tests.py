"""./test: what it runs, what it leaves out, what it says, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import run_tests
from setup.progress import SetupError

ANYTHING = Path("python")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What ran, on a machine where everything works; a test breaks what it likes."""
    seen: list[tuple[str, ...]] = []

    def pytest_run(_python: Path, arguments: Sequence[str]) -> int:
        seen.append(("pytest", *arguments))
        return 0

    def static_checks(_python: Path) -> list[str]:
        seen.append(("static checks",))
        return []

    monkeypatch.setattr(run_tests, "install", lambda packages: None)
    monkeypatch.setattr(run_tests, "why_not", lambda: None)
    monkeypatch.setattr(run_tests, "lab_packages", lambda: ("tshark",))
    monkeypatch.setattr(run_tests, "ready_environment", lambda extra: ANYTHING)
    monkeypatch.setattr(run_tests, "_prepare_lab", lambda python: None)
    monkeypatch.setattr(run_tests, "run_static_checks", static_checks)
    monkeypatch.setattr(run_tests, "run_pytest", pytest_run)
    monkeypatch.setattr(run_tests, "_side_by_side", lambda: ["--side-by-side"])
    return seen


def _failing(message: str) -> Callable[[Sequence[str]], None]:
    def install(packages: Sequence[str]) -> None:
        if "tshark" in packages:
            raise SetupError(message)

    return install


def test_everything_is_run(runs: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tests.main([]) == 0
    assert runs == [("static checks",), ("pytest", "--side-by-side")]
    assert capsys.readouterr().out.endswith("] all green\n")


@pytest.mark.parametrize(("cores", "processes"), [(1, None), (2, 2), (4, 4), (64, 4)])
def test_all_suites_use_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int | None
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)))
    arguments = run_tests._side_by_side()
    if processes is None:
        assert arguments == []
    else:
        assert arguments[0] == f"--numprocesses={processes}"
        assert "--dist=loadfile" in arguments
        assert "--max-worker-restart=0" in arguments


def test_arguments_are_for_pytest_alone(runs: list[tuple[str, ...]]) -> None:
    assert run_tests.main(["tests/xdr", "-k", "string"]) == 0
    assert runs == [("pytest", "tests/xdr", "-k", "string")]


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["tests/xdr", "--help"]])
def test_help_is_of_this_program_and_runs_nothing(
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    def set_up(*_arguments: object) -> None:
        raise AssertionError("help needs no set-up")

    for step in ("install", "ready_environment", "_prepare_lab"):
        monkeypatch.setattr(run_tests, step, set_up)
    assert run_tests.main(arguments) == 0
    assert runs == []
    said = capsys.readouterr().out
    assert said.startswith("usage: ./test ")
    for word in ("--without-lab", "pytest", "exit codes"):
        assert word in said
    assert "] green" not in said


def test_an_abbreviation_is_for_pytest(runs: list[tuple[str, ...]]) -> None:
    assert run_tests.main(["--hel", "--without"]) == 0
    assert runs == [("pytest", "--hel", "--without")]


def test_machine_without_daemons_runs_the_rest_and_is_not_green(
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_tests, "install", _failing("tshark cannot be installed: no root"))
    assert run_tests.main([]) == 3
    assert runs == [("static checks",), ("pytest", "--without-lab", "--side-by-side")]
    said = capsys.readouterr().out
    assert "suites against real daemons are left out: tshark cannot be installed: no root" in said


def test_lab_that_cannot_be_prepared_is_not_green(
    runs: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, "_prepare_lab", lambda python: "no mirror")
    assert run_tests.main([]) == 3
    assert runs[-1] == ("pytest", "--without-lab", "--side-by-side")


def test_leaving_the_lab_out_on_purpose_is_green(
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_tests, "install", _failing("no root"))
    assert run_tests.main(["--without-lab"]) == 0
    assert runs == [("static checks",), ("pytest", "--without-lab", "--side-by-side")]
    assert "left out: --without-lab was asked for" in capsys.readouterr().out


@pytest.mark.parametrize("lab_missing", [None, "no mirror"])
def test_failure_comes_before_anything_else(
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lab_missing: str | None,
) -> None:
    monkeypatch.setattr(run_tests, "_prepare_lab", lambda python: lab_missing)
    monkeypatch.setattr(run_tests, "run_static_checks", lambda python: ["mypy"])
    monkeypatch.setattr(run_tests, "run_pytest", lambda python, arguments: 5)
    assert run_tests.main([]) == 1
    assert capsys.readouterr().out.endswith("] FAILED: mypy, pytest\n")


def test_no_environment_no_tests(
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_environment(extra: str) -> Path:
        raise SetupError("pip failed: no network")

    monkeypatch.setattr(run_tests, "ready_environment", no_environment)
    assert run_tests.main([]) == 2
    assert runs == []
    assert capsys.readouterr().out.endswith("] the tests cannot run: pip failed: no network\n")
