"""The older way to list objects: one call for what they are called, and one for each of them.

Responsible for how many names one call may ask for, and for leaving out what is gone by the time
that it is looked up. Must not know: which kinds of objects there are.
"""

from __future__ import annotations

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from virtproto.errors import LibvirtError
    from virtproto.model.recipes import Recipe
    from virtproto.xdr.procedure import Procedure

    P = Procedure[Any, Any]

__all__ = ["Lookup", "checked_most", "listed_names"]


def checked_most(parameter: str, wanted: int, limit: int) -> int:
    """Return how many entries to ask for; a daemon may break at numbers below 0."""
    if not 0 <= wanted <= limit:
        raise UsageError(f"{parameter}: {wanted} is not within 0 to {limit}")
    return wanted


def listed_names(procedure: P, maxnames: int, limit: int, **which: Any) -> Recipe[list[str]]:
    """Ask for names by a procedure; ``which`` has what it takes beside how many it may return."""
    message = procedure.args
    assert message is not None
    args = message(maxnames=checked_most("maxnames", maxnames, limit), **which)
    names: list[str] = (yield procedure, args).names
    return names


class Lookup:
    """How objects of one kind are found by what a list calls them.

    ``procedure()`` returns what finds one, and is asked late, so that a kind that nobody lists
    loads no messages. Its arguments take the ``key``, its reply has the object as ``result``, and
    ``missing`` is the error with which it says that there is no such object.
    """

    __slots__ = ("_key", "_missing", "_procedure", "_result")

    def __init__(
        self,
        procedure: Callable[[], P],
        *,
        result: str,
        missing: type[LibvirtError],
        key: str = "name",
    ) -> None:
        self._procedure = procedure
        self._result = result
        self._missing = missing
        self._key = key

    def each(self, keys: Iterable[Any], **where: Any) -> Recipe[list[Any]]:
        """Look objects up, one call for each key, and leave out what is not there any more."""
        procedure = self._procedure()
        message = procedure.args
        assert message is not None
        found = []
        for key in keys:
            try:
                ret = yield procedure, message(**where, **{self._key: key})
            except self._missing:
                continue
            found.append(getattr(ret, self._result))
        return found
