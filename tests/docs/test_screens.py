"""The pictures of the terminal in docs/screens are what the commands print."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.lab.place import repository

FOLDER = repository / "docs" / "screens"
SCRIPT = repository / "docs" / "screens.py"
PICTURES = sorted(FOLDER.glob("*.svg"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the script has drawn the pictures anew."""
    folder = tmp_path_factory.mktemp("screens")
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True, cwd=folder)
    return folder


def test_pictures_are_what_the_commands_print_now(drawn: Path) -> None:
    again = {path.name: path.read_text("utf-8") for path in drawn.iterdir()}
    assert {path.name for path in PICTURES} == set(again)
    for path in PICTURES:
        same = path.read_text("utf-8") == again[path.name]
        assert same, f"{path.name} is not what is printed now: run python docs/screens.py"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_pictures_stand_alone_and_hold_together(path: Path) -> None:
    text = path.read_text("utf-8")
    # Nothing is loaded from elsewhere.
    assert re.findall(r"\w+://[^\s\"']+", text)[0] == "http://www.w3.org/2000/svg"
    assert "@import" not in text
    assert "url(" not in text
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    texts = [each for each in root.iter() if each.tag.endswith("}text")]
    assert len(texts) > 10
    for each in texts:
        assert float(each.attrib["x"]) + float(each.attrib["textLength"]) <= width
        assert float(each.attrib["y"]) <= height
        assert "\x1b" not in (each.text or "")


def _words(name: str) -> str:
    root = ElementTree.parse(FOLDER / name).getroot()
    return " ".join(each.text or "" for each in root.iter() if each.tag.endswith("}text"))


def test_pictures_show_what_they_are_there_for() -> None:
    trace = _words("trace.svg")
    for shown in ("DOMAIN_CREATE", "error 42 NO_DOMAIN", "<secret>", "event", "13 packets"):
        assert shown in trace
    assert "median" in _words("summary.svg")
    assert "** ** ** **" in _words("hex.svg")
    assert "the recording is cut off" in _words("damage.svg")
    assert "crashed" in _words("list.svg")


def test_recording_and_pictures_hold_no_secret() -> None:
    script = (FOLDER / "example.sh").read_text("utf-8")
    [secret] = set(re.findall(r"passwd='(\w+)'", script))
    assert secret in script
    assert secret.encode() not in gzip.decompress((FOLDER / "example.vprec.gz").read_bytes())
    assert not [path for path in PICTURES if secret in path.read_text("utf-8")]
