"""``virtproto list``: what is shown; options and exit codes are in test_app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from virtproto.cli.listing import print_domains
from virtproto.errors import LibvirtError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote


def test_no_domains_are_an_empty_table_and_an_empty_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = remote.ConnectListAllDomainsRet(domains=[], ret=0)
    with ScriptedServer({remote.CONNECT_LIST_ALL_DOMAINS: nothing}) as server:
        uri = f"test:///default?socket={server.listen(tmp_path / 's')}"
        print_domains(uri, active=False, inactive=False, with_uuid=True, as_json=False)
        assert capsys.readouterr().out == "Id  Name  State  UUID\n"
        print_domains(uri, active=True, inactive=True, with_uuid=False, as_json=True)
        assert json.loads(capsys.readouterr().out) == []
    # Both filters are all domains, as none is.
    asked = [c for c in server.calls if c.procedure == remote.CONNECT_LIST_ALL_DOMAINS.number]
    flags = [remote.ConnectListAllDomainsArgs.unpack(call.payload).flags for call in asked]
    assert flags == [0, 3]


def test_only_a_domain_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    web = remote.NonnullDomain(name="web", uuid=bytes(16), id=7)
    listed = remote.ConnectListAllDomainsRet(domains=[web], ret=1)
    with ScriptedServer({remote.CONNECT_LIST_ALL_DOMAINS: listed}) as server:
        server.handle(remote.DOMAIN_GET_STATE, ReplyError("broken", code=1))
        uri = f"test:///default?socket={server.listen(tmp_path / 's')}"
        with pytest.raises(LibvirtError, match="broken"):
            print_domains(uri, active=False, inactive=False, with_uuid=False, as_json=False)


def test_domains_that_vanish_while_they_are_listed_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {f"web{number}" for number in range(4)}
    domains = [
        remote.NonnullDomain(name=name, uuid=bytes([index] * 16), id=index)
        for index, name in enumerate(sorted(there))
    ]

    def state_of(call: CallReceived) -> Answer:
        name = remote.DomainGetStateArgs.unpack(call.payload).dom.name
        # The first answer is the last thing that some of them live to see.
        there.difference_update({"web1", "web3"})
        if name not in there:
            return ReplyError("Domain not found", code=42)
        return remote.DomainGetStateRet(state=1, reason=0)

    listed = remote.ConnectListAllDomainsRet(domains=domains, ret=4)
    with ScriptedServer({remote.CONNECT_LIST_ALL_DOMAINS: listed}) as server:
        server.handle(remote.DOMAIN_GET_STATE, state_of)
        uri = f"test:///default?socket={server.listen(tmp_path / 's')}"
        print_domains(uri, active=False, inactive=False, with_uuid=False, as_json=False)
        rows = capsys.readouterr().out.splitlines()[1:]
        assert [row.split() for row in rows] == [["0", "web0", "running"], ["2", "web2", "running"]]
        there.clear()
        print_domains(uri, active=False, inactive=False, with_uuid=False, as_json=True)
        assert json.loads(capsys.readouterr().out) == []
