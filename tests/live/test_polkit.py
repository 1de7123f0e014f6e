"""polkit at the daemon's door: a real polkitd is asked about clients that are not root."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import NOBODY, PrivateDaemon
from tests.lab.polkit import polkit_daemon
from tests.live.visiting import visit

pytestmark = pytest.mark.lab

# Users of every Debian machine; root is asked about by nobody.
WELCOME, SHUT_OUT, STRANGER = NOBODY, 1, 2

# To a stranger libvirt's own defaults apply: he may watch, and must say the password of an
# administrator before he manages. Whoever is let in may look at networks, but not make any.
RULES = """
polkit.addRule(function(action, subject) {
    if (action.id.indexOf("org.libvirt.api.") == 0) {
        var manages = action.id.indexOf("connect.") < 0 && action.id.indexOf(".getattr") < 0;
        return manages ? polkit.Result.NO : polkit.Result.YES;
    }
    if (subject.user == "nobody") return polkit.Result.YES;
    if (subject.user == "daemon") return polkit.Result.NO;
});
"""
NETWORK = "<network><name>lab</name></network>"
URI = "test:///default"


@pytest.fixture(scope="module")
def asking() -> Iterator[PrivateDaemon]:
    """A daemon that asks a polkitd, about each call to its real drivers as well."""
    with polkit_daemon(RULES, access_drivers=["polkit"]) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def asking_in_vain() -> Iterator[PrivateDaemon]:
    """A daemon that asks for a polkitd which is not there."""
    with polkit_daemon(RULES, polkitd=False) as daemon:
        yield daemon


def watching(daemon: PrivateDaemon) -> str:
    return f"test+unix:///default?socket={daemon.readonly_socket_path}"


def test_root_is_let_in(asking: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(asking.uri(URI)) as connection:
        assert connection.get_domain_by_name("test").get_name() == "test"


def test_root_is_let_in_where_nobody_can_be_asked(
    asking_in_vain: PrivateDaemon, open_in_colour: Open
) -> None:
    with open_in_colour(asking_in_vain.uri(URI)) as connection:
        assert connection.is_alive()


def test_yes(asking: PrivateDaemon) -> None:
    question = "[domain.get_name() for domain in connection.list_all_domains()]"
    assert visit(WELCOME, asking.uri(URI), question).answer == ["test"]


def test_no(asking: PrivateDaemon) -> None:
    told = visit(SHUT_OUT, asking.uri(URI))
    assert told.kind == "AuthFailedError"
    assert "access denied by policy" in told.text
    assert "polkit" in told.text
    assert "org.libvirt.unix.manage" in told.text
    assert "rule" in told.text


def test_a_password_is_wanted_and_nobody_can_ask_for_it(asking: PrivateDaemon) -> None:
    told = visit(STRANGER, asking.uri(URI))
    assert told.kind == "AuthUnavailableError"
    assert "no polkit agent available" in told.text
    assert "pkttyagent" in told.text


def test_to_watch_is_another_matter(asking: PrivateDaemon) -> None:
    assert visit(STRANGER, watching(asking), readonly=True).answer
    told = visit(SHUT_OUT, watching(asking), readonly=True)
    assert told.kind == "AuthFailedError"
    assert "org.libvirt.unix.monitor" in told.text


def test_there_is_no_polkitd(asking_in_vain: PrivateDaemon) -> None:
    told = visit(WELCOME, asking_in_vain.uri(URI))
    assert "org.freedesktop.PolicyKit1" in told.text
    assert "polkitd" in told.text


def test_polkit_is_what_the_uri_wants(asking: PrivateDaemon) -> None:
    uri = asking.uri(URI) + "&auth=polkit"
    assert visit(WELCOME, uri).answer
    assert visit(SHUT_OUT, uri).kind == "AuthFailedError"


def test_a_call_that_the_rules_forbid(asking: PrivateDaemon) -> None:
    """Being let in is one thing: the drivers ask about each call again."""
    uri = asking.uri("qemu:///system")
    with virtproto.open(uri) as connection:
        network = connection.define_network(NETWORK)
    try:
        known = "[network.get_name() for network in connection.list_all_networks()]"
        assert visit(WELCOME, uri, known).answer == ["lab"]
        told = visit(WELCOME, uri, "connection.get_network_by_name('lab').undefine()")
        assert told.kind == "AccessDeniedError"
        assert "access denied" in told.text
    finally:
        with virtproto.open(uri) as connection:
            connection.get_network_by_name(network.get_name()).undefine()
