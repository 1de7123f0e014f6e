"""Events: what each party is told while something happens."""

from __future__ import annotations

from tests.differential.comparison import (
    Ask,
    CallbackArgument,
    Do,
    Normaliser,
    ObjectArgument,
    Step,
    Watching,
    unchanged,
)
from tests.differential.comparisons.domain_changes import OTHER
from tests.differential.comparisons.objects_changes import (
    NET_XML,
    NETWORK,
    POOL,
    POOL_XML,
    SECRET,
    SECRET_XML,
    VHBA,
    VHBA_XML,
)
from tests.differential.writing import where

__all__ = ["WATCHINGS"]

LIFECYCLE = 0
REFRESHED, VALUE_CHANGED, METADATA_CHANGED, TUNED = 1, 1, 23, 17
LIVE, CONFIG = 1, 2

_OTHER_LIFE = (
    Do("connection", "defineXML", ("$other_xml",)),
    Do(OTHER, "create"),
    Do(OTHER, "suspend"),
    Do(OTHER, "resume"),
    Do(OTHER, "destroy"),
    Do(OTHER, "undefine"),
)
_OTHER_GONE = (Do(OTHER, "destroy"), Do(OTHER, "undefine"))


def _watching(
    stages: str,
    kind: str,
    binding: str,
    event: int,
    causes: tuple[Step, ...],
    count: int,
    *,
    of: str | None = None,
    afterwards: tuple[Step, ...] = (),
    shape: Normaliser = unchanged,
) -> Watching:
    watched = None if of is None else ObjectArgument(of)
    register = Ask(
        f"Connection.{kind}_event_register_any",
        "connection",
        (watched, event, CallbackArgument()),
        (f"{binding}EventRegisterAny", watched, event, CallbackArgument(), None),
    )
    return Watching(
        f"{kind} event {event} of {of or 'all'}",
        where(stages),
        register,
        (f"{kind}_event_deregister_any", f"{binding}EventDeregisterAny"),
        causes,
        count,
        afterwards,
        shape,
    )


WATCHINGS: tuple[Watching, ...] = (
    _watching(
        "test-only qemu", "domain", "domain", LIFECYCLE, _OTHER_LIFE, 6, afterwards=_OTHER_GONE
    ),
    Watching(
        "domains come and go, by the first kind of callback",
        where("test-only qemu"),
        Ask(
            "Connection.domain_event_register",
            "connection",
            (CallbackArgument(),),
            ("domainEventRegister", CallbackArgument(), None),
        ),
        ("domain_event_deregister", "domainEventDeregister"),
        _OTHER_LIFE,
        6,
        _OTHER_GONE,
    ),
    _watching(
        "test-only qemu",
        "domain",
        "domain",
        METADATA_CHANGED,
        (Do("idle", "setMetadata", (2, "<b/>", "k", "urn:event", CONFIG)),),
        1,
        of="idle",
        afterwards=(Do("idle", "setMetadata", (2, None, "k", "urn:event", CONFIG)),),
    ),
    _watching(
        "qemu",
        "domain",
        "domain",
        TUNED,
        (Do("domain", "pinVcpuFlags", (0, (True, False), LIVE)),),
        1,
        of="domain",
        afterwards=(Do("domain", "pinVcpuFlags", (0, (True, True), LIVE)),),
    ),
    _watching(
        "test-only qemu",
        "network",
        "network",
        LIFECYCLE,
        (
            Do("connection", "networkDefineXML", (NET_XML,)),
            Do(NETWORK, "create"),
            Do(NETWORK, "destroy"),
            Do(NETWORK, "undefine"),
        ),
        4,
        afterwards=(Do(NETWORK, "destroy"), Do(NETWORK, "undefine")),
    ),
    _watching(
        "test-only qemu",
        "storage_pool",
        "storagePool",
        LIFECYCLE,
        (
            Do("connection", "storagePoolDefineXML", (POOL_XML, 0)),
            Do(POOL, "build"),
            Do(POOL, "create"),
            Do(POOL, "destroy"),
            Do(POOL, "delete"),
            Do(POOL, "undefine"),
        ),
        6,
        afterwards=(Do(POOL, "destroy"), Do(POOL, "delete"), Do(POOL, "undefine")),
    ),
    _watching(
        "test-only qemu",
        "storage_pool",
        "storagePool",
        REFRESHED,
        (Do("pool", "refresh"),),
        1,
        of="pool",
    ),
    _watching(
        "test-only",
        "node_device",
        "nodeDevice",
        LIFECYCLE,
        (Do("connection", "nodeDeviceCreateXML", (VHBA_XML,)), Do(VHBA, "destroy")),
        2,
        afterwards=(Do(VHBA, "destroy"),),
    ),
    _watching(
        "qemu",
        "secret",
        "secret",
        LIFECYCLE,
        (Do("connection", "secretDefineXML", (SECRET_XML,)), Do(SECRET, "undefine")),
        2,
        afterwards=(Do(SECRET, "undefine"),),
    ),
    _watching(
        "qemu",
        "secret",
        "secret",
        VALUE_CHANGED,
        (Do("connection", "secretDefineXML", (SECRET_XML,)), Do(SECRET, "setValue", (b"x",))),
        1,
        afterwards=(Do(SECRET, "undefine"),),
    ),
    Watching(
        "what QEMU's monitor tells",
        where("qemu"),
        Ask(
            "Connection.domain_qemu_monitor_event_register",
            "connection",
            (ObjectArgument("domain"), "RESUME", CallbackArgument(), 0),
            (
                "libvirt_qemu.qemuMonitorEventRegister",
                ObjectArgument("domain"),
                "RESUME",
                CallbackArgument(),
                None,
                0,
            ),
        ),
        (
            "domain_qemu_monitor_event_deregister",
            "libvirt_qemu.qemuMonitorEventDeregister",
        ),
        (Do("domain", "suspend"), Do("domain", "resume")),
        1,
        (Do("domain", "resume"),),
    ),
)
