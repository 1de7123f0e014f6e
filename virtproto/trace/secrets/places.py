"""Where the secrets of a payload are: read along by the plans, without making values.

Responsible for the places in the bytes, and for whether the payload is sound; a walk costs little
for what has a fixed size. Must not know why something is secret: `plans` and `scrubbing` do.
"""

from __future__ import annotations

from struct import Struct

from virtproto.trace.secrets.plans import (
    COOKIE,
    FIXED,
    MARKED,
    ONE,
    OPTIONAL,
    PARAMETER,
    PLAIN,
    STRUCT,
    TEXT,
    UNION,
    WHOLE,
    hides_parameter,
)
from virtproto.trace.secrets.scrubbing import spans
from virtproto.xdr.contract import BASIC_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from virtproto.trace.secrets.plans import Part, Plan
    from virtproto.xdr.contract import Member

    Walk = Callable[[bytes, int, "Places"], int]

__all__ = ["Damaged", "Places", "damage_offset", "find_places", "is_markup"]

_word = Struct(">I").unpack_from
_STRING = 7
_VALUE_SIZES = {1: 4, 2: 4, 3: 8, 4: 8, 5: 8, 6: 4}
_NARROW = ("char", "unsigned char")


class Damaged(Exception):
    """The payload is not what its type says; ``offset`` is where that was seen."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"damaged at byte {offset}")


class Places:
    """What was found: ``secrets`` are (start, stop) in order, ``end`` is where the value ends.

    Of those in ``narrow`` each byte takes a word: they have to stay a byte's. ``known`` are secrets
    that were said before, and are looked for in texts; where ``in_texts`` is false, texts are not
    looked into.
    """

    __slots__ = ("end", "in_texts", "known", "narrow", "secrets", "size")

    def __init__(self, size: int, known: tuple[bytes, ...] = (), *, in_texts: bool = True) -> None:
        self.size = size
        self.known = known
        self.in_texts = in_texts
        self.secrets: list[tuple[int, int]] = []
        self.narrow: list[tuple[int, int]] = []
        self.end = 0


def find_places(plan: Plan, payload: bytes, known: tuple[bytes, ...] = ()) -> Places:
    """Return where secrets are in a payload; raises Damaged if it is not what the plan is for.

    It is stricter than decoding: padding must be zero. Bytes may be left over behind ``end``.
    """
    places = Places(len(payload), known)
    _walk(plan, payload, places)
    return places


def damage_offset(plan: Plan, payload: bytes) -> int:
    """Return at which byte a payload stops being what it should be: its end if it is sound."""
    places = Places(len(payload), in_texts=False)
    try:
        _walk(plan, payload, places)
    except Damaged as error:
        return error.offset
    return places.end


def _walk(plan: Plan, payload: bytes, places: Places) -> None:
    places.end = _struct_walk(plan)(payload, 0, places)
    if places.end > places.size:
        raise Damaged(places.size)


_walks: dict[Plan, Walk] = {}


def _struct_walk(plan: Plan) -> Walk:
    """Return the walk over a struct, made once."""
    found = _walks.get(plan)
    if found is None:
        found = _walks[plan] = _sequence([_part_walk(part) for part in plan.parts])
    return found


def _sequence(walks: list[Walk | int]) -> Walk:
    """Return the walk over values one behind the other; an int is one of that size."""
    joined: list[Walk | int] = []
    for walk in walks:
        if isinstance(walk, int) and joined and isinstance(joined[-1], int):
            joined[-1] += walk
        else:
            joined.append(walk)
    steps = tuple(joined)

    def go(payload: bytes, position: int, places: Places) -> int:
        for step in steps:
            if isinstance(step, int):
                position += step
            else:
                position = step(payload, position, places)
        return position

    return go


def _fixed(walk: Walk | int) -> Walk:
    return _sequence([walk]) if isinstance(walk, int) else walk


def _part_walk(part: Part) -> Walk | int:
    walk = _value_walk(part)
    if part.shape is ONE:
        return walk
    if part.shape is FIXED and isinstance(walk, int):
        return walk * part.limit
    if part.shape is OPTIONAL:
        return _optional(_fixed(walk))
    return _list(walk, part)


def _value_walk(part: Part) -> Walk | int:
    """Return the walk over one value of a field, or its size."""
    member, kind = part.member, part.kind
    if kind == STRUCT:
        assert part.plan is not None
        # One struct of a fixed size is as good as a number.
        parts = [_part_walk(each) for each in part.plan.parts]
        sizes = [each for each in parts if isinstance(each, int)]
        return sum(sizes) if len(sizes) == len(parts) else _struct_walk(part.plan)
    if kind == PARAMETER:
        return _parameter
    if kind == UNION:
        return _union
    if member.type in _NARROW and member.shape != "scalar":
        return _narrow(member, kind)
    if member.type in ("string", "opaque"):
        if member.shape == "fixed":
            return ((member.limit or 0) + 3) & ~3
        return _octets(member, kind)
    size = BASIC_TYPES.get(member.type, 4)
    return size if kind == PLAIN else _number(size)


def _count(payload: bytes, position: int, places: Places) -> int:
    if position + 4 > places.size:
        raise Damaged(min(position, places.size))
    found: int = _word(payload, position)[0]
    return found


def _optional(inner: Walk) -> Walk:
    def go(payload: bytes, position: int, places: Places) -> int:
        present = _count(payload, position, places)
        return inner(payload, position + 4, places) if present else position + 4

    return go


def _list(walk: Walk | int, part: Part) -> Walk:
    counted = part.shape is not FIXED
    limit = part.limit

    def go(payload: bytes, position: int, places: Places) -> int:
        count = limit
        start = position
        if counted:
            count = _count(payload, position, places)
            position += 4
        if count > limit:
            raise Damaged(start)
        if isinstance(walk, int):
            return position + walk * count
        for _ in range(count):
            if position >= places.size:
                raise Damaged(places.size)
            position = walk(payload, position, places)
        return position

    return go


def _octets(member: Member, kind: int) -> Walk:
    """Return the walk over a string or bytes of any length."""
    limit = 2**32 - 1 if member.limit is None else member.limit

    def go(payload: bytes, position: int, places: Places) -> int:
        size = _count(payload, position, places)
        start = position + 4
        stop = start + size
        if size > limit or stop > places.size:
            raise Damaged(position)
        if kind != PLAIN and size and places.in_texts:
            _look(payload, start, stop, kind, places)
        return _padded(payload, stop)

    return go


def _padded(payload: bytes, stop: int) -> int:
    """Return where the next value begins; where a length is wrong padding is not zero."""
    end = (stop + 3) & ~3
    if stop < end and any(payload[stop:end]):
        raise Damaged(stop)
    return end


def _look(payload: bytes, start: int, stop: int, kind: int, places: Places) -> None:
    """Note what is secret of a text."""
    raw = payload[start:stop]
    if (kind == MARKED and not is_markup(raw)) or (kind == COOKIE and b"<domain" in raw):
        kind = WHOLE
    if kind == WHOLE:
        places.secrets.append((start, stop))
    else:
        places.secrets.extend((start + one, start + two) for one, two in spans(raw, places.known))


def is_markup(raw: bytes) -> bool:
    """Tell whether a text is XML by how it begins."""
    return raw[:64].lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"<")


def _narrow(member: Member, kind: int) -> Walk:
    """Return the walk over an array of which each byte takes a word."""
    counted = member.shape == "variable"
    limit = 2**32 - 1 if member.limit is None else member.limit

    def go(payload: bytes, position: int, places: Places) -> int:
        start = position
        count = limit
        if counted:
            count = _count(payload, position, places)
            position += 4
        stop = position + 4 * count
        if count > limit or stop > places.size:
            raise Damaged(start)
        if kind != PLAIN and count:
            places.narrow.append((position, stop))
        return stop

    return go


def _number(size: int) -> Walk:
    def go(payload: bytes, position: int, places: Places) -> int:
        places.secrets.append((position, position + size))
        return position + size

    return go


_NAME = 256


def _parameter(payload: bytes, position: int, places: Places) -> int:
    """Walk over a typed parameter: its name, its type, its value."""
    size = _count(payload, position, places)
    start = position + 4
    stop = start + size
    if stop > places.size:
        raise Damaged(position)
    name = payload[start : min(stop, start + _NAME)].decode("utf-8", "surrogateescape")
    return _typed(payload, _padded(payload, stop), places, WHOLE if hides_parameter(name) else TEXT)


def _union(payload: bytes, position: int, places: Places) -> int:
    """Walk over a value of a typed parameter whose name is not there."""
    return _typed(payload, position, places, TEXT)


def _typed(payload: bytes, position: int, places: Places, kind: int) -> int:
    of = _count(payload, position, places)
    if of == _STRING:
        size = _count(payload, position + 4, places)
        start = position + 8
        stop = start + size
        if stop > places.size:
            raise Damaged(position + 4)
        if size and places.in_texts:
            _look(payload, start, stop, kind, places)
        return _padded(payload, stop)
    found = _VALUE_SIZES.get(of)
    if found is None:
        raise Damaged(position)
    stop = position + 4 + found
    if kind == WHOLE:
        places.secrets.append((position + 4, stop))
    return stop
