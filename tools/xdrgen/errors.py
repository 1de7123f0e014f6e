"""What can be wrong with a contract, each error naming the place: ``file:line: what``.

Knows positions only, not how they were found.
"""

from __future__ import annotations

from xdrgen.model import Position

__all__ = ["ContractError", "FactsError", "XdrSemanticError", "XdrSyntaxError"]


class ContractError(Exception):
    """A contract that cannot be used; ``str()`` is one line that starts with the place."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(f"{position}: {message}" if position else message)
        self.message = message
        self.position = position


class XdrSyntaxError(ContractError):
    """Text that is not XDR as the .x files use it."""


class XdrSemanticError(ContractError):
    """Well-formed XDR that cannot be a contract: an undefined name, a number used twice."""


class FactsError(ContractError):
    """A facts file that does not have the layout of one."""
