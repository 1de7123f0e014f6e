"""Tests of reading errors.toml: the names of classes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdrgen.constants import read_constants
from xdrgen.emit_errors import emit_errors
from xdrgen.error_codes import ErrorCode, read_errors
from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS

TEXTS = 'means = "It is so."\naction = "Do that."\n'


def read(tmp_path: Path, text: str, *names: str) -> list[ErrorCode]:
    """Return the codes of an errors.toml of this text, where libvirt numbers ``names`` from 1."""
    path = tmp_path / "errors.toml"
    path.write_text(text)
    return read_errors(path, {"VIR_ERR_OK": 0} | {name: n for n, name in enumerate(names, 1)})


@pytest.mark.parametrize(
    ("c_name", "name"),
    [
        ("VIR_ERR_NO_DOMAIN", "NoDomainError"),
        ("VIR_ERR_INTERNAL_ERROR", "InternalError"),
        ("VIR_ERR_XML_ERROR", "XMLError"),
        ("VIR_ERR_XML_INVALID_SCHEMA", "XMLInvalidSchemaError"),
    ],
)
def test_a_class_is_named_after_its_code(tmp_path: Path, c_name: str, name: str) -> None:
    text = f'[spelling]\nXML = "XML"\n[{c_name}]\n{TEXTS}'
    expected = ErrorCode(1, c_name, name, "It is so.", "Do that.", False)
    assert read(tmp_path, text, c_name) == [expected]


def test_classes_come_in_the_order_of_their_codes(tmp_path: Path) -> None:
    text = f"[VIR_ERR_B]\n{TEXTS}[VIR_ERR_A]\nby_hand = true\n"
    codes = read(tmp_path, text, "VIR_ERR_A", "VIR_ERR_B")
    assert [(code.number, code.name, code.by_hand) for code in codes] == [
        (1, "AError", True),
        (2, "BError", False),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ": expected a description of VIR_ERR_A, found none"),
        ("[VIR_ERR_B]", ":1: expected an error code of libvirt, found 'VIR_ERR_B'"),
        ("[VIR_ERR_OK]", ":1: expected an error code of libvirt, found 'VIR_ERR_OK'"),
        ("[VIR_ERR_A]", ":1: expected action and means, found nothing"),
        ("[VIR_ERR_A]\nmeans = 'So.'", ":1: expected action and means, found means"),
        (
            "[VIR_ERR_A]\nby_hand = true\nmeans = 'So.'",
            ":1: expected by_hand, found by_hand, means",
        ),
        (
            "[VIR_ERR_A]\nmeans = 'So'\naction = 'Do.'",
            ":2: expected a sentence on one line, found 'So'",
        ),
        (
            f"[VIR_ERR_A]\nname = 'OverflowError'\n{TEXTS}",
            ":2: expected the name of a class of its own that ends in Error, found 'OverflowError'",
        ),
        (f"[VIR_ERR_A]\nname = 'Warned'\n{TEXTS}", ":2: expected the name of a class"),
        (f"[VIR_WAR_B]\n{TEXTS}", ":1: expected a name for what is no VIR_ERR_, found none"),
        (
            f"[VIR_ERR_A]\n{TEXTS}[VIR_WAR_B]\nname = 'AError'\n{TEXTS}",
            ":4: expected a name of its own, found that of VIR_ERR_A",
        ),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(tmp_path, text, "VIR_ERR_A", "VIR_WAR_B")
    assert str(caught.value).startswith(f"{tmp_path / 'errors.toml'}{fault}")


def test_a_class_by_hand_is_imported_and_not_printed() -> None:
    numbers = read_constants(PROTOCOL_DEFS / "constants.toml").c_members("virErrorNumber")
    texts = emit_errors(read_errors(PROTOCOL_DEFS / "errors.toml", numbers))
    assert list(texts) == ["__init__.py"]
    printed = texts["__init__.py"]
    assert "from virtproto.errors import LibvirtError, NoSupportError\n" in printed
    assert "    3: NoSupportError,\n" in printed
    assert "class NoSupportError" not in printed
    assert printed.count("(LibvirtError):\n") == len(numbers) - 2
