"""Places of fields, as patterns name them, and which fields differ from one run to the next.

Responsible for the language of ``--ignore`` and for the list of what is a time, a counter or a
number that a daemon chooses. Must not know values.
"""

from __future__ import annotations

import re

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["VOLATILE", "Patterns"]

# Times, counters, and numbers that a daemon gives out as it goes: what differs between two runs of
# the same program on the same daemon.
VOLATILE = (
    # Numbers of running domains, of registrations, of clients of a daemon's.
    "*.id",
    "*callbackID",
    "CONNECT_DOMAIN_EVENT_REGISTER*:cb_registered",
    "CONNECT_DOMAIN_EVENT_DEREGISTER*:cb_registered",
    "CLIENT_*:*",
    "SERVER_*:*timestamp",
    "*[nclients]",
    "*[nclients_*]",
    "*[freeWorkers]",
    "*[jobQueueDepth]",
    # Statistics, as typed parameters.
    "*[cpu.time]",
    "*[cpu.user]",
    "*[cpu.system]",
    "*[cpu.haltpoll.*]",
    "*[cpu_time]",
    "*[user_time]",
    "*[system_time]",
    "*[vcpu_time]",
    "*[vcpu.*.time]",
    "*[vcpu.*.wait]",
    "*[vcpu.*.delay]",
    "*[vcpu.*.halted]",
    "*[vcpu.*.sum]",
    "*[vcpu.*.cur]",
    "*[balloon.available]",
    "*[balloon.unused]",
    "*[balloon.usable]",
    "*[balloon.rss]",
    "*[balloon.swap_*]",
    "*[balloon.*_fault]",
    "*[balloon.disk_caches]",
    "*[balloon.last-update]",
    "*[net.*.rx.*]",
    "*[net.*.tx.*]",
    "*[block.*.rd.*]",
    "*[block.*.wr.*]",
    "*[block.*.fl.*]",
    "*[block.*.allocation]",
    "*[iothread.*.poll-*]",
    "*[memory.bandwidth.*]",
    "*[dirtyrate.*]",
    "*[perf.*]",
    "*[rd_*]",
    "*[wr_*]",
    "*[flush_*]",
    # Answers of calls that ask for nothing else.
    "DOMAIN_GET_INFO:cpuTime",
    "DOMAIN_GET_TIME:*",
    "DOMAIN_GET_CONTROL_INFO:stateTime",
    "DOMAIN_GET_VCPUS:info[*].cpuTime",
    "DOMAIN_GET_VCPUS:info[*].cpu",
    "DOMAIN_GET_JOB_*:*",
    "DOMAIN_GET_CPU_STATS:*",
    "DOMAIN_MEMORY_STATS:*",
    "DOMAIN_BLOCK_STATS*:*",
    "DOMAIN_INTERFACE_STATS:*",
    "DOMAIN_BLOCK_JOB_INFO:cur",
    "NODE_GET_INFO:mhz",
    "NODE_GET_FREE_MEMORY:*",
    "NODE_GET_CELLS_FREE_MEMORY:*",
    "NODE_GET_FREE_PAGES:*",
    "NODE_GET_CPU_STATS:*",
    "NODE_GET_MEMORY_STATS:*",
    "STORAGE_POOL_GET_INFO:available",
    "STORAGE_POOL_GET_INFO:allocation",
    "STORAGE_VOL_GET_INFO*:allocation",
    "*expirytime",
    "*.seconds",
    "*.micros",
    # Elements of XML.
    "*<atime>",
    "*<mtime>",
    "*<ctime>",
    "*<btime>",
    "*<creationTime>",
    "*<available>",
    "*<allocation>",
    # The same set, told in another order.
    "* order",
)

_INDEX = re.compile(r"\[\d*\]")


class Patterns:
    """A set of patterns, each for places of fields.

    ``*`` stands for any characters and ``?`` for one; all others, brackets too, mean themselves. A
    pattern with a colon is for the fields of a procedure's answer ("DOMAIN_GET_INFO:cpuTime"), else
    it is for the field wherever it is. It may leave out numbers in brackets: "info.cpu" is
    "info[0].cpu", too.
    """

    def __init__(self, patterns: Iterable[str], *, parameter: str = "ignore") -> None:
        """Raise UsageError, with the name of the ``parameter``, for a pattern that is empty."""
        everywhere: list[str] = []
        of_procedures: list[str] = []
        for text in patterns:
            if not text.strip():
                raise UsageError(f"{parameter}: a pattern must not be empty")
            (of_procedures if ":" in text else everywhere).append(_expression(text.strip()))
        self._everywhere = _any(everywhere)
        self._of_procedures = _any(of_procedures)

    def match(self, procedure: str, path: str) -> bool:
        """Tell whether a pattern is for the field at ``path`` of an answer of ``procedure``."""
        for place in (path, _INDEX.sub("", path)):
            if self._everywhere is not None and self._everywhere.fullmatch(place):
                return True
            whole = f"{procedure}:{place}"
            if self._of_procedures is not None and self._of_procedures.fullmatch(whole):
                return True
        return False


def _expression(text: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in text)


def _any(expressions: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(expressions), re.DOTALL) if expressions else None
