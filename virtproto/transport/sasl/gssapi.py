"""GSSAPI: a Kerberos ticket shown, with protection of all that follows.

Responsible for the mechanism's side of a client: the context, what is agreed on top of it, the
layer, and for telling what Kerberos found wrong and what to do. Kerberos itself is the library's
business. Must not know where a ticket comes from, nor how messages travel.
Source: RFC 4752; cyrus-sasl plugins/gssapi.c.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType
from virtproto.transport.sasl.layered import INTEGRITY_SSF, LEAST_BUFFER, Layered
from virtproto.transport.sasl.security_layer import MAX_PACKET, SecurityLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["GSSAPI"]

_NAME = "GSSAPI"

_NO_LAYER, _INTEGRITY, _CONFIDENTIALITY = 1, 2, 4
# How strong encryption counts as where the library does not know; as cyrus-sasl has it.
_UNKNOWN_SSF = 56
_SSF_OID = "1.2.840.113554.1.2.2.5.15"

# Kerberos' codes, as a minor code has them: they count from here.
_KERBEROS = 0x96C73A00
_NO_CREDENTIALS = 7 << 16
_CREDENTIALS_EXPIRED = 11 << 16
_ROUTINE_ERRORS = 0xFF << 16
_REMEDIES = {
    6: "the realm does not know this user: see whose ticket klist shows",
    7: "the realm does not know that service: use the host name that the daemon's keytab has"
    " (klist -k, there), or have the service added to the realm",
    32: "get a new ticket by kinit",
    37: "the clocks of this machine and of the realm differ too much: set them",
    141: "get a ticket by kinit",
    154: "name the realm's KDC in krb5.conf",
    156: "see whether the KDC that krb5.conf names is up and can be reached",
    195: "get a ticket by kinit",
    220: "see whether the KDC that krb5.conf names has an address",
}


class GSSAPI(Layered):
    """The client of one authentication by GSSAPI, which is Kerberos.

    ``start`` may ask the realm's KDC, and wait.
    """

    name = _NAME
    max_ssf = 256
    may_block = True
    wanted: tuple[CredentialType, ...] = ()

    _acting = b""
    _context: Any = None

    def start(self, answers: Mapping[CredentialType, str]) -> bytes | None:
        """Show the ticket of whoever is logged in to Kerberos; the first of its tokens.

        USERNAME (as whom to act) may be there. Raises AuthenticationError with what Kerberos found
        wrong, and what to do.
        """
        gssapi = _library()
        # Everything that came as bytes travels as these.
        name = answers.get(CredentialType.USERNAME, "")
        self._acting = name.encode("utf-8", "surrogateescape")
        flag = gssapi.RequirementFlag
        wanted = [flag.mutual_authentication, flag.out_of_sequence_detection, flag.integrity]
        if self._most > INTEGRITY_SSF:
            wanted.append(flag.confidentiality)
        try:
            self._context = gssapi.SecurityContext(
                name=gssapi.Name(self._peer, gssapi.NameType.hostbased_service),
                mech=gssapi.MechType.kerberos,
                flags=wanted,
                usage="initiate",
            )
        except gssapi.exceptions.GSSError as error:
            raise self._failed(error) from None
        shown = self._advance(None)
        # What is left is between the two, and done at once: a thread for each step costs more.
        self.may_block = False
        return shown

    def step(self, data: bytes | None) -> bytes | None:
        """Answer one of the daemon's tokens, the last of which says what protection it has.

        Raises AuthenticationError as ``start`` does, and where both sides' demands do not meet.
        """
        if self.is_complete:
            raise AuthenticationError(f"{_NAME}: {self._peer} went on where all was agreed")
        if not self._context.complete:
            return self._advance(data or b"")
        return self._agree(data or b"")

    def forget(self) -> None:
        """Have nothing to drop: the ticket is the library's."""

    def _advance(self, token: bytes | None) -> bytes:
        gssapi = _library()
        try:
            answer: bytes | None = self._context.step(token)
        except gssapi.exceptions.GSSError as error:
            raise self._failed(error) from None
        if self._context.complete:
            flag, agreed = gssapi.RequirementFlag, self._context.actual_flags
            if flag.mutual_authentication not in agreed or flag.integrity not in agreed:
                raise AuthenticationError(
                    f"{_NAME}: what answers as {self._peer} does not prove who it is"
                )
        return answer or b""

    def _agree(self, token: bytes) -> bytes:
        gssapi = _library()
        try:
            said = gssapi.raw.unwrap(self._context, token).message
            if len(said) != 4:
                raise AuthenticationError(f"{_NAME}: {self._peer} offered no list of protections")
            choice, self.ssf = self._protection(said[0])
            own_buffer = 0
            if choice != _NO_LAYER:
                own_buffer = MAX_PACKET
                self._protect(int.from_bytes(said[1:], "big"), choice == _CONFIDENTIALITY)
            answer = bytes([choice]) + own_buffer.to_bytes(3, "big") + self._acting
            wrapped: bytes = gssapi.raw.wrap(self._context, answer, confidential=False).message
        except gssapi.exceptions.GSSError as error:
            raise self._failed(error) from None
        self.is_complete = True
        return wrapped

    def _protection(self, offered: int) -> tuple[int, int]:
        """Return the strongest protection that fits, and its bits; as cyrus-sasl chooses."""
        gssapi = _library()
        strength = 0
        if gssapi.RequirementFlag.confidentiality in self._context.actual_flags:
            strength = _strength(gssapi, self._context)
        if offered & _CONFIDENTIALITY and strength and self._least <= strength <= self._most:
            return _CONFIDENTIALITY, strength
        if offered & _INTEGRITY and self._least <= INTEGRITY_SSF <= self._most:
            return _INTEGRITY, INTEGRITY_SSF
        if offered & _NO_LAYER and not self._least:
            return _NO_LAYER, 0
        if self._least:
            raise AuthenticationError(
                f"{_NAME}: nothing that {self._peer} offers protects with the {self._least} bits"
                " that a road takes on which others can listen; use TLS"
            )
        raise AuthenticationError(
            f"{_NAME}: {self._peer} insists on protection, and at most {self._most} bits of it fit"
            " this road"
        )

    def _protect(self, peer_buffer: int, encrypts: bool) -> None:
        if peer_buffer < LEAST_BUFFER:
            raise AuthenticationError(
                f"{_NAME}: {self._peer} takes packets of {peer_buffer} bytes, which is too few"
            )
        most = min(peer_buffer, MAX_PACKET)
        piece = self._context.get_wrap_size_limit(most, encrypts)
        whose = f"the {_NAME} protection of the connection to {self._peer}"
        self._layer = _GssLayer(self._context, encrypts, max_piece=piece, whose=whose)

    def _failed(self, error: Any) -> AuthenticationError:
        """Return an error that says what Kerberos found wrong, and what to do about it."""
        code = (error.min_code & 0xFFFFFFFF) - _KERBEROS
        major = error.maj_code & _ROUTINE_ERRORS
        remedy = _REMEDIES.get(code)
        if remedy is None and major in (_NO_CREDENTIALS, _CREDENTIALS_EXPIRED):
            remedy = _REMEDIES[141 if major == _NO_CREDENTIALS else 32]
        said = f"{_NAME}: {self._peer} cannot be logged in to: {_words(error)}"
        return AuthenticationError(f"{said}; {remedy}" if remedy else said)


class _GssLayer(SecurityLayer):
    __slots__ = ("_context", "_encrypts", "_library")

    def __init__(self, context: Any, encrypts: bool, *, max_piece: int, whose: str) -> None:
        super().__init__(max_piece, whose)
        self._library = _library()
        self._context = context
        self._encrypts = encrypts

    def _seal(self, piece: bytes | memoryview) -> bytes:
        gssapi = self._library
        try:
            sealed = gssapi.raw.wrap(self._context, bytes(piece), confidential=self._encrypts)
        except gssapi.exceptions.GSSError as error:
            raise self._broken(_words(error)) from None
        if sealed.encrypted != self._encrypts:
            raise self._broken("the library did not encrypt")
        message: bytes = sealed.message
        return message

    def _open(self, packet: bytes) -> bytes:
        gssapi = self._library
        try:
            opened = gssapi.raw.unwrap(self._context, packet)
        except gssapi.exceptions.GSSError as error:
            raise self._broken(
                f"what came was changed on its way, or is not the daemon's: {_words(error)}"
            ) from None
        if self._encrypts and not opened.encrypted:
            raise self._broken("a packet came that is not encrypted")
        message: bytes = opened.message
        return message


def _library() -> Any:
    """Return the library; AuthenticationError where it, or what it is built on, is missing."""
    try:
        import gssapi
        import gssapi.raw
    except (ImportError, OSError) as error:
        raise AuthenticationError(
            f"SASL mechanism {_NAME} takes a library that cannot be loaded ({error}): "
            "pip install 'virtproto[gssapi]'"
        ) from None
    return gssapi


def _strength(gssapi: Any, context: Any) -> int:
    """Return how many bits the context's encryption has, as the library says."""
    oid = gssapi.OID.from_int_seq(_SSF_OID)
    try:
        said = gssapi.raw.inquire_sec_context_by_oid(context, oid)
    except (gssapi.exceptions.GSSError, AttributeError):
        return _UNKNOWN_SSF
    return int.from_bytes(said[0], "big") if said else _UNKNOWN_SSF


def _words(error: Any) -> str:
    """Return what the library says about an error: of Kerberos, else of its interface."""
    for code, is_major in ((error.min_code, False), (error.maj_code, True)):
        said = [line for line in error.get_all_statuses(code, is_major) if line != "Success"]
        if said and code:
            return "; ".join(said).rstrip(".")
    return "no reason given"
