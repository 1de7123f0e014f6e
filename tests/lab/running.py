"""A Linux guest that runs: started through the C binding, awaited, and cleared away.

Responsible for the time between a definition and an agent that answers, and for leaving nothing of
a domain behind. It must not know what the guest is for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from tests.lab.c_binding import CBinding, CBindingError
from tests.lab.linux_guest import LinuxGuest

__all__ = ["await_agent", "clear_away", "running"]

_AGENT_S = 60.0
_PING = '{"execute":"guest-ping"}'
_NOT_YET = 86  # VIR_ERR_AGENT_UNRESPONSIVE

# VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | _SNAPSHOTS_METADATA | _CHECKPOINTS_METADATA
_UNDEFINE_ALL = 1 | 2 | 16


@contextlib.contextmanager
def running(
    binding: CBinding,
    guest: LinuxGuest,
    *,
    persistent: bool = False,
    elsewhere: Sequence[CBinding] = (),
) -> Iterator[LinuxGuest]:
    """Yield ``guest`` once its agent answers; at the end it is gone from all the connections."""
    with guest:
        try:
            if persistent:
                binding.ask("defineXML", guest.xml)
                binding.ask_domain(guest.name, "create")
            else:
                binding.ask("createXML", guest.xml, 0)
            guest.wait_until_ready()
            await_agent(binding, guest.name)
            yield guest
        finally:
            for connected in (binding, *elsewhere):
                clear_away(connected, guest.name)


def await_agent(binding: CBinding, name: str) -> None:
    """Wait until the guest agent of the domain answers; TimeoutError if it does not.

    The daemon learns of the agent a moment after the guest says that it is up, and offers the
    C binding's blocking side nothing to wait for, hence the polling.
    """
    deadline = time.monotonic() + _AGENT_S
    while True:
        try:
            path = (("lookupByName", name),)
            binding.ask_at(path, "libvirt_qemu.qemuAgentCommand", _PING, 5, 0)
            return
        except CBindingError as error:
            if error.fields["code"] != _NOT_YET or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def clear_away(binding: CBinding, name: str) -> None:
    """Destroy and undefine the domain, whatever is left of it."""
    for method, arguments in (("destroy", ()), ("undefineFlags", (_UNDEFINE_ALL,))):
        with contextlib.suppress(CBindingError):
            binding.ask_domain(name, method, *arguments)
