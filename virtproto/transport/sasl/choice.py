"""Which mechanism: the one that libvirt's client would take, of those that are here.

Responsible for the rules about roads on which others listen, and for the preference among what a
daemon offers. Must not know what mechanisms say. Source: virNetSASLSessionSecProps; the order is
that in which cyrus-sasl was seen to choose.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError

from . import MECHANISMS, missing_extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["MOST_SSF", "choose_mechanism", "least_ssf"]

# What a security layer has to be worth where others may listen, in bits, and at most.
_LEAST_SSF: Final = 56
MOST_SSF: Final = 100_000

# What is longer is no list of names.
_LONGEST_LIST: Final = 4096

# Those that can encrypt what follows, and do not show the password themselves.
_ENCRYPTING: Final = frozenset(("GSSAPI", "DIGEST-MD5"))


def least_ssf(is_secure: bool) -> int:
    """Return how strong a security layer has to be on a road."""
    return 0 if is_secure else _LEAST_SSF


def choose_mechanism(offered: str, wanted: str | None, *, is_secure: bool, road: str) -> str:
    """Return the mechanism to use of those that a daemon offers.

    ``offered`` is its list as it sent it; ``wanted`` is what the URI insists on, None where it does
    not; ``is_secure`` tells whether nobody can listen on the road or meddle, and ``road`` its name.
    The daemon's order does not count: nothing weaker is taken for being offered first. Raises
    AuthenticationError, which says what stands against each.
    """
    offered = offered[:_LONGEST_LIST]
    if wanted is not None and wanted not in offered:
        raise AuthenticationError(
            f"the URI wants SASL mechanism {wanted}; the daemon offers {_listed(offered)}"
        )
    names = _names(offered if wanted is None else wanted)
    known = [name for name in names if name in MECHANISMS]
    allowed = [name for name in known if is_secure or name in _ENCRYPTING]
    usable = [name for name in allowed if missing_extra(name) is None]
    if not usable:
        raise AuthenticationError(_why_none(names, known, allowed, road))
    return min(usable, key=MECHANISMS.index)


def _names(offered: str) -> list[str]:
    """Return the names in a list; whatever cannot be part of a name stands between them."""
    text = "".join(
        each.upper() if each.isascii() and (each.isalnum() or each in "-_") else " "
        for each in offered
    )
    return text.split()


def _listed(offered: str) -> str:
    # No more of what a stranger says than fits on a line.
    return ", ".join(_names(offered[:500])) or "none"


def _why_none(names: list[str], known: list[str], allowed: list[str], road: str) -> str:
    listed = ", ".join(names[:20]) or "none"
    if not known:
        return (
            f"of the SASL mechanisms that the daemon offers ({listed}) none is known here; known "
            f"are {', '.join(MECHANISMS)}"
        )
    if not allowed:
        return (
            f"the way to {road} is open to everybody on it, and the SASL mechanisms that the "
            f"daemon offers ({listed}) do not encrypt: nothing was sent; use transport tls or ssh, "
            "or a daemon that offers GSSAPI"
        )
    extras = {name: missing_extra(name) for name in allowed}
    return "a library is not installed: " + ", ".join(
        f"SASL mechanism {name} takes pip install 'virtproto[{extra}]'"
        for name, extra in extras.items()
    )
