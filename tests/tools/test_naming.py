"""Tests of the spelling of Python names."""

from __future__ import annotations

import pytest

from virtproto.xdr.message import Message
from xdrgen import naming
from xdrgen.naming import FileNames


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("remote_protocol.x", FileNames("remote", "remote_", "REMOTE_")),
        ("qemu_protocol.x", FileNames("qemu", "qemu_", "QEMU_")),
        ("virnetprotocol.x", FileNames("rpc", "virNet", "VIR_NET_")),
        ("virkeepaliveprotocol.x", FileNames("keepalive", "keepalive_", "KEEPALIVE_")),
        ("src/admin/admin_protocol.x", FileNames("admin", "admin_", "ADMIN_")),
    ],
)
def test_files(source: str, names: FileNames) -> None:
    assert naming.file_names(source) == names


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("remote_domain_get_info_ret", "remote_", "DomainGetInfoRet"),
        ("remote_nonnull_domain", "remote_", "NonnullDomain"),
        ("remote_domain_event_block_job_2_msg", "remote_", "DomainEventBlockJob2Msg"),
        ("remote_auth_type", "remote_", "AuthType"),
        ("virNetMessageHeader", "virNet", "MessageHeader"),
        ("virNetStreamHole", "virNet", "StreamHole"),
    ],
)
def test_classes(name: str, prefix: str, expected: str) -> None:
    assert naming.class_name(name, prefix) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maxMem", "maxMem"),
        ("type", "type"),
        ("id", "id"),
        ("from", "from_"),
        ("None", "None_"),
        ("odd_", "odd_"),
    ],
)
def test_fields(name: str, expected: str) -> None:
    assert naming.field_name(name) == expected
    assert naming.field_fault(name) is None


@pytest.mark.parametrize("name", [*dir(Message), "self", "_unpack_many", "__debug__", "from_"])
def test_what_no_field_can_be_called(name: str) -> None:
    assert naming.field_fault(name)


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("REMOTE_STRING_MAX", "REMOTE_", "STRING_MAX"),
        ("REMOTE_PROGRAM", "REMOTE_", "PROGRAM"),
        ("REMOTE_PROTOCOL_VERSION", "REMOTE_", "VERSION"),
        ("VIR_NET_MESSAGE_MAX", "VIR_NET_", "MESSAGE_MAX"),
    ],
)
def test_constants(name: str, prefix: str, expected: str) -> None:
    assert naming.constant_name(name, prefix) == expected


def test_members_lose_the_words_that_all_begin_with() -> None:
    auth = {"REMOTE_AUTH_NONE": 0, "REMOTE_AUTH_NAME": 1, "REMOTE_AUTH_POLKIT": 2}
    assert naming.enum_members(auth) == {"NONE": 0, "NAME": 1, "POLKIT": 2}
    assert naming.enum_constants("AuthType", auth) == {
        "AUTH_TYPE_NONE": 0,
        "AUTH_TYPE_NAME": 1,
        "AUTH_TYPE_POLKIT": 2,
    }


def test_members_that_would_be_no_names_stay_whole() -> None:
    assert naming.enum_members({"A_1": 1, "A_B": 2}) == {"A_1": 1, "B": 2}
    assert naming.enum_members({"ONLY_ONE": 1}) == {"ONLY_ONE": 1}
    assert naming.enum_members({"X": 1, "Y": 2}) == {"X": 1, "Y": 2}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("CONNECT_OPEN", "connect"),
        ("CONNECT_LIST_ALL_DOMAINS", "connect_list"),
        ("CONNECT_DOMAIN_EVENT_REGISTER_ANY", "connect_event"),
        ("CONNECT_UNREGISTER_CLOSE_CALLBACK", "connect_event"),
        ("AUTH_SASL_STEP", "auth"),
        ("DOMAIN_GET_INFO", "domain"),
        ("DOMAIN_CREATE", "domain"),
        ("DOMAIN_EVENT_LIFECYCLE", "domain_event"),
        ("DOMAIN_EVENT_CALLBACK_LIFECYCLE", "domain_event_callback"),
        ("DOMAIN_MIGRATE_BEGIN3", "domain_migrate"),
        ("DOMAIN_MIGRATE_BEGIN3_PARAMS", "domain_migrate_params"),
        ("DOMAIN_LIST_ALL_SNAPSHOTS", "domain_snapshot"),
        ("DOMAIN_GET_BLOCK_JOB_INFO", "domain_block"),
        ("NODE_GET_CPU_STATS", "node"),
        ("NODE_LIST_DEVICES", "node_device"),
        ("NETWORK_LIST_ALL_PORTS", "network_port"),
        ("STORAGE_VOL_UPLOAD", "storage_vol"),
        ("NWFILTER_BINDING_DELETE", "nwfilter"),
        ("FUTURE_OBJECT_DO", "future"),
    ],
)
def test_groups(name: str, group: str) -> None:
    assert naming.group_name(name) == group
