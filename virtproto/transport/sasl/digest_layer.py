"""What DIGEST-MD5 does with the keys that it agreed on: signed packets, and encrypted ones.

Responsible for the keys of each direction, for ciphers, codes and counting. Must not know how the
session's key came about, nor what the bytes mean.

The ciphers are as old as the mechanism. They are here because a daemon on plain TCP takes a
password in no other way; TLS is the better choice wherever there is one.
Source: RFC 2831 sections 2.3 and 2.4; cyrus-sasl plugins/digestmd5.c.
"""

from __future__ import annotations

import hashlib
import hmac

from virtproto.transport.sasl.security_layer import SecurityLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class _Stream(Protocol):
        def update(self, data: bytes, /) -> bytes: ...

    class _Cipher(Protocol):
        def encryptor(self) -> _Stream: ...
        def decryptor(self) -> _Stream: ...


__all__ = ["CIPHERS", "CipherKind", "DigestLayer", "md5", "usable_ciphers"]

_TO_SERVER = b"client-to-server"
_TO_CLIENT = b"server-to-client"
_SIGNING = b"Digest session key to %s signing key magic constant"
_SEALING = b"Digest H(A1) to %s sealing key magic constant"

_CODE = 10
# Of MD5, in bytes; as HMAC has it.
_HASH_BLOCK = 64
_TRAILER = 6
_VERSION = b"\0\1"


class CipherKind:
    """A cipher of the mechanism: how strong it counts as, and how much of the key it takes.

    ``key_size`` is in bytes; ``block`` is the size of what it encrypts at once, 1 for a stream.
    """

    __slots__ = ("block", "key_size", "ssf")

    def __init__(self, ssf: int, key_size: int, block: int) -> None:
        self.ssf = ssf
        self.key_size = key_size
        self.block = block

    def __repr__(self) -> str:
        return f"<CipherKind of {self.ssf} bits>"


CIPHERS = {
    "rc4": CipherKind(128, 16, 1),
    "3des": CipherKind(112, 16, 8),
    "rc4-56": CipherKind(56, 7, 1),
    "rc4-40": CipherKind(40, 5, 1),
}


def md5(data: bytes = b"") -> hashlib._Hash:
    """Return a hash that is allowed where MD5 is not for security: the mechanism has no other."""
    return hashlib.md5(data, usedforsecurity=False)


def usable_ciphers() -> set[str]:
    """Return the names of the ciphers that this machine's cryptography lets one use."""
    from cryptography.exceptions import UnsupportedAlgorithm

    usable = set()
    for name, kind in CIPHERS.items():
        try:
            _made(kind, bytes(range(16))).encryptor()
        except UnsupportedAlgorithm:
            continue
        usable.add(name)
    return usable


class DigestLayer(SecurityLayer):
    """The protection that ``session_key`` gives: signed, and encrypted where ``cipher`` names one.

    ``is_server`` makes it the other side's.
    """

    __slots__ = (
        "_block",
        "_decryptor",
        "_encryptor",
        "_own_code",
        "_peer_code",
        "_received",
        "_sent",
    )

    def __init__(
        self,
        session_key: bytes,
        cipher: str | None,
        *,
        max_piece: int,
        whose: str,
        is_server: bool = False,
    ) -> None:
        super().__init__(max_piece, whose)
        own, peer = (_TO_CLIENT, _TO_SERVER) if is_server else (_TO_SERVER, _TO_CLIENT)
        self._own_code = _Code(session_key, own)
        self._peer_code = _Code(session_key, peer)
        self._sent = self._received = 0
        self._encryptor: _Stream | None = None
        self._decryptor: _Stream | None = None
        self._block = 1
        if cipher is not None:
            kind = CIPHERS[cipher]
            self._block = kind.block
            self._encryptor = _made(kind, _sealing_key(session_key, kind, own)).encryptor()
            self._decryptor = _made(kind, _sealing_key(session_key, kind, peer)).decryptor()

    def _seal(self, piece: bytes | memoryview) -> bytes:
        number = self._sent.to_bytes(4, "big")
        self._sent = (self._sent + 1) & 0xFFFFFFFF
        protected = bytes(piece)
        code = self._own_code.of(number, protected)
        if self._block > 1:
            padding = self._block - (len(protected) + _CODE) % self._block
            protected += bytes([padding]) * padding
        protected += code
        if self._encryptor is not None:
            protected = self._encryptor.update(protected)
        return protected + _VERSION + number

    def _open(self, packet: bytes) -> bytes:
        protected, trailer = packet[:-_TRAILER], packet[-_TRAILER:]
        number = self._received.to_bytes(4, "big")
        if len(protected) < _CODE or len(protected) % self._block or trailer[:2] != _VERSION:
            raise self._broken(f"a packet of {len(packet)} bytes that cannot be one came")
        if trailer[2:] != number:
            came = int.from_bytes(trailer[2:], "big")
            raise self._broken(f"packet {came} came where {self._received} was next")
        self._received = (self._received + 1) & 0xFFFFFFFF
        if self._decryptor is not None:
            protected = self._decryptor.update(protected)
        piece, came_code = protected[:-_CODE], protected[-_CODE:]
        whole = True
        if self._block > 1:
            # Judged together with the code, so that nobody learns which of them was wrong.
            padding = piece[-1] if piece else 0
            whole = 1 <= padding <= self._block and piece.endswith(bytes([padding]) * padding)
            piece = piece[:-padding] if whole else piece
        if not (hmac.compare_digest(self._peer_code.of(number, piece), came_code) and whole):
            raise self._broken("what came was changed on its way, or is not the daemon's")
        return piece


class _Code:
    """What signs the packets of one direction: the first bytes of an HMAC with MD5.

    The key goes into it once, and not with each packet as hmac's own objects have it.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, session_key: bytes, direction: bytes) -> None:
        key = md5(session_key + _SIGNING % direction).digest().ljust(_HASH_BLOCK, b"\0")
        self._inner = md5(bytes(each ^ 0x36 for each in key))
        self._outer = md5(bytes(each ^ 0x5C for each in key))

    def of(self, number: bytes, piece: bytes) -> bytes:
        """Return the code of a packet."""
        inner = self._inner.copy()
        inner.update(number)
        inner.update(piece)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:_CODE]


def _sealing_key(session_key: bytes, kind: CipherKind, direction: bytes) -> bytes:
    # Only the ciphers cut short take less than all of the session's key.
    return md5(session_key[: kind.key_size] + _SEALING % direction).digest()


def _made(kind: CipherKind, key: bytes) -> _Cipher:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    if kind.block == 1:
        return Cipher(ARC4(key), None)
    first, second = _with_parity(key[:7]), _with_parity(key[7:14])
    return Cipher(TripleDES(first + second + first), CBC(key[8:]))


def _with_parity(half: bytes) -> bytes:
    """Return the 8 bytes that a key of 7 is spread to, the lowest bit of each being unused."""
    bits = int.from_bytes(half, "big")
    return bytes((bits >> (49 - 7 * place) & 0x7F) << 1 for place in range(8))
