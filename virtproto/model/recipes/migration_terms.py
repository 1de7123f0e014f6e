"""What a migration is asked to do: the few old terms, or a list of typed parameters.

Responsible for going from one form to the other, and for what a protocol puts into the parameters
while it goes on. Must not know the order of any protocol.
"""

from __future__ import annotations

from typing import NamedTuple

from virtproto.errors import UsageError
from virtproto.model.recipes.migration_checks import argument_unsupported
from virtproto.wire.remote import DOMAIN_MIGRATE_PARAM_LIST_MAX
from virtproto.xdr.typedparams import STRING, ULLONG, TypedParams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BANDWIDTH",
    "DESTINATION_NAME",
    "DESTINATION_XML",
    "MIGRATE_URI",
    "Terms",
    "check_room",
    "only_terms",
    "params_of",
    "replaced",
    "text_of",
]

MIGRATE_URI = "migrate_uri"
DESTINATION_NAME = "destination_name"
DESTINATION_XML = "destination_xml"
BANDWIDTH = "bandwidth"


class Terms(NamedTuple):
    """The terms that every protocol knows: another name, where to send the memory to, how fast.

    ``xml`` is the definition to use at the destination; ``bandwidth`` is in MiB/s, 0 for no limit
    of this migration's own.
    """

    name: str | None = None
    uri: str | None = None
    bandwidth: int = 0
    xml: str | None = None


def params_of(terms: Terms) -> TypedParams:
    """Return the terms as parameters; the bandwidth is among them even if it is 0."""
    texts = ((MIGRATE_URI, terms.uri), (DESTINATION_NAME, terms.name), (DESTINATION_XML, terms.xml))
    return TypedParams.from_items(
        [
            *((name, STRING, value) for name, value in texts if value is not None),
            (BANDWIDTH, ULLONG, terms.bandwidth),
        ]
    )


def only_terms(
    params: TypedParams,
    allowed: Iterable[str] = (MIGRATE_URI, DESTINATION_NAME, DESTINATION_XML, BANDWIDTH),
) -> Terms:
    """Return the terms that parameters stand for; refuse those that only new daemons know."""
    extended = set(params.names).difference(allowed)
    if extended:
        names = ", ".join(sorted(extended))
        raise argument_unsupported(f"params: the daemons are too old for {names}")
    speed = params.to_dict().get(BANDWIDTH, 0)
    assert isinstance(speed, int)
    return Terms(
        text_of(params, DESTINATION_NAME),
        text_of(params, MIGRATE_URI),
        speed,
        text_of(params, DESTINATION_XML),
    )


def text_of(params: TypedParams, name: str) -> str | None:
    """Return the text of a parameter, the first of its name; None without one."""
    for found, kind, value in params:
        if found == name and kind == STRING:
            return str(value)
    return None


def replaced(params: TypedParams, name: str, value: str) -> TypedParams:
    """Return the parameters with a text for a name: in place of its first one, or at the end."""
    items = list(params)
    new = (name, STRING, value)
    for position, item in enumerate(items):
        if item.field == name:
            return TypedParams.from_items([*items[:position], new, *items[position + 1 :]])
    return TypedParams.from_items([*items, new])


def check_room(params: TypedParams) -> None:
    """Refuse so many parameters that those which the protocol adds would not fit any more."""
    added = {MIGRATE_URI, DESTINATION_NAME, DESTINATION_XML}.difference(params.names)
    most = DOMAIN_MIGRATE_PARAM_LIST_MAX - len(added)
    if len(params) > most:
        raise UsageError(f"params: {len(params)} are more than the {most} allowed here")
