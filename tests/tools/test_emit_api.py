"""The printed methods: one described method each, and what is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from xdrgen.api_read import read_room
from xdrgen.emit_api import emit_api
from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.since import read_since

CONTRACT = load_contract(PROTOCOL_DEFS)
SINCE = read_since(PROTOCOL_DEFS / "since.toml").numbers(CONTRACT)
HEAD = """\
owner = "{owner}"
class = "SampleMethods"
about = "Samples."
"""


def printed(folder: Path, described: str, owner: str = "Domain", colour: str = "sync") -> str:
    """Return the module that a description becomes."""
    path = folder / "sample.toml"
    path.write_text(HEAD.format(owner=owner) + described)
    return emit_api(CONTRACT, [read_room(path)], SINCE, colour)["sample.py"]


def method(module: str) -> str:
    """Return the only method of a module, without its docstring."""
    (cls,) = (node for node in ast.parse(module).body if isinstance(node, ast.ClassDef))
    (found,) = (
        node for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    found.body = found.body[1:]
    return ast.unparse(found)


PAIRS = {
    "an object and nothing else travels packed": (
        """[is_active]
call = "DOMAIN_IS_ACTIVE"
returns = "bool"
doc = "Ask."
""",
        """def is_active(self) -> bool:
    ret = self._ask(wire.DOMAIN_IS_ACTIVE, self._reference())
    return bool(ret.active)""",
    ),
    "flags behind the object travel packed too": (
        """[get_hostname]
call = "DOMAIN_GET_HOSTNAME"
returns = "text"
writes = true
doc = "Ask."
[get_hostname.parameters]
flags = { enum = "DomainGetHostnameFlags", default = 0 }
""",
        """def get_hostname(self, flags: DomainGetHostnameFlags | int=0) -> str:
    self._require_writable('get_hostname')
    ret = self._ask(wire.DOMAIN_GET_HOSTNAME, self._reference() + pack_flags(flags))
    return ret.hostname""",
    ),
    "two procedures, by whether there are flags": (
        """[set_vcpus]
call = "DOMAIN_SET_VCPUS"
call_with_flags = "DOMAIN_SET_VCPUS_FLAGS"
doc = "Change."
[set_vcpus.parameters]
count = { field = "nvcpus" }
flags = { default = 0 }
""",
        """def set_vcpus(self, count: int, flags: int=0) -> None:
    if to_flags('flags', flags):
        self._call(wire.DOMAIN_SET_VCPUS_FLAGS, wire.DomainSetVcpusFlagsArgs(dom=self._wire, \
nvcpus=to_uint('count', count), flags=to_flags('flags', flags)))
    else:
        self._call(wire.DOMAIN_SET_VCPUS, wire.DomainSetVcpusArgs(dom=self._wire, \
nvcpus=to_uint('count', count)))""",
    ),
    "a recipe is given the object and checked values": (
        """[create]
recipe = "lifecycle.create"
procedures = ["DOMAIN_CREATE"]
remember = "id"
doc = "Start."
[create.parameters]
flags = { default = 0 }
""",
        """def create(self, flags: int=0) -> None:
    from virtproto.model.recipes.lifecycle import create
    self._set_id(self._run(create(self._wire, flags=to_flags('flags', flags))))""",
    ),
    "an optional list is sent empty": (
        """[fs_freeze]
call = "DOMAIN_FSFREEZE"
returns = "int filesystems"
doc = "Freeze."
[fs_freeze.parameters]
mount_points = { field = "mountpoints", default = "None" }
flags = { default = 0 }
""",
        """def fs_freeze(self, mount_points: Iterable[str] | None=None, flags: int=0) -> int:
    ret = self._call(wire.DOMAIN_FSFREEZE, wire.DomainFsfreezeArgs(dom=self._wire, \
mountpoints=to_texts('mount_points', () if mount_points is None else mount_points, \
wire.DOMAIN_FSFREEZE_MOUNTPOINTS_MAX), flags=to_flags('flags', flags)))
    return ret.filesystems""",
    ),
    "objects come out as handles of the colour": (
        """[list_all_snapshots]
call = "DOMAIN_LIST_ALL_SNAPSHOTS"
returns = "domain_snapshots snapshots"
sends = { need_results = 1 }
doc = "List."
[list_all_snapshots.parameters]
flags = { default = 0 }
""",
        """def list_all_snapshots(self, flags: int=0) -> list[DomainSnapshot]:
    from ..domain_snapshot import DomainSnapshot
    ret = self._call(wire.DOMAIN_LIST_ALL_SNAPSHOTS, wire.DomainListAllSnapshotsArgs(\
dom=self._wire, need_results=1, flags=to_flags('flags', flags)))
    return handles(DomainSnapshot, self._connection, ret.snapshots)""",
    ),
}


@pytest.mark.parametrize("what", PAIRS)
def test_described_method_becomes_code(what: str, tmp_path: Path) -> None:
    described, code = PAIRS[what]
    assert method(printed(tmp_path, described)) == code


@pytest.mark.parametrize("what", PAIRS)
def test_colours_differ_in_async_and_await_only(what: str, tmp_path: Path) -> None:
    described, _ = PAIRS[what]
    asynchronous = printed(tmp_path, described, colour="aio")
    assert "await " in asynchronous
    plain = asynchronous.replace("async def", "def").replace("await ", "")
    assert "".join(plain.split()) == "".join(printed(tmp_path, described).split()).replace(
        "await", ""
    )


def test_docstring_tells_parameters_errors_and_source(tmp_path: Path) -> None:
    described = """[set_vcpus]
call = "DOMAIN_SET_VCPUS"
doc = "Change how many virtual CPUs the domain has."
raises = { OperationInvalidError = "it does not run" }
[set_vcpus.parameters]
count = { field = "nvcpus", doc = "how many, from 1" }
"""
    module = printed(tmp_path, described)
    assert (
        '''\
        """Change how many virtual CPUs the domain has.

        Args:
            count: How many, from 1.

        Raises:
            OperationInvalidError: It does not run.

        Procedure: DOMAIN_SET_VCPUS (libvirt 0.1.4).
        """
'''
        in module
    )


WRONG = {
    'call = "DOMAIN_GET_NOTHING"\ndoc = "X."': "there is no procedure DOMAIN_GET_NOTHING",
    'call = "DOMAIN_IS_ACTIVE"\ndoc = "X"': "first line ends with a full stop",
    'doc = "X."': "expected either call or recipe",
    'recipe = "create"\nprocedures = ["DOMAIN_CREATE"]\ndoc = "X."': "module.function",
    'recipe = "a.b"\ndoc = "X."': "expected the procedures",
    'call = "DOMAIN_IS_ACTIVE"\ndoc = "X."\nflavour = 1': "found flavour",
    'call = "DOMAIN_GET_STATE"\ndoc = "X."': "nothing fills flags of remote_domain_get_state_args",
    'call = "DOMAIN_SUSPEND"\nreturns = "int x"\ndoc = "X."': "the procedure has none",
    'call = "DOMAIN_IS_ACTIVE"\nremember = "all"\ndoc = "X."': "expected remember to be",
}


@pytest.mark.parametrize("described", WRONG)
def test_wrong_description_is_refused_with_its_place(described: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"sample\.toml:\d: sample: ") as caught:
        printed(tmp_path, f"[sample]\n{described}\n")
    assert WRONG[described] in str(caught.value)


def test_unknown_owner_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="there is no class Machine"):
        printed(tmp_path, "", owner="Machine")
