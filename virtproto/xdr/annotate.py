"""Bytes explained field by field, also where they are damaged; what the debugger shows.

Responsible for: the list of fields with offset, size, path, type and value, the problems found on
the way, and going on behind a damaged field where the next one's place is still clear.
Must not know: how the list is printed, or what a packet is: it sees one payload of one type.
"""

from __future__ import annotations

from typing import Any

from virtproto.errors import DecodeError
from virtproto.xdr.contract import Contract, Enum, Member
from virtproto.xdr.reference import Decoder

__all__ = ["SECRET", "Annotation", "Field", "Problem", "annotate"]

SECRET = "<secret>"

# What a hostile payload can make of one annotation: so many fields, and so much of each value.
MAX_FIELDS = 10_000
MAX_PROBLEMS = 1_000
MAX_VALUE = 4096


class Field:
    """``size`` bytes at ``offset`` that hold ``value``.

    ``type`` is the declaration as the .x file writes it, or "count" or "optional" for the word that
    precedes elements or an optional. ``value`` of a secret is SECRET, and of a long string or bytes
    object only the beginning; ``note`` tells, or gives an enumerator's name.
    """

    __slots__ = ("note", "offset", "path", "size", "type", "value")

    def __init__(
        self, offset: int, size: int, path: str, type: str, value: Any, note: str = ""
    ) -> None:
        self.offset = offset
        self.size = size
        self.path = path
        self.type = type
        self.value = value
        self.note = note

    def __repr__(self) -> str:
        return f"Field({self.offset}, {self.size}, {self.path!r}, {self.type!r}, {self.value!r})"


class Problem:
    """Something wrong at ``offset``; ``fatal`` if nothing behind it could be read.

    What is odd but legal, such as padding that is not zero, is a problem with ``legal`` true.
    """

    __slots__ = ("fatal", "legal", "offset", "path", "reason")

    def __init__(
        self, offset: int, path: str, reason: str, *, fatal: bool = False, legal: bool = False
    ) -> None:
        self.offset = offset
        self.path = path
        self.reason = reason
        self.fatal = fatal
        self.legal = legal

    def __repr__(self) -> str:
        return f"Problem({self.offset}, {self.path!r}, {self.reason!r})"

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"byte {self.offset}: {place}{self.reason}"


class Annotation:
    """All that could be read of a payload.

    ``end`` is the offset where reading ended and ``left_over`` how many bytes lie behind it;
    ``complete`` is false if the fields were too many to list. ``error`` is the first problem for
    which the codec would refuse the payload, or None.
    """

    __slots__ = ("complete", "end", "fields", "left_over", "problems", "type")

    def __init__(self, type: str) -> None:
        self.type = type
        self.fields: list[Field] = []
        self.problems: list[Problem] = []
        self.complete = True
        self.end = 0
        self.left_over = 0

    @property
    def error(self) -> DecodeError | None:
        """The first problem that makes the payload undecodable, as decoding would raise it."""
        for problem in self.problems:
            if not problem.legal:
                path = problem.path or None
                return DecodeError(problem.reason, offset=problem.offset, path=path)
        return None


def annotate(
    contract: Contract,
    type_name: str,
    data: bytes,
    *,
    show_secrets: bool = False,
    max_fields: int = MAX_FIELDS,
) -> Annotation:
    """Return what each byte of ``data`` means as a ``type_name``.

    Never raise DecodeError: damage is in ``problems``. Values of secret fields are left out unless
    ``show_secrets``.
    """
    annotation = Annotation(type_name)
    reader = _Annotator(contract, data, annotation, show_secrets, max_fields)
    try:
        reader.declaration(Member("", type_name, "scalar", None))
    except DecodeError as error:
        offset = error.offset or 0
        annotation.problems.append(Problem(offset, error.path or "", error.reason, fatal=True))
    except _Full:
        annotation.complete = False
    annotation.end = reader.position
    annotation.left_over = reader.left
    if reader.left and annotation.complete and not any(p.fatal for p in annotation.problems):
        reason = f"{reader.left} bytes after the end"
        annotation.problems.append(Problem(reader.position, "", reason, legal=True))
    return annotation


class _Full(Exception):
    """The list of fields is as long as it may get."""


class _Annotator(Decoder):
    def __init__(
        self,
        contract: Contract,
        data: bytes,
        annotation: Annotation,
        show_secrets: bool,
        max_fields: int,
    ) -> None:
        super().__init__(contract, data, keep=False)
        self.annotation = annotation
        self.show_secrets = show_secrets
        self.max_fields = max_fields

    def leaf(self, start: int, type_name: str, value: Any) -> None:
        fields = self.annotation.fields
        if len(fields) >= self.max_fields:
            raise _Full
        note = ""
        if type_name.startswith("enum "):
            note = self._enumerator(type_name[5:], value)
        if isinstance(value, str) and not value.isascii() and _has_surrogate(value):
            self.remark(start, "the string is not UTF-8")
        if self.hidden and not self.show_secrets and type_name not in ("count", "optional"):
            value, note = SECRET, ""
        elif isinstance(value, str | bytes) and len(value) > MAX_VALUE:
            note = f"the first {MAX_VALUE} of {len(value)}"
            value = value[:MAX_VALUE]
        fields.append(Field(start, self.position - start, self._where(), type_name, value, note))

    def remark(self, start: int, reason: str) -> None:
        self._add(Problem(start, self._where(), reason, legal=True))

    def flaw(self, start: int, reason: str) -> None:
        self._add(Problem(start, self._where(), reason))

    def _add(self, problem: Problem) -> None:
        if len(self.annotation.problems) < MAX_PROBLEMS:
            self.annotation.problems.append(problem)

    def _where(self) -> str:
        return "".join(self.path).lstrip(".")

    def _enumerator(self, type_name: str, value: int) -> str:
        target = self.contract.type(type_name)
        if isinstance(target, Enum):
            for name, number in target.members.items():
                if number == value:
                    return name
        return ""


def _has_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
