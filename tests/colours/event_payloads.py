"""A payload of every event, written out by hand, and the record that it has to become.

Responsible for bytes that no encoder of virtproto's has made: words of four bytes with the highest
first; a text is its length, its bytes and as many zeros as fill the word; what may be missing
begins with 1 or 0. They are what the contract says of each message, line by line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from virtproto.constants import (
    ConnectDomainEventAgentLifecycleReason,
    ConnectDomainEventAgentLifecycleState,
    ConnectDomainEventBlockJobStatus,
    ConnectDomainEventChannelLifecycleReason,
    ConnectDomainEventChannelLifecycleState,
    ConnectDomainEventDiskChangeReason,
    DomainBlockJobType,
    DomainEventGraphicsAddressType,
    DomainEventGraphicsPhase,
    DomainEventIOErrorAction,
    DomainEventStoppedDetailType,
    DomainEventTrayChangeReason,
    DomainEventType,
    DomainEventWatchdogAction,
    DomainMemoryFailureActionType,
    DomainMemoryFailureFlags,
    DomainMemoryFailureRecipientType,
    DomainMetadataType,
    NetworkEventLifecycleType,
    NetworkMetadataType,
    NodeDeviceEventLifecycleType,
    SecretEventLifecycleType,
    StoragePoolEventLifecycleType,
)
from virtproto.model.records.events import GraphicsAddress, GraphicsIdentity

__all__ = ["CALLBACK_ID", "PAYLOADS", "Payload"]

CALLBACK_ID = bytes.fromhex("00000007")

# "one", its UUID, its ID 3.
_DOMAIN = bytes.fromhex("00000003 6f6e65003131313131313131313131313131313100000003")
# "one" and its UUID: networks and pools.
_NAMED = _DOMAIN[:-4]
# "one": devices of the host.
_DEVICE = _DOMAIN[:8]
# UUID, usage 1 (a volume), "one".
_SECRET = _DOMAIN[8:24] + bytes.fromhex("00000001") + _DEVICE

_FILE = "00000006 2f746d702f61 0000"  # "/tmp/a"
_ALIAS = "00000005 6873643030 000000"  # "hsd00"
_VDA = "00000003 766461 00"  # "vda"


@dataclass(frozen=True)
class Payload:
    """One event: the procedures that bring it, what they carry, and what becomes of it.

    ``content`` is what follows the registration's ID in the message of ``number``; that of
    ``older`` is the same without the ID, or ``older_content`` where that differs. ``fields`` are
    the record's after the object.
    """

    record: str
    number: int
    content: bytes
    fields: tuple[Any, ...]
    older: int | None = None
    older_content: bytes | None = None
    program: int = 0x20008086


def _of(concerned: bytes) -> Callable[..., Payload]:
    def made(
        record: str, number: int, rest: str, *fields: Any, older: int | None = None
    ) -> Payload:
        return Payload(record, number, concerned + bytes.fromhex(rest), fields, older)

    return made


_domain, _named, _device, _secret = map(_of, (_DOMAIN, _NAMED, _DEVICE, _SECRET))


def _power(record: str, number: int, older: int) -> Payload:
    """Return an event of power management: its reason stands before the domain, or nowhere."""
    reason = bytes.fromhex("00000004")
    return Payload(record, number, reason + _DOMAIN, (4,), older, _DOMAIN)


# Two typed parameters: "a" is the unsigned long 2**40 + 1 (type 4), "b" the text "x" (type 7).
_PARAMETERS = (
    "00000002"
    "00000001 61000000 00000004 0000010000000001"
    "00000001 62000000 00000007 00000001 78000000"
)
_READ_PARAMETERS = {"a": 2**40 + 1, "b": "x"}

PAYLOADS: tuple[Payload, ...] = (
    _domain(
        "DomainLifecycle",
        318,
        "00000005 00000001",
        DomainEventType.STOPPED,
        DomainEventStoppedDetailType.DESTROYED,
        older=107,
    ),
    _domain("DomainReboot", 319, "", older=169),
    # Two hours behind, as a signed word of eight bytes.
    _domain("DomainRTCChange", 320, "ffffffff ffffe3e0", -7200, older=170),
    _domain("DomainWatchdog", 321, "00000002", DomainEventWatchdogAction.RESET, older=171),
    _domain(
        "DomainIOError",
        322,
        f"{_FILE} {_ALIAS} 00000001",
        "/tmp/a",
        "hsd00",
        DomainEventIOErrorAction.PAUSE,
        older=172,
    ),
    _domain(
        "DomainGraphics",
        323,
        "00000001"
        "00000001 00000003 3a3a3100 00000004 35393030"  # IPv6, "::1", "5900"
        "00000002 00000002 2f730000 00000000"  # unix, "/s", ""
        "00000004 73617376"  # "sasv"
        "00000001 00000002 646e0000 00000001 6d000000",  # one: "dn", "m"
        DomainEventGraphicsPhase.INITIALIZE,
        GraphicsAddress(DomainEventGraphicsAddressType.IPV6, "::1", "5900"),
        GraphicsAddress(DomainEventGraphicsAddressType.UNIX, "/s", ""),
        "sasv",
        [GraphicsIdentity("dn", "m")],
        older=173,
    ),
    _domain(
        "DomainIOErrorReason",
        324,
        f"{_FILE} {_ALIAS} 00000002 00000006 656e6f737063 0000",
        "/tmp/a",
        "hsd00",
        DomainEventIOErrorAction.REPORT,
        "enospc",
        older=195,
    ),
    _domain("DomainControlError", 325, "", older=224),
    _domain(
        "DomainBlockJob",
        326,
        f"{_FILE} 00000002 00000003",
        "/tmp/a",
        DomainBlockJobType.COPY,
        ConnectDomainEventBlockJobStatus.READY,
        older=241,
    ),
    _domain(
        "DomainDiskChange",
        327,
        f"00000001 {_FILE} 00000000 {_ALIAS} 00000001",
        "/tmp/a",
        None,
        "hsd00",
        ConnectDomainEventDiskChangeReason.DROP_MISSING_ON_START,
        older=248,
    ),
    _domain(
        "DomainTrayChange",
        328,
        f"{_ALIAS} 00000001",
        "hsd00",
        DomainEventTrayChangeReason.CLOSE,
        older=268,
    ),
    _power("DomainPMWakeup", 329, 269),
    _power("DomainPMSuspend", 330, 270),
    # 2**33 + 1 KiB.
    _domain("DomainBalloonChange", 331, "00000002 00000001", 2**33 + 1, older=276),
    _power("DomainPMSuspendDisk", 332, 292),
    _domain("DomainDeviceRemoved", 333, _ALIAS, "hsd00", older=311),
    _domain(
        "DomainBlockJob2",
        339,
        f"{_VDA} 00000004 00000000",
        "vda",
        DomainBlockJobType.ACTIVE_COMMIT,
        ConnectDomainEventBlockJobStatus.COMPLETED,
    ),
    _domain("DomainTunable", 346, _PARAMETERS, _READ_PARAMETERS),
    _domain(
        "DomainAgentLifecycle",
        348,
        "00000002 00000002",
        ConnectDomainEventAgentLifecycleState.DISCONNECTED,
        ConnectDomainEventAgentLifecycleReason.CHANNEL,
    ),
    _domain("DomainDeviceAdded", 354, _ALIAS, "hsd00"),
    _domain("DomainMigrationIteration", 359, "00000009", 9),
    _domain("DomainJobCompleted", 363, _PARAMETERS, _READ_PARAMETERS),
    _domain("DomainDeviceRemovalFailed", 367, _ALIAS, "hsd00"),
    _domain(
        "DomainMetadataChange",
        379,
        "00000002 00000001 00000005 75726e3a78 000000",
        DomainMetadataType.ELEMENT,
        "urn:x",
    ),
    _domain(
        "DomainBlockThreshold",
        385,
        f"{_VDA} 00000000 0000000100000000 0000000000000200",
        "vda",
        None,
        2**32,
        512,
    ),
    _domain(
        "DomainMemoryFailure",
        423,
        "00000001 00000003 00000003",
        DomainMemoryFailureRecipientType.GUEST,
        DomainMemoryFailureActionType.RESET,
        DomainMemoryFailureFlags.ACTION_REQUIRED | DomainMemoryFailureFlags.RECURSIVE,
    ),
    _domain("DomainMemoryDeviceSizeChange", 438, f"{_ALIAS} 0000000000020000", "hsd00", 131072),
    _domain(
        "DomainNICMACChange",
        453,
        f"{_ALIAS} 00000003 613a6200 00000003 633a6400",
        "hsd00",
        "a:b",
        "c:d",
    ),
    _domain("DomainVcpuRemoved", 454, "00000002", 2),
    _domain(
        "DomainChannelLifecycle",
        455,
        "00000004 6f72672e 00000001 00000001",
        "org.",
        ConnectDomainEventChannelLifecycleState.CONNECTED,
        ConnectDomainEventChannelLifecycleReason.DOMAIN_STARTED,
    ),
    _named("NetworkLifecycle", 315, "00000002 00000000", NetworkEventLifecycleType.STARTED, 0),
    _named("NetworkMetadataChange", 446, "00000001 00000000", NetworkMetadataType.TITLE, None),
    _named(
        "StoragePoolLifecycle", 370, "00000004 00000000", StoragePoolEventLifecycleType.CREATED, 0
    ),
    _named("StoragePoolRefresh", 373, ""),
    _device(
        "NodeDeviceLifecycle", 376, "00000001 00000000", NodeDeviceEventLifecycleType.DELETED, 0
    ),
    _device("NodeDeviceUpdate", 377, ""),
    _secret("SecretLifecycle", 382, "00000001 00000000", SecretEventLifecycleType.UNDEFINED, 0),
    _secret("SecretValueChanged", 383, ""),
    Payload(
        "QemuMonitorEvent",
        6,
        _DOMAIN
        + bytes.fromhex("00000004 53544f50 0000000065000000 000f423f 00000001")
        + bytes.fromhex("00000002 7b7d0000"),
        ("STOP", 0x65000000, 999_999, "{}"),
        program=0x20008087,
    ),
)
