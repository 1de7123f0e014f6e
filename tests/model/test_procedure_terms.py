"""What arguments mean: the part of the table that is written by hand is right, and needed."""

from __future__ import annotations

from virtproto.constants.enums import ENUMS as CONSTANTS
from virtproto.model import procedure_terms, procedure_uses
from virtproto.model.parameters import KNOWN
from virtproto.model.procedure_terms import constants_of, parameters_of
from virtproto.wire import load_contract
from virtproto.xdr.contract import Struct

CONTRACT = load_contract()


def arguments(program: str, number: int) -> dict[str, str]:
    """Return the types of a procedure's arguments by name."""
    args = CONTRACT.procedure(program, number).args
    assert args is not None
    target = CONTRACT.type(args)
    assert isinstance(target, Struct)
    return {member.name: member.type for member in target.members}


def test_what_is_written_by_hand_is_of_arguments_that_there_are() -> None:
    for (program, number), table in procedure_terms._ENUMS.items():
        for argument, name in table.items():
            assert argument in arguments(program, number)
            assert argument not in procedure_uses.ENUMS.get((program, number), {})
            assert name in CONSTANTS
    for (program, number), name in procedure_terms._SETS.items():
        assert arguments(program, number)["params"] == "remote_typed_param"
        assert (program, number) not in procedure_uses.KNOWN_SETS
        assert name in KNOWN


def test_every_list_of_typed_parameters_that_is_an_argument_has_its_set() -> None:
    without = set()
    for program, (_number, _version, rows) in CONTRACT.programs.items():
        for number, name, args, _ret, _msg, _remarks in rows:
            if args is None:
                continue
            for argument, kind in arguments(program, number).items():
                if (
                    kind.endswith("_typed_param")
                    and parameters_of(program, number, argument) is None
                ):
                    without.add((program, name))
    # The tunnel's is a call of one daemon to another.
    assert without == {("remote", "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS")}


def test_both_tables_are_asked() -> None:
    assert constants_of("remote", 14, "flags") == "DomainXMLFlags"
    assert constants_of("remote", 344, "stats") == "DomainStatsTypes"
    assert constants_of("remote", 14, "dom") is None
    assert parameters_of("remote", 345, "params") == "BLOCK_COPY"
    assert parameters_of("remote", 58, "params") == "SCHEDULER"
    assert parameters_of("remote", 58, "dom") is None
