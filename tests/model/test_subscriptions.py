"""Who wants which events: routing, sharing, order, and what a new connection is asked for."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from virtproto.errors import ConnectionLostError, UsageError
from virtproto.model import subscriptions
from virtproto.model.event_kinds import registration
from virtproto.model.event_queue import EventQueue, Overflow
from virtproto.model.subscriptions import Listener, Registration, Subscriptions
from virtproto.protocol.events import EventReceived
from virtproto.wire import remote

REMOTE = 0x20008086
ONE = remote.NonnullDomain(name="one", uuid=b"1" * 16, id=1)
TWO = remote.NonnullDomain(name="two", uuid=b"2" * 16, id=-1)


def new_queue() -> EventQueue:
    return EventQueue(100, Overflow.DROP_OLDEST, nullcontext())


def reboot(server_id: int | None, dom: remote.NonnullDomain = ONE) -> EventReceived:
    inner = remote.DomainEventRebootMsg(dom=dom)
    if server_id is None:
        return EventReceived(REMOTE, remote.DOMAIN_EVENT_REBOOT.number, inner.pack())
    message = remote.DomainEventCallbackRebootMsg(callbackID=server_id, msg=inner)
    return EventReceived(REMOTE, remote.DOMAIN_EVENT_CALLBACK_REBOOT.number, message.pack())


def lifecycle(server_id: int, event: int) -> EventReceived:
    inner = remote.DomainEventLifecycleMsg(dom=ONE, event=event, detail=0)
    message = remote.DomainEventCallbackLifecycleMsg(callbackID=server_id, msg=inner)
    return EventReceived(REMOTE, remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number, message.pack())


def made(registry: Subscriptions, event_id: int, server_id: int | None) -> Registration:
    by_id = server_id is not None
    procedure, args = registration("domain", event_id, None, by_id=by_id)
    packed = b"" if args is None else args.pack()
    return registry.add(("domain", event_id, None), server_id, procedure, packed)


def taken(queue: EventQueue) -> list[Any]:
    found = []
    while (entry := queue.take()) is not None:
        found.append(entry)
    return found


def run(registry: Subscriptions) -> None:
    """Call every callback that is due."""
    while (calls := registry.calls()) is not None:
        for call in calls:
            call(None, lambda connection, family, wire: wire)


def test_an_event_goes_to_everybody_on_its_registration_and_nobody_else() -> None:
    registry = Subscriptions(nullcontext())
    first, second, other = new_queue(), new_queue(), new_queue()
    seen: list[str] = []
    reboots = made(registry, 1, 5)
    for queue in (first, second):
        registry.attach(reboots, Listener(None, None, queue))
    registry.attach(reboots, Listener(lambda conn, dom: seen.append(dom.name)))
    registry.attach(made(registry, 0, 6), Listener(None, None, other))
    event = reboot(5)
    assert registry.take_note(event)
    # Told once, until everything is done.
    assert not registry.take_note(reboot(5, TWO))
    assert not registry.take_note(reboot(6))
    assert taken(first) == taken(second) == [event, reboot(5, TWO)]
    assert taken(other) == []
    run(registry)
    assert seen == ["one", "two"]
    assert registry.take_note(event)


def test_the_last_one_out_leaves_a_registration_that_nobody_wants() -> None:
    registry = Subscriptions(nullcontext())
    queue = new_queue()
    reboots = made(registry, 1, 5)
    number = registry.attach(reboots, Listener(print))
    registry.attach(reboots, Listener(None, None, queue))
    for wrong in ("network", "qemu"):
        with pytest.raises(UsageError):
            registry.detach(wrong, number)
    with pytest.raises(UsageError, match="callback_id: 1 is not in use"):
        registry.detach("domain", number + 1)
    registry.detach("domain", number)
    assert registry.unwanted == {}
    assert registry.find(("domain", 1, None)) is reboots
    registry.withdraw(queue)
    assert list(registry.unwanted) == [reboots]
    assert registry.find(("domain", 1, None)) is None
    registry.take_note(reboot(5))
    assert taken(queue) == []


def test_what_overtakes_its_registration_keeps_its_place() -> None:
    registry = Subscriptions(nullcontext())
    queue = new_queue()
    registry.attach(made(registry, 0, 1), Listener(None, None, queue))
    registry.begin()
    sent = [lifecycle(1, 0), reboot(9), lifecycle(1, 1), reboot(8), reboot(9), lifecycle(1, 2)]
    for event in sent:
        registry.take_note(event)
    assert taken(queue) == sent[:1]
    registry.attach(made(registry, 1, 9), Listener(None, None, queue))
    registry.end()
    assert taken(queue) == [sent[1], sent[2], sent[4], sent[5]]


def test_what_the_daemon_cannot_filter_is_filtered() -> None:
    registry = Subscriptions(nullcontext())
    queue = new_queue()
    old = made(registry, 1, None)
    registry.attach(old, Listener(None, {TWO.uuid}, queue))
    seen: list[str] = []
    registry.attach(old, Listener(lambda conn, dom: seen.append(dom.name), {ONE.uuid}))
    for dom in (ONE, TWO):
        registry.take_note(reboot(None, dom))
    broken = EventReceived(REMOTE, remote.DOMAIN_EVENT_REBOOT.number, b"\xff")
    registry.take_note(broken)
    assert taken(queue) == [reboot(None, TWO)]
    run(registry)
    assert seen == ["one"]


@pytest.mark.parametrize("ids", [(3, 4), (None, None)])
def test_registrations_are_made_anew_as_they_were_asked_for(
    ids: tuple[int | None, int | None],
) -> None:
    registry = Subscriptions(nullcontext())
    queue = new_queue()
    reboots = made(registry, 1, ids[0])
    registry.attach(reboots, Listener(None, None, queue))
    registry.take_note(reboot(ids[0]))
    procedure, args = registration("domain", 1, None, by_id=ids[0] is not None)
    assert [(each.procedure, each.args) for each in registry.registrations()] == [
        (procedure, args.pack())
    ]
    registry.forget_daemon()
    # Late words of the old connection.
    registry.take_note(reboot(ids[0]))
    registry.begin()
    registry.mark("a gap")
    registry.take_note(reboot(ids[1], TWO))
    registry.renew(reboots, ids[1])
    registry.end()
    assert taken(queue) == [reboot(ids[0]), "a gap", reboot(ids[1], TWO)]


def test_a_registration_that_cannot_be_made_anew_ends_its_iterators() -> None:
    registry = Subscriptions(nullcontext())
    queue, other = new_queue(), new_queue()
    reboots = made(registry, 1, 3)
    registry.attach(reboots, Listener(None, None, queue))
    registry.attach(made(registry, 0, 4), Listener(None, None, other))
    registry.refuse(reboots, ConnectionLostError("not any more"))
    assert isinstance(queue.error, ConnectionLostError)
    assert not other.ended
    assert [each.event_id for each in registry.registrations()] == [0]


def test_nobody_has_the_next_daemon_end_what_the_last_one_was_asked_for() -> None:
    registry = Subscriptions(nullcontext())
    queue, other = new_queue(), new_queue()
    reboots, lifecycles = made(registry, 1, 3), made(registry, 0, 4)
    registry.attach(reboots, Listener(None, None, queue))
    registry.attach(lifecycles, Listener(None, None, other))
    registry.forget_daemon()
    registry.withdraw(queue)
    assert registry.unwanted == {}
    registry.begin()
    asked = registry.registrations()
    assert asked == [lifecycles]
    registry.withdraw(other)
    registry.renew(lifecycles, 3)
    registry.end()
    # It was asked for before everybody had left.
    assert list(registry.unwanted) == [lifecycles]


def test_slow_callbacks_lose_the_oldest_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "CALLBACK_LIMIT", 10)
    registry = Subscriptions(nullcontext())
    seen: list[int] = []
    registry.attach(
        made(registry, 0, 1), Listener(lambda conn, dom, event, why: seen.append(event))
    )
    for number in range(25):
        registry.take_note(lifecycle(1, 100 + number))
    assert registry.dropped == 15
    run(registry)
    assert seen == list(range(115, 125))


def test_callbacks_that_left_are_called_no_more() -> None:
    registry = Subscriptions(nullcontext())
    seen: list[int] = []
    lifecycles = made(registry, 0, 1)
    numbers = [
        registry.attach(lifecycles, Listener(lambda conn, dom, event, why: seen.append(event)))
        for _ in range(2)
    ]
    registry.take_note(lifecycle(1, 7))
    registry.detach("domain", numbers[0])
    run(registry)
    assert seen == [7]
    registry.take_note(lifecycle(1, 8))
    registry.silence()
    run(registry)
    assert seen == [7]
