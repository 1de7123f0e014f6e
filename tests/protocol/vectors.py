"""Whole packets as a libvirt 9.0.0 client and daemon exchange them on test:///default.

Data for the tests only: each conversation step with its serial, the message objects on both sides
and the exact bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from virtproto.wire import remote
from virtproto.xdr.message import Message
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import TypedParams

__all__ = ["STEPS", "UNKNOWN_CALL", "UNKNOWN_REPLY", "PING", "PONG", "Step", "TEST_DOMAIN"]

# VIR_TYPED_PARAM_*
INT = 1
ULLONG = 4

TEST_DOMAIN = remote.NonnullDomain(
    name="test", uuid=bytes.fromhex("6695eb01f6a4830479aa97f2502e193f"), id=1
)

# The unlimited memory of libvirt, in KiB (VIR_DOMAIN_MEMORY_PARAM_UNLIMITED).
UNLIMITED = 9007199254740991


class Step(NamedTuple):
    """One call and its reply."""

    serial: int
    procedure: Procedure[Any, Any]
    args: Message | None
    ret: Message | None
    call: bytes
    reply: bytes


def _step(
    serial: int,
    procedure: Procedure[Any, Any],
    args: Message | None,
    ret: Message | None,
    call: str,
    reply: str,
) -> Step:
    return Step(serial, procedure, args, ret, bytes.fromhex(call), bytes.fromhex(reply))


STEPS = [
    _step(
        0,
        remote.AUTH_LIST,
        None,
        remote.AuthListRet(types=[remote.AUTH_TYPE_NONE]),
        "0000001c200080860000000100000042000000000000000000000000",
        "000000242000808600000001000000420000000100000000000000000000000100000000",
    ),
    _step(
        1,
        remote.CONNECT_OPEN,
        remote.ConnectOpenArgs(name="test:///default", flags=0),
        None,
        "00000038200080860000000100000001000000000000000100000000"
        "000000010000000f746573743a2f2f2f64656661756c740000000000",
        "0000001c200080860000000100000001000000010000000100000000",
    ),
    _step(
        2,
        remote.DOMAIN_LOOKUP_BY_NAME,
        remote.DomainLookupByNameArgs(name="test"),
        remote.DomainLookupByNameRet(dom=TEST_DOMAIN),
        "000000242000808600000001000000170000000000000002000000000000000474657374",
        "00000038200080860000000100000017000000010000000200000000"
        "00000004746573746695eb01f6a4830479aa97f2502e193f00000001",
    ),
    _step(
        3,
        remote.DOMAIN_GET_INFO,
        remote.DomainGetInfoArgs(dom=TEST_DOMAIN),
        remote.DomainGetInfoRet(
            state=1, maxMem=8388608, memory=2097152, nrVirtCpu=2, cpuTime=0x123456789ABC
        ),
        "00000038200080860000000100000010000000000000000300000000"
        "00000004746573746695eb01f6a4830479aa97f2502e193f00000001",
        "0000003c200080860000000100000010000000010000000300000000"
        "000000010000000000800000000000000020000000000002 0000123456789abc",
    ),
    _step(
        5,
        remote.DOMAIN_GET_MEMORY_PARAMETERS,
        remote.DomainGetMemoryParametersArgs(dom=TEST_DOMAIN, nparams=0, flags=4),
        remote.DomainGetMemoryParametersRet(params=TypedParams.from_items([]), nparams=3),
        "000000402000808600000001000000c6000000000000000500000000"
        "00000004746573746695eb01f6a4830479aa97f2502e193f000000010000000000000004",
        "000000242000808600000001000000c60000000100000005000000000000000000000003",
    ),
    _step(
        6,
        remote.DOMAIN_GET_MEMORY_PARAMETERS,
        remote.DomainGetMemoryParametersArgs(dom=TEST_DOMAIN, nparams=3, flags=4),
        remote.DomainGetMemoryParametersRet(
            params=TypedParams.from_items(
                [
                    ("hard_limit", ULLONG, UNLIMITED),
                    ("soft_limit", ULLONG, UNLIMITED),
                    ("swap_hard_limit", ULLONG, UNLIMITED),
                ]
            ),
            nparams=0,
        ),
        "000000402000808600000001000000c6000000000000000600000000"
        "00000004746573746695eb01f6a4830479aa97f2502e193f000000010000000300000004",
        "0000007c2000808600000001000000c6000000010000000600000000"
        "000000030000000a686172645f6c696d6974000000000004001fffffffffffff"
        "0000000a736f66745f6c696d6974000000000004001fffffffffffff"
        "0000000f737761705f686172645f6c696d69740000000004001fffffffffffff00000000",
    ),
    _step(
        7,
        remote.CONNECT_LIST_ALL_DOMAINS,
        remote.ConnectListAllDomainsArgs(need_results=1, flags=0),
        remote.ConnectListAllDomainsRet(domains=[TEST_DOMAIN], ret=1),
        "000000242000808600000001000001110000000000000007000000000000000100000000",
        "00000040200080860000000100000111000000010000000700000000"
        "0000000100000004746573746695eb01f6a4830479aa97f2502e193f0000000100000001",
    ),
    _step(
        8,
        remote.CONNECT_GET_URI,
        None,
        remote.ConnectGetUriRet(uri="test:///default"),
        "0000001c20008086000000010000006e000000000000000800000000",
        "0000003020008086000000010000006e000000010000000800000000"
        "0000000f746573743a2f2f2f64656661756c7400",
    ),
    _step(
        9,
        remote.CONNECT_GET_LIB_VERSION,
        None,
        remote.ConnectGetLibVersionRet(lib_ver=9000000),
        "0000001c20008086000000010000009d000000000000000900000000",
        "0000002420008086000000010000009d0000000100000009000000000000000000895440",
    ),
    _step(
        11,
        remote.NODE_GET_SECURITY_MODEL,
        None,
        remote.NodeGetSecurityModelRet(model=b"testSecurity\0", doi=b"\0"),
        "0000001c20008086000000010000007a000000000000000b00000000",
        "0000005c20008086000000010000007a000000010000000b00000000"
        "0000000d00000074000000650000007300000074000000530000006500000063"
        "0000007500000072000000690000007400000079000000000000000100000000",
    ),
    _step(
        12,
        remote.DOMAIN_GET_SECURITY_LABEL,
        remote.DomainGetSecurityLabelArgs(dom=TEST_DOMAIN),
        remote.DomainGetSecurityLabelRet(label=b"libvirt-test\0", enforcing=1),
        "00000038200080860000000100000079000000000000000c00000000"
        "00000004746573746695eb01f6a4830479aa97f2502e193f00000001",
        "00000058200080860000000100000079000000010000000c00000000"
        "0000000d0000006c000000690000006200000076000000690000007200000074"
        "0000002d000000740000006500000073000000740000000000000001",
    ),
    _step(
        14,
        remote.CONNECT_GET_ALL_DOMAIN_STATS,
        remote.ConnectGetAllDomainStatsArgs(doms=[], stats=1, flags=0),
        remote.ConnectGetAllDomainStatsRet(
            retStats=[
                remote.DomainStatsRecord(
                    dom=TEST_DOMAIN,
                    params=TypedParams.from_items(
                        [("state.state", INT, 1), ("state.reason", INT, 0)]
                    ),
                )
            ]
        ),
        "00000028200080860000000100000158000000000000000e00000000000000000000000100000000",
        "00000070200080860000000100000158000000010000000e00000000"
        "0000000100000004746573746695eb01f6a4830479aa97f2502e193f00000001"
        "000000020000000b73746174652e737461746500000000010000000"
        "10000000c73746174652e726561736f6e0000000100000000",
    ),
    _step(
        15,
        remote.CONNECT_CLOSE,
        None,
        None,
        "0000001c200080860000000100000002000000000000000f00000000",
        "0000001c200080860000000100000002000000010000000f00000000",
    ),
]

# A procedure that no daemon has, and how one says so.
UNKNOWN_CALL = bytes.fromhex("0000001c20008086000000010000270f000000000000000400000000")
UNKNOWN_REPLY = bytes.fromhex(
    "0000008820008086000000010000270f00000001000000040000000100000027"
    "000000070000000100000017756e6b6e6f776e2070726f636564757265"
    "3a20393939390000000002000000000000000100000002257300000000000100000017"
    "756e6b6e6f776e2070726f6365647572653a20393939390000000000"
    "ffffffffffffffff00000000"
)

PING = bytes.fromhex("0000001c6b6565700000000100000001000000020000000000000000")
PONG = bytes.fromhex("0000001c6b6565700000000100000002000000020000000000000000")
