"""What a comparison is: steps that are asked, through each party, of the same real daemon.

Responsible for the words in which comparisons are written down; they are data. It must not know how
a party is asked, nor what the answers turn out to be.

A comparison is a row of steps on a stage (a daemon and what was made ready on it):

* ``Ask``: a documented method, asked by the party whose turn it is. Its answers are compared.
* ``See``: what the C binding sees afterwards, whoever acted. That is compared too.
* ``Do``: what the C binding does to get the stage ready. Nothing is compared; it has to succeed.
* ``Wait``: until the C binding sees something.
* ``Remove``: a file that would be in the way of the next party.

All steps run once for each party: the C binding, virtproto sync, virtproto aio.

Every text in an argument may hold ``$name`` of what the stage has made ready (``$folder``,
``$domain`` ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.differential.likeness import Likeness, equal

__all__ = [
    "ADDRESSES",
    "Address",
    "Ask",
    "CallbackArgument",
    "Comparison",
    "ConnectionArgument",
    "Do",
    "FileArgument",
    "Normaliser",
    "ObjectArgument",
    "Remove",
    "Outcome",
    "See",
    "SocketArgument",
    "Step",
    "StreamArgument",
    "Wait",
    "Watching",
    "nothing",
    "unchanged",
]

Normaliser = Callable[[Any], Any]
Steps = Sequence[tuple[Any, ...]]


def unchanged(value: Any) -> Any:
    """Return the value as it is: both sides give it the same shape."""
    return value


def nothing(value: Any) -> Any:
    """Return None for what the C binding answers where there is nothing to say: 0 or itself."""
    if value is None or value == 0 or (isinstance(value, dict) and "object" in value):
        return None
    return value


@dataclass(frozen=True)
class Address:
    """An object: how one gets there from the connection, by the binding and by virtproto."""

    binding: Steps
    ours: Steps


def _below(parent: str, binding: tuple[Any, ...], ours: tuple[Any, ...]) -> Address:
    above = ADDRESSES[parent]
    return Address((*above.binding, binding), (*above.ours, ours))


ADDRESSES = {
    "connection": Address((), ()),
    "domain": Address((("lookupByName", "$domain"),), (("get_domain_by_name", "$domain"),)),
    "idle": Address((("lookupByName", "$idle"),), (("get_domain_by_name", "$idle"),)),
    "network": Address(
        (("networkLookupByName", "$network"),), (("get_network_by_name", "$network"),)
    ),
    "pool": Address(
        (("storagePoolLookupByName", "$pool"),), (("get_storage_pool_by_name", "$pool"),)
    ),
    "device": Address(
        (("nodeDeviceLookupByName", "$device"),), (("get_node_device_by_name", "$device"),)
    ),
    "interface": Address(
        (("interfaceLookupByName", "$interface"),), (("get_interface_by_name", "$interface"),)
    ),
    "secret": Address(
        (("secretLookupByUUIDString", "$secret"),), (("get_secret_by_uuid", "$secret"),)
    ),
    "nwfilter": Address(
        (("nwfilterLookupByName", "$nwfilter"),), (("get_nwfilter_by_name", "$nwfilter"),)
    ),
    "nwfilter_binding": Address(
        (("nwfilterBindingLookupByPortDev", "$port_dev"),),
        (("get_nwfilter_binding_by_port_dev", "$port_dev"),),
    ),
}
ADDRESSES["volume"] = _below(
    "pool", ("storageVolLookupByName", "$volume"), ("get_volume_by_name", "$volume")
)
ADDRESSES["port"] = _below(
    "network", ("portLookupByUUIDString", "$port"), ("get_port_by_uuid", "$port")
)
ADDRESSES["unsnapped"] = Address(
    (("lookupByName", "$unsnapped"),), (("get_domain_by_name", "$unsnapped"),)
)
# The domain once it has moved to the other daemon.
ADDRESSES["moved"] = Address(
    (("@connection", "$target_uri"), ("lookupByName", "$domain")),
    (("@connection", "$target_uri"), ("get_domain_by_name", "$domain")),
)
ADDRESSES["snapshot_domain"] = Address(
    (("lookupByName", "$snapshot_domain"),), (("get_domain_by_name", "$snapshot_domain"),)
)
ADDRESSES["snapshot"] = _below(
    "snapshot_domain", ("snapshotLookupByName", "$snapshot"), ("get_snapshot_by_name", "$snapshot")
)
ADDRESSES["checkpoint"] = _below(
    "domain", ("checkpointLookupByName", "$checkpoint"), ("get_checkpoint_by_name", "$checkpoint")
)


@dataclass(frozen=True)
class ObjectArgument:
    """An argument that is the object at an address."""

    address: str | Address


@dataclass(frozen=True)
class StreamArgument:
    """An argument that is a new stream, and what is done with it once it is open.

    ``send`` goes in, a number among it is a hole of that many bytes; then ``receive`` bytes come
    out (-1: all that there are). ``way`` is how: "" byte by byte, "all" by handlers, "sparse" byte
    by byte and hole by hole, "sparse_all" by handlers with holes. Then the method ``end`` ends it.
    The answer is [result, what came out: bytes and the lengths of holes in turn].
    """

    send: tuple[bytes | int, ...] = ()
    receive: int = 0
    way: str = ""
    end: str = "finish"

    @property
    def used(self) -> tuple[str, ...]:
        """The methods of ours that it takes."""
        ways = {"": "{}", "all": "{}_all", "sparse": "{}", "sparse_all": "sparse_{}_all"}
        names = [f"Stream.{self.end}", "Connection.new_stream"]
        for wanted, verb in ((self.send, "send"), (self.receive, "recv")):
            if wanted:
                names.append("Stream." + ways[self.way].format(verb))
                if self.way == "sparse":
                    names.append(f"Stream.{verb}_hole")
        return tuple(names)


@dataclass(frozen=True)
class FileArgument:
    """An argument that is a descriptor of a file; ``mode`` is the name of a constant of os."""

    path: str
    mode: str = "O_RDONLY"


@dataclass(frozen=True)
class SocketArgument:
    """An argument that is one end of a new pair of sockets; ``receive`` bytes come out of it."""

    receive: int


class Outcome:
    """What an ``Ask`` is expected to bring on a stage."""

    VALUE = "value"
    REFUSAL = "refusal"
    # It depends on the machine or the release; all parties get the same in any case.
    EITHER = "either"


@dataclass(frozen=True)
class Ask:
    """A documented method ("Domain.get_info") and its counterpart in the C binding.

    ``args`` and ``keywords`` are virtproto's; ``binding`` is the method there and its arguments.
    ``ours`` and ``theirs`` turn the answers into one shape, ``both`` what they have become; ``by``
    compares. ``outcome`` tells whether an answer or a refusal is to be expected.
    """

    documented: str
    on: str | Address
    args: tuple[Any, ...]
    binding: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    ours: Normaliser = unchanged
    theirs: Normaliser = unchanged
    both: Normaliser = unchanged
    by: Likeness = equal
    # Where the comparison as a whole expects values: what this step brings, by stage if it differs.
    outcome: str | Mapping[str, str] = Outcome.VALUE
    # The object whose method the binding's counterpart is, where that is another one.
    binding_on: str | Address | None = None
    # Whether it is the clients that refuse, each in its own words.
    by_client: bool = False
    # Documented methods that are used besides, such as those of a stream.
    also: tuple[str, ...] = ()

    def expected(self, stages: Mapping[str, str], stage: str) -> str:
        """Return the outcome on ``stage`` within a comparison that has ``stages``."""
        if stages[stage] != Outcome.VALUE:
            return stages[stage]
        return self.outcome if isinstance(self.outcome, str) else self.outcome[stage]


@dataclass(frozen=True)
class See:
    """What the C binding answers once the party has acted; compared between the parties."""

    on: str | Address
    method: str
    args: tuple[Any, ...] = ()
    shape: Normaliser = unchanged
    by: Likeness = equal


@dataclass(frozen=True)
class Do:
    """What the C binding does for whoever's turn it is; ``may_fail`` where that is no matter."""

    on: str | Address
    method: str
    args: tuple[Any, ...] = ()
    may_fail: bool = False


@dataclass(frozen=True)
class Wait:
    """Until the C binding's answer satisfies ``until``."""

    on: str | Address
    method: str
    args: tuple[Any, ...]
    until: Callable[[Any], bool]
    timeout_s: float = 60.0


@dataclass(frozen=True)
class Remove:
    """A file, or an empty folder, that is no longer wanted."""

    path: str


Step = Ask | See | Do | Wait | Remove


@dataclass(frozen=True)
class ConnectionArgument:
    """An argument that is a connection to another daemon."""

    uri: str


@dataclass(frozen=True)
class CallbackArgument:
    """An argument that is a callback for events."""


@dataclass(frozen=True)
class Watching:
    """Events that all parties watch at once while the C binding causes them.

    ``register`` and ``deregister`` are a method of ours and what it is in the binding; the latter
    get what the former answered, if anything. ``count`` events are to come.
    """

    name: str
    stages: Mapping[str, str]
    register: Ask
    deregister: tuple[str, str]
    causes: tuple[Step, ...]
    count: int
    afterwards: tuple[Step, ...] = ()
    shape: Normaliser = unchanged

    @property
    def documented(self) -> tuple[str, ...]:
        """The documented methods that it compares."""
        cls = self.register.documented.partition(".")[0]
        return (self.register.documented, f"{cls}.{self.deregister[0]}")


@dataclass(frozen=True)
class Comparison:
    """Steps on stages; ``stages`` maps each stage's name to the outcome its ``Ask`` has there.

    ``afterwards`` steps run in any case, and may fail.
    """

    name: str
    stages: Mapping[str, str]
    steps: tuple[Step, ...]
    afterwards: tuple[Step, ...] = ()
