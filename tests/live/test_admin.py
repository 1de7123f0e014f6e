"""The administration of real daemons, in both colours."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import ADMINISTRATIONS, OpenAdmin, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from virtproto import constants
from virtproto.errors import ConnectionLostError, UsageError
from virtproto.wire import admin as wire

pytestmark = pytest.mark.lab


@pytest.fixture(params=list(ADMINISTRATIONS))
def administer(request: pytest.FixtureRequest) -> OpenAdmin:
    """What opens an administration in each colour in turn."""
    return ADMINISTRATIONS[request.param]


@pytest.fixture
def daemon() -> Iterator[PrivateDaemon]:
    """A daemon that the test may change and end."""
    with private_daemon("9.0.0") as running:
        yield running


def main_server(connection: virtproto.admin.AdminConnection) -> virtproto.admin.AdminServer:
    return connection.get_server_by_name("libvirtd")


def test_every_release_tells_of_itself(
    any_release: tuple[str, PrivateDaemon], administer: OpenAdmin
) -> None:
    _, daemon = any_release
    with (
        administer(daemon.admin_uri) as connection,
        virtproto.open(daemon.uri("test:///default")) as other,
    ):
        assert connection.is_alive()
        assert connection.get_uri() == daemon.admin_uri
        assert repr(connection) == f"<AdminConnection {daemon.admin_uri}>"
        assert connection.get_library_version() == other.get_library_version()
        servers = connection.list_servers()
        # The order is the daemon's, and another one for each release.
        assert {server.get_name() for server in servers} == {"libvirtd", "admin"}
        assert main_server(connection) in servers
        assert servers[0] != servers[1]
        assert servers[0].connection == connection
        assert "file:" in connection.get_logging_outputs()
        assert connection.get_logging_filters() == ""
    assert not connection.is_alive()


def test_clients_are_those_that_are_connected(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        server = main_server(connection)
        assert server.list_clients() == []
        with virtproto.open(daemon.uri("test:///default")):
            (client,) = server.list_clients()
            assert client == server.get_client_by_id(client.get_id())
            assert client.get_server() == server
            assert client.get_transport() is constants.ClientTransport.UNIX
            written = (daemon.folder / "pid").stat().st_mtime
            assert int(written) <= client.get_timestamp() <= written + 600
            info = client.get_info()
            assert info["readonly"] is False
            assert info["unix_process_id"] == os.getpid()
            assert info["unix_user_id"] == os.geteuid()
            assert server.get_client_limits()["nclients"] == 1
        (own,) = connection.get_server_by_name("admin").list_clients()
        assert own.get_info()["unix_process_id"] == os.getpid()


def test_readonly_clients_are_known_as_such(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    uri = f"test:///default?socket={daemon.readonly_socket_path}"
    with administer(daemon.admin_uri) as connection, virtproto.open(uri, readonly=True):
        (client,) = main_server(connection).list_clients()
        assert client.get_info()["readonly"] is True


def test_a_client_can_be_disconnected(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with (
        administer(daemon.admin_uri) as connection,
        virtproto.open(daemon.uri("test:///default")) as other,
    ):
        (client,) = main_server(connection).list_clients()
        client.disconnect()
        with pytest.raises(virtproto.ConnectionLostError):
            other.get_hostname()
        with pytest.raises(virtproto.NoClientError) as error:
            client.get_info()
        assert error.value.object == client
        assert main_server(connection).list_clients() == []


def test_threads_can_be_set(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        server = main_server(connection)
        before = server.get_thread_pool_parameters()
        assert set(before) == {
            *("minWorkers", "maxWorkers", "nWorkers", "freeWorkers", "prioWorkers"),
            "jobQueueDepth",
        }
        server.set_thread_pool_parameters({"maxWorkers": 33, "prioWorkers": 7})
        after = server.get_thread_pool_parameters()
        assert (after["maxWorkers"], after["prioWorkers"]) == (33, 7)
        assert after["minWorkers"] == before["minWorkers"]


def test_limits_on_clients_hold(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        server = main_server(connection)
        server.set_client_limits({"nclients_max": 123, "nclients_unauth_max": 12})
        limits = server.get_client_limits()
        assert (limits["nclients_max"], limits["nclients_unauth_max"]) == (123, 12)
        assert limits["nclients"] == limits["nclients_unauth"] == 0


def test_logging_can_be_set(daemon: PrivateDaemon, administer: OpenAdmin, tmp_path: Path) -> None:
    with administer(daemon.admin_uri) as connection:
        connection.set_logging_filters("1:rpc 3:qemu")
        assert connection.get_logging_filters().split() == ["1:*rpc*", "3:*qemu*"]
        for nothing in (None, ""):
            connection.set_logging_filters("1:rpc")
            connection.set_logging_filters(nothing)
            assert connection.get_logging_filters() == ""
        # In the daemon's own folder: it sees others of the same name elsewhere.
        output = f"1:file:{daemon.folder}/other.log"
        connection.set_logging_outputs(output)
        assert connection.get_logging_outputs() == output
        assert (daemon.folder / "other.log").exists()
        connection.set_logging_outputs(None)
        assert connection.get_logging_outputs() != output


def test_the_daemon_ends_when_told_to_do_so_unused(
    daemon: PrivateDaemon, administer: OpenAdmin
) -> None:
    with administer(daemon.admin_uri) as connection:
        connection.set_daemon_timeout(1)
    daemon.wait_for_its_end()
    with pytest.raises(virtproto.ConnectError):
        virtproto.admin.open(daemon.admin_uri)


def test_the_newest_daemon_can_be_told_to_end(administer: OpenAdmin) -> None:
    with private_daemon("12.8.0") as daemon, administer(daemon.admin_uri) as connection:
        connection.daemon_shutdown()
        daemon.wait_for_its_end()
        with pytest.raises(virtproto.ConnectionClosedError):
            connection.daemon_shutdown()


def test_an_older_daemon_names_what_it_lacks(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        with pytest.raises(virtproto.UnknownProcedureError) as error:
            connection.daemon_shutdown()
        assert error.value.procedure == "CONNECT_DAEMON_SHUTDOWN"
        assert len(connection.list_servers()) == 2


def test_refusals_leave_the_connection_usable(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        server = main_server(connection)
        with pytest.raises(virtproto.NoServerError, match="none"):
            connection.get_server_by_name("none")
        with pytest.raises(virtproto.NoClientError) as error:
            server.get_client_by_id(1 << 40)
        assert error.value.object == server
        with pytest.raises(virtproto.ArgumentUnsupportedError, match="nWorkers"):
            server.set_thread_pool_parameters({"nWorkers": 3})
        with pytest.raises(virtproto.InvalidArgError):
            server.set_thread_pool_parameters({"minWorkers": 3000})
        with pytest.raises(virtproto.ArgumentUnsupportedError, match="nclients"):
            server.set_client_limits({"nclients": 3})
        with pytest.raises(virtproto.InvalidArgError):
            server.set_client_limits({"nclients_max": 1, "nclients_unauth_max": 2})
        with pytest.raises(virtproto.InternalError, match="tls"):
            server.update_tls_files()
        with pytest.raises(virtproto.InvalidArgError, match="9:foo"):
            connection.set_logging_outputs("9:foo")
        with pytest.raises(virtproto.InvalidArgError, match="rubbish"):
            connection.set_logging_filters("rubbish")
        with pytest.raises(virtproto.InvalidArgError):
            server.list_clients(1)
        assert len(connection.list_servers()) == 2


def test_the_typed_door_is_open(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with administer(daemon.admin_uri) as connection:
        ret = connection.call(
            wire.CONNECT_LIST_SERVERS, wire.ConnectListServersArgs(need_results=0, flags=0)
        )
        assert (ret.servers, ret.ret) == ([], 2)


def test_what_is_no_administration_is_an_error(
    daemon: PrivateDaemon, administer: OpenAdmin
) -> None:
    with (
        pytest.raises(virtproto.VirtprotoError),
        administer(f"libvirtd:///system?socket={daemon.socket_path}"),
    ):
        pass


def test_it_answers_signs_of_life_and_is_given_up_without(
    daemon: PrivateDaemon, administer: OpenAdmin
) -> None:
    with administer(daemon.admin_uri, keepalive=(0.1, 2)) as connection:
        # Longer than a daemon that answers nothing would be waited for.
        enough = time.monotonic() + 0.5
        until(connection, lambda: time.monotonic() > enough)
        assert connection.list_servers()
        daemon.freeze()
        with pytest.raises(ConnectionLostError, match="pings unanswered"):
            connection.list_servers()
        daemon.thaw()


def test_keepalive_is_checked(daemon: PrivateDaemon, administer: OpenAdmin) -> None:
    with (
        pytest.raises(UsageError, match=r"^keepalive\[0\]: "),
        administer(daemon.admin_uri, keepalive=(0, 5)),
    ):
        pass
