"""GnuTLS priority strings, in which libvirt's users choose versions and ciphers of TLS.

Responsible for their meaning here, as far as OpenSSL can be told it by Python, and for refusing
aloud what it cannot. Pure: must not know contexts, endpoints or files.
"""

from __future__ import annotations

import re

from virtproto.errors import TLSError
from virtproto.transport.tls.chain import LOW, Strength

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    # What may be used of one kind ("VERS", "CIPHER" ...), by GnuTLS' names.
    Allowed: TypeAlias = "dict[str, set[str]]"

__all__ = ["DEFAULT", "Policy", "read_priority"]

DEFAULT = "NORMAL"

_VERSIONS = ("TLS1.2", "TLS1.3")
_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "RSA")
# Each with its name in OpenSSL, and the MACs that it goes with there.
_STRONG = {
    "AES-256-GCM": ("AES256-GCM-SHA384", "AEAD"),
    "CHACHA20-POLY1305": ("CHACHA20-POLY1305", "AEAD"),
    "AES-256-CCM": ("AES256-CCM", "AEAD"),
    "AES-256-CBC": ("AES256", "SHA1 SHA256 SHA384"),
}
_USUAL = {
    "AES-128-GCM": ("AES128-GCM-SHA256", "AEAD"),
    "AES-128-CCM": ("AES128-CCM", "AEAD"),
    "AES-128-CBC": ("AES128", "SHA1 SHA256"),
}
_CIPHERS = {**_STRONG, **_USUAL}
_MACS = ("AEAD", "SHA1", "SHA256", "SHA384")
# Which suites of CBC OpenSSL has: the MAC's part of the name, by key exchange and size.
_CBC = {
    ("ECDHE", "AES256"): {"SHA1": "SHA", "SHA384": "SHA384"},
    ("ECDHE", "AES128"): {"SHA1": "SHA", "SHA256": "SHA256"},
    ("", "AES256"): {"SHA1": "SHA", "SHA256": "SHA256"},
    ("", "AES128"): {"SHA1": "SHA", "SHA256": "SHA256"},
}
# In the order in which they are offered for TLS 1.3; Python cannot leave one out.
_TLS13 = {
    "AES-256-GCM": "TLS_AES_256_GCM_SHA384",
    "CHACHA20-POLY1305": "TLS_CHACHA20_POLY1305_SHA256",
    "AES-128-GCM": "TLS_AES_128_GCM_SHA256",
}

_SECURE192: dict[str, object] = {
    "CIPHER": set(_STRONG),
    "strength": "SECURE192",
    "group": "GROUP-SECP384R1",
}
# The words that a string begins with: what each allows at first.
_LEVELS: dict[str, dict[str, object]] = {
    "NORMAL": {},
    "@SYSTEM": {},
    "PERFORMANCE": {},
    "LEGACY": {},
    "SECURE": {},
    "SECURE128": {},
    "SECURE192": _SECURE192,
    "SECURE256": _SECURE192,
    "PFS": {"KX": {"ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"}},
    "NONE": {"VERS": set(), "CIPHER": set(), "KX": set(), "MAC": set()},
}
# OpenSSL's security levels, and what GnuTLS calls them.
_STRENGTHS = {
    "LOW": (1, LOW),
    "LEGACY": (1, Strength("LEGACY", 1776, 192)),
    "MEDIUM": (2, Strength("MEDIUM", 2048, 224)),
    "HIGH": (3, Strength("HIGH", 3072, 256)),
    "SECURE192": (3, Strength("HIGH", 3072, 384)),
    "ULTRA": (4, Strength("ULTRA", 8192, 384)),
    "FUTURE": (5, Strength("FUTURE", 15360, 512)),
}
# Options that ask for what is done here anyhow, or are for peers that no libvirt daemon is.
_HARMLESS = {
    "ALLOW_SMALL_RECORDS",
    "COMPAT",
    "DISABLE_TLS13_COMPAT_MODE",
    "DUMBFW",
    "LATEST_RECORD_VERSION",
    "PARTIAL_RENEGOTIATION",
    "SAFE_RENEGOTIATION",
    "SERVER_PRECEDENCE",
    "SSL3_RECORD_VERSION",
    "STATELESS_COMPRESSION",
}
_NO_TICKETS = {"NO_TICKETS", "NO_TICKETS_TLS12"}
# Groups for the key exchange, of which OpenSSL can be told one by Python, or all that it has.
_GROUPS = {
    "GROUP-SECP256R1": "prime256v1",
    "GROUP-SECP384R1": "secp384r1",
    "GROUP-SECP521R1": "secp521r1",
}
_GROUP = re.compile(r"(GROUP|CURVE)-(\S+)")
# Words that make no difference here, whether they add or take away.
_IDLE = re.compile(r"COMP-\S+|CTYPE-\S+|VERS-DTLS\S*")
# What is not spoken here anyhow, so that taking it away is no matter; who allows it is not obeyed.
_UNSPOKEN = re.compile(
    r"VERS-(TLS1\.[01]|SSL3\.0)"
    r"|(ECDHE-|DHE-|RSA-)?PSK|SRP(-\w+)?|ANON-\w+|DHE-DSS|VKO\S+"
    r"|3DES-CBC|ARCFOUR-\d+|CAMELLIA-\S+|AES-(128|256)-CCM-8|AES-192-\S+|DES-CBC|RC2-40"
    r"|SALSA20\S*|ESTREAM\S*|NULL|MD5|UMAC-\S+|SHA224|SHA512|AES-(CMAC|GMAC)-\S+|GOST\S+"
    r"|STREEBOG\S+|IDEA\S*|SIGN-\S+-(SHA1|MD5)|SIGN-(DSA|GOST)\S*"
)


class Policy:
    """What may be agreed on with a daemon.

    ``oldest`` and ``newest`` are versions ("TLS1.2"), ``ciphers`` is for OpenSSL, without TLS 1.3;
    ``tls13`` are the names in OpenSSL of the suites of TLS 1.3 that may be used; ``group`` is the
    only one for the key exchange, None for any; ``strength`` is how large keys have to be;
    ``tickets`` tells whether session tickets are asked for.
    """

    __slots__ = ("ciphers", "group", "newest", "oldest", "strength", "text", "tickets", "tls13")

    def __init__(
        self,
        text: str,
        *,
        versions: Sequence[str],
        ciphers: str,
        tls13: tuple[str, ...],
        group: str | None,
        strength: Strength,
        tickets: bool,
    ) -> None:
        self.text = text
        self.oldest = versions[0]
        self.newest = versions[-1]
        self.ciphers = ciphers
        self.tls13 = tls13
        self.group = group
        self.strength = strength
        self.tickets = tickets

    def __repr__(self) -> str:
        return f"<Policy {self.text}>"


def read_priority(text: str | None) -> Policy:
    """Return what a GnuTLS priority string allows; None means GnuTLS' NORMAL.

    Raises TLSError, naming the word, for what is no such string, or asks for what cannot be had
    here. Source: gnutls_priority_init.
    """
    return _Reader(DEFAULT if text is None else text).policy()


class _Reader:
    """A priority string while it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._strength = "LOW"
        self._tickets = True
        self._allowed: Allowed = {"VERS": set(), "CIPHER": set(), "KX": set(), "MAC": set()}
        # None is for all that there are.
        self._groups: list[str] | None = None
        # The words that took away what TLS 1.3 would have, for the message.
        self._takers: dict[str, str] = {}
        for word in _resolved(text).split(":"):
            self._take(word)

    def policy(self) -> Policy:
        level, strength = _STRENGTHS[self._strength]
        names = self._suites()
        versions = self._versions(names)
        tls13 = [_TLS13[cipher] for cipher in _TLS13 if cipher in self._allowed["CIPHER"]]
        return Policy(
            self._text,
            versions=versions,
            ciphers=":".join([*(names or ["DEFAULT"]), f"@SECLEVEL={level}"]),
            tls13=tuple(tls13),
            group=self._group(),
            strength=strength,
            tickets=self._tickets,
        )

    def _versions(self, names: list[str]) -> list[str]:
        """Return the versions that are allowed, and of which a suite is left."""
        versions = [each for each in _VERSIONS if each in self._allowed["VERS"]]
        if not versions:
            raise self._refused(None, "it leaves no version of TLS that is spoken here (1.2, 1.3)")
        if "TLS1.2" in versions and not names:
            versions.remove("TLS1.2")
            if not versions:
                raise self._refused(None, "it leaves no cipher suite of TLS 1.2")
        # A daemon chooses the first suite of TLS 1.3, and Python cannot leave it out.
        first = next(iter(_TLS13))
        if "TLS1.3" in versions and first not in self._allowed["CIPHER"]:
            versions.remove("TLS1.3")
            if not versions:
                why = f"{first} cannot be left out of TLS 1.3 here; allow it, or TLS 1.2"
                raise self._refused(self._takers.get(first), why)
        return versions

    def _group(self) -> str | None:
        if self._groups is None:
            return None
        if len(self._groups) != 1:
            found = " and ".join(self._groups) or "none"
            why = f"one group can be chosen here, or all of them, not {found}"
            raise self._refused(None, why)
        return _GROUPS[self._groups[0]]

    def _refused(self, word: str | None, why: str) -> TLSError:
        at = "" if word is None else f" at {word!r}"
        return TLSError(f"TLS priority {self._text!r}{at}: {why}")

    def _take(self, word: str) -> None:
        upper = word.upper()
        if upper in _LEVELS:
            self._begin(upper)
        elif not word:
            raise self._refused(None, "it has an empty word")
        elif word[0] in "+-!":
            self._change(word, upper[1:], add=word[0] == "+")
        elif word[0] == "%":
            self._option(word, upper[1:])
        elif upper.startswith("SUITEB"):
            raise self._refused(word, "it cannot be translated for OpenSSL")
        else:
            raise self._refused(word, "no priority string of GnuTLS has such a word")

    def _begin(self, level: str) -> None:
        everything: dict[str, set[str]] = {
            "VERS": set(_VERSIONS),
            "CIPHER": set(_CIPHERS),
            "KX": set(_EXCHANGES),
            "MAC": set(_MACS),
        }
        differing = _LEVELS[level]
        for kind, names in everything.items():
            given = differing.get(kind, names)
            assert isinstance(given, set)
            self._allowed[kind] = set(given)
        self._strength = str(differing.get("strength", "LOW"))
        group = differing.get("group")
        self._groups = None if group is None else [str(group)]
        for cipher in set(_CIPHERS) - self._allowed["CIPHER"]:
            self._takers[cipher] = level

    def _change(self, word: str, name: str, *, add: bool) -> None:
        if (group := _GROUP.fullmatch(name)) is not None:
            self._change_group(word, f"GROUP-{group[2]}", add=add)
        elif _IDLE.fullmatch(name) is None and _UNSPOKEN.fullmatch(name) is None:
            kind, names = self._named(word, name, add=add)
            for each in names:
                if add:
                    self._allowed[kind].add(each)
                else:
                    self._allowed[kind].discard(each)
                    self._takers[each] = word

    def _change_group(self, word: str, name: str, *, add: bool) -> None:
        if name == "GROUP-ALL":
            self._groups = None if add else []
        elif self._groups is None:
            if not add:
                why = "no single group can be left out here; take -GROUP-ALL and add the one wanted"
                raise self._refused(word, why)
        elif not add:
            self._groups = [each for each in self._groups if each != name]
        elif name not in _GROUPS:
            known = ", ".join(_GROUPS)
            raise self._refused(word, f"of groups that can be chosen here there are {known}")
        elif name not in self._groups:
            self._groups.append(name)

    def _named(self, word: str, name: str, *, add: bool) -> tuple[str, tuple[str, ...]]:
        """Return which kind of thing ``name`` is, and what it stands for."""
        everything = {
            "VERS-ALL": ("VERS", _VERSIONS),
            "VERS-TLS-ALL": ("VERS", _VERSIONS),
            "CIPHER-ALL": ("CIPHER", tuple(_CIPHERS)),
            "KX-ALL": ("KX", _EXCHANGES),
            "MAC-ALL": ("MAC", _MACS),
        }
        if name in everything:
            return everything[name]
        for kind, known in (("CIPHER", _CIPHERS), ("KX", _EXCHANGES), ("MAC", _MACS)):
            if name in known:
                return kind, (name,)
        version = name.removeprefix("VERS-")
        if version != name and version in _VERSIONS:
            return "VERS", (version,)
        if not name.startswith("SIGN-"):
            raise self._refused(word, "GnuTLS has nothing of this name, or it is not known here")
        if not add:
            raise self._refused(word, "signatures cannot be chosen here; leave the word out")
        return "KX", ()

    def _option(self, word: str, name: str) -> None:
        strength = name.removeprefix("PROFILE_")
        if name in _NO_TICKETS:
            self._tickets = False
        elif strength != name and strength in _STRENGTHS:
            self._strength = strength
        elif name not in _HARMLESS:
            raise self._refused(word, "this option cannot be had here; leave it out")

    def _suites(self) -> list[str]:
        """Return OpenSSL's names of the suites of TLS 1.2 that are allowed, best first."""
        macs = self._allowed["MAC"]
        found = []
        for cipher, (theirs, with_macs) in _CIPHERS.items():
            if cipher not in self._allowed["CIPHER"]:
                continue
            for exchange in _EXCHANGES:
                if exchange not in self._allowed["KX"]:
                    continue
                prefix = "" if exchange == "RSA" else f"{exchange}-"
                if with_macs == "AEAD":
                    if "AEAD" in macs and _exists(cipher, exchange):
                        found.append(prefix + theirs)
                    continue
                endings = _CBC["ECDHE" if exchange.startswith("ECDHE") else "", theirs]
                found += [f"{prefix}{theirs}-{end}" for mac, end in endings.items() if mac in macs]
        # Secrets of a session that outlast the loss of a key come first.
        return sorted(found, key=lambda name: name.startswith("AES"))


def _exists(cipher: str, exchange: str) -> bool:
    if cipher.endswith("-CCM"):
        return exchange != "ECDHE-RSA"
    return cipher != "CHACHA20-POLY1305" or exchange != "RSA"


def _resolved(text: str) -> str:
    """Return ``text`` with a reference to the machine's policy, such as @LIBVIRT,SYSTEM, resolved.

    What the administrator wrote for GnuTLS is not read here; where SYSTEM may stand in for it, it
    is taken to be the usual.
    """
    if not text.startswith("@"):
        return text
    names, colon, rest = text.partition(":")
    if "SYSTEM" not in names[1:].upper().split(","):
        raise TLSError(
            f"TLS priority {text!r} at {names!r}: this refers to the machine's policy for GnuTLS,"
            " which is not read here; write the priority itself"
        )
    return f"@SYSTEM{colon}{rest}"
