"""What is written on stderr, whoever had a say in it."""

from __future__ import annotations

import pytest

from virtproto.cli.output import complain


def test_a_complaint_is_one_line_and_plays_no_tricks(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no:\n  \x1b[2Jall is well\x07\r\u202e\x9b é \udcff")
    assert capsys.readouterr().err == (
        "virtproto: no: \\x1b[2Jall is well\\x07 \\u202e\\x9b é \\udcff\n"
    )
