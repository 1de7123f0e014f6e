"""One call's arguments and result."""

from __future__ import annotations

import pytest

from virtproto.errors import DecodeError, UsageError
from virtproto.model.calls import check_call, check_plain_call, pack_args, unpack_ret
from virtproto.wire import find_procedure, remote

WEB = remote.NonnullDomain(name="web", uuid=bytes(16), id=7)


def test_arguments_are_packed_and_results_unpacked() -> None:
    assert pack_args(remote.CONNECT_GET_TYPE, None) == b""
    assert pack_args(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=WEB)) == WEB.pack()
    assert unpack_ret(remote.DOMAIN_LOOKUP_BY_NAME, WEB.pack()).dom == WEB
    with pytest.raises(DecodeError):
        unpack_ret(remote.DOMAIN_LOOKUP_BY_NAME, b"\0\0")


def test_bytes_after_a_result_are_ignored() -> None:
    # As libvirt's own peers do: a newer daemon may say more.
    assert unpack_ret(remote.DOMAIN_LOOKUP_BY_NAME, WEB.pack() + b"more").dom == WEB
    assert find_procedure("remote", "DOMAIN_SUSPEND").ret is None
    assert unpack_ret(find_procedure("remote", "DOMAIN_SUSPEND"), b"more") is None


@pytest.mark.parametrize(
    ("program", "name", "reason"),
    [
        ("remote", "DOMAIN_EVENT_REBOOT", "is an event"),
        ("remote", "DOMAIN_SCREENSHOT", "opens a stream"),
        ("remote", "STORAGE_VOL_UPLOAD", "opens a stream"),
        ("remote", "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS", "opens a stream"),
        ("remote", "DOMAIN_OPEN_GRAPHICS", "passes file descriptors"),
        ("remote", "DOMAIN_OPEN_GRAPHICS_FD", "passes file descriptors"),
        ("remote", "DOMAIN_FD_ASSOCIATE", "passes file descriptors"),
        ("qemu", "DOMAIN_MONITOR_COMMAND_WITH_FILES", "passes file descriptors"),
        ("lxc", "DOMAIN_OPEN_NAMESPACE", "passes file descriptors"),
    ],
)
def test_what_is_no_plain_call_is_refused(program: str, name: str, reason: str) -> None:
    procedure = find_procedure(program, name)
    with pytest.raises(UsageError, match=reason):
        check_plain_call(procedure)
    with pytest.raises(UsageError, match=name):
        pack_args(procedure, None)
    with pytest.raises(UsageError, match=name):
        check_call(procedure, b"")


def test_arguments_of_another_type_are_refused() -> None:
    procedure = find_procedure("remote", "DOMAIN_SUSPEND")
    for wrong in (None, WEB, b"", remote.DomainResumeArgs(dom=WEB)):
        with pytest.raises(UsageError, match="takes a DomainSuspendArgs"):
            pack_args(procedure, wrong)


@pytest.mark.parametrize("wrong", ["DOMAIN_SUSPEND", None, 34])
def test_what_is_no_procedure_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"takes a procedure of virtproto\.wire"):
        pack_args(wrong, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["abc", None, [1], memoryview(b"abcd").cast("I")])
def test_packed_arguments_are_bytes(wrong: object) -> None:
    check_call(remote.DOMAIN_SUSPEND, b"")
    with pytest.raises(UsageError, match="DOMAIN_SUSPEND: packed arguments are bytes"):
        check_call(remote.DOMAIN_SUSPEND, wrong)  # type: ignore[arg-type]
