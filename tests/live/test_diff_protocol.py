"""``virtproto diff-protocol`` against every release: what is found is what is known."""

from __future__ import annotations

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon
from virtproto.cli.comparing_protocols import compare, look_at
from virtproto.constants import DomainEventType
from virtproto.errors import UsageError
from virtproto.events import DomainLifecycle
from virtproto.sync.admin import open as open_admin

pytestmark = pytest.mark.lab


def state(uri: str) -> list[str]:
    """Return all that the test driver and its daemon hold, as XML and names."""
    with virtproto.open(uri) as connection:
        return [
            *(each.get_xml_description() for each in connection.list_all_domains()),
            *(each.get_xml_description() for each in connection.list_all_networks()),
            *(each.get_xml_description() for each in connection.list_all_storage_pools()),
            *(each.get_xml_description() for each in connection.list_all_interfaces()),
            *sorted(each.get_name() for each in connection.list_all_node_devices()),
        ]


def test_a_daemon_has_what_its_release_has(
    any_release: tuple[str, PrivateDaemon], capsys: pytest.CaptureFixture[str]
) -> None:
    version, daemon = any_release
    uri = daemon.uri("test:///default")
    before = state(uri)
    with virtproto.open(uri) as watching, watching.events(DomainLifecycle) as events:
        assert compare(version, uri, as_json=False), capsys.readouterr().out
        assert compare(version, daemon.admin_uri, as_json=False), capsys.readouterr().out
        # The first that has happened since is what is done here.
        domain = watching.get_domain_by_name("test")
        domain.suspend()
        assert events.next(timeout_s=10.0).event == DomainEventType.SUSPENDED
        domain.resume()
    assert state(uri) == before
    with open_admin(daemon.admin_uri) as admin:
        assert admin.list_servers()


def test_two_releases_differ(libvirtd_7_0: PrivateDaemon, libvirtd: PrivateDaemon) -> None:
    older, newer = (each.uri("test:///default") for each in (libvirtd_7_0, libvirtd))
    assert not compare(older, newer, as_json=True)
    assert compare(newer, newer, as_json=True)
    had = look_at(older).programs["remote"]
    has = look_at(newer).programs["remote"]
    only_newer = {number for number, value in has.items() if value and not had[number]}
    assert only_newer == set(range(426, 444))


def test_a_session_daemon_and_its_administration_have_nothing_in_common(
    libvirtd: PrivateDaemon,
) -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(libvirtd.uri("test:///default"), libvirtd.admin_uri, as_json=False)
