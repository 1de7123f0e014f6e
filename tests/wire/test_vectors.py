"""Payloads as they travelled between libvirt's own client and daemon, byte for byte."""

from __future__ import annotations

import pytest

from virtproto.wire import remote, rpc
from virtproto.xdr.message import Message
from virtproto.xdr.typedparams import TypedParams

UUID = bytes.fromhex("6695eb01f6a4830479aa97f2502e193f")
DOM = remote.NonnullDomain("test", UUID, 1)
DOM_HEX = "00000004746573746695eb01f6a4830479aa97f2502e193f00000001"
LIMITS = TypedParams.from_items(
    (name, 4, 0x1FFFFFFFFFFFFF) for name in ("hard_limit", "soft_limit", "swap_hard_limit")
)

VECTORS: list[tuple[Message, str]] = [
    (remote.AuthListRet([0]), "0000000100000000"),
    (
        remote.ConnectOpenArgs("test:///default", 0),
        "000000010000000f746573743a2f2f2f64656661756c740000000000",
    ),
    (remote.DomainLookupByNameArgs("test"), "0000000474657374"),
    (remote.DomainLookupByNameRet(DOM), DOM_HEX),
    (
        remote.DomainGetInfoRet(1, 0x800000, 0x200000, 2, 0x1122334455667788),
        "0000000100000000008000000000000000200000000000021122334455667788",
    ),
    (
        rpc.MessageError(
            39,
            7,
            "unknown procedure: 9999",
            2,
            None,
            "%s",
            "unknown procedure: 9999",
            None,
            -1,
            -1,
            None,
        ),
        "00000027000000070000000100000017756e6b6e6f776e2070726f636564757265"
        "3a20393939390000000002000000000000000100000002257300000000000100000017"
        "756e6b6e6f776e2070726f6365647572653a2039393939000000"
        "0000ffffffffffffffff00000000",
    ),
    (remote.DomainGetMemoryParametersArgs(DOM, 3, 4), DOM_HEX + "0000000300000004"),
    (
        remote.DomainGetMemoryParametersRet(LIMITS, 0),
        "000000030000000a686172645f6c696d6974000000000004001fffffffffffff"
        "0000000a736f66745f6c696d6974000000000004001fffffffffffff"
        "0000000f737761705f686172645f6c696d69740000000004001fffffffffffff00000000",
    ),
    (remote.ConnectListAllDomainsRet([DOM], 1), "00000001" + DOM_HEX + "00000001"),
    (remote.ConnectGetLibVersionRet(9000000), "0000000000895440"),
    (
        remote.ConnectGetAllDomainStatsRet(
            [
                remote.DomainStatsRecord(
                    DOM, TypedParams.from_items([("state.state", 1, 1), ("state.reason", 1, 0)])
                )
            ]
        ),
        "00000001" + DOM_HEX + "000000020000000b73746174652e73746174650000000001000000010000000c"
        "73746174652e726561736f6e0000000100000000",
    ),
    (
        remote.DomainEventCallbackLifecycleMsg(
            0,
            remote.DomainEventLifecycleMsg(
                remote.NonnullDomain("fv0", bytes.fromhex("4dea22b31d52d8f32516782e98ab3fa0"), 1),
                3,
                0,
            ),
        ),
        "0000000000000003667630004dea22b31d52d8f32516782e98ab3fa0000000010000000300000000",
    ),
    (rpc.StreamHole(1 << 20, 0), "000000000010000000000000"),
    (
        remote.AuthSaslStartArgs("PLAIN", 0, b"\0fred\0p\xc3\xa4ssword"),
        "00000005504c41494e000000"
        "00000000"
        "0000000f"
        "00000000000000660000007200000065000000640000000000000070ffffffc3ffffffa4"
        "0000007300000073000000770000006f0000007200000064",
    ),
    (
        rpc.MessageHeader(0x20008086, 1, 66, rpc.MESSAGE_TYPE_CALL, 0, rpc.MESSAGE_STATUS_OK),
        "200080860000000100000042000000000000000000000000",
    ),
]


@pytest.mark.parametrize(("message", "payload"), VECTORS)
def test_vector(message: Message, payload: str) -> None:
    assert message.pack().hex() == payload
    assert type(message).unpack(bytes.fromhex(payload), exact=True) == message
