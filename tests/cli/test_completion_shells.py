"""Completion where it is used: in a shell, at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell_window import SHELLS, ShellWindow
from virtproto.testing import ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote import types

WEB = types.NonnullDomain(name="web", uuid=bytes(16), id=7)
MAIL = types.NonnullDomain(name="mail b'x", uuid=bytes([1] * 16), id=-1)
BEGINNINGS = {
    "virtproto cal": "virtproto call ",
    "virtproto call domain_get_xml_d": "virtproto call domain_get_xml_desc ",
    "virtproto call qemu:domain_ag": "virtproto call qemu:domain_agent_command ",
    "virtproto call DOMAIN_SUSPEND d": "virtproto call DOMAIN_SUSPEND dom=",
    "virtproto call DOMAIN_SUSPEND dom=w": "virtproto call DOMAIN_SUSPEND dom=web ",
    "virtproto call DOMAIN_GET_XML_DESC dom=web flags=SECURE,INA": (
        "virtproto call DOMAIN_GET_XML_DESC dom=web flags=SECURE,INACTIVE "
    ),
    "virtproto vol-upload pool volume ima": "virtproto vol-upload pool volume image.raw ",
    "virtproto decode ima": "virtproto decode image.raw ",
    "virtproto trace -- virtprot": "virtproto trace -- virtproto ",
    "virtproto trace -- virtproto ima": "virtproto trace -- virtproto image.raw ",
    "virtproto list --ina": "virtproto list --inactive ",
    "virtproto nothing of the kind": "virtproto nothing of the kind",
}
# In the shells' own manners.
QUOTED = {
    "bash": "virtproto console mail\\ b\\'x ",
    "zsh": "virtproto console mail\\ b\\'x ",
    "fish": "virtproto console mail\\ b\\'x ",
}


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    with ScriptedServer() as server:
        server.listen(tmp_path / "s")
        domains = remote.ConnectListAllDomainsRet(domains=[WEB, MAIL], ret=2)
        server.handle(remote.CONNECT_LIST_ALL_DOMAINS, domains)
        yield f"test:///default?socket={tmp_path / 's'}"


# Bash is everywhere; the others are the lab's.
@pytest.mark.parametrize(
    "shell",
    [each if each == "bash" else pytest.param(each, marks=pytest.mark.lab) for each in SHELLS],
)
def test_a_line_is_completed(shell: str, uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "image.raw").touch()
    with ShellWindow(shell, folder, LIBVIRT_DEFAULT_URI=uri) as window:
        made = {typed: window.completed(typed) for typed in BEGINNINGS}
        quoted = window.completed("virtproto console mai")
    assert made == BEGINNINGS
    assert quoted == QUOTED[shell]
