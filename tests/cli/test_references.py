"""Objects as arguments of ``virtproto call``: those that the test driver cannot be made to have."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto.cli.calling import print_call
from virtproto.cli.references import SPELLINGS
from virtproto.constants import DomainCheckpointDeleteFlags
from virtproto.errors import (
    LibvirtError,
    NoDomainCheckpointError,
    NoNetworkPortError,
    NoNWFilterBindingError,
    UsageError,
)
from virtproto.libvirt_errors import ERROR_CLASSES
from virtproto.model.call_arguments import Reference, is_reference
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import load_contract, remote
from virtproto.wire.remote import types

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WEB = types.NonnullDomain(name="web", uuid=UUID, id=7)
NET = types.NonnullNetwork(name="lan", uuid=UUID)
PORT = types.NonnullNetworkPort(net=NET, uuid=UUID)
BINDING = types.NonnullNwfilterBinding(portdev="vnet0", filtername="clean")
POINT = types.NonnullDomainCheckpoint(name="monday", dom=WEB)


def code_of(kind: type[LibvirtError]) -> int:
    return next(code for code, each in ERROR_CLASSES.items() if each is kind)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
        running.handle(remote.NETWORK_LOOKUP_BY_NAME, remote.NetworkLookupByNameRet(net=NET))
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


def sent(server: ScriptedServer, procedure: Any) -> Any:
    """Return the arguments of the last call of a procedure."""
    found = [call for call in server.calls if call.procedure == procedure.number]
    return procedure.args.unpack(found[-1].payload)


def test_a_port_of_a_network(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.NETWORK_PORT_LOOKUP_BY_UUID, remote.NetworkPortLookupByUuidRet(port=PORT))
    server.handle(remote.NETWORK_PORT_DELETE, b"")
    print_call(uri, "NETWORK_PORT_DELETE", (f"port=lan/{UUID_TEXT}",))
    assert sent(server, remote.NETWORK_PORT_DELETE).port == PORT


def test_a_port_that_is_not_there(server: ScriptedServer, uri: str) -> None:
    server.handle(
        remote.NETWORK_PORT_LOOKUP_BY_UUID, ReplyError("none", code=code_of(NoNetworkPortError))
    )
    listed = remote.NetworkListAllPortsRet(ports=[PORT], ret=1)
    server.handle(remote.NETWORK_LIST_ALL_PORTS, listed)
    other = UUID_TEXT.replace("0f", "10")
    with pytest.raises(NoNetworkPortError) as caught:
        print_call(uri, "NETWORK_PORT_DELETE", (f"port=lan/{other}",))
    assert str(caught.value) == (
        f"port: there is no port {other} of network lan; there are {UUID_TEXT}"
    )


def test_a_binding_by_its_device(server: ScriptedServer, uri: str) -> None:
    found = remote.NwfilterBindingLookupByPortDevRet(nwfilter=BINDING)
    server.handle(remote.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV, found)
    server.handle(remote.NWFILTER_BINDING_DELETE, b"")
    print_call(uri, "NWFILTER_BINDING_DELETE", ("nwfilter=vnet0",))
    assert sent(server, remote.NWFILTER_BINDING_DELETE).nwfilter == BINDING
    server.handle(
        remote.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV,
        ReplyError("none", code=code_of(NoNWFilterBindingError)),
    )
    with pytest.raises(NoNWFilterBindingError, match="there is no network filter binding vnet1"):
        print_call(uri, "NWFILTER_BINDING_DELETE", ("nwfilter=vnet1",))


def test_a_checkpoint_of_a_domain(server: ScriptedServer, uri: str) -> None:
    found = remote.DomainCheckpointLookupByNameRet(checkpoint=POINT)
    server.handle(remote.DOMAIN_CHECKPOINT_LOOKUP_BY_NAME, found)
    server.handle(remote.DOMAIN_CHECKPOINT_DELETE, b"")
    print_call(uri, "DOMAIN_CHECKPOINT_DELETE", ("checkpoint=web/monday", "flags=children_only"))
    args = sent(server, remote.DOMAIN_CHECKPOINT_DELETE)
    assert (args.checkpoint, args.flags) == (POINT, DomainCheckpointDeleteFlags.CHILDREN_ONLY)
    server.handle(
        remote.DOMAIN_CHECKPOINT_LOOKUP_BY_NAME,
        ReplyError("none", code=code_of(NoDomainCheckpointError)),
    )
    listed = remote.DomainListAllCheckpointsRet(checkpoints=[POINT], ret=1)
    server.handle(remote.DOMAIN_LIST_ALL_CHECKPOINTS, listed)
    with pytest.raises(NoDomainCheckpointError) as caught:
        print_call(uri, "DOMAIN_CHECKPOINT_DELETE", ("checkpoint=web/munday",))
    assert str(caught.value) == (
        "checkpoint: domain web has no checkpoint munday; did you mean monday?"
    )


def test_two_secrets_for_the_same_use_must_be_told_apart(server: ScriptedServer, uri: str) -> None:
    secrets = [
        types.NonnullSecret(uuid=bytes([number] * 16), usageType=number, usageID="same")
        for number in (1, 2)
    ]
    listed = remote.ConnectListAllSecretsRet(secrets=secrets, ret=2)
    server.handle(remote.CONNECT_LIST_ALL_SECRETS, listed)
    with pytest.raises(UsageError, match=r"^secret: there are 2 secrets for same; say TYPE:USE$"):
        print_call(uri, "SECRET_UNDEFINE", ("secret=same",))


def test_nothing_is_called_when_an_object_is_not_found(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.NETWORK_LOOKUP_BY_NAME, ReplyError("none", code=43))
    server.handle(remote.NETWORK_LOOKUP_BY_UUID, ReplyError("none", code=43))
    with pytest.raises(Exception, match="net: there is no network"):
        print_call(uri, "NETWORK_DESTROY", (f"net={UUID_TEXT}",))
    assert not [each for each in server.calls if each.procedure == remote.NETWORK_DESTROY.number]


def test_arguments_come_from_the_input(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.handle(remote.DOMAIN_DESTROY_FLAGS, b"")
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"dom": "web"})))
    print_call(uri, "DOMAIN_DESTROY_FLAGS", ("-", "flags=GRACEFUL"))
    args = sent(server, remote.DOMAIN_DESTROY_FLAGS)
    assert (args.dom, args.flags) == (WEB, 1)
    for nothing in (None, io.StringIO("")):
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(UsageError, match="the arguments are not JSON"):
            print_call(uri, "DOMAIN_DESTROY_FLAGS", ("-",))


def test_every_reference_of_the_contract_has_a_spelling() -> None:
    contract = load_contract()
    there_are = {name for name in contract.types if is_reference(contract, name)}
    # Those of the administration are on a socket of its own.
    assert there_are - {"admin_nonnull_server", "admin_nonnull_client"} == SPELLINGS.keys()
    assert Reference("a", "b", "c", {}) == {}
