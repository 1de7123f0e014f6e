"""The base class of every generated struct and union.

Responsible for: the public doors ``pack`` and ``unpack``, equality, ``repr`` without secrets, the
plain form, and turning what goes wrong inside generated code into an error that names the field.
What has nothing to do with the values or bytes at hand, such as the exception of a signal handler
that ran in between, goes through as it is.
Must not know: any particular message. The contract that the slow path walks to find the field at
fault comes through ``set_contract_loader``, which the generated package calls.
"""

from __future__ import annotations

from struct import error as StructError

from virtproto.errors import DecodeError, EncodeError, ProtocolError, UsageError
from virtproto.xdr.typedparams import TypedParams, is_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from virtproto.xdr.contract import Contract

__all__ = ["Message", "set_contract_loader"]

# How much of one value a repr shows: characters of a string or bytes, members of a list.
_REPR_CHARACTERS = 64
_REPR_ITEMS = 4

# What values or bytes that do not fit can make generated code and its run time raise. No class
# derived from these is among them: that would be somebody else's.
_TELLING = frozenset(
    {
        AttributeError,
        DecodeError,
        EncodeError,
        OverflowError,
        StructError,
        TypeError,
        UnicodeDecodeError,
        UnicodeEncodeError,
        ValueError,
    }
)
# Those of them that nothing else raises here. Of the rest the contract has to say that they are to
# do with the values or bytes: a signal handler may raise a ValueError too.
_CERTAIN = (ProtocolError, StructError)

_contract_loader: Callable[[], Contract] | None = None


def set_contract_loader(loader: Callable[[], Contract] | None) -> None:
    """Register where the contract comes from; it is asked only after a pack or unpack failed."""
    global _contract_loader
    _contract_loader = loader


class Message:
    """A struct or union of the contract; generated subclasses bring fields and straight-line code.

    ``XDR_NAME`` is the name in the .x file, ``SECRET_FIELDS`` the attributes whose values appear in
    no repr and no exception.
    """

    __slots__: tuple[str, ...] = ()
    XDR_NAME: str = ""
    SECRET_FIELDS: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """Return the message as XDR.

        Raise EncodeError, naming the field and what its type allows, if a value does not fit.
        """
        try:
            return self._pack()
        except Exception as error:
            if type(error) not in _TELLING:
                raise
            caught = error
        # Outside the handler, so that no traceback chains to an error that quotes a secret value.
        raise _explain_pack(self, caught)

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, *, exact: bool = False) -> Self:
        """Return the message that ``data`` begins with.

        Bytes after it are ignored, as libvirt's own peers do, unless ``exact``. Raise DecodeError,
        with the offset in bytes and the field, if ``data`` does not hold such a message.
        """
        if type(data) is not bytes:
            data = _as_bytes(data)
        caught = None
        try:
            message, end = cls._unpack(data, 0)
        except Exception as error:
            if type(error) not in _TELLING:
                raise
            caught = error
        else:
            if end == len(data) or (end < len(data) and not exact):
                return message
            if end < len(data):
                raise DecodeError(f"{len(data) - end} bytes too many", offset=end)
        raise _explain_unpack(cls, data, caught)

    def to_plain(self) -> dict[str, Any]:
        """Return dicts, lists and scalars only, keyed by the names in the .x file."""
        return {_xdr_name(name): _plain(getattr(self, name)) for name in self.__slots__}

    def _pack(self) -> bytes:
        """Return XDR; generated. What ``pack`` explains of what it may raise is in ``_TELLING``."""
        raise NotImplementedError(f"{type(self).__name__} was not generated")

    @classmethod
    def _unpack(cls, data: bytes, pos: int) -> tuple[Self, int]:
        """Return the message at ``pos`` and the position after it; generated.

        ``data`` ends where the payload ends. Slices may come out short: the caller of the outermost
        ``_unpack`` must check that the returned position is not beyond the end.
        """
        raise NotImplementedError(f"{cls.__name__} was not generated")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        shown = []
        for name in self.__slots__:
            if name in self.SECRET_FIELDS or self._is_secret_parameter(name):
                shown.append(f"{name}=<secret>")
            elif hasattr(self, name):
                shown.append(f"{name}={_shortened(getattr(self, name))}")
            else:
                shown.append(f"{name}=<unset>")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _is_secret_parameter(self, name: str) -> bool:
        """Tell whether an attribute is the value of a typed parameter that must not be shown."""
        return (
            name == "value"
            and "field" in self.__slots__
            and is_secret(getattr(self, "field", None))
        )


def _as_bytes(data: object) -> bytes:
    """Copy a buffer; refuse what ``bytes()`` would take for a size or for a list of numbers."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"a payload is bytes, bytearray or memoryview, not {type(data).__name__}")


def _xdr_name(attribute: str) -> str:
    """Return the name in the .x file: a Python keyword carries a "_" that is not there."""
    if attribute.endswith("_"):
        from keyword import iskeyword

        if iskeyword(attribute[:-1]):
            return attribute[:-1]
    return attribute


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_plain()
    if isinstance(value, TypedParams):
        return [{"field": p[0], "value": {"type": p[1], "value": p[2]}} for p in value]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _shortened(value: object) -> str:
    """Return the repr of a field's value, cut where a reader would stop reading."""
    if isinstance(value, str | bytes | bytearray) and len(value) > _REPR_CHARACTERS:
        return f"{value[:_REPR_CHARACTERS]!r}... ({len(value)} in all)"
    if isinstance(value, list):
        shown = [_shortened(item) for item in value[:_REPR_ITEMS]]
        if len(value) > _REPR_ITEMS:
            shown.append(f"... {len(value) - _REPR_ITEMS} more")
        return f"[{', '.join(shown)}]"
    return repr(value)


def _foreign(value: object) -> object:
    """Return a stand-in for what is no part of a message: nothing but the name of its type."""
    return type(type(value).__name__, (), {})()


def _plain_to_check(value: Any) -> Any:
    """Return the plain form of what may be incomplete or wrong, for the reference encoder."""
    if isinstance(value, Message):
        present = [name for name in value.__slots__ if hasattr(value, name)]
        return {_xdr_name(name): _plain_to_check(getattr(value, name)) for name in present}
    if isinstance(value, list | tuple):
        return [_plain_to_check(item) for item in value]
    if isinstance(value, dict):
        return _foreign(value)
    return _plain(value)


def _explain_pack(message: Message, error: Exception) -> Exception:
    """Find the field that could not be packed; without a contract say what can be said.

    Return ``error`` itself if the contract has nothing against the message.
    """
    if _contract_loader is not None:
        from virtproto.xdr.reference import ReferenceCodec

        try:
            ReferenceCodec(_contract_loader()).encode(message.XDR_NAME, _plain_to_check(message))
        except EncodeError as found:
            return found.with_traceback(None)
        except (UsageError, RecursionError):
            pass  # A message that the contract does not have, or a list that contains itself.
        else:
            if not isinstance(error, _CERTAIN):
                return error
    if isinstance(error, EncodeError):
        return error.with_traceback(None)
    return EncodeError(f"{message.XDR_NAME} cannot be packed: {type(error).__name__}")


def _explain_unpack(cls: type[Message], data: bytes, error: Exception | None) -> Exception:
    """Find the offset and field where decoding fails; without a contract say what can be said.

    Return ``error`` itself if the contract has nothing against the bytes.
    """
    if _contract_loader is not None:
        from virtproto.xdr.reference import ReferenceCodec

        try:
            ReferenceCodec(_contract_loader()).check(cls.XDR_NAME, data)
        except DecodeError as found:
            return found.with_traceback(None)
        except UsageError:
            pass  # A message of the caller's own, which the contract does not have.
        else:
            if error is not None and not isinstance(error, _CERTAIN):
                return error
    if isinstance(error, DecodeError):
        return error.with_traceback(None)
    if isinstance(error, ProtocolError):
        return DecodeError(error.reason, offset=error.offset, path=error.path)
    if error is None:
        return DecodeError(f"{cls.XDR_NAME} goes on beyond the end", offset=len(data))
    return DecodeError(f"no {cls.XDR_NAME} in these {len(data)} bytes: {type(error).__name__}")
