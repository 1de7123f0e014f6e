"""Printing what was overheard: where it goes, when it is written, and what becomes of failures."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.trace.conversations import Script, eventful, listing, secretive, uploading
from virtproto.cli.showing import Shower
from virtproto.cli.showing_options import ShowingOptions, showing_options
from virtproto.errors import UsageError

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A terminal, as far as it says."""

    def isatty(self) -> bool:
        return True


def _shown(script: Script, stream: io.StringIO | None = None, **options: Any) -> str:
    stream = io.StringIO() if stream is None else stream
    shower = Shower(ShowingOptions(**options), stream=stream)
    shower.show(script.told())
    shower.rest()
    shower.finish()
    return stream.getvalue()


def test_pipe_gets_plain_lines() -> None:
    shown = _shown(listing())
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == len(listing().told()) - 1
    assert "procedure  fields" not in shown


def test_times_are_the_same_whatever_a_filter_leaves() -> None:
    script = Script(step_s=0.5)
    script.call("CONNECT_GET_HOSTNAME")
    script.ping()
    every = _shown(script).splitlines()
    assert _shown(script, wanted="ping").splitlines()[0] == every[1]
    found = _shown(script, as_json=True, wanted="ping").splitlines()
    assert json.loads(found[0])["elapsed_s"] == 0.5


def test_terminal_gets_colours_headings_and_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = _shown(eventful(), Terminal(), width=100)
    assert "\x1b[1;31m" in shown
    plain = _ESCAPE.sub("", shown)
    assert "\x1b" not in plain
    assert "latency  procedure" in plain.splitlines()[0]
    assert max(map(len, plain.splitlines())) <= 100
    # A terminal without a size of its own.
    assert max(map(len, _ESCAPE.sub("", _shown(listing(50), Terminal())).splitlines())) <= 80


@pytest.mark.parametrize(
    ("terminal", "color", "environment", "coloured"),
    [
        (True, "auto", {}, True),
        (True, "auto", {"NO_COLOR": "1"}, False),
        (True, "auto", {"TERM": "dumb"}, False),
        (True, "never", {}, False),
        (False, "auto", {}, False),
        (False, "always", {"NO_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colours_are_where_they_are_wanted(
    terminal: bool,
    color: str,
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    for summary in (False, True):
        stream = Terminal() if terminal else io.StringIO()
        shown = _shown(eventful(), stream, color=color, summary=summary)
        assert ("\x1b[" in shown) == coloured


def test_json_is_one_object_a_line_and_loses_no_message() -> None:
    script = uploading(pieces=20)
    found = [json.loads(line) for line in _shown(script, as_json=True).splitlines()]
    assert len(found) == len(script.told())
    last = _shown(script, as_json=True, summary=True).splitlines()
    assert [json.loads(line)["kind"] for line in last] == ["summary"]
    both = _shown(script, as_json=True, summary=True, lines_too=True).splitlines()
    assert len(both) == len(script.told()) + 1


def test_packets_of_a_stream_are_one_line_unless_asked_for() -> None:
    script = uploading(pieces=20, size=1000)
    shown = _shown(script)
    assert len([line for line in shown.splitlines() if " data " in line]) == 1
    assert "20 packets" in shown
    every = _shown(script, every_packet=True)
    assert len([line for line in every.splitlines() if " data " in line]) == 20
    assert "1 packets" not in _shown(uploading(pieces=1))


def test_stream_that_goes_on_is_told_of_now_and_then() -> None:
    script = Script(step_s=0.3)
    serial = script.call("STORAGE_VOL_UPLOAD", _UPLOAD)
    for _ in range(20):
        script.stream(serial, b"x" * 100)
    data = [line for line in _shown(script).splitlines() if " data " in line]
    assert len(data) == 4


_UPLOAD = {"vol": {"pool": "p", "name": "v", "key": "/v"}, "offset": 0, "length": 0, "flags": 0}


def test_rest_holds_a_stream_back_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("virtproto.cli.showing.time.monotonic", lambda: now)
    stream = io.StringIO()
    shower = Shower(ShowingOptions(), stream=stream)
    assert shower.rest() is None
    script = Script()
    serial = script.call("STORAGE_VOL_UPLOAD", _UPLOAD)
    script.stream(serial, b"x").stream(serial, b"y")
    shower.show(script.messages())
    assert shower.rest() == pytest.approx(0.25)
    assert " call " in stream.getvalue()
    assert " data " not in stream.getvalue()
    # It goes on, and then stops.
    now += 0.2
    script.stream(serial, b"z")
    shower.show(script.messages()[-1:])
    assert shower.rest() == pytest.approx(0.25)
    now += 0.2
    assert shower.rest() == pytest.approx(0.05)
    assert " data " not in stream.getvalue()
    now += 0.2
    assert shower.rest() is None
    assert "3 packets" in stream.getvalue()


def test_hex_has_lines_and_rows() -> None:
    shown = _shown(listing(), as_hex=True)
    assert " →    5 call       56B           remote:DOMAIN_GET_INFO\n  0000  00 00 00 38 " in shown
    assert "dom=" not in shown
    assert "  0000  16 03 01" in _shown(
        Script().strange(b"\x16\x03\x01 hello"), as_hex=True, show_secrets=True
    )


def test_summary_is_all_unless_lines_are_wanted_too() -> None:
    shown = _shown(eventful(), summary=True)
    assert shown.startswith("% time")
    assert "\nErrors:\n" in shown
    assert shown.endswith("2 of keepalive\n")
    both = _shown(eventful(), summary=True, lines_too=True)
    assert both.endswith(shown)
    assert "→    1 call" in both
    assert _shown(Script(), summary=True).startswith("0 conversations, 0 messages")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_summary_leaves_out_columns_that_do_not_fit(width: int) -> None:
    wide = _shown(eventful(), summary=True)
    shown = _shown(eventful(), summary=True, width=width)
    head = shown.splitlines()[0]
    assert "p99" in wide.splitlines()[0]
    assert "calls" in head
    assert "p99" not in head
    assert all(len(line) <= width for line in shown.splitlines()[:-1])


def test_a_narrow_summary_keeps_the_names_rather_than_more_times() -> None:
    shown = _shown(eventful(), summary=True, width=90)
    assert "remote:CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY" in shown
    assert "median" not in shown.splitlines()[0]


def test_filter_applies_to_all_that_is_printed() -> None:
    assert "REGISTER_ANY" not in _shown(eventful(), wanted="error")
    shown = _shown(eventful(), wanted="error")
    assert len([line for line in shown.splitlines() if "DOMAIN_LOOKUP_BY_NAME" in line]) == 2
    # Calls without an answer are told at the end, if they are wanted.
    assert "no answer" not in shown
    assert "no answer" in _shown(eventful(), wanted="NODE_*")
    assert "AUTH_LIST" not in _shown(eventful(), wanted="error", summary=True)


def test_times_are_the_same_with_a_filter() -> None:
    every = _shown(eventful()).splitlines()
    assert set(_shown(eventful(), wanted="error").splitlines()) <= set(every)
    [_, event, *_] = _shown(eventful(), wanted="event", as_json=True).splitlines()
    assert event in _shown(eventful(), as_json=True).splitlines()


def test_secrets_are_printed_when_asked_for_only() -> None:
    secret = "hunter2-and-more"
    every: list[dict[str, Any]] = [{}, {"as_json": True}, {"as_hex": True}, {"summary": True}]
    for options in every:
        assert secret not in _shown(secretive(secret), **options)
    for options in every[:2]:
        assert secret in _shown(secretive(secret), show_secrets=True, **options)


def test_output_goes_to_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("what was there before\n" * 1000)
    path.chmod(0o600)
    other = io.StringIO()
    assert _shown(eventful(), other, output=str(path)) == ""
    assert path.read_text("utf-8") == _shown(eventful())
    new = tmp_path / "new.txt"
    _shown(eventful(), output=str(new))
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    # Others may read it as before, unless there are passwords in it.
    new.chmod(0o644)
    _shown(eventful(), output=str(new))
    assert stat.S_IMODE(new.stat().st_mode) == 0o644
    _shown(eventful(), output=str(new), show_secrets=True)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match=r"--output: .*missing/x cannot be written: No such file"):
        Shower(ShowingOptions(output=str(tmp_path / "missing/x")))


class _Failing(io.StringIO):
    def __init__(self, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.error = error
        self.tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise self.error()


def test_reader_who_has_enough_is_quietly_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (BrokenPipeError, lambda: ValueError("I/O operation on closed file")):
        stream = _Failing(error)
        shower = Shower(ShowingOptions(), stream=stream)
        shower.show(eventful().told())
        shower.rest()
        assert shower.closed
        assert shower.failure is None
        shower.show(eventful().told())
        shower.rest()
        shower.finish()
        assert stream.tries == 1
    assert capsys.readouterr().err == ""


def test_full_disk_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    shower = Shower(ShowingOptions(output="/dev/full"))
    for _ in range(3):
        shower.show(eventful().told())
        shower.rest()
    shower.finish()
    assert shower.closed
    assert shower.failure == "No space left on device"
    said = capsys.readouterr().err
    assert said == "virtproto: --output: /dev/full cannot be written: No space left on device\n"


def test_narrow_encodings_get_signs_that_they_have(tmp_path: Path) -> None:
    with open(tmp_path / "x", "w+", encoding="ascii", errors="backslashreplace") as stream:
        shower = Shower(ShowingOptions(width=60), stream=stream)
        shower.show(listing().told())
        shower.finish()
        stream.seek(0)
        shown = stream.read()
    assert " > " in shown
    assert " < " in shown
    assert "\\u" not in shown


def test_lines_begin_with_the_time_of_day_when_asked() -> None:
    [line] = _shown(Script().note("x"), time="utc").splitlines()
    assert line == "22:13:20.001000 -- x"
    assert re.match(r"\d\d:\d\d:20\.001000 -- x", _shown(Script().note("x"), time="local"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"color": "green"}, "--color: expected auto, always, never, not 'green'"),
        ({"time": "moon"}, "--time: expected elapsed, local, utc"),
        ({"width": -1}, "--width: expected a number of columns"),
        ({"lines_too": True}, "--lines is for --summary"),
        ({"wanted": "("}, "--filter: "),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        ShowingOptions(**options)
    assert says in str(caught.value)


def test_decorator_gives_a_command_its_options() -> None:
    given: list[ShowingOptions] = []

    @click.command()
    @showing_options
    @click.argument("file")
    def command(showing: ShowingOptions, file: str) -> None:
        given.append(showing)
        assert file == "x"

    words = "--json --hex --summary --lines --show-secrets --every-packet --color never --time utc"
    more = ["--width", "0", "-o", "out", "--filter", "error", "x"]
    result = CliRunner().invoke(command, [*words.split(), *more], catch_exceptions=False)
    assert result.exit_code == 0
    [showing] = given
    assert showing.as_json
    assert showing.as_hex
    assert showing.wants_payloads
    assert (showing.color, showing.time, showing.width, showing.output) == (
        "never",
        "utc",
        0,
        "out",
    )
    assert showing.filter is not None
    assert not ShowingOptions(as_hex=True, summary=True).wants_payloads


def test_missing_rich_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(UsageError, match=r"pip install 'virtproto\[cli\]'"):
        Shower(ShowingOptions(color="always"))
    assert "\x1b" not in _shown(eventful(), Terminal())
    assert "pip install 'virtproto[cli]'" in capsys.readouterr().err
    assert _shown(eventful())
    assert os.environ["TERM"] == "xterm"
