"""The suite that passes over every road: calls, errors, events, streams, and the end."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.leftovers import nothing_left
from tests.live.every_road import carried, hosts, local, passwords, shells
from tests.live.every_road.way import ROADS, Way
from virtproto.aio import events as aio_events
from virtproto.constants import DomainEventType, DomainState, ErrorDomain, ErrorLevel

pytestmark = pytest.mark.lab

# Imported for the roads that they bring.
__all__ = ["carried", "hosts", "local", "passwords", "shells"]

every_road = pytest.mark.parametrize("way", list(ROADS), indirect=True, scope="module")
# Where one may only watch, the daemon changes nothing.
every_open_road = pytest.mark.parametrize(
    "way", [name for name in ROADS if "read-only" not in name], indirect=True, scope="module"
)
every_watching_road = pytest.mark.parametrize(
    "way", [name for name in ROADS if "read-only" in name], indirect=True, scope="module"
)
# One socket is one connection: where only one is given, none comes after it.
every_lasting_road = pytest.mark.parametrize(
    "way",
    [name for name in ROADS if "sock=" not in name or "function" in name],
    indirect=True,
    scope="module",
)

DOMAIN = """\
<domain type='test'><name>{name}</name><title>Straße &amp; 道</title>
<description>{description}</description><memory unit='KiB'>8192</memory>
<os><type>hvm</type></os></domain>"""
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
VOLUME = """\
<volume><name>v</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""
MIB = 1 << 20
# More than any buffer on the way takes at once, and not a round number.
SIZE = 5 * MIB + 4321
AT_ONCE = 100


@pytest.fixture
def name() -> str:
    """A name that nobody else has: the daemon's domains are everybody's."""
    return f"road-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def domain(connection: Any, name: str) -> Iterator[Any]:
    """A domain of the test's own, not running."""
    made = connection.define_domain(DOMAIN.format(name=name, description="plain"))
    yield made
    if made.is_active():
        made.destroy()
    made.undefine()


def events_of(colour: str) -> Any:
    return virtproto.events if colour == "sync" else aio_events


def at_once(connection: Any, method: str, count: int) -> list[Any]:
    """Make a call ``count`` times, all of them under way together; return what they brought."""
    if isinstance(connection, virtproto.Connection):
        with ThreadPoolExecutor(count) as threads:
            calls = [threads.submit(getattr(connection, method)) for _ in range(count)]
            return [call.result() for call in calls]

    async def gathered() -> list[Any]:
        return await asyncio.gather(*(getattr(connection._target, method)() for _ in range(count)))

    answers: list[Any] = connection._runner.run(gathered())
    return answers


def children() -> set[str]:
    """The processes that this one started."""
    tasks = Path("/proc/self/task")
    return {pid for task in os.listdir(tasks) for pid in _children_of(tasks / task)}


def _children_of(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:  # a thread that ended meanwhile
        return []


@every_road
def test_it_is_open_and_says_how_safe_it_is(connection: Any, way: Way) -> None:
    assert connection.is_alive()
    assert connection.get_uri() == way.uri("test:///default")
    assert connection.is_secure() is way.secure
    assert connection.is_encrypted() is way.encrypted
    assert connection.get_hostname()
    major, minor, micro = map(int, way.version.split("."))
    assert connection.get_library_version() >= major * 1_000_000 + minor * 1000 + micro


@every_road
def test_what_is_there(connection: Any) -> None:
    found = connection.get_domain_by_name("test")
    assert found.get_name() in {each.get_name() for each in connection.list_all_domains()}
    assert found.get_state().state == DomainState.RUNNING
    assert found.get_info().vcpus > 0
    assert "<name>test</name>" in found.get_xml_description()
    assert connection.get_domain_by_uuid(found.get_uuid()) == found
    assert {each.get_name() for each in connection.list_all_networks()} >= {"default"}


@every_open_road
def test_the_life_of_a_domain(connection: Any, domain: Any, name: str) -> None:
    assert not domain.is_active()
    domain.create()
    assert domain.is_active()
    assert domain in connection.list_all_domains()
    domain.set_scheduler_parameters({"weight": 60})
    assert "weight" in domain.get_scheduler_parameters()
    assert "Straße &amp; 道" in domain.get_xml_description()
    domain.destroy()
    assert domain.get_state().state == DomainState.SHUTOFF


@every_open_road
def test_much_in_one_message(connection: Any, name: str) -> None:
    """More than a record of any layer holds, both ways."""
    description = "0123456789abcdef" * 50_000
    made = connection.define_domain(DOMAIN.format(name=name, description=description))
    try:
        assert description in made.get_xml_description()
    finally:
        made.undefine()


@every_road
def test_what_the_daemon_refuses(connection: Any) -> None:
    with pytest.raises(virtproto.NoDomainError) as caught:
        connection.get_domain_by_name("nowhere")
    error = caught.value
    assert error.code == 42
    assert error.domain == ErrorDomain.TEST
    assert error.level == ErrorLevel.ERROR
    assert error.message == "Domain not found"
    # What filled the text: nothing, which a daemon of 7.0.0 says in another way.
    assert (error.str1, error.str2 or None, error.str3) == ("Domain not found", None, None)
    assert (error.int1, error.int2) == (-1, -1)
    assert error.procedure == "DOMAIN_LOOKUP_BY_NAME"
    assert connection.is_alive()


@every_watching_road
def test_who_only_watches_changes_nothing(connection: Any, name: str) -> None:
    with pytest.raises(virtproto.OperationDeniedError):
        connection.define_domain(DOMAIN.format(name=name, description="none"))


@every_open_road
def test_events(connection: Any, domain: Any, colour: str) -> None:
    kinds = events_of(colour)
    with connection.events(kinds.DomainLifecycle, about=domain) as heard:
        for change in (domain.create, domain.suspend, domain.resume, domain.destroy):
            change()
        seen = [heard.next(timeout_s=10.0).event for _ in range(4)]
    assert seen == [
        DomainEventType.STARTED,
        DomainEventType.SUSPENDED,
        DomainEventType.RESUMED,
        DomainEventType.STOPPED,
    ]


@every_open_road
def test_events_by_callback(connection: Any, domain: Any) -> None:
    """Nothing is called while they come: the road itself has to wake whoever listens."""
    seen: list[int] = []

    def note(connection: Any, concerned: Any, event: int, detail: int) -> None:
        seen.append(int(event))

    number = connection.domain_event_register_any(domain, 0, note)
    domain.create()
    domain.destroy()
    until(connection, lambda: len(seen) == 2)
    connection.domain_event_deregister_any(number)
    assert seen == [DomainEventType.STARTED, DomainEventType.STOPPED]


@every_open_road
def test_a_volume_goes_there_and_back(storage: Any, way: Way, tmp_path: Path, name: str) -> None:
    folder = way.daemon.folder / name
    folder.mkdir()
    os.chown(folder, way.owner, way.owner)
    content = hashlib.shake_128(name.encode()).digest(SIZE)
    pool = storage.create_storage_pool(POOL.format(name=name, path=folder))
    try:
        volume = pool.create_volume(VOLUME.format(size=SIZE))
        with storage.new_stream() as stream:
            volume.upload(stream, 0, SIZE)
            stream.send(content)
        assert hashlib.sha256((folder / "v").read_bytes()).digest() == digest(content)
        with storage.new_stream() as stream:
            volume.download(stream, 0, SIZE)
            assert digest(stream.read()) == digest(content)
        volume.download_to(tmp_path / "copy")
        assert digest((tmp_path / "copy").read_bytes()) == digest(content)
        volume.upload_from(tmp_path / "copy")
        assert storage.is_alive()
    finally:
        pool.destroy()


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


@every_road
def test_many_calls_at_once(connection: Any) -> None:
    hostname = connection.get_hostname()
    assert at_once(connection, "get_hostname", AT_ONCE) == [hostname] * AT_ONCE


@every_road
def test_a_time_limit(connection: Any) -> None:
    with virtproto.deadline(30.0):
        assert connection.list_all_domains()
    with virtproto.deadline(1e-9), pytest.raises(virtproto.DeadlineError):
        connection.get_hostname()
    assert connection.get_hostname()


@every_lasting_road
def test_what_was_lost_comes_back(way: Way, open_in_colour: Open) -> None:
    """The daemon drops the client; whatever it took to be let in is there once more."""
    with local.as_user(way.owner):
        administration = virtproto.admin.open(way.daemon.admin_uri)
    with (
        administration,
        way.opened(open_in_colour, "test:///default", reconnect=True) as connection,
        way.during(),
    ):
        hostname = connection.get_hostname()
        server = administration.get_server_by_name("libvirtd")
        ours = max(server.list_clients(), key=lambda client: client.get_id())
        ours.disconnect()
        until(connection, lambda: answer_of(connection) == hostname)
        clients = {client.get_id() for client in server.list_clients()}
        assert ours.get_id() not in clients
        assert max(clients) > ours.get_id()


def answer_of(connection: Any) -> str | None:
    """A call's answer; one that was on its way when the connection was lost has none."""
    try:
        answer: str = connection.get_hostname()
    except virtproto.ConnectionLostError:
        return None
    return answer


@every_road
def test_the_end(way: Way, open_in_colour: Open) -> None:
    """Nothing is left of a connection that was closed: no descriptor, no thread, no process."""
    before = children()
    gc.freeze()  # what is there already need not be looked at again and again
    try:
        with nothing_left():
            open_and_close(way, open_in_colour)
            until(None, lambda: children() <= before)
    finally:
        gc.unfreeze()


def open_and_close(way: Way, open_in_colour: Open) -> None:
    with way.opened(open_in_colour, "test:///default") as connection:
        assert connection.get_hostname()
        connection.close()
        assert not connection.is_alive()
        with pytest.raises(virtproto.ConnectionClosedError):
            connection.get_hostname()
