"""Every libvirt release of the lab, 7.0.0 to the newest: opening, listing, being too old."""

from __future__ import annotations

from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from virtproto.wire import remote
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import TypedParams

pytestmark = pytest.mark.lab

URI = "test:///default"


def _number(version: str) -> int:
    major, minor, patch = map(int, version.split("."))
    return major * 1_000_000 + minor * 1_000 + patch


def test_opens_and_lists(any_release: tuple[str, PrivateDaemon], open_in_colour: Open) -> None:
    version, daemon = any_release
    with open_in_colour(daemon.uri(URI)) as connection:
        found = connection.get_library_version()
        # Debian's testing suite, which has the newest, moves on.
        assert found >= _number(version) if version == "12.8.0" else found == _number(version)
        [domain] = connection.list_all_domains()
        assert domain.get_name() == "test"
        assert domain.get_info().max_memory_kib == 8 * 1024 * 1024
        assert "<name>test</name>" in domain.get_xml_description()


def test_domain_lives(any_release: tuple[str, PrivateDaemon], open_in_colour: Open) -> None:
    _, daemon = any_release
    with open_in_colour(daemon.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        domain.destroy()
        assert not domain.is_active()
        domain.create()
        assert domain.get_state().state == 1
        with pytest.raises(virtproto.NoDomainError) as caught:
            connection.get_domain_by_name("nosuch")
        assert (caught.value.code, caught.value.level) == (42, 2)


def _domain_messages(connection: virtproto.Connection) -> object:
    domain = connection.get_domain_by_name("test")
    dom = remote.NonnullDomain(name="test", uuid=domain.get_uuid(), id=domain.get_id())
    return connection.call(
        remote.DOMAIN_GET_MESSAGES, remote.DomainGetMessagesArgs(dom=dom, flags=0)
    )


def test_too_old_a_daemon_is_told_apart(libvirtd_7_0: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd_7_0.uri(URI)) as connection:
        with pytest.raises(virtproto.UnknownProcedureError) as caught:
            _domain_messages(connection)
        error = caught.value
        assert error.since == "7.1.0"
        assert error.procedure == "DOMAIN_GET_MESSAGES"
        assert "7.1.0" in str(error)
        assert "DOMAIN_GET_MESSAGES" in str(error)
        assert error.message == "unknown procedure: 426"
        # The daemon's refusal costs nothing but that call.
        assert connection.get_domain_by_name("test").get_name() == "test"


def test_descriptors_for_too_old_a_daemon_stay_here(
    libvirtd_7_0: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    # It would send them back without announcing them: the next reply would begin with their byte.
    with (
        open_in_colour(libvirtd_7_0.uri(URI)) as connection,
        open(tmp_path / "image", "wb") as image,
    ):
        domain = connection.get_domain_by_name("test")
        with pytest.raises(virtproto.UnknownProcedureError, match="DOMAIN_FD_ASSOCIATE") as caught:
            domain.fd_associate("vda", [image])
        assert (caught.value.since, caught.value.object) == ("9.0.0", domain)
        assert connection.get_hostname()
        with pytest.raises(virtproto.UnknownProcedureError, match="WITH_FILES") as caught:
            domain.qemu_monitor_command_with_files("{}", [image])
        assert caught.value.since == "8.2.0"
        assert connection.get_hostname()


@pytest.mark.parametrize("release", ["libvirtd_7_0", "libvirtd", "libvirtd_11_3"])
def test_every_release_but_the_newest_lacks_something(
    request: pytest.FixtureRequest, release: str, open_in_colour: Open
) -> None:
    daemon: PrivateDaemon = request.getfixturevalue(release)
    dom = remote.NonnullDomain(name="test", uuid=bytes(16), id=1)
    params = TypedParams.from_items([])
    args = remote.DomainAnnounceInterfaceArgs(dom=dom, device="eth0", params=params, flags=0)
    with open_in_colour(daemon.uri(URI)) as connection:
        with pytest.raises(virtproto.UnknownProcedureError, match=r"libvirt 12\.5\.0") as caught:
            connection.call(remote.DOMAIN_ANNOUNCE_INTERFACE, args)
        assert caught.value.since == "12.5.0"
        assert caught.value.procedure == "DOMAIN_ANNOUNCE_INTERFACE"
        assert connection.is_alive()


@pytest.mark.parametrize("release", ["libvirtd", "libvirtd_11_3", "libvirtd_12_8"])
def test_newer_daemons_know_it(
    request: pytest.FixtureRequest, release: str, open_in_colour: Open
) -> None:
    daemon: PrivateDaemon = request.getfixturevalue(release)
    with open_in_colour(daemon.uri(URI)) as connection:
        _domain_messages(connection)


def test_procedure_of_the_future_is_unknown_everywhere(
    any_release: tuple[str, PrivateDaemon], open_in_colour: Open
) -> None:
    _, daemon = any_release
    future: Procedure[None, None] = Procedure(
        remote.PROGRAM, remote.VERSION, 9999, "DOMAIN_TELEPORT", None, None
    )
    with open_in_colour(daemon.uri(URI)) as connection:
        with pytest.raises(virtproto.UnknownProcedureError, match="DOMAIN_TELEPORT") as caught:
            connection.call(future, None)
        assert caught.value.since is None
        assert caught.value.message == "unknown procedure: 9999"
        assert connection.is_alive()
