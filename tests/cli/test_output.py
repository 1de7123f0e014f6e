"""What is written on stderr, whoever had a say in it."""

from __future__ import annotations

import pytest

from virtproto.cli.output import complain
from virtproto.cli.pki_checking import BAD, Report


def test_a_complaint_is_one_line_and_plays_no_tricks(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no:\n  \x1b[2Jall is well\x07\r\u202e\x9b é \udcff")
    assert capsys.readouterr().err == (
        "virtproto: no: \\x1b[2Jall is well\\x07 \\u202e\\x9b é \\udcff\n"
    )


def test_nor_does_a_certificate_of_a_stranger(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.part("the daemon of \x1b[2J")
    report.say(BAD, "it is for CN=\x1b]0;x\x07")
    report.show(as_json=False)
    report.show(as_json=True)
    shown = capsys.readouterr().out
    assert r"CN=\x1b]0;x\x07" in shown
    assert shown.replace("\n", "").isprintable()
