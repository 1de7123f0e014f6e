"""The arguments of a call as people write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import EncodeError, UsageError
from virtproto.model.call_arguments import CallArguments, Reference, is_reference
from virtproto.wire import load_contract
from virtproto.xdr.reference import ReferenceCodec

CONTRACT = load_contract()
CODEC = ReferenceCodec(CONTRACT)
UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
DOM = {"name": "web", "uuid": UUID, "id": 7}
DOM_WORDS = ("dom.name=web", f"dom.uuid={UUID_TEXT}", "dom.id=7")


def arguments(proc: str, program: str = "remote") -> CallArguments:
    declared = CONTRACT.procedure(program, proc)
    assert declared.args is not None
    return CallArguments(CONTRACT, program, declared.number, declared.args)


def read(proc: str, *words: str, program: str = "remote") -> dict[str, Any]:
    """Return what words make; it must be something that can be sent."""
    taken = arguments(proc, program)
    for place, word in enumerate(words, 1):
        if word.startswith("{"):
            taken.add_json(word)
        else:
            taken.add_word(word, place)
    whole = taken.whole()
    args = CONTRACT.procedure(program, proc).args
    assert args is not None
    CODEC.encode(args, whole)
    return whole


def refusal(proc: str, *words: str, program: str = "remote") -> str:
    with pytest.raises((UsageError, EncodeError)) as caught:
        read(proc, *words, program=program)
    return str(caught.value)


def typed(name: str, kind: int, value: object) -> dict[str, Any]:
    return {"field": name, "value": {"type": kind, "value": value}}


@pytest.mark.parametrize(
    ("proc", "path", "text", "value"),
    [
        ("DOMAIN_LOOKUP_BY_NAME", "name", "7", "7"),
        ("DOMAIN_LOOKUP_BY_ID", "id", "-7", -7),
        ("DOMAIN_LOOKUP_BY_UUID", "uuid", UUID_TEXT, UUID),
        ("CONNECT_DOMAIN_XML_FROM_NATIVE", "nativeFormat", "", ""),
        ("AUTH_SASL_STEP", "data", "CAFE", b"CAFE"),
        ("AUTH_SASL_STEP", "data", "\udcff", b"\xff"),
        ("AUTH_SASL_STEP", "data", "hex:CAFE", b"\xca\xfe"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "doms", "[]", []),
        ("SECRET_SET_VALUE", "value", "CAFE", b"\xca\xfe"),
        ("DOMAIN_MIGRATE_SET_MAX_SPEED", "bandwidth", "0x10", 16),
    ],
)
def test_one_field_from_text(proc: str, path: str, text: str, value: object) -> None:
    taken = arguments(proc)
    taken.add_word(f"{path}={text}", 1)
    assert taken.whole()[path] == value


def test_what_may_be_absent_is_absent_and_flags_are_0() -> None:
    assert read("CONNECT_OPEN") == {"name": None, "flags": 0}
    assert read("DOMAIN_SAVE_FLAGS", *DOM_WORDS, "to=/x") == {
        "dom": DOM,
        "to": "/x",
        "dxml": None,
        "flags": 0,
    }
    # Both may be said, too.
    assert read("CONNECT_OPEN", "name=test:///default", "flags=1") == {
        "name": "test:///default",
        "flags": 1,
    }
    assert read("CONNECT_OPEN", '{"name": null}')["name"] is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("0x3", 3),
        ("SECURE", 1),
        ("secure|inactive", 3),
        ("SECURE,INACTIVE", 3),
        ("VIR_DOMAIN_XML_UPDATE_CPU | 8", 12),
    ],
)
def test_flags_have_names(text: str, number: int) -> None:
    assert read("DOMAIN_GET_XML_DESC", *DOM_WORDS, f"flags={text}")["flags"] == number
    as_json = json.dumps({"dom": {"name": "web", "uuid": UUID_TEXT, "id": 7}, "flags": text})
    assert read("DOMAIN_GET_XML_DESC", as_json)["flags"] == number
    listed = json.dumps({"flags": text.split("|")})
    taken = arguments("DOMAIN_GET_XML_DESC")
    taken.add_json(listed)
    assert taken.whole()["flags"] == number


def test_an_enum_is_one_name() -> None:
    proc = "DOMAIN_SET_METADATA"
    words = (*DOM_WORDS, "flags=CURRENT")
    assert read(proc, *words, "type=title")["type"] == 1
    assert refusal(proc, *words, "type=title|element").startswith(
        "type: expected one of DomainMetadataType, not 'title|element'"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("flags=SECUR",), "flags: DomainXMLFlags has no 'SECUR'; did you mean SECURE?"),
        (("flags=QQQ",), "flags: DomainXMLFlags has no 'QQQ'; there are SECURE, INACTIVE,"),
        (("flags=",), "flags: expected a number (unsigned int), not ''"),
        (("flag=1",), "the arguments: no field 'flag'; did you mean flags?"),
        (("qq=1",), "the arguments: no field 'qq'; there are dom, flags"),
        (("dom.nme=web",), "dom: no field 'nme'; did you mean name?"),
        (('{"dom": {"nme": "web"}}',), "dom: no field 'nme'; did you mean name?"),
        (("dom=",), "dom: expected a name, found nothing"),
        (("dom=web", "dom.id=1"), "dom.id: dom is already given whole"),
        (("dom.id=1", "dom=web"), "dom is given twice"),
        (("flags=1", '{"flags": 1}'), "flags is given twice"),
        (('{"dom": []}',), "dom: "),
        (('{"dom": {"name": ["web"], "id": 1}}',), "dom.name: a string is wanted, got list"),
        (('{"flags": 1}', "flags=1"), "flags is given twice"),
        (("{1}",), "the arguments are not JSON: Expecting property name"),
        (('{"a":[' * 100_000,), "the arguments are not JSON: it is nested too deeply"),
    ],
)
def test_refusals_name_the_argument_and_what_is_near(words: tuple[str, ...], said: str) -> None:
    assert refusal("DOMAIN_GET_XML_DESC", *words).startswith(said)


def test_what_is_no_json_is_explained() -> None:
    wanted = "params: expected remote_typed_param<16> as JSON"
    for word, more in (
        ('params={"weight": 61', ", and it is none: Expecting ',' delimiter"),
        ("params=weight", ', such as params={"NAME": VALUE}, or params.NAME=VALUE'),
    ):
        assert refusal("DOMAIN_SET_SCHEDULER_PARAMETERS", word).startswith(wanted + more)


def test_an_object_by_its_name_is_to_be_looked_up() -> None:
    for word in ("dom=web", '{"dom": "web"}'):
        taken = arguments("DOMAIN_SUSPEND")
        if word.startswith("{"):
            taken.add_json(word)
        else:
            taken.add_word(word, 1)
        (found,) = taken.references
        assert (found.path, found.type, found.given) == ("dom", "remote_nonnull_domain", "web")
        # It can be tried before it is found.
        CODEC.encode("remote_domain_suspend_args", taken.whole())
        found.update(DOM)
        assert taken.whole() == {"dom": DOM}


def test_objects_within_objects_and_lists_are_looked_up() -> None:
    taken = arguments("DOMAIN_SNAPSHOT_NUM_CHILDREN")
    taken.add_word("snap.name=s1", 1)
    taken.add_word("snap.dom=web", 2)
    assert [one.path for one in taken.references] == ["snap.dom"]
    taken = arguments("CONNECT_GET_ALL_DOMAIN_STATS")
    taken.add_word('doms=["web", "db"]', 1)
    assert [(one.path, one.given) for one in taken.references] == [
        ("doms[0]", "web"),
        ("doms[1]", "db"),
    ]


def test_every_reference_of_the_contract_can_stand_in() -> None:
    found = [name for name in CONTRACT.types if is_reference(CONTRACT, name)]
    assert len(found) == 14
    for name in found:
        taken = CallArguments(CONTRACT, "remote", 0, name)
        made = taken._reference(taken._root, "x", "y")
        assert isinstance(made, Reference)
        CODEC.encode(name, made)


def test_typed_parameters_are_given_by_name() -> None:
    proc = "DOMAIN_SET_SCHEDULER_PARAMETERS"
    expected = [typed("cpu_shares", 4, 60), typed("vcpu_quota", 3, -1)]
    for words in (
        ("params.cpu_shares=60", "params.vcpu_quota=-1"),
        ('params={"cpu_shares": 60, "vcpu_quota": -1}',),
        ("params=" + json.dumps(expected),),
        ('{"params": {"cpu_shares": 60, "vcpu_quota": "-1"}}',),
    ):
        assert read(proc, *DOM_WORDS, *words)["params"] == expected


def test_names_of_typed_parameters_may_have_dots_and_types_may_be_said() -> None:
    words = (*DOM_WORDS, "device=vnet0")
    assert read(
        "DOMAIN_SET_INTERFACE_PARAMETERS",
        *words,
        "params.inbound.average=1000",
        "params.what.ever:ullong=5",
        "params.text:string=5",
        "params.half:double=0.5",
        "params.truth:boolean=on",
        "params.below:llong=-0x10",
    )["params"] == [
        typed("inbound.average", 2, 1000),
        typed("what.ever", 4, 5),
        typed("text", 7, "5"),
        typed("half", 5, 0.5),
        typed("truth", 6, 1),
        typed("below", 3, -16),
    ]


def test_a_text_may_be_given_several_times() -> None:
    proc = "DOMAIN_MIGRATE_CONFIRM3_PARAMS"
    disks = [typed("migrate_disks", 7, "vda"), typed("migrate_disks", 7, "vdb")]
    own = (*DOM_WORDS, "cookie_in=", "cancelled=0")
    twice = ("params.migrate_disks=vda", "params.migrate_disks=vdb")
    assert read(proc, *own, *twice)["params"] == disks
    assert read(proc, *own, 'params={"migrate_disks": ["vda", "vdb"]}')["params"] == disks


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("params.cpu_share=1", "params.cpu_share: no typed parameter of that name is known here; "
         "did you mean cpu_shares or shares? To send it all the same, say its type, as"),
        ("params.qqq=1", "params.qqq: no typed parameter of that name is known here. To send"),
        ("params.weight=-1", "params.weight: -1 is outside unsigned int 0..4294967295"),
        ("params.weight=x", "params.weight: expected a number (unsigned int), not 'x'"),
        ("params.weight=1.5", "params.weight: expected a number (unsigned int), not '1.5'"),
        ('params={"weight": 1.5}', "params.weight: expected a number (unsigned int), not 1.5"),
        ('params={"weight": true}', "params.weight: expected a number (unsigned int), not True"),
        ('params={"group_name": 1}', "params.group_name: expected text, not 1"),
        ("params.cmt=maybe", "params.cmt: expected true or false, not 'maybe'"),
        ('params={"a:double": "x"}', "params.a:double: expected a number (double), not 'x'"),
        ("params.weight=" + "9" * 4000, "params.weight: it is outside unsigned int"),
    ],
)  # fmt: skip
def test_typed_parameters_are_refused_by_name(word: str, said: str) -> None:
    assert refusal("DOMAIN_SET_SCHEDULER_PARAMETERS", *DOM_WORDS, word).startswith(said)


def test_a_typed_parameter_is_given_once() -> None:
    proc = "DOMAIN_SET_SCHEDULER_PARAMETERS"
    words = ("params.weight=1", "params.weight=2")
    assert refusal(proc, *words) == "params.weight is given twice"
    assert "is already given whole" not in refusal(proc, "params.weight=1", "params={}")
    assert (
        refusal(proc, 'params={"weight": 1}', "params.weight=2") == "params.weight is given twice"
    )


@pytest.mark.parametrize(
    ("proc", "words"),
    [
        ("DOMAIN_SET_USER_PASSWORD", ("user=root", "hunter2")),
        ("DOMAIN_SET_USER_PASSWORD", ("hunter2=", "user=root")),
        ("DOMAIN_SET_USER_PASSWORD", ("dom.hunter2=1",)),
        ("DOMAIN_SET_USER_PASSWORD", ("user=root", "flags=hunter2")),
        ("DOMAIN_SET_USER_PASSWORD", ("dom.uuid=hunter2",)),
        ("DOMAIN_SET_USER_PASSWORD", ("dom.id=hunter2",)),
        ("DOMAIN_SET_USER_PASSWORD", ("dom=[hunter2",)),
        ("DOMAIN_SET_USER_PASSWORD", ('{"password": hunter2',)),
        ("DOMAIN_SET_USER_PASSWORD", ('{"hunter2": "password"}',)),
        ("DOMAIN_SET_USER_PASSWORD", (*DOM_WORDS, "user=root", '{"password": ["hunter2"]}')),
        ("DOMAIN_SET_USER_PASSWORD", (*DOM_WORDS, "user=root", "password=hunter2\0")),
        ("SECRET_SET_VALUE", ("value=hunter2",)),
        ("DOMAIN_SET_LAUNCH_SECURITY_STATE", ('params={"sev-secret": ["hunter2", 3]}',)),
        ("DOMAIN_SET_LAUNCH_SECURITY_STATE", ('params={"sev-secret": {"hunter2": 3}}',)),
        ("DOMAIN_SET_LAUNCH_SECURITY_STATE", ("params.sev-secret:uint=hunter2",)),
    ],
)
def test_a_secret_is_not_repeated(proc: str, words: tuple[str, ...]) -> None:
    with pytest.raises((UsageError, EncodeError)) as caught:
        read(proc, *words)
    error: BaseException | None = caught.value
    while error is not None:
        # Not even in what the error came of, for who prints all of that.
        assert "hunter2" not in f"{error} {error.args} {vars(error)} {getattr(error, 'doc', '')}"
        error = error.__cause__ or error.__context__


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.floats() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_taken_or_refused(value: Any) -> None:
    for proc, field in (
        ("DOMAIN_SUSPEND", "dom"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "doms"),
        ("CONNECT_GET_ALL_DOMAIN_STATS", "flags"),
        ("DOMAIN_SET_SCHEDULER_PARAMETERS", "params"),
    ):
        taken = arguments(proc)
        args = CONTRACT.procedure("remote", proc).args
        assert args is not None
        try:
            taken.add_json(json.dumps({field: value}))
            CODEC.encode(args, taken.whole())
        except (UsageError, EncodeError):
            pass


@given(st.text(), st.text())
def test_any_word_is_taken_or_refused(path: str, text: str) -> None:
    taken = arguments("DOMAIN_SET_SCHEDULER_PARAMETERS")
    for word in (path, f"{path}={text}", f"params.{path}={text}", f"params={text}"):
        try:
            taken.add_word(word, 1)
            taken.whole()
        except UsageError:
            pass
