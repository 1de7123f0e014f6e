"""TLS as a layer between a socket's bytes and the packets, once the handshake is over.

Responsible for encrypting and decrypting, and for what TLS itself says in between. Must not know
the socket, or how the session came about; of what travels it knows where packets end.

No record holds the end of one packet and the start of the next. A daemon reads one packet at a
time, and waits for its socket in between: what is left of a record that its TLS has decrypted it
would notice only when more comes.
"""

from __future__ import annotations

import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import MemoryBIO, SSLObject

__all__ = ["TlsLayer", "is_hanging_up"]

# The most that one record of TLS carries, and so the most that one read returns.
_RECORD = 16384
# A packet begins with a word that is its length, the word included.
_WORD = 4


class TlsLayer:
    """A session of TLS: bytes in, bytes out; see ``transport.road.Layer``."""

    __slots__ = ("_failure", "_incoming", "_outgoing", "_packets", "_session", "has_ended")

    def __init__(self, session: SSLObject, incoming: MemoryBIO, outgoing: MemoryBIO) -> None:
        self._session = session
        self._incoming = incoming
        self._outgoing = outgoing
        # Whether the peer said properly that nothing follows.
        self.has_ended = False
        self._failure: ConnectionError | None = None
        self._packets = _Packets()

    @property
    def version(self) -> str:
        """The version of TLS, as OpenSSL calls it: "TLSv1.3"."""
        return self._session.version() or "TLS"

    @property
    def cipher(self) -> str:
        """The cipher suite, as OpenSSL calls it."""
        cipher = self._session.cipher()
        return cipher[0] if cipher is not None else "none"

    def wrap(self, data: bytes | memoryview) -> bytes:
        """Return what is to be sent for ``data``; for b"", what TLS itself has to say.

        Raises ConnectionError for a session that is over.
        """
        size = len(data)
        if not size:
            return self._outgoing.read()
        write, packets = self._session.write, self._packets
        # Most often it is a packet.
        whole = not packets.missing and int.from_bytes(data[:_WORD], "big") == size
        try:
            for piece in (data,) if whole else packets.cut(data):
                sent = write(piece)
                while sent < len(piece):
                    sent += write(memoryview(piece)[sent:])
        except ssl.SSLError as error:
            raise _failure(error) from None
        return self._outgoing.read()

    def unwrap(self, data: bytes | memoryview) -> bytes:
        """Return what became readable by ``data``, all of it; b"" where that is nothing yet.

        b"" for ``data`` is the peer's end. Raises ConnectionError for bytes that are no TLS of this
        session, after all that came before them was returned.
        """
        if self._failure is not None:
            raise self._failure
        session, incoming = self._session, self._incoming
        if data:
            incoming.write(data)
        else:
            incoming.write_eof()
        pieces: list[bytes] = []
        try:
            while piece := session.read(_RECORD):
                pieces.append(piece)
                # Having OpenSSL say that there is no more takes longer than reading.
                if data and not incoming.pending and not session.pending():
                    break
            else:
                self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            if is_hanging_up(error):
                # So libvirtd ends connections. Nobody is there for an alert about it.
                self._outgoing.read()
            else:
                self._failure = _failure(error)
                if not pieces:
                    raise self._failure from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Packets:
    """Where the packets end in bytes that come in pieces of any size.

    ``missing`` is how many bytes of the packet under way are still to come at least, 0 between two.
    """

    __slots__ = ("_word", "missing")

    def __init__(self) -> None:
        self.missing = 0
        # Of a packet's length, where not even all of that came.
        self._word = b""

    def cut(self, data: bytes | memoryview) -> list[memoryview]:
        """Return ``data`` in parts none of which goes on behind the end of a packet."""
        view = memoryview(data)
        size = len(view)
        parts = []
        start = 0
        while start < size:
            if self._word or not self.missing:
                word = self._word + view[start : start + _WORD - len(self._word)]
                if len(word) < _WORD:
                    self._word = word
                    self.missing = _WORD - len(word)
                    parts.append(view[start:])
                    break
                # What is no length is not for TLS to judge.
                length = int.from_bytes(word, "big")
                self.missing = max(length, _WORD) - len(self._word)
                self._word = b""
            end = min(start + self.missing, size)
            parts.append(view[start:end])
            self.missing -= end - start
            start = end
        return parts


def is_hanging_up(error: ssl.SSLError) -> bool:
    """Tell whether an error is the socket's end where TLS was to go on."""
    # Python tells it by a class of its own only from 3.12 on, with OpenSSL 3.
    return isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING"


def _failure(error: ssl.SSLError) -> ConnectionError:
    reason = (error.reason or "unknown").lower().replace("_", " ")
    return ConnectionError(f"TLS failed: {reason}")
