"""Events of real daemons: what is caused is heard, with the same content as by the C binding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guests import EchoGuest

pytestmark = pytest.mark.lab

TEST = "test:///default"
QEMU = "qemu:///system"

DEFINED, UNDEFINED, STARTED, SUSPENDED, RESUMED, STOPPED = range(6)

DOMAIN = """\
<domain type='test'><name>heard</name><memory>8192</memory>
<os><type>hvm</type></os></domain>"""
NETWORK = "<network><name>heard</name></network>"
POOL = "<pool type='dir'><name>heard</name><target><path>/tmp</path></target></pool>"
SECRET = "<secret ephemeral='no' private='no'><description>heard</description></secret>"


def noting(seen: list[Any]) -> Callable[..., None]:
    """Return a callback that notes the object's name and the arguments after it."""
    return lambda connection, concerned, *args: seen.append((concerned.get_name(), *args))


def test_the_life_of_a_domain_is_heard(
    any_release: tuple[str, PrivateDaemon], open_in_colour: Open
) -> None:
    _, daemon = any_release
    seen: list[Any] = []
    with open_in_colour(daemon.uri(TEST)) as connection:
        number = connection.domain_event_register_any(None, 0, noting(seen))
        domain = connection.define_domain(DOMAIN)
        domain.create()
        domain.suspend()
        domain.resume()
        domain.destroy()
        domain.undefine()
        until(connection, lambda: len(seen) == 6)
        assert seen == [
            ("heard", DEFINED, 0),
            ("heard", STARTED, 0),
            ("heard", SUSPENDED, 0),
            ("heard", RESUMED, 0),
            ("heard", STOPPED, 1),
            ("heard", UNDEFINED, 0),
        ]
        connection.domain_event_deregister_any(number)
        # The daemon takes a registration of the same kind again: it was told of the end.
        connection.domain_event_register_any(None, 0, noting(seen))


def test_another_connections_doings_are_heard_while_nothing_is_called(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    seen: list[Any] = []
    only_test: list[Any] = []
    with open_in_colour(libvirtd.uri(TEST)) as connection:
        domain = connection.get_domain_by_name("test")
        connection.domain_event_register_any(None, 0, noting(seen))
        connection.domain_event_register_any(domain, 0, noting(only_test))
        connection.domain_event_register(noting(seen))
        with virtproto.open(libvirtd.uri(TEST)) as other:
            made = other.create_domain(DOMAIN)
            made.destroy()
            until(connection, lambda: len(seen) == 4)
            assert only_test == []
            test = other.get_domain_by_name("test")
            test.suspend()
            test.resume()
        until(connection, lambda: len(only_test) == 2)
        assert only_test == [("test", SUSPENDED, 0), ("test", RESUMED, 0)]


def test_a_burst_is_neither_lost_nor_reordered(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    seen: list[Any] = []
    rounds = 500
    with open_in_colour(libvirtd.uri(TEST)) as connection:
        connection.domain_event_register_any(None, 0, noting(seen))
        with virtproto.open(libvirtd.uri(TEST)) as other:
            test = other.get_domain_by_name("test")
            for _ in range(rounds):
                test.suspend()
                test.resume()
        until(connection, lambda: len(seen) == 2 * rounds, 60)
        assert [event for _, event, _ in seen] == [SUSPENDED, RESUMED] * rounds


def test_networks_and_pools_are_heard(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    seen: list[Any] = []
    with open_in_colour(libvirtd.uri(TEST)) as connection:
        connection.network_event_register_any(None, 0, noting(seen))
        number = connection.storage_pool_event_register_any(None, 0, noting(seen))
        network = connection.define_network(NETWORK)
        network.create()
        network.destroy()
        network.undefine()
        until(connection, lambda: len(seen) == 4)
        assert seen == [("heard", event, 0) for event in (0, 2, 3, 1)]
        seen.clear()
        pool = connection.define_storage_pool(POOL)
        pool.create()
        pool.destroy()
        pool.undefine()
        until(connection, lambda: len(seen) == 4)
        assert seen == [("heard", event, 0) for event in (0, 2, 3, 1)]
        connection.storage_pool_event_deregister_any(number)


@pytest.mark.parametrize("release", ["libvirtd_11_3", "libvirtd_12_8"])
def test_notes_on_a_network_are_heard(
    request: pytest.FixtureRequest, open_in_colour: Open, release: str
) -> None:
    daemon: PrivateDaemon = request.getfixturevalue(release)
    seen: list[Any] = []
    with open_in_colour(daemon.uri(TEST)) as connection:
        connection.network_event_register_any(None, 1, noting(seen))
        network = connection.get_network_by_name("default")
        network.set_metadata(1, "a title", None, None)
        network.set_metadata(2, "<a/>", "k", "urn:k")
        network.set_metadata(2, None, "k", "urn:k")
        until(connection, lambda: len(seen) == 3)
        named = [(name, int(what), uri) for name, what, uri in seen]
        assert named == [
            ("default", 1, None),
            ("default", 2, "urn:k"),
            ("default", 2, "urn:k"),
        ]
        network.set_metadata(1, None, None, None)


def test_secrets_are_heard(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    seen: list[Any] = []

    def note(connection: Any, secret: Any, *args: Any) -> None:
        seen.append((secret.get_uuid_string(), *args))

    with open_in_colour(libvirtd.uri("secret:///system")) as connection:
        connection.secret_event_register_any(None, 0, note)
        connection.secret_event_register_any(None, 1, note)
        secret = connection.define_secret(SECRET)
        uuid = secret.get_uuid_string()
        secret.set_value(b"word")
        secret.undefine()
        until(connection, lambda: len(seen) == 3)
        assert seen == [(uuid, 0, 0), (uuid,), (uuid, 1, 0)]


def test_a_guest_and_its_monitor_are_heard(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    lifecycles: list[Any] = []
    monitor: list[Any] = []
    metadata: list[Any] = []
    with (
        EchoGuest(libvirtd.folder, "heard") as guest,
        open_in_colour(libvirtd.uri(QEMU)) as connection,
    ):
        domain = connection.define_domain(guest.xml)
        try:
            connection.domain_event_register_any(domain, 0, noting(lifecycles))
            connection.domain_event_register_any(domain, 23, noting(metadata))
            number = connection.domain_qemu_monitor_event_register(
                domain, "STOP|RESUME", noting(monitor), 1
            )
            domain.create()
            domain.suspend()
            domain.resume()
            domain.set_metadata(1, "a title", None, None, 0)
            domain.destroy()
            until(connection, lambda: len(lifecycles) >= 5)
            until(connection, lambda: len(monitor) >= 2)
        finally:
            domain.undefine()
        events = [event for _, event, _ in lifecycles]
        assert STARTED in events
        assert events.index(SUSPENDED) < len(events) - events[::-1].index(RESUMED)
        assert events[-1] in (STOPPED, UNDEFINED)
        assert {name for name, *_ in lifecycles} == {"heard"}
        names = [event for _, event, *_ in monitor]
        assert "RESUME" in names[names.index("STOP") :]
        assert all(seconds > 1_000_000_000 for _, _, seconds, _, _ in monitor)
        assert metadata == [("heard", 1, None)]
        connection.domain_qemu_monitor_event_deregister(number)


def test_the_end_of_a_daemon_is_heard(open_in_colour: Open) -> None:
    with private_daemon("9.0.0") as daemon, open_in_colour(daemon.uri(TEST)) as connection:
        reasons: list[int] = []
        connection.register_close_callback(lambda conn, reason: reasons.append(reason))
        daemon.kill()
        until(connection, lambda: reasons)
        assert reasons == [1]
        assert not connection.is_alive()
        with pytest.raises(virtproto.ConnectionClosedError):
            connection.get_library_version()
