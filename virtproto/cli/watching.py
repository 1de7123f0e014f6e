"""``virtproto events``: what happens at a daemon, a line for each event.

Responsible for the names of events on a command line, and for a line or a JSON object made of a
record. Which events there are, and what is in them, is said by ``virtproto.events``.
"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from datetime import datetime
from enum import Enum

from virtproto.cli.finding import did_you_mean, find_domain
from virtproto.cli.opening import open_connection
from virtproto.cli.table import visible
from virtproto.errors import DeadlineError, UsageError
from virtproto.model.event_kinds import DOMAIN, QEMU, kind_of_record
from virtproto.sync import _events as records
from virtproto.transport.deadline import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["kind_names", "print_events", "print_kinds"]

# Of a monitor, not of libvirt: heard by a call of its own.
_MONITOR = "qemu-monitor-event"


def print_kinds() -> None:
    """Print the names of all kinds of event."""
    for name in kind_names():
        print(name)


def print_events(
    uri: str | None,
    kinds: Sequence[str],
    *,
    domains: Sequence[str],
    count: int | None,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Print events as they come; return the exit code: 1 where fewer than ``count`` came in time.

    Raises UsageError, VirtprotoError, and OSError where the output cannot be written.
    """
    classes = [_kind_of(each) for each in kinds]
    _check(classes, domains, count, timeout_s)
    with open_connection(uri) as connection:
        about = [find_domain(connection, each) for each in domains] or None
        if records.QemuMonitorEvent in classes:
            heard: Any = connection.qemu_monitor_events(about[0] if about else None)
        else:
            heard = connection.events(*classes, about=about)
        came = 0
        try:
            # Not closed: a daemon forgets what was wanted when the connection ends, and one that is
            # silent keeps nobody waiting until it has confirmed that.
            with nullcontext() if timeout_s is None else deadline(timeout_s):
                for record in heard:
                    print(_as_json(record) if as_json else _as_line(record), flush=True)
                    came += 1
                    if came == count:
                        return 0
        except DeadlineError:
            if timeout_s is None:
                raise
            return 0 if count is None else 1
    return 0


def _check(
    classes: Sequence[type[Any]], domains: Sequence[str], count: int | None, timeout_s: float | None
) -> None:
    """Raise UsageError for what cannot be, before anybody is asked."""
    if count is not None and count < 1:
        raise UsageError(f"--count: {count} events; at least 1 is expected")
    if timeout_s is not None and not timeout_s > 0:
        raise UsageError(f"--timeout: {timeout_s:g} seconds; more than 0 are expected")
    for kind in classes if domains else ():
        if kind_of_record(kind.__name__).family not in (DOMAIN, QEMU):
            raise UsageError(f"--domain: {_dashed(kind.__name__)} is not about domains")
    if records.QemuMonitorEvent in classes and (len(classes) > 1 or domains[1:]):
        raise UsageError(f"{_MONITOR} goes with no other kind, and with one domain at most")


def kind_names() -> dict[str, type[Any]]:
    """Return the class of each kind of event by its name on the command line."""
    return {_dashed(name): getattr(records, name) for name in records.__all__}


def _dashed(name: str) -> str:
    """Return DomainIOError as domain-io-error."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _kind_of(given: str) -> type[Any]:
    """Return the class of a kind: "domain-lifecycle", or as the class itself is called."""
    plain = re.sub("[-_]", "", given).lower()
    kinds = kind_names()
    for name, kind in kinds.items():
        if name.replace("-", "") == plain:
            return kind
    hint = did_you_mean(given, kinds) or "; --list shows them"
    raise UsageError(f"there is no kind of event {visible(given)}{hint}")


def _as_line(record: Any) -> str:
    fields = record._asdict()
    concerned = fields.pop(next(iter(fields)))
    words = [datetime.now().isoformat(" ", "milliseconds"), _dashed(type(record).__name__)]
    name = getattr(concerned, "get_name", None)
    if name is not None:
        words.append(name())
    elif concerned is not None:
        words.append(_word(concerned))
    words += [f"{field}={_word(value)}" for field, value in fields.items()]
    return visible("  ".join(words))


def _word(value: Any) -> str:
    shown = _plain(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _as_json(record: Any) -> str:
    said = {
        "time": datetime.now().astimezone().isoformat(timespec="milliseconds"),
        "kind": _dashed(type(record).__name__),
    }
    said |= {field: _plain(value) for field, value in record._asdict().items()}
    return json.dumps(said)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: members by name, objects by what identifies them."""
    if isinstance(value, Enum):
        # A set of flags may have a member for none of its names.
        return value.name or int(value.value)
    if hasattr(value, "get_name"):
        found = {"name": value.get_name()}
        if hasattr(value, "get_uuid_string"):
            found["uuid"] = value.get_uuid_string()
        return found
    if hasattr(value, "_asdict"):
        return {field: _plain(each) for field, each in value._asdict().items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value
