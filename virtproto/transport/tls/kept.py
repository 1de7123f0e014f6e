"""What was made of this side's files of TLS, kept for the next connection while it is true.

Responsible for telling whether the files are those that were read, and the certificates still
valid. Must not know how anything is made of them, or what makes a certificate good.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from ssl import SSLContext
    from typing import TypeAlias

    from cryptography import x509

    from virtproto.transport.tls.chain import Trust
    from virtproto.transport.tls.files import TlsFiles
    from virtproto.transport.tls.priority import Policy

    # From when until when, in seconds of the system's clock.
    Span: TypeAlias = tuple[float, float]

__all__ = ["Prepared", "find", "identity_of", "keep", "span_of"]

# So many sets of files, and so many daemons for each; users have one, of either.
_MOST_SETS = 8
_MOST_DAEMONS = 64
# A file that changes twice in one tick of its clock looks the same. So what changed only just now
# is not kept.
_SETTLED_NS = 1_000_000_000

_kept: dict[Hashable, Prepared] = {}


class Prepared:
    """All that a handshake takes of this side, and the daemons that it found to be right.

    ``span`` is when the certificates of the files were found to be good.
    """

    __slots__ = ("_right", "context", "policy", "span", "trust")

    def __init__(self, context: SSLContext, policy: Policy, trust: Trust, span: Span) -> None:
        self.context = context
        self.policy = policy
        self.trust = trust
        self.span = span
        self._right: dict[Hashable, Span] = {}

    def is_right(self, daemon: Hashable) -> bool:
        """Tell whether a daemon was found to be right, and nothing has expired since."""
        span = self._right.get(daemon)
        return span is not None and _holds(span)

    def note_right(self, daemon: Hashable, span: Span) -> None:
        """Note that a daemon is right; ``daemon`` is all that this was judged by."""
        if len(self._right) >= _MOST_DAEMONS:
            self._right.clear()
        self._right[daemon] = span


def span_of(certificates: Iterable[x509.Certificate]) -> Span:
    """Return from when until when certificates are all valid, from now at the earliest.

    What was true yesterday is not asked again by a clock that was set back.
    """
    since, until = time.time(), float("inf")
    for each in certificates:
        since = max(since, each.not_valid_before_utc.timestamp())
        until = min(until, each.not_valid_after_utc.timestamp())
    return since, until


def _holds(span: Span) -> bool:
    return span[0] <= time.time() <= span[1]


def identity_of(files: TlsFiles) -> Hashable:
    """Return what is another for other files, or other content; None where that cannot be told.

    To be called before they are read.
    """
    found: list[Hashable] = [os.geteuid(), os.getegid()]
    changed = 0
    for path in (files.ca, files.crl, files.certificate, files.key):
        if path is None:
            found.append(None)
            continue
        try:
            status = os.stat(path)
        except OSError:
            return None
        # The change that a mode or an owner is tells whether the file may still be read.
        found.append((path, status.st_dev, status.st_ino, status.st_size))
        found.append((status.st_mtime_ns, status.st_ctime_ns))
        changed = max(changed, status.st_ctime_ns)
    return tuple(found) if time.time_ns() - changed > _SETTLED_NS else None


def find(key: Hashable) -> Prepared | None:
    """Return what was kept under ``key``, if it still holds."""
    prepared = _kept.get(key)
    return prepared if prepared is not None and _holds(prepared.span) else None


def keep(key: Hashable, prepared: Prepared) -> None:
    """Keep something for the next one who asks for ``key``."""
    if len(_kept) >= _MOST_SETS:
        _kept.clear()
    _kept[key] = prepared
