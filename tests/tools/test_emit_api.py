"""The printed methods: one described method each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from xdrgen.api_read import read_group
from xdrgen.constants import read_constants
from xdrgen.emit_api import emit_api
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.since import read_since

CONTRACT = load_contract(PROTOCOL_DEFS)
ENUMS = read_constants(PROTOCOL_DEFS / "constants.toml").enums
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
    return emit_api(CONTRACT, [read_group(path)], SINCE, ENUMS, colour)["sample.py"]


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
    "flags that a read-only connection may not use are named": (
        """[get_xml_description]
call = "DOMAIN_GET_XML_DESC"
returns = "text xml"
writes_with_flags = 9
doc = "Ask."
[get_xml_description.parameters]
flags = { enum = "DomainXMLFlags", default = 0 }
""",
        """def get_xml_description(self, flags: DomainXMLFlags | int=0) -> str:
    if to_flags('flags', flags) & 9:
        self._require_writable('get_xml_description', 'DomainXMLFlags', flags & 9)
    ret = self._ask(wire.DOMAIN_GET_XML_DESC, self._reference() + pack_flags(flags))
    return ret.xml""",
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
    "parameters that are left out are sent as none": (
        """[set_io_thread_params]
call = "DOMAIN_SET_IOTHREAD_PARAMS"
doc = "Set."
[set_io_thread_params.parameters]
iothread_id = {}
params = { known = "IOTHREAD", default = "None" }
flags = { default = 0 }
""",
        """def set_io_thread_params(self, iothread_id: int, \
params: Mapping[str, ParamInput] | None=None, flags: int=0) -> None:
    self._call(wire.DOMAIN_SET_IOTHREAD_PARAMS, wire.DomainSetIothreadParamsArgs(\
dom=self._wire, iothread_id=to_uint('iothread_id', iothread_id), \
params=to_params('params', {} if params is None else params, KNOWN['IOTHREAD'], \
wire.DOMAIN_IOTHREAD_PARAMS_MAX), flags=to_flags('flags', flags)))""",
    ),
    "a recipe between two connections may have one of them": (
        """[move]
recipe = "migration.migrate_to_uri"
procedures = ["DOMAIN_MIGRATE_PERFORM"]
peer = "own"
doc = "Move."
[move.parameters]
dest_uri = { kind = "text" }
""",
        """def move(self, dest_uri: str) -> None:
    from virtproto.model.recipes.migration import migrate_to_uri
    self._run_between(migrate_to_uri(self._wire, dest_uri=to_text('dest_uri', dest_uri)), \
self._connection)""",
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


def raises_of(module: str) -> str:
    """Return the Raises section of the only method's docstring, "" where it has none."""
    found = re.search(r"Raises:\n(.*?)\n\n", module, re.DOTALL)
    return " ".join(found[1].split()) if found else ""


REFUSALS = {
    "writes = true": "OperationDeniedError: The connection is read-only.",
    "writes_with_flags = 9": (
        "OperationDeniedError: The connection is read-only, and flags have ``SECURE`` or "
        "``MIGRATABLE``."
    ),
    "writes_with = { flags = 1 }": (
        "OperationDeniedError: The connection is read-only, and flags is ``SECURE``."
    ),
    'writes = true\nraises = { OperationDeniedError = "it may not" }': (
        "OperationDeniedError: It may not."
    ),
    "writes = false": "",
}


@pytest.mark.parametrize("how", REFUSALS)
def test_docstring_tells_when_a_read_only_connection_is_refused(how: str, tmp_path: Path) -> None:
    described = f"""[get_xml_description]
call = "DOMAIN_GET_XML_DESC"
returns = "text"
doc = "Ask."
{how}
[get_xml_description.parameters]
flags = {{ enum = "DomainXMLFlags", default = 0 }}
"""
    assert raises_of(printed(tmp_path, described)) == REFUSALS[how]


def test_docstring_says_of_flags_without_constants_that_there_are_none(tmp_path: Path) -> None:
    described = """[get_hostname]
call = "DOMAIN_GET_HOSTNAME"
returns = "text"
doc = "Ask."
[get_hostname.parameters]
flags = { default = 0 }
"""
    assert "            flags: None are defined; 0.\n" in printed(tmp_path, described)
