"""What words may become, as the shells' scripts are told it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto.cli import main
from virtproto.testing import NoReply, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote import types
from virtproto.xdr.procedure import Procedure

UUID = bytes(range(16))
WEB = types.NonnullDomain(name="web", uuid=UUID, id=7)
MAIL = types.NonnullDomain(name="mail server", uuid=bytes(16), id=-1)
ODD = types.NonnullDomain(name="two\nlines", uuid=bytes([1] * 16), id=-1)
POOL = types.NonnullStoragePool(name="images", uuid=UUID)
VOLUME = types.NonnullStorageVol(pool="images", name="disk.img", key="/images/disk.img")

Complete = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        domains = remote.ConnectListAllDomainsRet(domains=[WEB, MAIL, ODD], ret=3)
        running.handle(remote.CONNECT_LIST_ALL_DOMAINS, domains)
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
        snapshots = [types.NonnullDomainSnapshot(name="monday", dom=WEB)]
        listed = remote.DomainListAllSnapshotsRet(snapshots=snapshots, ret=1)
        running.handle(remote.DOMAIN_LIST_ALL_SNAPSHOTS, listed)
        pools = remote.ConnectListAllStoragePoolsRet(pools=[POOL], ret=1)
        running.handle(remote.CONNECT_LIST_ALL_STORAGE_POOLS, pools)
        pool = remote.StoragePoolLookupByNameRet(pool=POOL)
        running.handle(remote.STORAGE_POOL_LOOKUP_BY_NAME, pool)
        volumes = remote.StoragePoolListAllVolumesRet(vols=[VOLUME], ret=1)
        running.handle(remote.STORAGE_POOL_LIST_ALL_VOLUMES, volumes)
        yield running


@pytest.fixture
def complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Complete:
    """Return what completes a line: kinds and words."""
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", f"test:///default?socket={tmp_path / 's'}")

    def ask(*words: str) -> list[tuple[str, str]]:
        capsys.readouterr()
        assert main(["complete", "--", *words]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        rows = [line.split("\t") for line in said.out.splitlines()]
        return [(kind, word) for kind, word, _help in rows]

    return ask


def test_commands_and_options(complete: Complete) -> None:
    assert ("word", "diff-protocol") in complete("")
    assert complete("cal") == [("word", "call")]
    # What the scripts alone call is nobody's to type.
    assert ("word", "complete") not in complete("comple")
    assert complete("list", "--ina") == [("word", "--inactive")]
    assert complete("completion", "z") == [("word", "zsh")]


def test_procedures_in_the_case_in_which_they_are_begun(complete: Complete) -> None:
    assert complete("call", "domain_get_inf") == [("word", "domain_get_info")]
    assert complete("call", "DOMAIN_GET_INF") == [("word", "DOMAIN_GET_INFO")]
    assert complete("call", "qemu:domain_ag") == [("word", "qemu:domain_agent_command")]
    assert complete("call", "-c", "test:///x", "domain_get_inf") == [("word", "domain_get_info")]
    # An event is nothing to call, but something to look up.
    assert complete("call", "domain_event_lifecycle") == []
    assert complete("procs", "domain_event_lifecycle") == [("word", "domain_event_lifecycle")]
    assert complete("procs", "admin:server_lis") == [("word", "admin:server_list_clients")]
    assert complete("procs", "--program", "q") == [("word", "qemu")]


def test_a_program_alone_does_not_say_in_which_case(complete: Complete) -> None:
    assert ("word", "qemu:DOMAIN_AGENT_COMMAND") in complete("call", "qemu:")


def test_arguments_of_the_procedure(complete: Complete) -> None:
    proc = "DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS"
    assert complete("call", proc, "") == [
        ("part", "dom="),
        ("part", "params."),
        ("part", "flags="),
    ]
    assert complete("call", proc, "dom=web", "flags=0", "") == [("part", "params.")]
    assert complete("call", proc, "params.cpu_s") == [("part", "params.cpu_shares=")]
    assert complete("call", proc, "dom.") == [
        ("part", "dom.name="),
        ("part", "dom.uuid="),
        ("part", "dom.id="),
    ]
    assert complete("call", "CONNECT_GET_TYPE", "") == []
    assert complete("call", "NO_SUCH_PROCEDURE", "") == []
    assert complete("call", proc, "nothing=") == []
    assert complete("call", proc, "params.weight=") == []


def test_constants_one_after_the_other(complete: Complete) -> None:
    begun = ("call", "DOMAIN_GET_XML_DESC")
    assert complete(*begun, "flags=se") == [("word", "flags=secure")]
    assert complete(*begun, "flags=SECURE,IN") == [("word", "flags=SECURE,INACTIVE")]
    assert ("word", "flags=SECURE,SECURE") not in complete(*begun, "flags=SECURE,")
    assert complete("call", "DOMAIN_SET_METADATA", "type=TI") == [("word", "type=TITLE")]


@pytest.mark.usefixtures("server")
def test_objects_by_name(complete: Complete) -> None:
    begun = ("call", "DOMAIN_GET_STATE")
    assert complete(*begun, "dom=w") == [("word", "dom=web")]
    assert complete(*begun, "dom=") == [("word", "dom=mail server"), ("word", "dom=web")]
    assert complete("call", "DOMAIN_SNAPSHOT_GET_PARENT", "snap=w") == [("part", "snap=web/")]
    assert complete("call", "DOMAIN_SNAPSHOT_GET_PARENT", "snap=web/m") == [
        ("word", "snap=web/monday")
    ]
    assert complete("call", "DOMAIN_SNAPSHOT_GET_PARENT", "snap.dom=w") == [
        ("word", "snap.dom=web")
    ]
    assert complete("call", "STORAGE_VOL_GET_INFO", "vol=im") == [("part", "vol=images/")]
    assert complete("call", "STORAGE_VOL_GET_INFO", "vol=images/") == [
        ("word", "vol=images/disk.img")
    ]
    assert complete("console", "we") == [("word", "web")]
    assert complete("events", "--domain", "we") == [("word", "web")]
    assert complete("vol-upload", "im") == [("word", "images")]
    assert complete("vol-download", "images", "d") == [("word", "disk.img")]
    assert complete("vol-download", "images", "disk.img", "x") == [("file", "x")]


def test_files_and_commands_are_the_shells_own(complete: Complete) -> None:
    for begun in (("decode",), ("replay",), ("trace", "--record"), ("pki", "create")):
        assert complete(*begun, "x") == [("file", "x")]
    assert complete("trace", "--", "virs") == [("command", "virs")]
    assert complete("trace", "--", "virsh", "x") == [("file", "x")]


def test_other_words(complete: Complete) -> None:
    assert complete("events", "domain-life") == [("word", "domain-lifecycle")]
    assert complete("diff-protocol", "9.0.0", "11") == [("word", "11.3.0")]


def test_a_daemon_that_is_not_there_is_no_reason_to_say_anything(complete: Complete) -> None:
    assert complete("call", "DOMAIN_GET_STATE", "dom=") == []
    assert complete("console", "") == []
    assert complete("console", "-c", "no uri", "") == []


def test_nobody_is_asked_at_a_terminal(complete: Complete) -> None:
    before = time.monotonic()
    assert complete("console", "-c", "qemu+ssh://192.0.2.1/system", "") == []
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("procedure", [remote.AUTH_LIST, remote.CONNECT_LIST_ALL_DOMAINS])
def test_a_daemon_that_does_not_answer_is_not_waited_for(
    server: ScriptedServer, complete: Complete, procedure: Procedure[Any, Any]
) -> None:
    server.handle(procedure, NoReply())
    before = time.monotonic()
    assert complete("console", "") == []
    # A second for the daemon; the rest is this machine's.
    assert time.monotonic() - before < 5
