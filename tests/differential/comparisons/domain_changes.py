"""Changing a domain's definition, memory, virtual CPUs and limits."""

from __future__ import annotations

import re
from typing import Any

from tests.differential.comparison import Address, Comparison, Do, See, Wait
from tests.differential.comparisons.domain_forms import (
    below_8,
    cpu_numbers,
    iothreads,
    lists_of_cpus,
    pinned,
)
from tests.differential.writing import act, ask, scenario

__all__ = ["COMPARISONS"]

LIVE, CONFIG = 1, 2
TITLE, DESCRIPTION, ELEMENT = 1, 0, 2
MIB = 1024
DIRTY_RATE = 512  # VIR_DOMAIN_STATS_DIRTYRATE
MEASURED = 2  # VIR_DOMAIN_DIRTYRATE_MEASURED
NO_LIMIT = 9007199254740991  # VIR_DOMAIN_MEMORY_PARAM_UNLIMITED


_STORED_XML = See("domain", "XMLDesc", (2,))
_IDLE_XML = See("idle", "XMLDesc", (0,))

RENAMED = Address((("lookupByName", "renamed"),), (("get_domain_by_name", "renamed"),))
OTHER = Address((("lookupByName", "$other"),), (("get_domain_by_name", "$other"),))


def without_id(value: Any) -> Any:
    """Drop what every start of a domain counts on: its id."""
    if isinstance(value, str):
        return re.sub(r" id='\d+'", "", value)
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key != "id"}
    return value


class Measurement:
    """Waits for the end of a measurement that none has waited for before.

    Right after its start the statistics may still tell of the one before.
    """

    def __init__(self) -> None:
        self._started: object = None

    def __call__(self, answer: Any) -> bool:
        """Tell whether the statistics of a domain show a new result."""
        for _, stats in answer:
            if stats.get("dirtyrate.calc_status") != MEASURED:
                continue
            started = stats["dirtyrate.calc_start_time"]
            if started != self._started:
                self._started = started
                return True
        return False


_DEFINITION = (
    scenario(
        "a title, a description and an element of its own",
        "test qemu",
        act("Domain.set_metadata", "setMetadata", TITLE, "a title", None, None, CONFIG, on="idle"),
        ask("Domain.get_metadata", "metadata", TITLE, None, CONFIG, on="idle"),
        act("Domain.set_metadata", "setMetadata", DESCRIPTION, "words", None, None, 0, on="idle"),
        act(
            "Domain.set_metadata", "setMetadata", ELEMENT, "<a/>", "k", "urn:lab", CONFIG, on="idle"
        ),
        ask("Domain.get_metadata", "metadata", ELEMENT, "urn:lab", CONFIG, on="idle"),
        _IDLE_XML,
        act("Domain.set_metadata", "setMetadata", TITLE, None, None, None, CONFIG, on="idle"),
        _IDLE_XML,
        afterwards=[
            Do("idle", "setMetadata", (kind, None, "k", uri, CONFIG))
            for kind, uri in ((DESCRIPTION, None), (ELEMENT, "urn:lab"))
        ],
    ),
    scenario(
        "a new name",
        "test qemu",
        Do("connection", "defineXML", ("$other_xml",)),
        act("Domain.rename", "rename", "renamed", 0, on=OTHER),
        See(RENAMED, "XMLDesc"),
        See(OTHER, "XMLDesc"),
        afterwards=[Do(RENAMED, "undefine"), Do(OTHER, "undefine")],
    ),
    scenario(
        "started with the host",
        "test qemu",
        act("Domain.set_autostart", "setAutostart", True, on="idle"),
        See("idle", "autostart"),
        ask("Domain.get_autostart", "autostart", on="idle"),
        act("Domain.set_autostart", "setAutostart", False, on="idle"),
        See("idle", "autostart"),
    ),
    scenario(
        "what follows a crash",
        "test qemu",
        act("Domain.set_lifecycle_action", "setLifecycleAction", 2, 1, CONFIG, on="idle"),
        _IDLE_XML,
        afterwards=[Do("idle", "setLifecycleAction", (2, 0, CONFIG))],
    ),
)

_MEMORY = (
    scenario(
        "less memory and more again",
        "test qemu",
        act("Domain.set_memory", "setMemoryFlags", 120 * MIB, CONFIG, on="domain"),
        See("domain", "XMLDesc", (2,)),
        act("Domain.set_memory", "setMemoryFlags", 120 * MIB, LIVE),
        ask("Domain.set_memory", "setMemory", 1 << 40, outcome="refusal"),
        afterwards=[
            Do("domain", "setMemoryFlags", ("$memory_kib", LIVE)),
            Do("domain", "setMemoryFlags", ("$memory_kib", CONFIG)),
        ],
    ),
    scenario(
        "another ceiling",
        "test qemu",
        act("Domain.set_max_memory", "setMaxMemory", 300 * MIB, on="idle"),
        See("idle", "maxMemory"),
        ask("Domain.get_max_memory", "maxMemory", on="idle"),
        afterwards=[Do("idle", "setMaxMemory", ("$idle_memory_kib",))],
    ),
    scenario(
        "statistics from the balloon",
        "!test qemu",
        act("Domain.set_memory_stats_period", "setMemoryStatsPeriod", 5, LIVE | CONFIG),
        _STORED_XML,
        afterwards=[Do("domain", "setMemoryStatsPeriod", (0, LIVE | CONFIG))],
    ),
    scenario(
        "limits of memory",
        "test qemu",
        act(
            "Domain.set_memory_parameters",
            "setMemoryParameters",
            {"soft_limit": 512 * MIB, "hard_limit": 1024 * MIB},
            CONFIG,
        ),
        See("domain", "memoryParameters", (CONFIG,)),
        act("Domain.set_memory_parameters", "setMemoryParameters", {"soft_limit": 700 * MIB}, LIVE),
        See("domain", "memoryParameters", (LIVE,)),
        ask("Domain.get_memory_parameters", "memoryParameters", LIVE),
        afterwards=[
            Do(
                "domain",
                "setMemoryParameters",
                ({"soft_limit": NO_LIMIT, "hard_limit": NO_LIMIT}, CONFIG),
            ),
            Do("domain", "setMemoryParameters", ({"soft_limit": NO_LIMIT}, LIVE)),
        ],
    ),
    scenario(
        "nodes of memory",
        "test qemu",
        act(
            "Domain.set_numa_parameters",
            "setNumaParameters",
            {"numa_nodeset": "0", "numa_mode": 0},
            CONFIG,
            on="idle",
        ),
        See("idle", "numaParameters", (CONFIG,)),
        ask("Domain.get_numa_parameters", "numaParameters", CONFIG, on="idle"),
        afterwards=[Do("idle", "setNumaParameters", ({"numa_nodeset": ""}, CONFIG))],
    ),
    scenario(
        "how fast memory gets dirty",
        "qemu",
        act("Domain.start_dirty_rate_calc", "startDirtyRateCalc", 1, 0),
        # One party at a time: it is measured for a second.
        Wait("connection", "getAllDomainStats", (DIRTY_RATE,), until=Measurement()),
        ask("Domain.start_dirty_rate_calc", "startDirtyRateCalc", 1000, 0, outcome="refusal"),
    ),
)

_VCPUS = (
    scenario(
        "more virtual CPUs, and fewer again",
        "test qemu",
        act("Domain.set_vcpus", "setVcpusFlags", 1, CONFIG),
        See("domain", "vcpusFlags", (CONFIG,)),
        ask("Domain.set_vcpus", "setVcpusFlags", 99, CONFIG, outcome="refusal"),
        afterwards=[Do("domain", "setVcpusFlags", (2, CONFIG))],
    ),
    scenario(
        # Not in the Linux guest: QEMU 7.2 may crash at the next device that is unplugged.
        "one virtual CPU more while it runs",
        "test qemu",
        Do("connection", "createXML", ("$other_xml", 0)),
        act(
            "Domain.set_vcpu",
            "setVcpu",
            [1],
            True,
            LIVE,
            on=OTHER,
            binding_args=("1", True, LIVE),
            outcome="!test qemu",
        ),
        See(OTHER, "vcpusFlags", (LIVE,)),
        See(OTHER, "XMLDesc", (0,), lambda xml: re.findall("<vcpu .*?>", xml)),
        ask(
            "Domain.set_vcpu",
            "setVcpu",
            [9],
            True,
            LIVE,
            on=OTHER,
            binding_args=("9", True, LIVE),
            outcome="refusal",
        ),
        act("Domain.set_vcpus", "setVcpus", 2, on=OTHER),
        See(OTHER, "vcpusFlags", (LIVE,)),
        afterwards=[Do(OTHER, "destroy")],
    ),
    scenario(
        "a virtual CPU that the guest turns off",
        "!test qemu",
        act(
            "Domain.set_guest_vcpus",
            "setGuestVcpus",
            [1],
            False,
            0,
            binding_args=("1", False, 0),
        ),
        ask("Domain.get_guest_vcpus", "guestVcpus", 0, theirs=lists_of_cpus),
        afterwards=[Do("domain", "setGuestVcpus", ("1", True, 0))],
    ),
    scenario(
        "a virtual CPU on a host's CPU",
        "test qemu",
        act("Domain.pin_vcpu", "pinVcpu", 0, [0], binding_args=(0, (True, False))),
        See("domain", "vcpuPinInfo", (0,)),
        ask(
            "Domain.get_vcpu_info",
            "vcpuPinInfo",
            on="idle",
            binding_args=(0,),
            theirs=pinned,
            both=below_8,
        ),
        ask(
            "Domain.pin_vcpu",
            "pinVcpu",
            77,
            [0],
            binding_args=(77, (True, False)),
            outcome="refusal",
        ),
        afterwards=[Do("domain", "pinVcpu", (0, (True, True)))],
    ),
    scenario(
        "the emulator on a host's CPU",
        "test qemu",
        act(
            "Domain.pin_emulator", "pinEmulator", [1], CONFIG, binding_args=((False, True), CONFIG)
        ),
        See("domain", "emulatorPinInfo", (CONFIG,)),
        ask("Domain.get_emulator_pin_info", "emulatorPinInfo", CONFIG, theirs=cpu_numbers),
        afterwards=[Do("domain", "pinEmulator", ((True, True), CONFIG))],
    ),
    scenario(
        "I/O threads come and go",
        "test qemu",
        act("Domain.add_iothread", "addIOThread", 7, LIVE),
        ask("Domain.add_iothread", "addIOThread", 7, LIVE, outcome="refusal"),
        act(
            "Domain.pin_iothread",
            "pinIOThread",
            7,
            [0],
            LIVE,
            binding_args=(7, (True, False), LIVE),
        ),
        ask("Domain.get_iothread_info", "ioThreadInfo", LIVE, theirs=iothreads),
        act("Domain.set_iothread", "setIOThreadParams", 7, {"poll_max_ns": 5000}, LIVE),
        act("Domain.del_iothread", "delIOThread", 7, LIVE),
        ask("Domain.get_iothread_info", "ioThreadInfo", LIVE, theirs=iothreads),
        ask("Domain.del_iothread", "delIOThread", 7, LIVE, outcome="refusal"),
        afterwards=[Do("domain", "delIOThread", (7, LIVE))],
    ),
    scenario(
        "counters of the host's processor",
        "test qemu",
        act("Domain.set_perf_events", "setPerfEvents", {"cpu_cycles": True}, CONFIG, on="idle"),
        See("idle", "perfEvents", (CONFIG,)),
        act("Domain.set_perf_events", "setPerfEvents", {"cpu_cycles": False}, CONFIG, on="idle"),
        See("idle", "perfEvents", (CONFIG,)),
    ),
    scenario(
        "shares of the host's CPUs",
        # The binding reads them first, and the test driver refuses that already.
        "qemu",
        act(
            "Domain.set_scheduler_parameters",
            "setSchedulerParametersFlags",
            {"cpu_shares": 2048, "vcpu_quota": 50000},
            LIVE,
        ),
        act(
            "Domain.set_scheduler_parameters",
            "setSchedulerParametersFlags",
            {"cpu_shares": 4096},
            CONFIG,
        ),
        See("domain", "schedulerParametersFlags", (LIVE,)),
        See("domain", "schedulerParametersFlags", (CONFIG,)),
        ask("Domain.get_scheduler_parameters", "schedulerParametersFlags", CONFIG),
        afterwards=[
            Do(
                "domain",
                "setSchedulerParametersFlags",
                ({"cpu_shares": 1024, "vcpu_quota": -1}, LIVE),
            ),
            Do("domain", "setSchedulerParametersFlags", ({"cpu_shares": 0}, CONFIG)),
        ],
    ),
    scenario(
        "shares without flags",
        "test qemu",
        act("Domain.set_scheduler_parameters", "setSchedulerParameters", {"$weight": 50}),
        See("domain", "schedulerParameters"),
        afterwards=[Do("domain", "setSchedulerParameters", ({"$weight": 1024},))],
    ),
)

COMPARISONS: tuple[Comparison, ...] = (*_DEFINITION, *_MEMORY, *_VCPUS)
