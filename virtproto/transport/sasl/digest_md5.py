"""DIGEST-MD5: a password proven by its digest, with protection of all that follows.

Responsible for the mechanism's side of a client; what its keys do then is digest_layer's. Must not
know where name and password come from, nor how messages travel.

The mechanism is weak by today's measure and historic by RFC 6331, but it is the only one with a
password that a daemon accepts over plain TCP, and libvirt's own client uses it there.
Source: RFC 2831; cyrus-sasl plugins/digestmd5.c.
"""

from __future__ import annotations

import base64
import hmac
import os
import re

from virtproto.errors import AuthenticationError, CredentialsMissingError
from virtproto.model.credentials import CredentialType
from virtproto.transport.sasl.digest_layer import CIPHERS, DigestLayer, md5, usable_ciphers
from virtproto.transport.sasl.layered import INTEGRITY_SSF, LEAST_BUFFER, Layered
from virtproto.transport.sasl.security_layer import MAX_PACKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = ["DigestMD5"]

_NAME = "DIGEST-MD5"

# name=value or name="value", where a backslash stands before what means itself.
_DIRECTIVE = re.compile(
    rb"""([!#$%&'*+\-.0-9A-Z^_`a-z|~]+)[ \t\r\n]*=[ \t\r\n]*"""
    rb"""(?:"((?:[^"\\]|\\.)*)"|([^ \t\r\n,"]+))""",
    re.DOTALL,
)
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb'(["\\])')

_MOST_BUFFER = 0xFFFFFF
_DEFAULT_BUFFER = b"65536"
# The most that protection adds to a piece, without and with encryption.
_SIGNED_OVERHEAD = 16
_SEALED_OVERHEAD = 25

_COUNT = b"00000001"

# How many letters of a daemon's own words go into an error.
_TOLD = 200


class DigestMD5(Layered):
    """The client of one authentication by DIGEST-MD5.

    ``cnonce`` stands in for this side's random text, for tests.
    """

    name = _NAME
    max_ssf = 128
    may_block = False
    wanted: tuple[CredentialType, ...] = (CredentialType.AUTHNAME, CredentialType.PASSPHRASE)

    def __init__(
        self, service: str, host: str, *, cnonce: bytes | None = None, **known: Any
    ) -> None:
        super().__init__(service, host, **known)
        self._uri = f"{service}/{host}".encode()
        self._cnonce = cnonce or base64.b64encode(os.urandom(32))
        self._answers: Mapping[CredentialType, str] = {}
        self._expected: bytes | None = None

    def start(self, answers: Mapping[CredentialType, str]) -> bytes | None:
        """Take name and password; the daemon has the first word, so nothing is sent.

        USERNAME (as whom to act) and REALM (which, where the daemon has several) may be there as
        well. Raises CredentialsMissingError without a name or a password.
        """
        if not answers.get(CredentialType.AUTHNAME):
            raise CredentialsMissingError(f"{_NAME} at {self._peer} takes a user name")
        if CredentialType.PASSPHRASE not in answers:
            raise CredentialsMissingError(f"{_NAME} at {self._peer} takes a password")
        self._answers = answers
        return None

    def step(self, data: bytes | None) -> bytes | None:
        """Answer the daemon's challenge, then check its own proof.

        Raises AuthenticationError for what is none, and where both sides' demands do not meet.
        """
        directives = _Directives(data or b"", self._peer)
        if self._expected is None:
            return self._respond(directives)
        if not hmac.compare_digest(directives.one(b"rspauth", b""), self._expected):
            raise AuthenticationError(
                f"{_NAME}: what answers as {self._peer} did not prove that it knows the password"
            )
        self.is_complete = True
        return None

    def forget(self) -> None:
        """Drop name and password."""
        self._answers = {}

    def _respond(self, challenge: _Directives) -> bytes:
        nonce, is_utf8 = challenge.nonce(), challenge.is_utf8()
        qop, cipher = self._protection(challenge)
        realm = self._realm(challenge)
        name = self._encoded(CredentialType.AUTHNAME, "the user name", is_utf8)
        password = self._encoded(CredentialType.PASSPHRASE, "the password", is_utf8)
        acting = b""
        if self._answers.get(CredentialType.USERNAME, "") != self._answers[CredentialType.AUTHNAME]:
            acting = self._encoded(CredentialType.USERNAME, "the name to act as", True)
        self._answers = {}  # the password is needed no more
        key = _session_key(
            [_hashed_as(name, is_utf8), realm, _hashed_as(password, is_utf8)],
            [nonce, self._cnonce, *([acting] if acting else [])],
        )
        self._expected = self._proof(key, nonce, qop, b"")
        self._protect(challenge, key, qop, cipher)
        directives = [
            b"username=" + _quoted(name),
            b"realm=" + _quoted(realm),
            b"nonce=" + _quoted(nonce),
            b"cnonce=" + _quoted(self._cnonce),
            b"nc=" + _COUNT,
            b"qop=" + qop,
            *([b"cipher=" + cipher.encode()] if cipher else []),
            *([b"maxbuf=%d" % MAX_PACKET] if qop != b"auth" else []),
            b"digest-uri=" + _quoted(self._uri),
            b"response=" + self._proof(key, nonce, qop, b"AUTHENTICATE"),
            *([b"charset=utf-8"] if is_utf8 else []),
            *([b"authzid=" + _quoted(acting)] if acting else []),
        ]
        return b",".join(directives)

    def _protection(self, challenge: _Directives) -> tuple[bytes, str | None]:
        """Return the strongest protection that fits, and its cipher; as cyrus-sasl chooses."""
        offered = challenge.listed(b"qop", b"auth")
        if b"auth-conf" in offered and self._most > INTEGRITY_SSF:
            ciphers = {name.decode("latin-1") for name in challenge.listed(b"cipher", b"")}
            usable = usable_ciphers()
            for name, kind in CIPHERS.items():  # the strongest first
                fits = self._least <= kind.ssf <= self._most
                if fits and name in ciphers and name in usable:
                    return b"auth-conf", name
        if b"auth-int" in offered and self._least <= INTEGRITY_SSF <= self._most:
            return b"auth-int", None
        if b"auth" in offered and not self._least:
            return b"auth", None
        raise AuthenticationError(self._no_agreement(challenge))

    def _no_agreement(self, challenge: _Directives) -> str:
        levels = [*challenge.listed(b"qop", b"auth"), *challenge.listed(b"cipher", b"")]
        offered = _told(sorted(ascii(level.decode("latin-1"))[1:-1] for level in levels))
        if not self._least:
            return (
                f"{_NAME}: {self._peer} insists on protection ({offered}) of at least 1 bit, and"
                f" at most {self._most} fit this road"
            )
        return (
            f"{_NAME}: nothing that {self._peer} offers ({offered}) protects with the"
            f" {self._least} bits that a road takes on which others can listen; use TLS"
        )

    def _protect(self, challenge: _Directives, key: bytes, qop: bytes, cipher: str | None) -> None:
        if qop == b"auth":
            return
        most = challenge.max_buffer() - (_SEALED_OVERHEAD if cipher else _SIGNED_OVERHEAD)
        whose = f"the {_NAME} protection of the connection to {self._peer}"
        self._layer = DigestLayer(key, cipher, max_piece=most, whose=whose)
        self.ssf = CIPHERS[cipher].ssf if cipher else INTEGRITY_SSF

    def _realm(self, challenge: _Directives) -> bytes:
        """Return in which realm the name is: the daemon's only one, else that which is wanted.

        A daemon that names none means its host.
        """
        offered = challenge.all(b"realm")
        if len(offered) == 1:
            return offered[0]
        wanted = self._encoded(CredentialType.REALM, "the realm", True)
        if not offered:
            return wanted or self._uri.partition(b"/")[2]
        if wanted in offered:
            return wanted
        names = _told(repr(realm.decode(errors="replace")) for realm in offered)
        raise CredentialsMissingError(
            f"{_NAME}: {self._peer} has several realms ({names}): tell which one as realm"
        )

    def _encoded(self, kind: CredentialType, what: str, is_utf8: bool) -> bytes:
        try:
            return self._answers.get(kind, "").encode("utf-8" if is_utf8 else "latin-1")
        except UnicodeEncodeError:
            pass  # and forgotten: the error would hold what could not be encoded
        raise AuthenticationError(f"{_NAME}: {what} has characters that {self._peer} cannot take")

    def _proof(self, key: bytes, nonce: bytes, qop: bytes, word: bytes) -> bytes:
        request = word + b":" + self._uri
        if qop != b"auth":
            request += b":" + b"0" * 32
        said = [_hex(key), nonce, _COUNT, self._cnonce, qop, _hex(md5(request).digest())]
        return _hex(md5(b":".join(said)).digest())


class _Directives:
    """What the daemon said; AuthenticationError for what cannot be read."""

    def __init__(self, data: bytes, peer: str) -> None:
        self._peer = peer
        self._said: dict[bytes, list[bytes]] = {}
        place = _end_of(_BETWEEN, data, 0)
        while place < len(data):
            found = _DIRECTIVE.match(data, place)
            if found is None:
                raise self._unreadable("is not a list of directives")
            name, quoted, plain = found.groups()
            value = plain if quoted is None else _ESCAPED.sub(rb"\1", quoted)
            self._said.setdefault(name.lower(), []).append(value)
            place = _end_of(_BETWEEN, data, found.end())
            if b"," not in data[found.end() : place] and place < len(data):
                raise self._unreadable("is not a list of directives")

    def all(self, name: bytes) -> list[bytes]:
        return self._said.get(name, [])

    def one(self, name: bytes, default: bytes) -> bytes:
        said = self._said.get(name, [default])
        if len(said) > 1:
            raise self._unreadable(f"says {name.decode()} more than once")
        return said[0]

    def listed(self, name: bytes, default: bytes) -> list[bytes]:
        return [each for each in re.split(rb"[ \t\r\n,]+", self.one(name, default).lower()) if each]

    def nonce(self) -> bytes:
        if self.one(b"algorithm", b"").lower() != b"md5-sess":
            raise self._unreadable("does not ask for md5-sess, which is the only algorithm")
        nonce = self.one(b"nonce", b"")
        if not nonce:
            raise self._unreadable("has no nonce")
        return nonce

    def is_utf8(self) -> bool:
        charset = self.one(b"charset", b"")
        if charset.lower() not in (b"", b"utf-8"):
            raise self._unreadable("names a character set that is not utf-8")
        return bool(charset)

    def max_buffer(self) -> int:
        text = self.one(b"maxbuf", _DEFAULT_BUFFER)
        size = int(text) if text.isdigit() and len(text) < 9 else -1
        if not LEAST_BUFFER <= size <= _MOST_BUFFER:
            raise self._unreadable(f"has a maxbuf that is not {LEAST_BUFFER} to {_MOST_BUFFER}")
        return size

    def _unreadable(self, why: str) -> AuthenticationError:
        return AuthenticationError(f"{_NAME}: what {self._peer} said {why}")


def _end_of(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    found = pattern.match(data, start)
    return start if found is None else found.end()


def _session_key(identity: list[bytes], session: list[bytes]) -> bytes:
    return md5(b":".join([md5(b":".join(identity)).digest(), *session])).digest()


def _hashed_as(value: bytes, is_utf8: bool) -> bytes:
    """Return ``value`` as it goes into the digest: in ISO 8859-1 wherever that has all of it."""
    if not is_utf8:
        return value
    try:
        return value.decode().encode("latin-1")
    except UnicodeEncodeError:
        return value


def _quoted(value: bytes) -> bytes:
    return b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"'


def _told(words: Iterable[str]) -> str:
    # No more of what a stranger says than one reads.
    text = ", ".join(words)
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}..."


def _hex(digest: bytes) -> bytes:
    return digest.hex().encode()
