"""The security layers of SASL: packets of protected bytes, whatever protects them.

Responsible for cutting into pieces and for putting packets together again, within what both sides
said that they can take. Must not know ciphers, nor what the bytes mean.

A packet is its length, 4 bytes, and so many bytes that a mechanism made of a piece. Packets and
messages of the protocol have nothing to do with each other.
Source: RFC 4422 section 3.7; cyrus-sasl sasl_encode, sasl_decode.
"""

from __future__ import annotations

__all__ = ["MAX_PACKET", "SecurityLayer"]

# What this side says that it can take, as libvirt's client does, and so what it holds at most of
# a packet that is not all there.
MAX_PACKET = 65536

_LENGTH = 4


class SecurityLayer:
    """What stands between a socket and the packets once a mechanism has agreed on protection.

    ``max_piece`` is the most plain bytes that fit what the peer takes in one packet, and
    ``whose`` what to call the protection in messages. A mechanism's own layer says how a piece is
    sealed and a packet opened. It is a Layer: one thread uses it at a time.
    """

    __slots__ = ("_came", "_fault", "_max_piece", "_whose", "has_ended")

    def __init__(self, max_piece: int, whose: str) -> None:
        self._max_piece = min(max_piece, MAX_PACKET)
        self._whose = whose
        self._came = bytearray()
        self._fault: str | None = None
        # Whether the peer ended between two packets; a security layer has no word for the end.
        self.has_ended = False

    def wrap(self, data: bytes | memoryview) -> bytes:
        """Return the packets for ``data``; none for b"", as the layer has nothing to say itself."""
        if self._fault is not None:
            raise ConnectionError(self._fault)
        if len(data) <= self._max_piece:
            # Most often: the call is shorter, or the layer is asked what it has to say itself.
            if not data:
                return b""
            sealed = self._seal(data)
            return len(sealed).to_bytes(_LENGTH, "big") + sealed
        view = memoryview(data)
        packets: list[bytes] = []
        for start in range(0, len(view), self._max_piece):
            sealed = self._seal(view[start : start + self._max_piece])
            packets += len(sealed).to_bytes(_LENGTH, "big"), sealed
        return b"".join(packets)

    def unwrap(self, data: bytes | memoryview) -> bytes:
        """Return what the packets hold that ``data`` makes whole; what is left over is kept.

        Raises ConnectionError for a packet that is larger than was agreed, or is not the peer's.
        """
        if self._fault is not None:
            raise ConnectionError(self._fault)
        if not data:
            self.has_ended = not self._came
            return b""
        came = self._came
        if not came and int.from_bytes(data[:_LENGTH], "big") == len(data) - _LENGTH <= MAX_PACKET:
            return self._open(bytes(data[_LENGTH:]))
        came += data
        pieces = []
        start = 0
        while len(came) - start >= _LENGTH:
            end = start + _LENGTH + self._length_at(start)
            if end > len(came):
                break
            pieces.append(self._open(bytes(came[start + _LENGTH : end])))
            start = end
        del came[:start]
        return b"".join(pieces)

    def _length_at(self, start: int) -> int:
        length = int.from_bytes(self._came[start : start + _LENGTH], "big")
        if length > MAX_PACKET:
            raise self._broken(
                f"a packet of {length} bytes comes, at most {MAX_PACKET} were agreed"
            )
        return length

    def _broken(self, what: str) -> ConnectionError:
        """Return the error for ``what``; the layer is of no use any more, and says so again."""
        self._fault = f"{self._whose}: {what}"
        self._came.clear()
        return ConnectionError(self._fault)

    def _seal(self, piece: bytes | memoryview) -> bytes:
        """Return a packet without its length for ``piece``, which has a byte at least."""
        raise NotImplementedError

    def _open(self, packet: bytes) -> bytes:
        """Return the piece in ``packet``; ``_broken`` where it is not the peer's."""
        raise NotImplementedError
