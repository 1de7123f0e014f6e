"""What a connection tells of itself, over every kind of road: the same messages, in the clear."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.colours.driving import Open
from tests.colours.tracing import Kept
from tests.live.every_road.test_smoke import carried, hosts, local, passwords, shells
from tests.live.every_road.way import ROADS, Way
from virtproto.trace import message as kinds
from virtproto.trace.printing.lines import Liner, text_of

pytestmark = pytest.mark.lab

# Imported for the roads that they bring.
__all__ = ["carried", "hosts", "local", "passwords", "shells"]

# Those by SSH, which take their time, are all alike in this.
_ONE_BY_SSH = ("ssh, native", "libssh, native")
some_roads = pytest.mark.parametrize(
    "way",
    [name for name in ROADS if "ssh" not in name or name in _ONE_BY_SSH],
    indirect=True,
    scope="module",
)

# Of a mechanism's words, so many bytes are no chance.
_PIECE = 12


@some_roads
def test_a_traced_connection_tells_all_and_no_secrets(way: Way, open_in_colour: Open) -> None:
    kept = Kept()
    with way.opened(open_in_colour, "test:///default", trace=kept) as connection:
        names = [domain.get_name() for domain in connection.list_all_domains()]
    assert "test" in names
    kept.sound()
    asked = kept.names()
    assert (asked[0], asked[-1]) == ("AUTH_LIST", "CONNECT_CLOSE")
    # A daemon may answer in another order, and the end of some roads is faster than the answer to
    # the goodbye.
    answered = Counter(kept.names(from_client=False))
    assert Counter(asked) - answered <= Counter(["CONNECT_CLOSE"])
    assert answered <= Counter(asked)
    listed = [each for each in kept if each.procedure == "CONNECT_LIST_ALL_DOMAINS"]
    assert [each.kind for each in listed] == [kinds.CALL, kinds.REPLY]
    assert b"test" in listed[1].packet.payload

    liner = Liner()
    lines = {each.number: text_of(liner.message(each)) for each in kept}
    assert "domains=[" in lines[listed[1].number]
    for each in kept:
        if "SASL_ST" in (each.procedure or ""):
            line, payload = lines[each.number], each.packet.payload
            # Empty words are none.
            assert 'data="<secret>"' in line or "data=<secret>" in line or 'data=""' in line
            # Behind the mechanism's name and two counts.
            for start in range(28, len(payload) - _PIECE):
                assert payload[start : start + _PIECE].decode("latin-1") not in line
