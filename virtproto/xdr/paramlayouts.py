"""What was learned about lists of typed parameters: names, types, and the formats of their bytes.

Responsible for: how keys, values and whole lists of them lie in the bytes, as ``Struct`` formats.
Must not know: when something is learned, kept or forgotten; that is virtproto.xdr.paramshapes.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Value = int | float | str

# Numbers of virTypedParameterType (libvirt-common.h); they are the union's case labels.
INT, UINT, LLONG, ULLONG, DOUBLE, BOOLEAN, STRING = range(1, 8)
TYPE_NAMES = {
    INT: "int",
    UINT: "unsigned int",
    LLONG: "hyper",
    ULLONG: "unsigned hyper",
    DOUBLE: "double",
    BOOLEAN: "int",
    STRING: "string",
}
# Format codes of the values that have a fixed size.
VALUE_CODES = {INT: "i", UINT: "I", LLONG: "q", ULLONG: "Q", DOUBLE: "d", BOOLEAN: "i"}

_word = Struct(">I").unpack_from
_value_and_next = {kind: Struct(f">{code}I").unpack_from for kind, code in VALUE_CODES.items()}
_value_alone = {kind: Struct(f">{code}").unpack_from for kind, code in VALUE_CODES.items()}
_value_size = {kind: Struct(f">{code}").size for kind, code in VALUE_CODES.items()}


class Key:
    """What the bytes from one name's length word to its type say.

    ``unpack`` gives the value and the next length word, ``alone`` the value; for a string, which
    has no fixed size, both are None. ``code`` is the format of key and value in a segment.
    """

    __slots__ = ("alone", "code", "kind", "name", "raw", "size", "unpack")

    def __init__(self, raw: bytes, name: str, kind: int) -> None:
        self.raw = raw
        self.name = name
        self.kind = kind
        self.unpack = _value_and_next.get(kind)
        self.alone = _value_alone.get(kind)
        self.size = _value_size.get(kind, 0)
        self.code = f"{len(raw)}s{VALUE_CODES.get(kind, 'I')}"


class Segment:
    """A run of parameters with fixed places, at most the last of which is a string.

    ``unpack`` gives key, value, key, value...; of a string the length word. ``keys`` is what the
    keys must be, and ``probe`` the last of them: looking for it at ``probe_offset`` rules most
    others out at little cost. ``heading`` is set if a list ends here, ``following`` holds what was
    seen to follow; every segment ends a list or ends in a string.
    """

    __slots__ = (
        "ends_in_string",
        "following",
        "heading",
        "keys",
        "probe",
        "probe_offset",
        "size",
        "unpack",
    )

    def __init__(self, keys: Sequence[Key]) -> None:
        last = keys[-1]
        layout = Struct(">" + "".join([key.code for key in keys]))
        self.unpack = layout.unpack_from
        self.size = layout.size
        self.keys = tuple([key.raw for key in keys])
        self.ends_in_string = last.kind == STRING
        self.probe = last.raw
        self.probe_offset = layout.size - (last.size or 4) - len(last.raw)
        self.following: list[Segment] = []
        self.heading: Heading | None = None


class Whole:
    """A list whose strings have known sizes, so that one format reads all of it.

    As in a segment, ``unpack`` gives key and value in turn, but the key of a string includes its
    length word, and the value is its bytes. ``probe`` is the key of the last string.
    """

    __slots__ = ("heading", "keys", "probe", "probe_offset", "size", "unpack")

    def __init__(self, heading: Heading, data: bytes, pos: int) -> None:
        start = pos
        codes = [">"]
        keys: list[bytes] = []
        for key in heading.keys:
            raw = key.raw
            if key.kind == STRING:
                end = pos + len(raw) + 4
                raw = data[pos:end]
                (length,) = _word(data, end - 4)
                codes.append(f"{len(raw)}s{length}s{-length & 3}x")
                self.probe = raw
                self.probe_offset = pos - start
                pos = end + (length + 3 & -4)
            else:
                codes.append(key.code)
                pos += len(raw) + key.size
            keys.append(raw)
        self.unpack = Struct("".join(codes)).unpack_from
        self.size = pos - start
        self.heading = heading
        self.keys = tuple(keys)


class Shapes:
    """The shapes of lists of one count.

    ``segments`` are the first ones and ``wholes`` the lists that are read as a whole, of both the
    latest used in front. ``misses`` counts the lists in a row that fitted none of ``wholes``, and
    each whole unpacked in vain; for the next ``pause`` lists none is tried, and none learned.
    ``repeats`` counts, since one was learned, the lists as long as the one before with their
    heading; ``wanted`` is how many it takes to learn one.
    """

    __slots__ = ("misses", "pause", "repeats", "segments", "wanted", "wholes")

    def __init__(self, wanted: int) -> None:
        self.segments: list[Segment] = []
        self.wholes: list[Whole] = []
        self.misses = 0
        self.pause = 0
        self.repeats = 0
        self.wanted = wanted


class Heading:
    """The names and types of a list, shared by all lists that agree in them.

    ``booleans`` are the positions whose values mean truth, ``boolean_names`` the names of which the
    last occurrence is such a value; ``blank`` is a dict with the names, to be copied and filled,
    once one was asked for; ``seen`` counts the lists read by key, until ``path``, the shape, is
    learned, and with it ``keys`` and, as the positions of string values, ``strings``. ``size`` is
    that of the last list with strings that was read by shape.
    """

    __slots__ = (
        "blank",
        "boolean_names",
        "booleans",
        "keys",
        "names",
        "path",
        "seen",
        "size",
        "strings",
        "types",
    )

    def __init__(self, names: tuple[str, ...], types: tuple[int, ...]) -> None:
        self.names = names
        self.types = types
        self.booleans: tuple[int, ...] = ()
        self.boolean_names: tuple[str, ...] = ()
        if BOOLEAN in types:
            self.booleans = tuple([i for i, kind in enumerate(types) if kind == BOOLEAN])
            last = dict(zip(names, types, strict=True))
            self.boolean_names = tuple([name for name in last if last[name] == BOOLEAN])
        self.blank: dict[str, Value] = {}
        self.seen = 1
        self.keys: tuple[Key, ...] = ()
        self.strings: tuple[int, ...] = ()
        self.size = 0
        self.path: tuple[Segment, ...] = ()


EMPTY = Heading((), ())
