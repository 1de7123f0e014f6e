"""What takes an operating system: events of the scene "linux".

Responsible for the acts, in an order in which each finds the guest as it needs it. It must not know
who listens.
"""

from __future__ import annotations

from tests.differential.events.cause import Cause
from tests.differential.events.scenes import LINUX, Scene

__all__ = ["ON_LINUX"]

_LIVE = 1


def _boot(scene: Scene) -> None:
    assert scene.linux is not None
    scene.ask_domain("create")
    scene.linux.wait_until_ready()


def _request_memory(scene: Scene) -> None:
    """Have the guest be given memory of its memory device."""
    xml: str = scene.ask_domain("XMLDesc", 0)
    start = xml.index("<memory model='virtio-mem'>")
    device = xml[start : xml.index("</memory>", start) + len("</memory>")]
    none, some = (f"<requested unit='KiB'>{size}</requested>" for size in (0, 131072))
    scene.ask_domain("updateDeviceFlags", device.replace(none, some), _LIVE)


def _shut_down(scene: Scene) -> None:
    # By the agent: the guest's kernel has no power button that works without one.
    scene.ask_domain("shutdownFlags", 2)


ON_LINUX: tuple[Cause, ...] = (
    Cause(
        LINUX,
        "a domain starts, and its agent comes up",
        _boot,
        (
            "DomainAgentLifecycle",
            "DomainLifecycle RESUMED UNPAUSED",
            "DomainLifecycle STARTED BOOTED",
            "DomainAgentLifecycle",
        ),
    ),
    Cause(
        LINUX,
        "the guest takes up memory of a memory device",
        _request_memory,
        ("DomainMemoryDeviceSizeChange",),
    ),
    Cause(
        LINUX,
        "the balloon is blown up",
        lambda scene: scene.ask_domain("setMemory", 200 * 1024),
        ("DomainBalloonChange",),
    ),
    Cause(
        LINUX,
        "the agent shuts the guest down",
        _shut_down,
        ("DomainLifecycle SHUTDOWN GUEST", "DomainLifecycle STOPPED SHUTDOWN"),
    ),
)
