"""What libvirt's own client makes of a daemon that breaks the rules of streams: the model for ours.

What both colours make of the same packets is in tests/colours/test_stream_bad_input.py.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.colours.odd_streams import CASES, OddStream
from tests.lab.c_binding import BindingStream, CBinding, CBindingError
from virtproto.protocol.events import CallReceived, StreamFinishAsked
from virtproto.testing import ScriptedServer, SendRaw
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullStorageVol

pytestmark = pytest.mark.lab

VOLUME = NonnullStorageVol(pool="p", name="v", key="/v")
SAME = tuple(case for case in CASES if case.like_libvirt)
_VERSION = 12008000


def _serve(server: ScriptedServer, case: OddStream) -> threading.Thread:
    calls: list[CallReceived] = []

    def answer(call: CallReceived) -> Any:
        calls.append(call)
        return case.actions(call)

    def instead() -> None:
        if case.instead:
            server.wait_until(
                lambda seen: any(isinstance(each, StreamFinishAsked) for each in seen.events)
            )
            server.send(SendRaw(b"".join(make(calls[0]) for make in case.instead)))

    server.confirm_streams = not case.instead
    server.handle(remote.CONNECT_GET_LIB_VERSION, remote.ConnectGetLibVersionRet(lib_ver=_VERSION))
    server.handle(remote.STORAGE_VOL_LOOKUP_BY_PATH, remote.StorageVolLookupByPathRet(vol=VOLUME))
    server.handle(remote.STORAGE_VOL_DOWNLOAD, answer)
    thread = threading.Thread(target=instead)
    thread.start()
    return thread


@pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
def test_libvirts_own_client_does_the_same(case: OddStream, tmp_path: Path) -> None:
    heard: bytes | None = None
    path = str(tmp_path / "s")
    with ScriptedServer() as server:
        thread = _serve(server, case)
        server.listen(path)
        with CBinding(f"test+unix:///default?socket={path}") as binding:
            volume = (("storageVolLookupByPath", "/v"),)
            try:
                heard = b"".join(
                    part if isinstance(part, bytes) else bytes(part)
                    for part in binding.ask_at(
                        volume,
                        "download",
                        BindingStream(0),
                        0,
                        0,
                        int(case.sparse),
                        receive=-1,
                        way="sparse_all" if case.sparse else "",
                    )[1]
                )
            except CBindingError:
                assert case.error
            else:
                assert heard == case.heard
            try:
                survived = binding.ask("getLibVersion") == _VERSION
            except CBindingError:
                survived = False
        thread.join()
    assert survived == case.survives
