"""What a summary says: as tables for people, as one object for programs.

Responsible for what is told, in which order, and for units. Must not know how tables are drawn.
"""

from __future__ import annotations

from virtproto.trace.printing.naming import error_domain, error_number
from virtproto.trace.printing.value_text import counted, duration, shown_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.trace.printing.summary import CallCount, ErrorCount, StreamCount, Summary

    # Heading, whether it is a number, and its rank: where there is no room, the highest go first.
    Column = tuple[str, bool, int]

__all__ = ["SummaryTable", "summary_object", "summary_tables", "totals"]

_PERCENTILES = (50, 95, 99)
_CALLS: tuple[Column, ...] = (
    ("% time", True, 3),
    ("total", True, 0),
    ("calls", True, 0),
    ("errors", True, 0),
    ("no answer", True, 0),
    ("min", True, 8),
    ("median", True, 1),
    ("p95", True, 4),
    ("p99", True, 5),
    ("max", True, 2),
    ("sent", True, 7),
    ("received", True, 6),
    ("procedure", False, 0),
)


class SummaryTable:
    """A table with ``columns`` and rows of texts.

    The last row is a sum if ``summed``; the last column is text that may be cut or go on below
    where there is no room, if ``spoken``.
    """

    __slots__ = ("columns", "rows", "spoken", "summed", "title")

    def __init__(
        self,
        title: str,
        columns: tuple[Column, ...],
        rows: list[list[str]],
        *,
        summed: bool = False,
        spoken: bool = False,
    ) -> None:
        self.title = title
        self.columns = columns
        self.rows = rows
        self.summed = summed
        self.spoken = spoken

    def without_empty(self) -> SummaryTable:
        """Return the table without the columns in which no row has anything."""
        kept = [index for index in range(len(self.columns)) if any(row[index] for row in self.rows)]
        return SummaryTable(
            self.title,
            tuple(self.columns[index] for index in kept),
            [[row[index] for index in kept] for row in self.rows],
            summed=self.summed,
            spoken=self.spoken,
        )


def summary_tables(summary: Summary) -> list[SummaryTable]:
    """Return the tables that have rows, in the order in which they are read."""
    made = [
        _calls(summary),
        _errors(summary),
        _streams(summary),
        _events(summary),
        _in_flight(summary),
        _oddities(summary),
    ]
    return [table.without_empty() for table in made if table.rows]


def totals(summary: Summary) -> str:
    """Return in one line how much passed in which time."""
    from_daemons, from_clients = summary.bytes
    many = len(summary.conversations)
    parts = [
        counted(many, "conversation"),
        f"{counted(summary.messages, 'message')} in {duration(summary.lasted_s)}",
        f"{shown_size(from_clients)} to the daemon",
        f"{shown_size(from_daemons)} from it",
        f"at most {counted(summary.most_in_flight, 'call')} in flight",
    ]
    if summary.unanswered:
        parts.append(f"{counted(summary.unanswered, 'call')} without an answer")
    if any(summary.pings):
        parts.append(f"{sum(summary.pings)} of keepalive")
    return ", ".join(parts)


def _by_time(summary: Summary) -> list[tuple[str, CallCount]]:
    """Return the procedures, those first that took longest in sum."""
    return sorted(
        summary.calls.items(), key=lambda item: (-item[1].times.total, -item[1].calls, item[0])
    )


def _calls(summary: Summary) -> SummaryTable:
    whole = sum(found.times.total for found in summary.calls.values())
    rows = [_call_row(name, found, whole) for name, found in _by_time(summary)]
    if len(rows) > 1:
        counts = summary.calls.values()
        rows.append(
            [
                "100.00" if whole else "",
                duration(whole),
                str(sum(found.calls for found in counts)),
                str(sum(found.errors for found in counts) or ""),
                str(sum(found.unanswered for found in counts) or ""),
                *[""] * 5,
                shown_size(sum(found.sent for found in counts)),
                shown_size(sum(found.received for found in counts)),
                "total",
            ]
        )
    return SummaryTable("", _CALLS, rows, summed=len(rows) > 1)


def _call_row(name: str, found: CallCount, whole: float) -> list[str]:
    times = found.times
    spans = [duration(times.smallest)]
    spans += [duration(times.percentile(percent)) for percent in _PERCENTILES]
    spans.append(duration(times.largest))
    return [
        f"{100 * times.total / whole:.2f}" if whole else "",
        duration(times.total) if times.count else "",
        str(found.calls),
        str(found.errors or ""),
        str(found.unanswered or ""),
        *(spans if times.count else [""] * len(spans)),
        shown_size(found.sent),
        shown_size(found.received),
        name,
    ]


def _errors(summary: Summary) -> SummaryTable:
    columns: tuple[Column, ...] = (
        ("errors", True, 0),
        ("code", True, 0),
        ("name", False, 1),
        ("from", False, 2),
        ("procedure", False, 0),
        ("the first says", False, 0),
    )
    rows = []
    found = sorted(summary.errors.items(), key=lambda item: (-item[1].count, item[0][0]))
    for (procedure, code, domain), error in found:
        name = error_number(code) if isinstance(code, int) else None
        part = error_domain(domain) if isinstance(domain, int) else None
        shown = "" if code is None else str(code)
        rows.append([str(error.count), shown, name or "", part or "", procedure, error.message])
    return SummaryTable("Errors", columns, rows, spoken=True)


def _streams(summary: Summary) -> SummaryTable:
    columns: tuple[Column, ...] = (
        ("streams", True, 0),
        ("aborted", True, 0),
        ("packets", True, 1),
        ("sent", True, 0),
        ("received", True, 0),
        ("time", True, 0),
        ("rate", True, 0),
        ("opened by", False, 0),
    )
    rows = []
    for name, found in sorted(summary.streams.items(), key=lambda item: -_data(item[1])):
        active_s = _active(found)
        rows.append(
            [
                str(found.streams),
                str(found.aborted or ""),
                str(found.packets),
                shown_size(found.sent) if found.sent else "",
                shown_size(found.received) if found.received else "",
                duration(active_s),
                f"{shown_size(_data(found) / active_s)}/s" if active_s > 0 else "",
                name,
            ]
        )
    return SummaryTable("Streams", columns, rows)


def _events(summary: Summary) -> SummaryTable:
    columns: tuple[Column, ...] = (("events", True, 0), ("bytes", True, 0), ("event", False, 0))
    found = sorted(summary.events.items(), key=lambda item: (-item[1].count, item[0]))
    rows = [[str(each.count), shown_size(each.bytes), name] for name, each in found]
    return SummaryTable("Events", columns, rows)


def _in_flight(summary: Summary) -> SummaryTable:
    columns: tuple[Column, ...] = (
        ("in flight", True, 0),
        ("time", True, 0),
        ("% of all", True, 0),
        ("", False, 0),
    )
    whole = sum(summary.in_flight_s.values())
    rows = []
    for count, spent_s in sorted(summary.in_flight_s.items()):
        share = spent_s / whole if whole else 0.0
        bar = "#" * round(share * 40)
        rows.append([str(count), duration(spent_s), f"{100 * share:.1f}", bar])
    return SummaryTable("Calls without an answer at a time", columns, rows)


def _oddities(summary: Summary) -> SummaryTable:
    columns: tuple[Column, ...] = (("times", True, 0), ("what is odd", False, 0))
    found = sorted(summary.oddities.items(), key=lambda item: (-item[1], item[0]))
    rows = [[str(count), text] for text, count in found]
    return SummaryTable("Oddities", columns, rows, spoken=True)


def _data(found: StreamCount) -> int:
    return found.sent + found.received


def _active(found: StreamCount) -> float:
    going_on = sum(last_s - began_s for began_s, last_s in found.spans.values())
    return found.active_s + going_on


def summary_object(summary: Summary) -> dict[str, Any]:
    """Return the summary as JSON has it: ``kind`` is "summary", times are in seconds."""
    from_daemons, from_clients = summary.bytes
    return {
        "kind": "summary",
        "lasted_s": round(summary.lasted_s, 6),
        "conversations": len(summary.conversations),
        "messages": summary.messages,
        "bytes": {"client": from_clients, "daemon": from_daemons},
        "keepalive": {"client": summary.pings[True], "daemon": summary.pings[False]},
        "calls": [_call_object(name, found) for name, found in _by_time(summary)],
        "errors": [_error_object(key, error) for key, error in summary.errors.items()],
        "events": [
            {"event": name, "count": found.count, "bytes": found.bytes}
            for name, found in summary.events.items()
        ],
        "streams": [_stream_object(name, found) for name, found in summary.streams.items()],
        "most_in_flight": summary.most_in_flight,
        "in_flight_s": {
            str(count): round(spent_s, 6) for count, spent_s in sorted(summary.in_flight_s.items())
        },
        "unanswered": summary.unanswered,
        "oddities": summary.oddities,
    }


def _error_object(key: tuple[str, int | None, int | None], error: ErrorCount) -> dict[str, Any]:
    procedure, code, domain = key
    return {
        "procedure": procedure,
        "code": code,
        "name": error_number(code) if isinstance(code, int) else None,
        "domain": error_domain(domain) if isinstance(domain, int) else None,
        "count": error.count,
        "message": error.message,
    }


def _stream_object(name: str, found: StreamCount) -> dict[str, Any]:
    return {
        "procedure": name,
        "streams": found.streams,
        "finished": found.finished,
        "aborted": found.aborted,
        "packets": found.packets,
        "sent": found.sent,
        "received": found.received,
        "active_s": round(_active(found), 6),
    }


def _call_object(name: str, found: CallCount) -> dict[str, Any]:
    times = found.times
    made: dict[str, Any] = {
        "procedure": name,
        "calls": found.calls,
        "errors": found.errors,
        "unanswered": found.unanswered,
        "sent": found.sent,
        "received": found.received,
    }
    if times.count:
        made["latency_s"] = {
            "total": round(times.total, 6),
            "min": round(times.smallest, 6),
            **{f"p{percent}": round(times.percentile(percent), 6) for percent in _PERCENTILES},
            "max": round(times.largest, 6),
        }
    return made
