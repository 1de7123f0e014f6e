"""What the base class adds to generated messages: errors with a place, repr without secrets."""

from __future__ import annotations

import signal
import struct
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from tests.xdr.sample import CONTRACT, Login, Machine, Stats
from virtproto.errors import DecodeError, EncodeError
from virtproto.xdr import message as module
from virtproto.xdr.message import Message, set_contract_loader
from virtproto.xdr.typedparams import INT, STRING, TypedParams

UUID = bytes(range(16))
MACHINE_XDR = bytes.fromhex("0000000366763000") + UUID + bytes.fromhex("00000007")


@pytest.fixture(autouse=True)
def _sample_contract() -> Iterator[None]:
    before = module._contract_loader
    set_contract_loader(lambda: CONTRACT)
    yield
    set_contract_loader(before)


@pytest.fixture
def _no_contract(_sample_contract: None) -> None:
    set_contract_loader(None)


def machine(**changes: Any) -> Machine:
    return Machine(**{"name": "fv0", "uuid": UUID, "id": 7, **changes})


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_pack_and_unpack(kind: type[bytes]) -> None:
    assert machine().pack() == MACHINE_XDR
    assert Machine.unpack(kind(MACHINE_XDR)) == machine()


@pytest.mark.parametrize("data", [24, "text", [1, 2], None])
def test_unpack_takes_bytes_only(data: Any) -> None:
    with pytest.raises(TypeError, match="bytes, bytearray or memoryview"):
        Machine.unpack(data)


def test_trailing_bytes_are_ignored_unless_exact() -> None:
    assert Machine.unpack(MACHINE_XDR + b"more") == machine()
    assert Machine.unpack(MACHINE_XDR, exact=True) == machine()
    with pytest.raises(DecodeError, match="byte 28: 4 bytes too many"):
        Machine.unpack(MACHINE_XDR + b"more", exact=True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": None}, "name: required, got None"),
        ({"name": "a\0b"}, "name: a string cannot hold a NUL byte"),
        ({"name": 5}, "name: a string is wanted, got int"),
        ({"name": "\ud800"}, "name: the string has no UTF-8 form"),
        ({"uuid": b"x"}, "uuid: 1 bytes, 16 are wanted"),
        ({"id": 2**31}, "id: 2147483648 is outside int -2147483648..2147483647"),
        ({"id": "7"}, "id: int is wanted, got str"),
    ],
)
def test_pack_names_the_field_at_fault(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        machine(**changes).pack()
    assert str(caught.value) == text
    assert caught.value.path == text.split(":")[0]
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("machine", None, "machine: required, got None"),
        ("machine", 3, "machine: machine is wanted, got int"),
        ("machine", {"name": "a", "uuid": UUID, "id": 1}, "machine: machine is wanted, got dict"),
        ("machine", machine(id=None), "machine.id: required, got None"),
        ("params", [("a", INT, 1)], "params[0]: param is wanted, got list"),
        ("params", {"a": 1}, "params: a list is wanted, got dict"),
    ],
)
def test_pack_names_nested_fields(field: str, value: Any, text: str) -> None:
    stats = Stats(machine(), TypedParams())
    setattr(stats, field, value)
    with pytest.raises(EncodeError) as caught:
        stats.pack()
    assert str(caught.value) == text


def test_a_message_of_another_type_is_refused_by_path() -> None:
    stats = Stats(machine(), TypedParams())
    stats.machine = Login("u", "p", 1, b"")  # type: ignore[assignment]
    with pytest.raises(EncodeError, match="machine: machine has no field 'user'"):
        stats.pack()


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EncodeError, match="machine cannot be packed: AttributeError"):
        machine(name=endless).pack()


def test_a_field_never_set_is_named() -> None:
    unfinished = machine()
    del unfinished.uuid
    with pytest.raises(EncodeError, match="uuid: required, but missing"):
        unfinished.pack()
    assert repr(unfinished) == "Machine(name='fv0', uuid=<unset>, id=7)"


def test_unpack_names_offset_and_path() -> None:
    with pytest.raises(DecodeError) as caught:
        Stats.unpack(MACHINE_XDR + bytes.fromhex("00000001 00000001 61000000 00000009"))
    assert str(caught.value) == "byte 40: params[0].value: value has no arm 9"
    assert (caught.value.offset, caught.value.path) == (40, "params[0].value")


@pytest.mark.parametrize("size", range(len(MACHINE_XDR)))
def test_every_cut_is_refused(size: int) -> None:
    with pytest.raises(DecodeError) as caught:
        Machine.unpack(MACHINE_XDR[:size])
    assert caught.value.offset is not None
    assert caught.value.path in ("name", "uuid", "id")


@pytest.mark.usefixtures("_no_contract")
def test_without_a_contract_errors_have_no_path_but_the_same_types() -> None:
    with pytest.raises(EncodeError, match=r"machine cannot be packed: \w+"):
        machine(id="x").pack()
    with pytest.raises(EncodeError, match="not a UUID"):
        machine(uuid=b"").pack()
    with pytest.raises(DecodeError, match="no machine in these 5 bytes"):
        Machine.unpack(bytes(5))
    with pytest.raises(DecodeError, match="there is no parameter type 9") as caught:
        Stats.unpack(MACHINE_XDR + bytes.fromhex("00000001 00000000 00000009 00000000"))
    assert caught.value.offset == 36


@pytest.mark.usefixtures("_no_contract")
def test_a_string_that_runs_beyond_the_end_is_refused_without_a_contract() -> None:
    class Text(Message):
        __slots__ = ("text",)
        XDR_NAME = "text"
        text: bytes

        @classmethod
        def _unpack(cls, data: bytes, pos: int) -> tuple[Text, int]:
            self = cls.__new__(cls)
            self.text = data[pos : pos + 9]
            return self, pos + 9

    assert Text.unpack(bytes(9)).text == bytes(9)
    with pytest.raises(DecodeError, match="byte 8: text goes on beyond the end"):
        Text.unpack(bytes(8))


class SoftTimeLimit(Exception):
    """What the signal handler of a library may raise between any two statements."""


class OwnValueError(ValueError):
    """The same, of a class that looks like the fault of a value."""


TELLING: list[type[Exception]] = [AttributeError, OverflowError, TypeError, ValueError]
FOREIGN = [IndexError, KeyError, MemoryError, OwnValueError, RecursionError, SoftTimeLimit]


def raising(error: Exception) -> type[Machine]:
    """Return a machine whose packing and unpacking end in an exception."""

    class Interrupted(Machine):
        def _pack(self) -> bytes:
            raise error

        @classmethod
        def _unpack(cls, data: bytes, pos: int) -> tuple[Interrupted, int]:
            raise error

    return Interrupted


@pytest.mark.parametrize("error", TELLING)
def test_what_values_and_bytes_cause_becomes_an_error_of_the_tree(error: type[Exception]) -> None:
    cls = raising(error("quoted"))
    with pytest.raises(EncodeError, match="uuid: 1 bytes, 16 are wanted"):
        cls("a", b"x", 1).pack()
    with pytest.raises(DecodeError, match="byte 24: id: "):
        cls.unpack(MACHINE_XDR[:-1])


@pytest.mark.usefixtures("_no_contract")
@pytest.mark.parametrize("error", TELLING)
def test_without_a_contract_what_looks_caused_is_taken_for_it(error: type[Exception]) -> None:
    cls = raising(error("quoted"))
    with pytest.raises(EncodeError) as packing:
        cls("a", UUID, 1).pack()
    with pytest.raises(DecodeError) as unpacking:
        cls.unpack(MACHINE_XDR)
    assert "quoted" not in f"{packing.value}{unpacking.value}"


@pytest.mark.parametrize("error", TELLING + FOREIGN)
def test_what_the_contract_finds_nothing_behind_goes_through(error: type[Exception]) -> None:
    thrown = error("why")
    cls = raising(thrown)
    with pytest.raises(error) as packing:
        cls("a", UUID, 1).pack()
    with pytest.raises(error) as unpacking:
        cls.unpack(MACHINE_XDR)
    assert packing.value is unpacking.value is thrown
    assert thrown.__context__ is None


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("error", FOREIGN)
def test_what_nothing_here_raises_goes_through_whatever_the_values_and_bytes(
    error: type[Exception], known: bool
) -> None:
    if not known:
        set_contract_loader(None)
    cls = raising(error("why"))
    with pytest.raises(error, match="why"):
        cls("a", b"x", 1).pack()
    with pytest.raises(error, match="why"):
        cls.unpack(b"")


@pytest.mark.parametrize("error", [EncodeError, DecodeError, struct.error])
def test_errors_that_only_the_codec_raises_stay_errors_of_the_tree(error: type[Exception]) -> None:
    cls = raising(error("why"))
    with pytest.raises(EncodeError, match=r"machine cannot be packed|why"):
        cls("a", UUID, 1).pack()
    with pytest.raises(DecodeError, match=r"no machine in these 28 bytes|why"):
        cls.unpack(MACHINE_XDR)


@pytest.mark.parametrize("error", [SoftTimeLimit, ValueError])
@pytest.mark.parametrize("way", ["pack", "unpack"])
def test_the_exception_of_a_signal_handler_goes_through(error: type[Exception], way: str) -> None:
    class Slow(Machine):
        def _pack(self) -> bytes:
            signal.raise_signal(signal.SIGUSR1)
            return super()._pack()

        @classmethod
        def _unpack(cls, data: bytes, pos: int) -> tuple[Slow, int]:
            signal.raise_signal(signal.SIGUSR1)
            raise AssertionError("the handler raises before")

    def handler(*_: object) -> None:
        raise error("time is up")

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(error, match="time is up") as caught:
            Slow("a", UUID, 1).pack() if way == "pack" else Slow.unpack(MACHINE_XDR)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert type(caught.value) is error


@pytest.mark.parametrize("known", [True, False])
def test_an_empty_list_is_no_list_of_parameters(known: bool) -> None:
    if not known:
        set_contract_loader(None)
    with pytest.raises(EncodeError, match="TypedParams are wanted, got list"):
        Stats(machine(), []).pack()  # type: ignore[arg-type]


def test_a_released_view_is_named() -> None:
    view = memoryview(UUID)
    view.release()
    with pytest.raises(EncodeError, match="uuid: a memoryview that was released"):
        machine(uuid=view).pack()


def test_equality_is_by_type_and_fields() -> None:
    assert machine() == machine()
    assert machine() != machine(id=8)
    assert machine() != Login("fv0", "", 7, b"")
    assert machine() != MACHINE_XDR
    with pytest.raises(TypeError):
        hash(machine())


def test_a_class_that_was_not_generated_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Message was not generated"):
        Message().pack()
    with pytest.raises(NotImplementedError, match="Message was not generated"):
        Message.unpack(b"")


def test_repr_shows_fields_and_cuts_what_is_long() -> None:
    assert repr(machine()) == f"Machine(name='fv0', uuid={UUID!r}, id=7)"
    long = repr(machine(name="x" * 1000, uuid=bytes(5000), id=list(range(100))))
    assert len(long) < 600
    assert "... (1000 in all)" in long
    assert "... 96 more" in long


def test_repr_of_a_list_of_messages_is_bounded() -> None:
    inner = machine(id=[machine(id=["y" * 10_000] * 10_000)] * 10_000)
    assert len(repr(inner)) < 3000


def test_repr_leaves_secrets_out() -> None:
    login = Login("fred", "s3cret", 5353, b"s3cret")
    assert repr(login) == "Login(user='fred', password=<secret>, pin=<secret>, key=<secret>)"


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "s3cr\0et"},
        {"password": "s3cret" * 20},
        {"password": "s3cret\ud800"},
        {"pin": -5353},
        {"pin": "s3cret"},
        {"key": b"s3cret" * 20},
        {"key": "s3cret"},
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_errors_and_their_tracebacks_leave_secrets_out(
    changes: dict[str, Any], known: bool
) -> None:
    if not known:
        set_contract_loader(None)
    login = Login(**{"user": "fred", "password": "pw", "pin": 1, "key": b"", **changes})
    with pytest.raises(EncodeError) as caught:
        login.pack()
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cr" not in shown
    assert "5353" not in shown
    assert caught.value.__context__ is None


def test_to_plain_has_the_names_and_values_of_the_contract() -> None:
    params = TypedParams.from_items([("a", INT, 1), ("b", STRING, "x")])
    assert Stats(machine(), params).to_plain() == {
        "machine": {"name": "fv0", "uuid": UUID, "id": 7},
        "params": [
            {"field": "a", "value": {"type": INT, "value": 1}},
            {"field": "b", "value": {"type": STRING, "value": "x"}},
        ],
    }


def test_to_plain_takes_the_underscore_off_keywords_only() -> None:
    class Restore(Message):
        __slots__ = ("from_", "many", "odd_")

        def __init__(self) -> None:
            self.from_ = "x"
            self.odd_ = 1
            self.many = [machine()]

    assert Restore().to_plain() == {
        "from": "x",
        "odd_": 1,
        "many": [{"name": "fv0", "uuid": UUID, "id": 7}],
    }
