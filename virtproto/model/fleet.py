"""What a fleet of connections is made of without a connection: outcomes, and what may be asked.

Responsible for the record of how one host did and for checking what a fleet is given. Must not
know: how a host is reached, or what is done there.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar, cast

from virtproto.errors import ArgumentTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Outcome", "check_at_once", "chosen", "distinct_uris"]

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """How one host did: what the function returned there, or what it raised instead.

    ``uri`` is the host's, as it was given. ``value`` is None where there is an ``error``, and
    ``error`` is None where there is none. ``took_s`` is how many seconds it took, connecting
    included where that was necessary, without waiting for a turn.
    """

    uri: str
    value: T | None
    error: BaseException | None
    took_s: float

    def result(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


def distinct_uris(parameter: str, uris: Iterable[str]) -> tuple[str, ...]:
    """Return URIs as a tuple.

    Raises ArgumentTypeError, naming ``parameter``, for what is no collection of texts, and
    UsageError for a URI that is there twice: what is done once for each host would be done twice.
    """
    if isinstance(uris, str | bytes):
        raise ArgumentTypeError(f"{parameter}: expected several URIs, not a single text")
    try:
        found = tuple(uris)
    except TypeError:
        kind = type(uris).__name__
        raise ArgumentTypeError(f"{parameter}: expected several URIs, not {kind}") from None
    seen = set()
    for uri in found:
        if not isinstance(uri, str):
            raise ArgumentTypeError(f"{parameter}: expected texts, not {type(uri).__name__}")
        if uri in seen:
            raise UsageError(f"{parameter}: {uri} is there twice")
        seen.add(uri)
    return found


def chosen(parameter: str, uris: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return some of the URIs that are ``known``; raises as `distinct_uris`, and for strangers."""
    found = distinct_uris(parameter, uris)
    there = set(known)
    for uri in found:
        if uri not in there:
            raise UsageError(f"{parameter}: {uri} is none of the fleet's")
    return found


def check_at_once(parameter: str, value: int) -> None:
    """Raise unless ``value`` is a number of hosts, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentTypeError(f"{parameter}: expected a number, not {type(value).__name__}")
    if value < 1:
        raise UsageError(f"{parameter}: it must be at least 1, not {value}")
