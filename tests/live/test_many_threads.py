"""Fifty threads with calls under way on one blocking connection to a real daemon.

Each answer names what was asked for, so that one that went to another's call would be seen.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.leftovers import nothing_left
from virtproto.errors import DeadlineError

pytestmark = pytest.mark.lab

THREADS = 50
CALLS = 100_000
DOMAINS = 40
# Some of these are over before the call is sent, some before its answer comes.
LIMITS = (0.00005, 0.0003, 0.002, 10.0)

XML = (
    "<domain type='test'><name>guest{0}</name><memory>{1}</memory><vcpu>{2}</vcpu>"
    "<os><type>hvm</type></os></domain>"
)


class Stop(BaseException):
    """What the signal handler raises, as KeyboardInterrupt would be."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[PrivateDaemon]:
    """A daemon of this module's own, whose log is not full of what others do."""
    with private_daemon("9.0.0") as running:
        yield running


class Asker:
    """Asks for one of many domains, in one of several ways, and checks the answer."""

    def __init__(self, connection: virtproto.Connection) -> None:
        self._connection = connection
        for number in range(DOMAINS):
            name = f"guest{number}"
            if name not in {each.get_name() for each in connection.list_all_domains()}:
                connection.define_domain(XML.format(number, 1024 * (number + 8), number + 1))
        self._domains = [connection.get_domain_by_name(f"guest{n}") for n in range(DOMAINS)]
        self._uuids = [domain.get_uuid() for domain in self._domains]
        self.wrong: list[tuple[int, int]] = []

    def ask(self, way: int, number: int) -> None:
        """Make one call."""
        ways: tuple[Callable[[int], bool], ...] = (
            self._by_name,
            self._by_uuid,
            self._memory,
            self._vcpus,
        )
        if not ways[way](number):
            self.wrong.append((way, number))

    def _by_name(self, number: int) -> bool:
        return (
            self._connection.get_domain_by_name(f"guest{number}").get_uuid()
            == (self._uuids[number])
        )

    def _by_uuid(self, number: int) -> bool:
        found = self._connection.get_domain_by_uuid(self._uuids[number])
        return found.get_name() == f"guest{number}"

    def _memory(self, number: int) -> bool:
        return self._domains[number].get_max_memory() == 1024 * (number + 8)

    def _vcpus(self, number: int) -> bool:
        info = self._domains[number].get_info()
        return (info.max_memory_kib, info.vcpus) == (1024 * (number + 8), number + 1)


class Crowd:
    """Threads that ask, each for its share of the calls."""

    def __init__(
        self, asker: Asker, calls: int, limits: tuple[float | None, ...] = (None,)
    ) -> None:
        self._asker = asker
        self._limits = limits
        self.answered = self.late = 0
        self.failures: list[BaseException] = []
        self._counting = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(seed, calls // THREADS))
            for seed in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        assert self.failures == []

    def _work(self, seed: int, count: int) -> None:
        chance = random.Random(seed)
        answered = 0
        try:
            for _ in range(count):
                try:
                    with virtproto.deadline(chance.choice(self._limits)):
                        self._asker.ask(chance.randrange(4), chance.randrange(DOMAINS))
                    answered += 1
                except DeadlineError:
                    pass
        except BaseException as error:
            self.failures.append(error)
        with self._counting:
            self.answered += answered
            self.late += count - answered


def nothing_open(connection: virtproto.Connection) -> None:
    """Nobody waits for anything, and nothing is left to be sent."""
    assert connection.get_library_version() > 0
    channel = connection._channel
    assert (channel._lead, channel._followers, channel._waiting) == (None, [], {})
    assert (channel._outgoing, channel._session.unanswered) == ([], set())


def ask_together(daemon: PrivateDaemon, limits: tuple[float | None, ...]) -> tuple[int, int]:
    """Have all threads ask; return how many calls were answered, and how many given up."""
    with virtproto.open(daemon.uri("test:///default")) as connection:
        asker = Asker(connection)
        crowd = Crowd(asker, CALLS, limits)
        crowd.join()
        assert asker.wrong == []
        nothing_open(connection)
        return crowd.answered, crowd.late


def test_each_answer_goes_to_who_asked(daemon: PrivateDaemon) -> None:
    with nothing_left():
        assert ask_together(daemon, (None,)) == (CALLS, 0)


def test_calls_given_up_at_random_cost_nobody_else_an_answer(daemon: PrivateDaemon) -> None:
    with nothing_left():
        answered, late = ask_together(daemon, LIMITS)
        assert answered + late == CALLS
        assert min(answered, late) > CALLS // 100


class Aim:
    """A signal handler that raises Stop where that is expected, and once.

    Signals come at any time: also while the main thread still deals with the one before.
    """

    def __init__(self) -> None:
        self.taken = False

    def hit(self, number: int, frame: object) -> None:
        if self.taken:
            self.taken = False
            raise Stop


@pytest.fixture
def aim() -> Iterator[Aim]:
    """What handles SIGUSR1."""
    one = Aim()
    before = signal.signal(signal.SIGUSR1, one.hit)
    yield one
    signal.signal(signal.SIGUSR1, before)


def ask_among_signals(asker: Asker, aim: Aim) -> tuple[int, int]:
    """Ask in the main thread and be torn from it again and again, while all threads ask.

    Return how often it was torn, and how many of its calls were answered.
    """
    crowd = Crowd(asker, CALLS // 4)
    main = threading.get_ident()

    def shoot() -> None:
        chance = random.Random(1)
        while crowd.at_work:
            time.sleep(chance.random() * 0.004)
            signal.pthread_kill(main, signal.SIGUSR1)

    shooter = threading.Thread(target=shoot)
    shooter.start()
    torn = answered = 0
    try:
        while shooter.is_alive():
            try:
                aim.taken = True
                while shooter.is_alive():
                    asker.ask(answered % 4, answered % DOMAINS)
                    answered += 1
                aim.taken = False
            except Stop:
                torn += 1
    finally:
        shooter.join()
        crowd.join()
    return torn, answered


def test_signals_in_the_main_thread_hurt_nobody_else(daemon: PrivateDaemon, aim: Aim) -> None:
    def work() -> None:
        with virtproto.open(daemon.uri("test:///default")) as connection:
            asker = Asker(connection)
            assert min(ask_among_signals(asker, aim)) > 20
            assert asker.wrong == []
            nothing_open(connection)

    with nothing_left():
        work()
