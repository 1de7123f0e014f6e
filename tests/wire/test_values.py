"""Values that cannot be packed: a clear error that names the field, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto.errors import DecodeError, EncodeError
from virtproto.wire import admin, remote, rpc
from virtproto.xdr.message import Message
from virtproto.xdr.typedparams import TypedParams

UUID = bytes(range(16))
DOM = remote.NonnullDomain("vm", UUID, 1)


def anything(value: object) -> Any:
    """Return the value as type checkers let pass."""
    return value


BAD = [
    (remote.NonnullDomain("a\0b", UUID, 1), "name"),
    (remote.NonnullDomain("\ud800", UUID, 1), "name"),
    (remote.NonnullDomain(anything(None), UUID, 1), "name"),
    (remote.NonnullDomain(anything(b"vm"), UUID, 1), "name"),
    (remote.NonnullDomain("vm", UUID[1:], 1), "uuid"),
    (remote.NonnullDomain("vm", UUID + b"x", 1), "uuid"),
    (remote.NonnullDomain("vm", anything("u" * 16), 1), "uuid"),
    (remote.NonnullDomain("vm", UUID, 2**31), "id"),
    (remote.NonnullDomain("vm", UUID, -(2**31) - 1), "id"),
    (remote.NonnullDomain("vm", UUID, anything("1")), "id"),
    (remote.NonnullDomain("vm", UUID, anything(None)), "id"),
    (remote.DomainGetInfoArgs(anything(None)), "dom"),
    (remote.DomainGetInfoArgs(anything(remote.NonnullNetwork("n", UUID))), "dom"),
    (remote.DomainGetInfoRet(256, 0, 0, 0, 0), "state"),
    (remote.DomainGetInfoRet(-1, 0, 0, 0, 0), "state"),
    (remote.DomainGetInfoRet(0, 2**64, 0, 0, 0), "maxMem"),
    (remote.DomainGetInfoRet(0, -1, 0, 0, 0), "maxMem"),
    (remote.DomainGetInfoRet(0, 0, 0, 65536, 0), "nrVirtCpu"),
    (remote.DomainPinVcpuArgs(DOM, 0, bytes(2049)), "cpumap"),
    (remote.DomainPinVcpuArgs(DOM, 0, anything("abc")), "cpumap"),
    (remote.DomainPinVcpuArgs(DOM, 0, anything(5)), "cpumap"),
    (remote.DomainSendKeyArgs(DOM, 0, 0, list(range(17)), 0), "keycodes"),
    (remote.DomainSendKeyArgs(DOM, 0, 0, [1, -1], 0), "keycodes"),
    (remote.DomainSendKeyArgs(DOM, 0, 0, anything(None), 0), "keycodes"),
    (remote.DomainFsfreezeArgs(DOM, ["/"] * 257, 0), "mountpoints"),
    (remote.DomainFsfreezeArgs(DOM, ["/", "a\0"], 0), "mountpoints"),
    (remote.AuthSaslStepArgs(0, bytes(65537)), "data"),
    (remote.NodeGetInfoRet(bytes(31), 0, 0, 0, 0, 0, 0, 0), "model"),
    (remote.DomainBlockStatsArgs(DOM, "x" * 4194305), "path"),
    (remote.TypedParamValue(8, 1), "type"),
    (remote.TypedParamValue(1, anything("x")), ""),
    (remote.TypedParamValue(7, 1), ""),
    (remote.DomainSetMemoryParametersArgs(DOM, anything([("a", 1, 1)]), 0), "params"),
]


@pytest.mark.parametrize(("message", "path"), BAD)
def test_refused_with_the_field(message: Message, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        message.pack()
    assert path in str(caught.value)


def test_errors_without_the_slow_path_name_limit_and_value() -> None:
    with pytest.raises(EncodeError, match=r"2049 is over the limit of 2048 \(REMOTE_CPUMAP_MAX\)"):
        remote.DomainPinVcpuArgs(DOM, 0, bytes(2049))._pack()
    payload = DOM.pack() + bytes(4) + (2049).to_bytes(4, "big") + bytes(2052)
    with pytest.raises(DecodeError, match=r"2049 is over the limit of 2048 \(REMOTE_CPUMAP_MAX\)"):
        remote.DomainPinVcpuArgs._unpack(payload, 0)


def test_params_over_their_limit() -> None:
    params = TypedParams.from_items([("a", 1, 1)] * 17)
    with pytest.raises(EncodeError, match="17"):
        remote.DomainSetMemoryParametersArgs(DOM, params, 0).pack()
    payload = admin.ServerSetClientLimitsArgs(
        admin.NonnullServer("s"), TypedParams.from_items([("a", 1, 1)] * 32), 0
    ).pack()
    assert len(admin.ServerSetClientLimitsArgs.unpack(payload).params) == 32


def test_buffers_are_taken_as_bytes() -> None:
    expected = remote.DomainPinVcpuArgs(DOM, 0, b"\x01\x02").pack()
    for buffer in (bytearray(b"\x01\x02"), memoryview(b"\x01\x02")):
        assert remote.DomainPinVcpuArgs(DOM, 0, anything(buffer)).pack() == expected


def test_any_word_but_zero_is_present() -> None:
    error = rpc.MessageError(1, 2, "m", 2, None, None, None, None, -1, -1, None)
    packed = error.pack()
    assert packed[8:12] == b"\0\0\0\1"
    assert rpc.MessageError.unpack(packed[:8] + b"\0\0\1\0" + packed[12:]) == error


def test_low_bits_count_of_what_is_less_than_a_word() -> None:
    info = remote.DomainGetInfoRet(5, 1, 2, 3, 4)
    packed = bytearray(info.pack())
    packed[0:3] = b"\xff\xff\xff"
    packed[20:22] = b"\xff\xff"
    assert remote.DomainGetInfoRet.unpack(bytes(packed)) == info


def test_chars_travel_with_their_sign() -> None:
    packed = remote.AuthSaslStepArgs(0, "\u00e4".encode()).pack()
    assert packed.hex() == "0000000000000002ffffffc3ffffffa4"
    assert remote.AuthSaslStepArgs.unpack(packed).data == b"\xc3\xa4"
    unsigned = bytes.fromhex("0000000000000002000000c3123456a4")
    assert remote.AuthSaslStepArgs.unpack(unsigned).data == b"\xc3\xa4"


def test_secrets_do_not_show() -> None:
    for message in (
        remote.AuthSaslStartArgs("PLAIN", 0, b"hunter2"),
        remote.SecretSetValueArgs(remote.NonnullSecret(UUID, 0, ""), b"hunter2", 0),
        remote.DomainSetUserPasswordArgs(DOM, "root", "hunter2", 0),
    ):
        assert "hunter2" not in repr(message)
        assert "<secret>" in repr(message)
