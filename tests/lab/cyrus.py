"""The server side of SASL by the library that libvirtd has it from, without a daemon around it.

Responsible for one conversation with Debian's cyrus-sasl at a time, its users and its security
layer. It must not know who it talks with.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
from pathlib import Path

from tests.lab.place import LabMissingError

__all__ = ["CyrusError", "CyrusServer", "add_user"]

_OK, _CONTINUE = 0, 1
_GETOPT, _LIST_END = 1, 0
_USERNAME, _SSF = 0, 1
_EXTERNAL_SSF, _SECURITY = 100, 101
_SUCCESS_DATA = 4
_BUFFER = 65536

_Options = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.POINTER(ctypes.c_uint),
)


class CyrusError(Exception):
    """The library refused something; the message is its own."""


class _Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class _SecurityProperties(ctypes.Structure):
    _fields_ = [
        ("min_ssf", ctypes.c_uint),
        ("max_ssf", ctypes.c_uint),
        ("maxbufsize", ctypes.c_uint),
        ("security_flags", ctypes.c_uint),
        ("property_names", ctypes.c_void_p),
        ("property_values", ctypes.c_void_p),
    ]


def add_user(database: Path, name: str, password: str, realm: str) -> None:
    """Add a user, or change his password, in a database of cyrus-sasl's."""
    command = ["saslpasswd2", "-c", "-p", "-a", "libvirt", "-f", str(database), "-u", realm, name]
    subprocess.run(command, input=password, text=True, check=True, capture_output=True)


class CyrusServer:
    """One server's side of a conversation with a client of ``libvirt@realm``.

    ``database`` is where its users with passwords are; ``min_ssf`` to ``max_ssf`` is the
    protection it asks for, ``buffer`` what it takes in a packet.
    """

    _library: ctypes.CDLL | None = None
    _options: dict[bytes, bytes] = {}
    _kept: list[object] = []

    def __init__(
        self,
        realm: str,
        database: Path | None = None,
        *,
        min_ssf: int = 0,
        max_ssf: int = 100000,
        buffer: int = _BUFFER,
    ) -> None:
        self._options[b"sasldb_path"] = str(database or "/nonexistent").encode()
        self._options[b"auxprop_plugin"] = b"sasldb"
        self._connection = ctypes.c_void_p()
        library = self._loaded()
        self._check(
            library.sasl_server_new(
                b"libvirt",
                realm.encode(),
                None,
                None,
                None,
                None,
                _SUCCESS_DATA,
                ctypes.byref(self._connection),
            )
        )
        wanted = _SecurityProperties(min_ssf, max_ssf, buffer, 0, None, None)
        self._check(library.sasl_setprop(self._connection, _SECURITY, ctypes.byref(wanted)))
        self.is_complete = False

    def __enter__(self) -> CyrusServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation."""
        self._loaded().sasl_dispose(ctypes.byref(self._connection))

    def start(self, mechanism: str, data: bytes | None) -> bytes | None:
        """Return the server's answer to the first message."""
        return self._said("sasl_server_start", [mechanism.encode()], data)

    def step(self, data: bytes | None) -> bytes | None:
        """Return the server's answer to a further message."""
        return self._said("sasl_server_step", [], data)

    @property
    def username(self) -> str:
        """Who was logged in."""
        value = ctypes.c_char_p()
        self._get(_USERNAME, value)
        return (value.value or b"").decode()

    @property
    def ssf(self) -> int:
        """How strong the library takes the agreed protection for."""
        value = ctypes.POINTER(ctypes.c_uint)()
        self._get(_SSF, value)
        return value.contents.value

    def encode(self, data: bytes) -> bytes:
        """Return ``data`` (no more than a packet holds) as it goes to the client."""
        return self._coded("sasl_encode", data)

    def decode(self, data: bytes) -> bytes:
        """Return what became readable by ``data``."""
        return self._coded("sasl_decode", data)

    def _said(self, function: str, first: list[bytes], data: bytes | None) -> bytes | None:
        said, length = ctypes.c_void_p(), ctypes.c_uint()
        code = self._loaded()[function](
            self._connection,
            *first,
            data,
            ctypes.c_uint(len(data or b"")),
            ctypes.byref(said),
            ctypes.byref(length),
        )
        self._check(code)
        self.is_complete = code == _OK
        return None if said.value is None else ctypes.string_at(said, length.value)

    def _coded(self, function: str, data: bytes) -> bytes:
        coded, length = ctypes.c_void_p(), ctypes.c_uint()
        self._check(
            self._loaded()[function](
                self._connection,
                data,
                ctypes.c_uint(len(data)),
                ctypes.byref(coded),
                ctypes.byref(length),
            )
        )
        return ctypes.string_at(coded, length.value) if length.value else b""

    def _get(self, what: int, value: ctypes._CData) -> None:
        self._check(self._loaded().sasl_getprop(self._connection, what, ctypes.byref(value)))

    def _check(self, code: int) -> None:
        if code in (_OK, _CONTINUE):
            return
        detail = self._loaded().sasl_errdetail
        detail.restype = ctypes.c_char_p
        said = (detail(self._connection) or b"").decode(errors="replace")
        raise CyrusError(f"{code}: {said}")

    @classmethod
    def _loaded(cls) -> ctypes.CDLL:
        if cls._library is None:
            try:
                library = ctypes.CDLL("libsasl2.so.2")
            except OSError as error:
                raise LabMissingError(f"cyrus-sasl is not here ({error}): run ./test") from None
            # For as long as the process lives: the library has one state for all conversations.
            option = _Options(cls._option)
            proc = ctypes.cast(option, ctypes.c_void_p).value
            callbacks = (_Callback * 2)(_Callback(_GETOPT, proc, None), _Callback(_LIST_END))
            cls._kept += [option, callbacks]
            if library.sasl_server_init(callbacks, b"libvirt") != _OK:
                raise LabMissingError("cyrus-sasl does not start")
            cls._library = library
        return cls._library

    @classmethod
    def _option(
        cls, _context: object, _plugin: object, option: bytes, result: object, length: object
    ) -> int:
        value = cls._options.get(option)
        if value is None:
            return -1
        ctypes.cast(result, ctypes.POINTER(ctypes.c_char_p))[0] = value  # type: ignore[arg-type]
        return _OK
