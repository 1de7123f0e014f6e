"""SASL mechanisms: what each of them says to a daemon, and hears.

Responsible for what all mechanisms have in common, and for making one by its name; each is in a
module of its own, loaded when it is wanted. Must not know how messages travel, where answers come
from, or which mechanism is to be used.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from virtproto.model.credentials import CredentialType
    from virtproto.transport.road import Layer

    class Mechanism(Protocol):
        """One attempt by a mechanism; made with what is known of the service and of the road.

        Failures are AuthenticationErrors. Neither these nor any repr hold secrets, nor do the
        messages that ``start`` and ``step`` return, when they are shown.
        """

        name: str
        # Whether the password travels as it is; whether nobody is named.
        is_plaintext: bool
        is_anonymous: bool
        # Whether start, or step behind it, may wait for other hosts, or compute for long.
        may_block: bool
        # How strong the agreed security layer is, in bits; 0 for none. Known once complete. (Of the
        # class, max_ssf is the best that there is.)
        ssf: int
        # This side has nothing more to say or to check.
        is_complete: bool

        @property
        def wanted(self) -> tuple[CredentialType, ...]:
            """What has to be known before ``start``."""

        def __init__(
            self,
            service: str,
            host: str,
            *,
            min_ssf: int,
            max_ssf: int,
            external_ssf: int,
            local: str | None,
            remote: str | None,
        ) -> None:
            """Prepare one attempt.

            ``service`` at ``host`` is what is logged in to; ``min_ssf`` and ``max_ssf`` bound the
            strength of the security layer, ``external_ssf`` is that of the road itself; ``local``
            and ``remote`` are the ends of the road, as "address;port", None where unknown.
            """

        def start(self, answers: Mapping[CredentialType, str]) -> bytes | None:
            """Return the first message, None where there is none (which is not an empty one).

            ``answers`` holds what is wanted, and whatever else is known.
            """

        def step(self, data: bytes | None) -> bytes | None:
            """Return the answer to a message; None, in both places, is none at all."""

        def layer(self) -> Layer | None:
            """Return the agreed security layer, None for none. Only once complete."""

        def forget(self) -> None:
            """Drop copies of the answers: what failed may be kept for long, by its traceback."""


__all__ = ["MECHANISMS", "mechanism_class", "missing_extra"]

# Every mechanism there is here, the better one first.
MECHANISMS = (
    "GSSAPI",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "DIGEST-MD5",
    "EXTERNAL",
    "PLAIN",
    "ANONYMOUS",
)

# The library that a mechanism takes, and the extra of this package that brings it.
_LIBRARIES = {"GSSAPI": ("gssapi", "gssapi")}
_LIBRARIES |= {f"SCRAM-SHA-{size}": ("scramp", "sasl") for size in (1, 256, 512)}


def missing_extra(name: str) -> str | None:
    """Return the extra that has to be installed for a mechanism, None where nothing is missing."""
    library, extra = _LIBRARIES.get(name, (None, None))
    if library is None:
        return None
    try:
        __import__(library)
    except ImportError:
        # Also where it is there but what it is built on is not.
        return extra
    return None


def mechanism_class(name: str) -> type[Mechanism]:
    """Return a mechanism by its name. Raises AuthenticationError where its library is missing."""
    extra = missing_extra(name)
    if extra is not None:
        raise AuthenticationError(
            f"SASL mechanism {name} takes a library that is not installed: "
            f"pip install 'virtproto[{extra}]'"
        )
    # One after the other: each is loaded when it is wanted.
    if name == "GSSAPI":
        from .gssapi import GSSAPI

        return GSSAPI
    if name == "DIGEST-MD5":
        from .digest_md5 import DigestMD5

        return DigestMD5
    if name == "PLAIN":
        from .plain import Plain

        return Plain
    if name == "ANONYMOUS":
        from .anonymous import Anonymous

        return Anonymous
    if name == "EXTERNAL":
        from .external import External

        return External
    from . import scram

    return scram.CLASSES[name]
