"""Values of secret typed parameters are in no repr, no annotation and no error."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.wire.messages import CONTRACT
from virtproto import wire
from virtproto.errors import DecodeError, EncodeError
from virtproto.wire import admin, contract, remote
from virtproto.xdr.annotate import SECRET
from virtproto.xdr.message import Message
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import INT, STRING, TypedParams, is_secret

VALUE = "s3cret-enough"
CODEC = ReferenceCodec(CONTRACT)
WEB = remote.NonnullDomain(name="web", uuid=bytes(16), id=1)


def launch(params: Any) -> remote.DomainSetLaunchSecurityStateArgs:
    return remote.DomainSetLaunchSecurityStateArgs(dom=WEB, params=params, flags=0)


def text_of(error: BaseException) -> str:
    """Return all that a log would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_the_names_that_libvirt_has_for_secrets_are_registered() -> None:
    names = {"sev-secret", "sev-secret-header", "destination_xml", "persistent_xml", "dxml"}
    assert names == set(contract.SECRET_PARAMETERS)
    assert names == CONTRACT.secret_parameters
    assert wire._SECRET_PARAMETERS == contract.SECRET_PARAMETERS
    assert all(is_secret(name) for name in names)
    assert not is_secret("sev-secret-set-address")


@pytest.mark.parametrize("name", contract.SECRET_PARAMETERS)
def test_no_repr_shows_them(name: str) -> None:
    params = TypedParams.from_items([("flags", INT, 1), (name, STRING, VALUE)])
    message = launch(params)
    for shown in (repr(params), repr(params[1]), repr(message), repr(list(params))):
        assert VALUE not in shown
        assert f"{name}" in shown
        assert "<secret>" in shown
    assert params.to_dict()[name] == VALUE
    assert type(message).unpack(message.pack()).params[1].value == VALUE


@pytest.mark.parametrize("module", [remote, admin])
@pytest.mark.parametrize("name", contract.SECRET_PARAMETERS)
def test_no_repr_of_the_record_itself_shows_them(module: Any, name: str) -> None:
    secret = module.TypedParam(name, module.TypedParamValue(STRING, VALUE))
    assert repr(secret) == f"TypedParam(field={name!r}, value=<secret>)"
    plain = module.TypedParam("bandwidth", module.TypedParamValue(INT, 5))
    assert repr(plain).endswith("value=TypedParamValue(type=1, value=5))")
    assert repr(remote.NodeGetCpuStats("idle", 5)) == "NodeGetCpuStats(field='idle', value=5)"


@pytest.mark.parametrize("name", contract.SECRET_PARAMETERS)
def test_no_annotation_shows_them(name: str) -> None:
    payload = launch(TypedParams.from_items([(name, STRING, VALUE), ("a", STRING, "b")])).pack()
    hidden = CODEC.annotate("remote_domain_set_launch_security_state_args", payload)
    values = {field.path: field.value for field in hidden.fields}
    assert values["params[0].field"] == name
    assert values["params[0].value.s"] == SECRET
    assert values["params[1].value.s"] == "b"
    assert VALUE not in repr(hidden.fields)
    shown = CODEC.annotate(hidden.type, payload, show_secrets=True)
    assert VALUE in [field.value for field in shown.fields]


@pytest.mark.parametrize("name", contract.SECRET_PARAMETERS)
@pytest.mark.parametrize(
    "value",
    [
        remote.TypedParamValue(STRING, VALUE + "\0"),
        remote.TypedParamValue(STRING, VALUE + "\ud800"),
        remote.TypedParamValue(STRING, VALUE.encode()),  # type: ignore[arg-type]
        remote.TypedParamValue(INT, VALUE),
        remote.TypedParamValue(INT, 53535353535353),
        remote.TypedParamValue(VALUE, STRING),  # type: ignore[arg-type]
        remote.TypedParamValue(53535353535353, "x"),
        VALUE,
    ],
)
def test_no_error_of_packing_shows_them(name: str, value: Any) -> None:
    record = remote.TypedParam(name, value)
    messages: list[Message] = [record, launch([record])]
    for message in messages:
        with pytest.raises(EncodeError) as caught:
            message.pack()
        assert VALUE not in text_of(caught.value)
        assert "5353" not in text_of(caught.value)


@pytest.mark.parametrize("name", contract.SECRET_PARAMETERS)
def test_no_error_of_unpacking_shows_them(name: str) -> None:
    message = launch(TypedParams.from_items([("a", INT, 1), (name, STRING, VALUE)]))
    payload = message.pack()
    for size in range(len(payload)):
        with pytest.raises(DecodeError) as caught:
            type(message).unpack(payload[:size])
        assert VALUE[:5] not in text_of(caught.value)
        assert VALUE[:5] not in repr(CODEC.annotate(message.XDR_NAME, payload[:size]).fields)
