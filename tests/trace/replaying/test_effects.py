"""Which calls may change something at a daemon."""

from __future__ import annotations

import pytest

from tests.trace.conversations import Script, packet
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import FROM_CLIENT, MASKED, PACKET
from virtproto.trace.replaying.effects import effects, may_change
from virtproto.trace.replaying.recalling import Recalled


def call(name: str | int, program: str = "remote", flags: int = 0) -> TracedMessage:
    script = Script()
    body = packet(0, name, 1, program=program).pack()
    script.add(PACKET, body, from_client=True, flags=FROM_CLIENT | flags)
    [message] = script.messages()
    return message


@pytest.mark.parametrize(
    "name",
    [
        "CONNECT_OPEN",
        "CONNECT_CLOSE",
        "AUTH_LIST",
        "CONNECT_LIST_ALL_DOMAINS",
        "CONNECT_GET_ALL_DOMAIN_STATS",
        "DOMAIN_GET_XML_DESC",
        "DOMAIN_LOOKUP_BY_NAME",
        "DOMAIN_SCREENSHOT",
        "STORAGE_VOL_DOWNLOAD",
        "SECRET_GET_VALUE",
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
        "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
    ],
)
def test_looking_changes_nothing(name: str) -> None:
    assert not may_change(call(name))


@pytest.mark.parametrize(
    "name",
    [
        "DOMAIN_DESTROY",
        "DOMAIN_UNDEFINE_FLAGS",
        "DOMAIN_CREATE_XML",
        "DOMAIN_ATTACH_DEVICE_FLAGS",
        "DOMAIN_MIGRATE_PERFORM3_PARAMS",
        "DOMAIN_OPEN_CONSOLE",
        "DOMAIN_SEND_KEY",
        "STORAGE_VOL_DELETE",
        "STORAGE_VOL_UPLOAD",
        "NODE_SUSPEND_FOR_DURATION",
        "SECRET_SET_VALUE",
        # It runs the program whose path it is given.
        "CONNECT_GET_DOMAIN_CAPABILITIES",
        77777,
    ],
)
def test_all_else_may_change_something(name: str | int) -> None:
    assert may_change(call(name))


def test_other_programs_are_looked_at_too() -> None:
    assert may_change(call("DOMAIN_MONITOR_COMMAND", "qemu"))
    assert may_change(call("CONNECT_DAEMON_SHUTDOWN", "admin"))
    assert may_change(call("CLIENT_CLOSE", "admin"))
    for name in ("CONNECT_OPEN", "CONNECT_LIST_SERVERS", "CLIENT_GET_INFO"):
        assert not may_change(call(name, "admin"))


def test_what_is_not_made_again_does_not_count() -> None:
    recalled = Recalled()
    recalled.add([call("DOMAIN_DESTROY"), call("SECRET_SET_VALUE", flags=MASKED), call(77777)])
    assert effects(recalled) == {"DOMAIN_DESTROY": 1, "procedure 77777": 1}
