"""Time limits for a block against real daemons: one that stands still, and one that takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.colours.driving import Open, OpenTogether
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.live.moving import MOVE, NAME, SLOW, Roads, arrived
from virtproto import deadline
from virtproto.constants import DomainState
from virtproto.errors import DeadlineError

pytestmark = pytest.mark.lab

LIMIT_S = 0.3
# Far below the 30 s after which keepalive gives a daemon up.
MUCH_S = 5.0


@contextmanager
def taking(at_least_s: float, at_most_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert at_least_s <= time.monotonic() - began < at_most_s


@pytest.fixture
def frozen() -> Iterator[PrivateDaemon]:
    """A daemon of a test's own, to be frozen and thawed."""
    with private_daemon("9.0.0") as daemon:
        yield daemon


def test_a_frozen_daemon_costs_no_more_than_the_block_allows(
    frozen: PrivateDaemon, open_in_colour: Open
) -> None:
    uri = frozen.uri("test:///default")
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("test")
        frozen.freeze()
        with taking(LIMIT_S, MUCH_S), deadline(LIMIT_S):
            with pytest.raises(DeadlineError):
                domain.get_info()
            for call in (connection.get_hostname, connection.list_all_domains, domain.suspend):
                with pytest.raises(DeadlineError, match="no time was left"):
                    call()
        with taking(LIMIT_S, MUCH_S), deadline(LIMIT_S), pytest.raises(DeadlineError):
            connection.domain_event_register_any(None, 0, print)
        with taking(LIMIT_S, MUCH_S), deadline(LIMIT_S), pytest.raises(DeadlineError):
            # It takes the connection, and says nothing.
            open_in_colour(uri).__enter__()
        frozen.thaw()
        # Nothing of what had no time was sent, and the late reply is nobody's.
        assert domain.get_state().state == DomainState.RUNNING
        assert connection.get_hostname()
        number = connection.domain_event_register_any(None, 0, print)
        connection.domain_event_deregister_any(number)


def test_a_frozen_daemon_does_not_keep_a_connection_from_closing(
    frozen: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        taking(LIMIT_S, LIMIT_S + 1.5),
        deadline(LIMIT_S),
        open_in_colour(frozen.uri("test:///default")) as connection,
    ):
        frozen.freeze()
        with pytest.raises(DeadlineError):
            connection.get_hostname()
    frozen.thaw()


def test_a_migration_ends_with_the_block_and_the_source_keeps_the_guest(
    roads: Roads, open_together: OpenTogether
) -> None:
    pair = roads.pair
    with open_together(pair.source_uri, pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        params: dict[str, int | str] = {"migrate_uri": roads.fresh(), "bandwidth": SLOW}
        # Tidying up at both ends has time of its own, and takes little of it.
        with taking(1.0, 1.0 + MUCH_S), deadline(1.0), pytest.raises(DeadlineError):
            domain.migrate(target, params, MOVE)
    arrived(roads, at_target=False)
