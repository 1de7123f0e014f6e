"""Events of a connection that is opened anew: callbacks and iterators, and what may go wrong."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.losing import (
    FAST,
    Forgetting,
    away,
    back,
    failing,
    gone,
    lose,
    times,
)
from tests.colours.test_events import LIFECYCLE, lifecycle, noting
from virtproto.errors import (
    AuthenticationError,
    ConnectionClosedError,
    ConnectionLostError,
    LibvirtError,
    UsageError,
)
from virtproto.events import Gap
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.remote import connect_event as calls
from virtproto.xdr.procedure import Procedure


@pytest.fixture
def registrar(server: ScriptedServer) -> Forgetting:
    return Forgetting(server)


def test_callbacks_go_on_and_the_close_callback_hears_of_each_loss(
    server: ScriptedServer, registrar: Forgetting, lasting: virtproto.Connection
) -> None:
    seen: list[Any] = []
    reasons: list[int] = []
    number = lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
    lasting.register_close_callback(lambda connection, reason: reasons.append(reason))
    for losses in (1, 2):
        lose(server)
        until(lasting, lambda: len(reasons) == losses)  # noqa: B023 - called at once
        back(lasting)
        (callback_id,) = registrar.kept
        server.send(lifecycle(callback_id, losses))
        until(lasting, lambda: len(seen) == losses)  # noqa: B023 - called at once
    assert reasons == [1, 1]
    assert seen == [("one", 1, 0), ("one", 2, 0)]
    assert times(server, calls.CONNECT_REGISTER_CLOSE_CALLBACK) == 3
    lasting.domain_event_deregister_any(number)
    assert not registrar.kept


def test_an_iterator_goes_on_after_a_gap(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.send(lifecycle(3, 1))
        assert heard.next(timeout_s=10).event == 1
        server.send(lifecycle(3, 2))
        lose(server)
        # What came before the loss comes before the gap.
        assert heard.next(timeout_s=10).event == 2
        gap: Any = heard.next(timeout_s=10)
        assert isinstance(gap, Gap)
        assert gap.reason == 1
        assert "daemon closed it" in gap.why
        assert 0 <= gap.lasted_s < 10
        back(lasting)
        server.send(lifecycle(4, 3))
        assert heard.next(timeout_s=10).event == 3
        assert heard.dropped == 0
    assert not registrar.kept


def test_an_event_before_its_registrations_reply_comes_after_the_gap(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:

        def hasty(call: CallReceived) -> Answer:
            answer = registrar.register(call)
            return [lifecycle(4, 7), answer]  # type: ignore[list-item]

        server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, hasty)
        lose(server)
        assert isinstance(heard.next(timeout_s=10), Gap)
        assert heard.next(timeout_s=10).event == 7


def test_what_is_registered_meanwhile_is_asked_for_later(
    server: ScriptedServer, registrar: Forgetting, path: str, lasting: virtproto.Connection
) -> None:
    seen: list[Any] = []
    kept = lasting.domain_event_register_any(None, LIFECYCLE, noting([]))
    with away(server, path):
        gone(lasting)
        before = len(server.calls)
        lasting.domain_event_deregister_any(kept)
        lasting.register_close_callback(lambda connection, reason: None)
        lasting.unregister_close_callback()
        lasting.domain_event_register_any(None, 1, noting([]))
        lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
        assert len(server.calls) == before
    back(lasting)
    assert len(registrar.kept) == 2
    assert times(server, calls.CONNECT_REGISTER_CLOSE_CALLBACK) == 0
    number = next(number for number, asked in registrar.kept.items() if asked[:4] == b"\0\0\0\0")
    server.send(lifecycle(number, 5))
    until(lasting, lambda: seen)
    assert seen == [("one", 5, 0)]


STEPS: list[Procedure[Any, Any]] = [
    remote.AUTH_LIST,
    remote.CONNECT_SUPPORTS_FEATURE,
    remote.CONNECT_OPEN,
    calls.CONNECT_REGISTER_CLOSE_CALLBACK,
    calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_loss_while_it_is_opened_anew_is_one_more_loss(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    step: Procedure[Any, Any],
) -> None:
    seen: list[Any] = []
    reasons: list[int] = []
    lasting.register_close_callback(lambda connection, reason: reasons.append(reason))
    lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
    usual = {**server._defaults, **server._handlers}[step.program, step.number]
    handler = usual if callable(usual) else lambda call: usual
    server.handle(step, failing(handler, CloseConnection(), 3))
    lose(server)
    gone(lasting)
    back(lasting)
    server.send(lifecycle(next(iter(registrar.kept)), 1))
    until(lasting, lambda: seen)
    assert lasting.get_hostname() == "h"
    # For who uses it that was one loss.
    assert reasons == [1]


def test_a_daemon_that_stops_while_it_is_asked_anew_is_tried_again(
    server: ScriptedServer,
    registrar: Forgetting,
    uri: str,
    open_in_colour: Open,
    records: ModuleType,
) -> None:
    step = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
    reasons: list[int] = []
    seen: list[Any] = []
    with open_in_colour(uri, reconnect=FAST, timeout_s=0.1) as connection:
        connection.register_close_callback(lambda other, reason: reasons.append(reason))
        connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
        with connection.events(records.DomainLifecycle) as heard:
            server.handle(step, failing(registrar.register, NoReply(), 2))
            lose(server)
            for _ in range(3):
                assert isinstance(heard.next(timeout_s=10), Gap)
            back(connection)
            (number,) = registrar.kept
            server.send(lifecycle(number, 6))
            assert heard.next(timeout_s=10).event == 6
            until(connection, lambda: seen)
        assert reasons == [1]


def test_a_registration_that_is_refused_ends_for_those_who_wanted_it(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.handle(
            calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, ReplyError("not here", code=1)
        )
        lose(server)
        assert isinstance(heard.next(timeout_s=10), Gap)
        with pytest.raises(LibvirtError, match="not here"):
            heard.next(timeout_s=10)
    assert lasting.get_hostname() == "h"


def test_an_authentication_that_is_impossible_ends_it(
    server: ScriptedServer,
    registrar: Forgetting,
    lasting: virtproto.Connection,
    records: ModuleType,
) -> None:
    with lasting.events(records.DomainLifecycle) as heard:
        server.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        server.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist="X-NEW"))
        lose(server)
        with pytest.raises(ConnectionLostError, match="could not be opened anew") as caught:
            heard.next(timeout_s=10)
        assert not caught.value.may_have_run
    assert lasting.state == "closed"
    with pytest.raises(ConnectionLostError, match=r"daemon closed it.*X-NEW") as refused:
        lasting.get_hostname()
    assert not refused.value.may_have_run
    assert isinstance(refused.value.__cause__, AuthenticationError)
    lasting.close()


def test_iterators_end_when_it_is_closed_meanwhile(
    server: ScriptedServer,
    registrar: Forgetting,
    path: str,
    uri: str,
    open_in_colour: Open,
    records: ModuleType,
) -> None:
    with open_in_colour(uri, reconnect=FAST) as connection:
        heard = connection.events(records.DomainLifecycle)
        heard.__enter__()
        with away(server, path):
            gone(connection)
            connection.close()
            with pytest.raises(ConnectionClosedError, match="no more events"):
                heard.next(timeout_s=10)


def test_a_callback_that_is_refused_is_served_no_more_and_given_back_in_peace(
    server: ScriptedServer, registrar: Forgetting, lasting: virtproto.Connection
) -> None:
    seen: list[Any] = []
    numbers = [lasting.domain_event_register_any(None, kind, noting(seen)) for kind in (0, 1)]
    lasting.domain_event_register(lambda *args: None)
    step = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
    server.handle(step, ReplyError("not here", code=1))
    lose(server)
    gone(lasting)
    back(lasting)
    delivery = lasting._alive().delivery
    assert not delivery._users
    # A blocking connection's threads.
    assert getattr(delivery, "_threads", None) is None
    server.handle(step, registrar.register)
    another = lasting.domain_event_register_any(None, LIFECYCLE, noting(seen))
    for number in numbers:
        lasting.domain_event_deregister_any(number)
        with pytest.raises(UsageError, match="is not in use"):
            lasting.domain_event_deregister_any(number)
    lasting.domain_event_deregister()
    (callback_id,) = registrar.kept
    server.send(lifecycle(callback_id, 4))
    until(lasting, lambda: seen)
    assert seen == [("one", 4, 0)]
    lasting.domain_event_deregister_any(another)
    assert not registrar.kept
