"""The listeners to one daemon: the C binding by its callbacks, virtproto by its iterators.

Each colour of virtproto listens twice: as everybody does, and as it would to a daemon that gives
registrations no IDs, which every daemon still takes. Responsible for bringing what each hears into
one form, and for telling where an act's events end: a note made on a domain, whose event is heard
last. It must not know what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import virtproto
from tests.differential.parties import AioParty, OurParty, SyncParty
from tests.lab.c_binding import (
    BindingCallback,
    CBinding,
    CBindingError,
    CBindingMisuseError,
)
from virtproto import aio
from virtproto.model.event_kinds import KINDS

__all__ = ["BINDING_KNOWS", "Ears", "Heard", "NotHeardError"]

# The record's name, what names the object, and the fields, in JSON's types.
Heard = list[Any]

# How many kinds of events of each family the C binding 9.0.0 knows: those with a lower ID.
BINDING_KNOWS: Mapping[str, int] = {
    "domain": 27,
    "network": 1,
    "storage_pool": 2,
    "node_device": 2,
    "secret": 2,
}
# Each family and what its method of registration begins with in the binding.
_METHODS: Mapping[str, str] = {
    "domain": "domain",
    "network": "network",
    "storage_pool": "storagePool",
    "node_device": "nodeDevice",
    "secret": "secret",
}
# virErrorNumber: a driver without events of a family.
_NO_SUPPORT = 3
_MONITOR = "QemuMonitorEvent"
_NOTE = "urn:virtproto:heard:"
_NOTED = "DomainMetadataChange"
# Longer than anything here takes, also on a busy machine.
_EVENT_S = 60.0


class NotHeardError(Exception):
    """What an act should bring did not come; the message says what came instead."""


class _BindingEars:
    """The C binding: a callback for every kind of event."""

    name = "the C binding"

    def __init__(self, uri: str, held: ExitStack) -> None:
        self._binding = held.enter_context(CBinding(uri, events=True))
        for kind in KINDS.values():
            if kind.by_id and kind.event_id < BINDING_KNOWS.get(kind.family, 0):
                method = f"{_METHODS[kind.family]}EventRegisterAny"
                callback = BindingCallback(kind.record)
                try:
                    self._binding.ask(method, None, kind.event_id, callback, None)
                except CBindingError as error:
                    if error.fields["code"] != _NO_SUPPORT:
                        raise

    def hear_monitor(self) -> None:
        """Listen to the monitors of all QEMUs too."""
        callback = BindingCallback(_MONITOR)
        register = "libvirt_qemu.qemuMonitorEventRegister"
        self._binding.ask(register, None, None, callback, None, 0)

    def next(self) -> Heard:
        """Return the next event."""
        [(name, *told)] = self._binding.hear(1, _EVENT_S)
        return [name, *(_values(each) if _is_address(each) else each for each in told)]


def _is_address(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"family", "node", "service"}


def _values(address: Mapping[str, Any]) -> list[Any]:
    return [address[name] for name in ("family", "node", "service")]


class _SyncParty(SyncParty):
    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection; between two events of the other colour nothing answers pings."""
        return virtproto.open(uri, readonly=readonly, keepalive=None)


class _AioParty(AioParty):
    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection; the event loop stands still between two events."""
        return self.wait(aio.open(uri, readonly=readonly, keepalive=None))


class _OlderSyncParty(_SyncParty):
    name = "virtproto sync, the older way"

    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection that believes the daemon to have no IDs for registrations."""
        return _without_ids(super().open(uri, readonly=readonly))


class _OlderAioParty(_AioParty):
    name = "virtproto aio, the older way"

    def open(self, uri: str, *, readonly: bool = False) -> Any:
        """Return a new connection that believes the daemon to have no IDs for registrations."""
        return _without_ids(super().open(uri, readonly=readonly))


def _without_ids(connection: Any) -> Any:
    connection._opened.event_callbacks = False
    return connection


# The events that come the older way, and those that never depended on it.
_ALSO_OLDER = {kind.record for kind in KINDS.values() if not kind.by_id or kind.family != "domain"}
_ALSO_OLDER -= {_MONITOR}


class _OurEars:
    """One colour of virtproto: an iterator over every event, and one over those of monitors."""

    def __init__(self, party: OurParty, held: ExitStack) -> None:
        self._party = party
        self.name = party.name
        self._held = held
        self._connection = party.reach("connection", held)
        self._events = self._entered(self._connection.events())
        self._monitor: Any = None

    def _entered(self, events: Any) -> Any:
        wait = self._party.wait
        wait(events.__aenter__() if hasattr(events, "__aenter__") else events.__enter__())
        self._held.callback(lambda: wait(events.close()))
        return events

    def hear_monitor(self) -> None:
        """Listen to the monitors of all QEMUs too."""
        self._monitor = self._entered(self._connection.qemu_monitor_events())

    def next(self, *, monitor: bool = False) -> Heard:
        """Return the next event."""
        events = self._monitor if monitor else self._events
        record = self._party.wait(events.next(timeout_s=_EVENT_S))
        heard: Heard = [type(record).__name__, *self._party.plain(tuple(record))]
        return heard


class Ears:
    """All of them, listening to everything on one daemon.

    ``note`` makes a note, in the XML namespace that it is given, on a domain of the daemon.
    """

    def __init__(self, uri: str, note: Callable[[str], object], held: ExitStack) -> None:
        self._binding = _BindingEars(uri, held)
        colours = (_SyncParty(uri, {}), _AioParty(uri, {}))
        self._ours = [_OurEars(held.enter_context(party), held) for party in colours]
        older = (_OlderSyncParty(uri, {}), _OlderAioParty(uri, {}))
        self._older = [_OurEars(held.enter_context(party), held) for party in older]
        self._note = note
        self._notes = 0

    def hear_monitor(self) -> None:
        """Listen to the monitors of all QEMUs too."""
        self._binding.hear_monitor()
        for each in self._ours:
            each.hear_monitor()

    def forget(self) -> None:
        """Pass over what has happened so far."""
        self.hear(lambda heard: True)

    def hear(
        self, enough: Callable[[list[Heard]], bool]
    ) -> list[tuple[str, list[Heard], list[Heard]]]:
        """Return what each of ours heard until now: its name, what it should have, what it has.

        What it should have heard is what the C binding did. "Now" is once ``enough`` is true of
        that, since some things take their time. Raises NotHeardError where it never becomes true.
        """
        theirs: list[Heard] = []
        try:
            while not enough(theirs):
                theirs.append(self._binding.next())
        except CBindingMisuseError as error:
            raise NotHeardError(f"of what should come there was only {theirs}") from error
        self._notes += 1
        mark = f"{_NOTE}{self._notes}"
        self._note(mark)
        while not _is_note(theirs[-1:], mark):
            theirs.append(self._binding.next())
        found = [each for each in theirs[:-1] if each[0] != _MONITOR]
        monitor = [each for each in theirs if each[0] == _MONITOR]
        whole = [*found, *monitor]
        heard = [(ears.name, whole, self._until(mark, ears, len(monitor))) for ears in self._ours]
        # The note is newer than the older way. An event too many would be the next act's first.
        older = [each for each in found if each[0] in _ALSO_OLDER]
        heard += [(ears.name, older, [ears.next() for _ in older]) for ears in self._older]
        return heard

    def _until(self, mark: str, ears: _OurEars, monitor: int) -> list[Heard]:
        heard: list[Heard] = []
        while not _is_note(heard[-1:], mark):
            heard.append(ears.next())
        return [*heard[:-1], *(ears.next(monitor=True) for _ in range(monitor))]


def _is_note(last: list[Heard], mark: str) -> bool:
    return any(name == _NOTED and told[-1] == mark for name, *told in last)
