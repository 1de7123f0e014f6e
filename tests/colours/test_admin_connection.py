"""What a connection to a daemon's administration is, in both colours: no connection to guests."""

from __future__ import annotations

import pytest

from virtproto import admin, aio, sync
from virtproto.aio import admin as aio_admin
from virtproto.aio.carrying import CarryingCalls as AioCarryingCalls
from virtproto.aio.living import LivingCalls as AioLivingCalls
from virtproto.sync.carrying import CarryingCalls
from virtproto.sync.living import LivingCalls

# What any connection answers for itself.
SHARED = {"close", "call", "call_packed", "run", "call_timeout_s", "is_alive", "is_readonly"}


@pytest.mark.parametrize(
    ("administration", "connection", "beyond"),
    [
        (admin.AdminConnection, sync.Connection, (CarryingCalls, LivingCalls)),
        (aio_admin.AdminConnection, aio.Connection, (AioCarryingCalls, AioLivingCalls)),
    ],
    ids=["sync", "aio"],
)
def test_an_administration_has_no_streams_events_or_descriptors(
    administration: type, connection: type, beyond: tuple[type, ...]
) -> None:
    names = {name for each in beyond for name in vars(each) if not name.startswith("__")}
    # So that the test is of something.
    assert {"new_stream", "domain_event_register_any", "register_close_callback"} <= names
    assert {"set_keep_alive", "_call_with_fds", "_exchange_with_stream"} <= names
    assert not [name for name in names - {"_goodbye"} if hasattr(administration, name)]
    assert names <= set(dir(connection))
    assert set(dir(connection)) & set(dir(administration)) >= SHARED


def test_each_kind_has_a_goodbye_of_its_own() -> None:
    programs = [each._goodbye.program for each in (admin.AdminConnection, sync.Connection)]
    assert programs == [0x6900690, 0x20008086]
