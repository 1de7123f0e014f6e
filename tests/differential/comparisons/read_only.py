"""What libvirt's client refuses on a read-only connection, and what it still asks there.

Responsible for one question for each method that protocol_defs/api says is refused: the first that
another topic asks of it, put to an object that is there. It must not know the refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.differential.comparison import Ask, Comparison, Do, ObjectArgument, Outcome
from tests.differential.comparisons.objects_changes import NET_XML, NETWORK, PORT, PORT_XML
from tests.differential.stages import TEST
from tests.differential.writing import act, ask, object_of
from xdrgen.api_model import Method
from xdrgen.api_read import read_api
from xdrgen.load import PROTOCOL_DEFS

__all__ = ["answered", "arranged", "documented_refusals", "refused"]

_SECURE, _MIGRATABLE, _GUEST, _FROM_AGENT, _CONFIG = 1, 8, 8, 1, 2

# What is refused with these arguments only.
_SOMETIMES = (
    ask("Domain.get_xml_description", "XMLDesc", _SECURE),
    ask("Domain.get_xml_description", "XMLDesc", _MIGRATABLE),
    ask("Domain.get_vcpus", "vcpusFlags", _GUEST),
    ask("Domain.get_interface_addresses", "interfaceAddresses", _FROM_AGENT, 0),
    ask("Domain.managed_save_get_xml_description", "managedSaveGetXMLDesc", _SECURE),
    ask("DomainSnapshot.get_xml_description", "getXMLDesc", _SECURE),
    ask("DomainCheckpoint.get_xml_description", "getXMLDesc", _SECURE),
)
# Where the arguments of another topic are no objects of the stage.
_ANEW = (
    ask("StoragePool.clone_volume", "createXMLFrom", "<volume/>", ObjectArgument("volume"), 0),
    act(
        "DomainSnapshot.revert_to",
        "revertToSnapshot",
        binding_on="snapshot_domain",
        binding_args=(ObjectArgument("snapshot"),),
    ),
    act(
        "Domain.set_interface_parameters",
        "setInterfaceParameters",
        "$mac",
        {"inbound.average": 1000},
        _CONFIG,
    ),
    # The binding reads first what there is to be set.
    act("NetworkPort.set_parameters", "setParameters", {"inbound.average": 1}, 0, on=PORT),
)
_CHECKPOINT_XML = "<domaincheckpoint><name>first</name></domaincheckpoint>"
_ARRANGED = {
    "DomainCheckpoint": (
        (Do("domain", "checkpointCreateXML", (_CHECKPOINT_XML,)),),
        (Do("checkpoint", "delete"),),
    ),
    "NetworkPort": (
        (
            Do("connection", "networkCreateXML", (NET_XML,)),
            Do(NETWORK, "portCreateXML", (PORT_XML,)),
        ),
        (Do(PORT, "delete"), Do(NETWORK, "destroy")),
    ),
}


def arranged(question: Ask) -> tuple[tuple[Do, ...], tuple[Do, ...]]:
    """Return what has to be made, by someone who may, before a question, and dropped after it."""
    return _ARRANGED.get(question.documented.partition(".")[0], ((), ()))


def documented_refusals() -> dict[str, Method]:
    """Return the methods that are refused on a read-only connection, always or sometimes."""
    return {
        f"{group.owner}.{method.name}": method
        for group in read_api(PROTOCOL_DEFS / "api")
        for method in group.methods
        if method.writes or method.writes_with_flags or method.writes_with
    }


def refused(comparisons: Iterable[Comparison]) -> list[Ask]:
    """Return a question at least for each method that is refused and that the C binding has."""
    always = {name for name, method in documented_refusals().items() if method.writes}
    questions = {question.documented: question for question in _ANEW}
    for question in _questions(comparisons):
        if question.documented in always:
            there = replace(question, on=object_of(question.documented))
            questions.setdefault(question.documented, there)
    return [*questions.values(), *_SOMETIMES]


def _questions(comparisons: Iterable[Comparison]) -> Iterator[Ask]:
    for comparison in comparisons:
        if comparison.stages.keys() != {TEST}:
            yield from (step for step in comparison.steps if isinstance(step, Ask))


def answered(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return the comparisons whose only question the test driver answers whoever asks."""
    refusals = documented_refusals()
    return [
        comparison
        for comparison in comparisons
        if comparison.stages.get(TEST) == Outcome.VALUE
        and len(comparison.steps) == 1
        and isinstance(comparison.steps[0], Ask)
        and comparison.steps[0].documented not in refusals
    ]
