"""One remote procedure (or event) and the messages that it carries.

Responsible for: the record that ties a number to a name and to message classes, and finding one by
name or number. Must not know: which procedures exist, how a call travels, or what an answer means.
"""

from __future__ import annotations

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Generic, TypeVar

    from virtproto.xdr.message import Message

    A = TypeVar("A")
    R = TypeVar("R")
else:
    # typing takes longer to import than all that a call needs; only type checkers want it.
    A = R = None

    class Generic:
        """Stands in for typing.Generic."""

        __slots__ = ()

        def __class_getitem__(cls, item):
            return cls


__all__ = ["Procedure", "near_names", "procedure_name"]

# How many names a "did you mean" offers.
_NEAR = 4


class Procedure(Generic[A, R]):
    """A procedure of a program: takes an ``A``, answers an ``R``; None where there is nothing.

    ``args``, ``ret`` and ``msg`` are message classes or None; what has a ``msg`` is an event, which
    only the server sends. ``high_priority`` procedures have worker threads of their own in the
    daemon; ``urgent`` ones have none, but are needed while long calls last: to watch or to end one.
    A connection has at most one of them under way beyond the long ones, for they may block as well.
    All others are ``long``: they may take their time, and a connection has few of them under way at
    a time. ``read_stream`` and ``write_stream`` say that the call opens a stream towards the client
    or towards the server, and ``sparse_flag`` names the flag that lets it carry holes. Source: the
    annotations in the .x file.
    """

    __slots__ = (
        "args",
        "high_priority",
        "long",
        "msg",
        "name",
        "number",
        "program",
        "read_stream",
        "ret",
        "sparse_flag",
        "urgent",
        "version",
        "write_stream",
    )

    def __init__(
        self,
        program: int,
        version: int,
        number: int,
        name: str,
        args: type[A] | None = None,
        ret: type[R] | None = None,
        *,
        msg: type[Message] | None = None,
        high_priority: bool = False,
        urgent: bool = False,
        read_stream: bool = False,
        write_stream: bool = False,
        sparse_flag: str | None = None,
    ) -> None:
        self.program = program
        self.version = version
        self.number = number
        self.name = name
        self.args = args
        self.ret = ret
        self.msg = msg
        self.high_priority = high_priority
        self.urgent = urgent
        self.long = not (high_priority or urgent or msg is not None)
        self.read_stream = read_stream
        self.write_stream = write_stream
        self.sparse_flag = sparse_flag

    @property
    def is_event(self) -> bool:
        """Whether the server sends it unasked."""
        return self.msg is not None

    def __repr__(self) -> str:
        return f"<Procedure {self.name}, number {self.number} of program {self.program:#x}>"


def procedure_name(program: str, table: Mapping[str, tuple[int, str]], key: int | str) -> str:
    """Return the name of the procedure that ``key`` names or numbers in a generated table.

    Raise UsageError, with names that come near, if there is none.
    """
    if isinstance(key, int):
        for name, (number, _) in table.items():
            if number == key:
                return name
        numbers = [number for number, _ in table.values()]
        raise UsageError(
            f"program {program} has no procedure {key}; it has {min(numbers)} to {max(numbers)}"
        )
    name = key.upper()
    if name in table:
        return name
    raise UsageError(f"program {program} has no procedure {key!r}{near_names(name, table)}")


def near_names(name: str, names: Mapping[str, object]) -> str:
    """Return "; near: A, B" with the names that come near, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=_NEAR)
    return f"; near: {', '.join(near)}" if near else ""
