"""The plans of what is secret, held against the whole contract."""

from __future__ import annotations

import pytest

from tests.trace.conversations import Script, listing, packet, uploading
from tests.trace.secrets.planting import CONTRACT, PAYLOADS
from virtproto import wire
from virtproto.trace.secrets import plans
from virtproto.trace.secrets.plans import hides_parameter, message_class, plan_of, type_plan
from virtproto.xdr.contract import Struct

STRUCTS = [name for name, row in CONTRACT.types.items() if row[0] == "struct"]


@pytest.mark.parametrize("secure", [True, False])
def test_each_secret_field_of_the_contract_is_planned_for(secure: bool) -> None:
    fields = [(name, field) for name, names in CONTRACT.secrets.items() for field in names]
    assert len(fields) > 40
    for name, field in fields:
        plan = type_plan(name, secure=secure)
        (part,) = [part for part in plan.parts if part.name == field]
        assert part.kind in (plans.WHOLE, plans.MARKED)
        assert plan.certain


def test_what_is_no_xml_of_these_is_secret_as_a_whole() -> None:
    marked = {
        f"{name}.{part.name}"
        for name in CONTRACT.secrets
        for part in type_plan(name, secure=False).parts
        if part.kind == plans.MARKED
    }
    assert all("xml" in each.lower() for each in marked)
    for name in ("qemu_domain_agent_command_ret.result", "remote_auth_sasl_start_args.data"):
        assert name not in marked
    assert not any("migrate" in each for each in marked)
    assert "remote_domain_define_xml_args.xml" in marked


def test_only_xml_that_can_be_asked_for_with_passwords_depends_on_the_call() -> None:
    differing = {
        name
        for name in STRUCTS
        if [p.kind for p in type_plan(name, secure=True).parts]
        != [p.kind for p in type_plan(name, secure=False).parts]
    }
    assert differing == plans._ASKED_FOR
    for name in differing:
        args = CONTRACT.type(name.removesuffix("_ret") + "_args")
        assert isinstance(args, Struct)
        assert args.members[-1].name == "flags"


@pytest.mark.parametrize("name", STRUCTS)
def test_plan_has_all_fields_and_hides_no_number(name: str) -> None:
    plan = type_plan(name)
    struct = CONTRACT.type(name)
    assert isinstance(struct, Struct)
    assert [part.name for part in plan.parts] == [member.name for member in struct.members]
    for part in plan.parts:
        text = part.member.type == "string"
        handle = "nonnull" in name.lower()
        if part.kind == plans.PLAIN:
            assert not text or handle
        elif part.kind in (plans.TEXT, plans.MARKED):
            assert text
        elif part.kind == plans.WHOLE:
            assert text or part.member.type in ("opaque", "char")


def test_types_of_small_calls_need_no_look_at_their_bytes() -> None:
    for name in (
        "remote_domain_get_info_args",
        "remote_domain_get_info_ret",
        "remote_connect_list_all_domains_ret",
        "remote_domain_event_callback_lifecycle_msg",
        "remote_storage_vol_upload_args",
        "virNetStreamHole",
    ):
        plan = type_plan(name)
        assert not plan.certain
        assert not plan.texts


def test_names_of_parameters_are_read_as_c_reads_them() -> None:
    assert all(map(hides_parameter, CONTRACT.secret_parameters))
    assert hides_parameter("dxml\0\0")
    assert not hides_parameter("sev-secret-set-address")


def test_class_of_each_payload_is_found() -> None:
    messages = [*listing().messages(), *uploading().messages()]
    for message in messages:
        found = message_class(message)
        assert (found is None) == (message.type_name is None)
        assert found is None or message.type_name == found.XDR_NAME
    for name, (program, procedure) in PAYLOADS.items():
        if name != "remote_error":
            declared = wire.find_procedure(program, procedure)
            known = [each for each in (declared.args, declared.ret, declared.msg) if each]
            assert name in [each.XDR_NAME for each in known]


def test_hole_in_a_stream_has_a_plan() -> None:
    script = Script()
    payload = (4096).to_bytes(8, "big") + bytes(4)
    script.send(packet(6, "STORAGE_VOL_UPLOAD", 1, status=2, payload=payload), from_client=True)
    (message,) = script.messages()
    plan = plan_of(message)
    assert plan is not None
    assert plan.names == ("length", "flags")
