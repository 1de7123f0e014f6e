"""Slips of the pen in described methods: each is refused, with file, line and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdrgen.api_check import check_api
from xdrgen.api_names import Names, read_names
from xdrgen.api_read import read_api, read_group
from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS, load_contract

CONTRACT = load_contract(PROTOCOL_DEFS)
NAMES = read_names(PROTOCOL_DEFS, PROTOCOL_DEFS.parent / "virtproto")
API = PROTOCOL_DEFS / "api"

# A method of each way of being called, as it should be.
SOUND = {
    "call": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
call = "DOMAIN_SET_VCPUS"
call_with_flags = "DOMAIN_SET_VCPUS_FLAGS"
writes = true
doc = "Change it."
raises = { OperationInvalidError = "it does not run" }
[sample.parameters]
count = { field = "nvcpus", doc = "How many." }
flags = { enum = "DomainVcpuFlags", default = 0, doc = "Where." }
""",
    "result": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
call = "DOMAIN_LIST_ALL_SNAPSHOTS"
returns = "domain_snapshots snapshots"
sends = { need_results = 1 }
doc = "List them."
[sample.parameters]
flags = { default = 0 }
""",
    "shape": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
call = "DOMAIN_GET_STATE"
shape = "domain_state.domain_state"
type = "DomainStateInfo"
doc = "Ask."
[sample.parameters]
flags = { default = 0 }
""",
    "parameters": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
call = "DOMAIN_SET_IOTHREAD_PARAMS"
doc = "Set them."
[sample.parameters]
iothread_id = { doc = "Which." }
params = { known = "IOTHREAD", default = "None", doc = "What." }
flags = { default = 0 }
""",
    "recipe": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
recipe = "vcpus.set_vcpu"
procedures = ["DOMAIN_SET_VCPU"]
doc = "Plug them."
[sample.parameters]
cpumap = { kind = "cpumap", limit = "REMOTE_CPUMAP_MAX", doc = "Which." }
state = { kind = "int", doc = "Plugged." }
flags = { default = 0 }
""",
    "peer": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
recipe = "migration.migrate2"
procedures = ["DOMAIN_MIGRATE_PERFORM"]
peer = "dest_conn"
handle = "domain"
doc = "Move it."
[sample.parameters]
dest_conn = { kind = "connection", doc = "Where to." }
dxml = { kind = "text", default = "None", doc = "How." }
flags = { default = 0 }
dname = { kind = "text", default = "None", doc = "How." }
uri = { kind = "text", default = "None", doc = "How." }
bandwidth = { kind = "ulong", default = 0, doc = "How." }
""",
    "remember": """\
owner = "Domain"
class = "SampleMethods"
about = "Samples."
[sample]
call = "DOMAIN_RENAME"
remember = "name=new_name"
doc = "Rename it."
[sample.parameters]
new_name = { default = "None", doc = "What." }
flags = { default = 0 }
""",
}

# What is written in place of what, the line that is named, and words of the message.
Slip = tuple[str, str, str, int, str]
SLIPS: list[Slip] = [
    # Types of keys.
    ("call", "writes = true", 'writes = "true"', 7, "writes: expected true or false"),
    ("call", "writes = true", "writes = 1", 7, "writes: expected true or false, found 1"),
    ("call", "writes = true", "writes_with_flags = true", 7, "expected a whole number"),
    ("call", '"Samples."', '"Samples."\neager = 1', 4, "eager: expected true or false"),
    ("call", '"it does not run"', "7", 9, "expected entries that are text"),
    ("call", 'doc = "How many."', "doc = 3", 11, "count: expected doc to be text"),
    ("call", 'count = { field = "nvcpus", doc = "How many." }', "count = 3", 11, "a table"),
    ("recipe", '["DOMAIN_SET_VCPU"]', '"DOMAIN_SET_VCPU"', 6, "expected a list"),
    ("recipe", '["DOMAIN_SET_VCPU"]', "[7]", 6, "expected entries that are text"),
    # Keys, and which go together.
    ("call", "writes = true", "write = true", 7, "found write"),
    ("call", "enum = ", "enums = ", 12, "found enums"),
    ("call", "call =", "kall =", 5, "found kall"),
    ("call", "writes = true", "writes = true\nwrites_with_flags = 1", 7, "found both"),
    ("call", "writes = true", 'procedures = ["DOMAIN_CREATE"]', 7, "no procedures beside call"),
    ("call", "writes = true", 'recipe = "vcpus.set_vcpu"', 4, "either call or recipe"),
    ("recipe", "procedures =", "sends = { a = 1 }\nprocedures =", 6, "no sends beside recipe"),
    ("recipe", 'procedures = ["DOMAIN_SET_VCPU"]\n', "", 4, "expected the procedures"),
    ("recipe", '"vcpus.set_vcpu"', '"set_vcpu"', 5, "module.function"),
    ("call", 'doc = "Change it."', 'doc = "Change it"', 4, "ends with a full stop"),
    # What stands at the head.
    ("call", 'owner = "Domain"', 'owner = "Machine"', 1, "Network"),
    ("call", '"Samples."', '"Samples."\nprogram = "remot"', 4, "lxc"),
    ("call", '"Samples."', '"Samples."\nobject = "label"', 5, "none, name, uuid, id; found label"),
    ("call", 'owner = "Domain"', 'owner = "Network"', 5, "expected DOMAIN_SET_VCPUS_FLAGS to take"),
    # Procedures.
    ("call", '"DOMAIN_SET_VCPUS"', '"DOMAIN_SET_VCPU5"', 5, "no procedure DOMAIN_SET_VCPU5"),
    ("call", "VCPUS_FLAGS", "VCPUS_FLAG", 6, "no procedure DOMAIN_SET_VCPUS_FLAG in remote"),
    ("recipe", '"DOMAIN_SET_VCPU"', '"DOMAIN_PLUG"', 6, "no procedure DOMAIN_PLUG"),
    # Errors, constants, records.
    ("call", "OperationInvalidError", "OperationInvalid", 9, "exception of virtproto"),
    ("call", "DomainVcpuFlags", "DomainVCPUFlags", 12, "set of constants.toml"),
    ("shape", '"DomainStateInfo"', '"DomainStatInfo"', 7, "found DomainStatInfo"),
    ("shape", '"DomainStateInfo"', '"DomainStat | int"', 7, "no set of constants DomainStat"),
    ("shape", '"DomainStateInfo"', '"DomainState"', 7, "sets of constants as X | int"),
    ("shape", '"DomainStateInfo"', '"list[DomainStateInfo"', 7, "expected an annotation"),
    # Recipes and shapes.
    ("recipe", "vcpus.set_vcpu", "vcpus.set_vcpux", 5, "there is no vcpus.set_vcpux"),
    ("recipe", "vcpus.set_vcpu", "vpcus.set_vcpu", 5, "there is no vpcus.set_vcpu"),
    ("recipe", "state = {", "status = {", 10, "takes no such argument"),
    ("recipe", 'state = { kind = "int", doc = "Plugged." }\n', "", 5, "expected a parameter state"),
    (
        "shape",
        "domain_state.domain_state",
        "domain_state.domain_staet",
        6,
        "there is no domain_state.domain_staet",
    ),
    ("shape", 'type = "DomainStateInfo"\n', "", 6, "expected a type or handle"),
    ("shape", 'shape = "domain_state.domain_state"\n', "", 6, "no recipe and no shape"),
    # Parameters.
    ("recipe", 'kind = "int"', 'kind = "imt"', 10, "one of admin_client"),
    ("recipe", 'kind = "int", ', "", 10, "found none, nor has the contract one"),
    ("call", 'field = "nvcpus"', 'field = "nvcpu"', 11, "(nvcpus, flags); found nvcpu"),
    ("call", 'field = "nvcpus"', 'field = "nvcpus", kind = "uint"', 11, "the contract has it"),
    ("call", 'enum = "Dom', 'kind = "flags", enum = "Dom', 12, "what is called flags is flags"),
    ("call", ', doc = "How many."', "", 11, "count: expected a doc"),
    ("call", "default = 0", 'default = "0"', 12, "expected a whole number for the default"),
    ("call", "default = 0", "default = true", 12, "found True"),
    ("call", 'field = "nvcpus"', 'field = "nvcpus", default = 1.5', 11, "found 1.5"),
    ("call", 'field = "nvcpus"', 'field = "nvcpus", default = "None"', 11, "cannot be left out"),
    ("call", "flags = {", 'more = { doc = "?" }\nflags = {', 12, "(nvcpus, flags); found more"),
    ("call", "flags = {", 'more = { kind = "text", doc = "?" }\nflags = {', 12, "found more"),
    (
        "call",
        "flags = {",
        'more = { field = "nvcpus", doc = "?" }\nflags = {',
        12,
        "count fills nvcpus already",
    ),
    ("parameters", '"IOTHREAD"', '"IOTHREADS"', 9, "IOTHREAD, "),
    ("parameters", 'known = "IOTHREAD", ', "", 9, "found nothing"),
    ("parameters", '"Which."', '"Which.", known = "IOTHREAD"', 8, "known to be nothing"),
    ("parameters", '"None"', "0", 9, 'expected "None" for the default of params'),
    ("parameters", "flags = { default = 0 }", "flags = {}", 10, "as params has one"),
    ("parameters", "{ default = 0 }", '{ default = 0, doc = "0." }', 10, "no doc without enum"),
    ("recipe", "REMOTE_CPUMAP_MAX", "CPUMAP_MAX", 9, "a constant of the contract for limit"),
    ("recipe", 'limit = "REMOTE_CPUMAP_MAX", ', "", 9, "for limit, found none"),
    ("recipe", 'kind = "int"', 'kind = "int", limit = "REMOTE_CPUMAP_MAX"', 10, "no limit for int"),
    ("recipe", 'kind = "int"', 'kind = "int", field = "status"', 10, "no field beside recipe"),
    ("recipe", 'kind = "cpumap"', 'kind = "cpumap", enum = "DomainState"', 9, "kind of number"),
    ("call", "count = {", "class = {", 11, "a parameter's name"),
    # What is refused on a read-only connection.
    ("call", "writes = true", "writes_with_flags = 64", 7, "expected what DomainVcpuFlags has"),
    ("call", "writes = true", "writes_with = { mode = 1 }", 7, "a parameter called mode"),
    ("call", "writes = true", "writes_with = { count = 1 }", 7, "count to have an enum"),
    # What is sent besides.
    ("result", "need_results = 1", "need_result = 1", 7, "(need_results, flags); found"),
    ("result", "need_results = 1", "need_results = true", 7, "to be a whole number; found True"),
    ("result", "need_results = 1", "need_results = 1, x = 1", 7, "need_results, flags"),
    ("result", "need_results = 1", "need_results = 1, flags = 0", 7, "flags fills flags already"),
    # Results.
    ("result", "domain_snapshots snapshots", "domain_snapshotz snapshots", 6, "optional_text"),
    ("result", "domain_snapshots snapshots", "domain_snapshots snapshot", 6, "(snapshots, ret)"),
    ("result", "domain_snapshots snapshots", "domain_snapshots", 6, "found nothing"),
    ("result", "domain_snapshots snapshots", "enum:DomainStat ret", 6, "no set of constants"),
    ("result", "DOMAIN_LIST_ALL_SNAPSHOTS", "DOMAIN_SUSPEND", 7, "DOMAIN_SUSPEND (none)"),
    ("peer", 'handle = "domain"', 'handle = "domainz"', 8, "handle: expected a kind of object"),
    ("call", "writes = true", 'handle = "domain"', 7, "handle: expected returns"),
    ("remember", "name=new_name", "name=newname", 6, "a parameter called newname"),
    ("remember", "name=new_name", "all", 6, "expected id, stopped or name=PARAMETER"),
    ("remember", "name=new_name", "id", 6, "does not return dom"),
    # The other end of a recipe.
    ("peer", 'peer = "dest_conn"', 'peer = "dest_con"', 7, "one of own, dest_conn; found dest_con"),
    ("peer", 'peer = "dest_conn"', 'peer = "self._connection"', 7, "found self._connection"),
    ("peer", 'peer = "dest_conn"', 'peer = "own"', 11, "takes no such argument"),
]


def sound_or_not(folder: Path, text: str, names: Names = NAMES) -> None:
    """Read and check a description."""
    path = folder / "sample.toml"
    path.write_text(text)
    check_api([read_group(path)], CONTRACT, names)


@pytest.mark.parametrize("way", SOUND)
def test_what_the_slips_are_made_in_is_sound(way: str, tmp_path: Path) -> None:
    sound_or_not(tmp_path, SOUND[way])


CASES = [pytest.param(*slip, id=f"{slip[0]}: {slip[2] or slip[1]}") for slip in SLIPS]


@pytest.mark.parametrize(("way", "right", "wrong", "line", "words"), CASES)
def test_slip_is_refused_with_its_place(
    way: str, right: str, wrong: str, line: int, words: str, tmp_path: Path
) -> None:
    assert right in SOUND[way]
    with pytest.raises(ContractError) as caught:
        sound_or_not(tmp_path, SOUND[way].replace(right, wrong, 1))
    place = f"{tmp_path / 'sample.toml'}:{line}: "
    assert str(caught.value).startswith(place)
    assert words in str(caught.value)


def test_method_is_described_once(tmp_path: Path) -> None:
    path = tmp_path / "sample.toml"
    path.write_text(SOUND["call"])
    again = tmp_path / "other.toml"
    again.write_text(SOUND["result"])
    with pytest.raises(ContractError, match=r"sample\.toml:4: .* found another in other\.toml"):
        check_api(read_api(tmp_path), CONTRACT, NAMES)


def test_every_description_of_the_project_is_sound() -> None:
    groups = read_api(API)
    assert len(groups) > 40
    check_api(groups, CONTRACT, NAMES)


# -- the names that there are


def test_names_are_read_from_the_package_as_it_is_written() -> None:
    assert {"UsageError", "NoDomainError", "NoSupportError", "SocketMissingError"} <= NAMES.errors
    assert "DomainInfo" in NAMES.records
    assert "SCHEDULER" in NAMES.known
    assert NAMES.enums["DomainState"].members["RUNNING"] == 1
    function = NAMES.recipes["vcpus.set_vcpu"]
    assert (function.places, function.keywords) == (("domain",), ("cpumap", "state", "flags"))
    assert "vcpus._map_length" not in NAMES.recipes


def test_package_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "errors.py").write_text("class UsageError(\n")
    with pytest.raises(ContractError, match=r"errors\.py:1: expected Python, found "):
        read_names(PROTOCOL_DEFS, tmp_path)


def test_table_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "errors.py").write_text("")
    (tmp_path / "records.py").write_text("_HOMES = dict(a=1)\n")
    with pytest.raises(ContractError, match=r"records\.py: expected _HOMES, a dict, found none"):
        read_names(PROTOCOL_DEFS, tmp_path)
