"""Plain values in one line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trace.conversations import UUID, WEB
from virtproto.trace.printing.lines import text_of
from virtproto.trace.printing.value_text import LineFull, Naming, SpanWriter, duration, shown_size

FLAGS = Naming({0: "NONE", 1: "LIVE", 2: "CONFIG"}, flags=True)
STATES = Naming({1: "RUNNING"}, flags=False)


def _shown(plain: dict[str, Any], **options: Any) -> str:
    writer = SpanWriter(options.get("width", 0), longest=options.get("longest", 0))
    writer.fields(plain, options.get("names"), options.get("counts"))
    return text_of(writer.spans)


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ({"a": 1, "b": -2, "c": 1.5, "d": None}, "a=1 b=-2 c=1.5 d=null"),
        ({"flags": 9, "x": 10}, "flags=9 x=10"),
        ({"flags": 10}, "flags=0xa"),
        ({"s": 'say "no"\\\n'}, 's="say \\"no\\"\\\\\\n"'),
        ({"s": "<secret>"}, "s=<secret>"),
        ({"xml": "<a>\n  <b/>\n</a>"}, 'xml="<a> <b/> </a>"'),
        ({"dom": WEB}, 'dom="web"(3)'),
        ({"dom": {**WEB, "id": -1}}, 'dom="web"'),
        ({"vol": {"pool": "p", "name": "v", "key": "/k"}}, 'vol="p"/"v"'),
        ({"snap": {"name": "s", "dom": WEB}}, 'snap="web"(3)/"s"'),
        ({"uuid": UUID}, "uuid=c7a5fdbd-4f3f-4a5b-9c1d-0123456789ab"),
        ({"cpumap": b"\x0f"}, "cpumap=0x0f"),
        ({"value": b""}, "value=[]"),
        ({"value": bytes(20)}, f"value=0x{'00' * 16}…(20)"),
        ({"model": b"selinux\0"}, 'model="selinux"'),
        ({"model": b"\xff\0"}, "model=0xff00"),
        ({"l": [1, 2, 3]}, "l=[1, 2, 3]"),
        ({"l": [1, 2, 3, 4]}, "l=[4: 1, 2, 3, 4]"),
        ({"l": []}, "l=[]"),
        ({"o": {"a": {"b": 1}}}, "o={a={b=1}}"),
        (
            {"params": [{"field": "weight", "value": {"type": 1, "value": 5}}]},
            "params={weight=5}",
        ),
        ({"\x1b": 1}, "\\x1b=1"),
    ],
)
def test_values_are_short_and_whole(plain: dict[str, Any], shown: str) -> None:
    assert _shown(plain) == shown


def test_numbers_have_names() -> None:
    names = {"flags": FLAGS, "state": STATES}
    plain = {"flags": 3, "state": 1, "inner": [{"state": 7}]}
    assert _shown(plain, names=names) == "flags=LIVE|CONFIG state=RUNNING inner=[{state=7}]"
    assert [FLAGS.text(each) for each in (0, 6, 64, -1)] == ["NONE", "CONFIG|0x4", "0x40", "-1"]


def test_what_is_left_out_is_counted() -> None:
    assert _shown({"s": "x" * 50}, longest=10) == f's="{"x" * 10}"…(50)'
    assert _shown({"l": [1, 2]}, counts={"l": 900}) == "l=[900: 1, 2 …]"
    plain = {"records": [{"params": [1]}, {"params": [1]}]}
    counts = {"records[1].params": 40}
    assert _shown(plain, counts=counts) == "records=[{params=[1]}, {params=[40: 1 …]}]"


def test_full_line_says_so() -> None:
    writer = SpanWriter(10)
    with pytest.raises(LineFull):
        writer.fields({"name": "value that is long"})
    assert text_of(writer.spans) == 'name="val…'
    exact = SpanWriter(9)
    exact.add("12345678")
    with pytest.raises(LineFull):
        exact.add("9")
    assert text_of(exact.spans) == "12345678…"


def test_times_and_sizes_have_three_figures() -> None:
    times = (0.0, 0.0000004, 0.000345, 0.00123, 0.0123, 0.123, 1.23, 123.4, -0.5)
    assert [duration(each) for each in times] == [
        *("0 µs", "0 µs", "345 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s", "123 s", "-500 ms"),
    ]
    sizes = (0, 1023, 1536, 10 * 2**20)
    assert [shown_size(each) for each in sizes] == ["0 B", "1023 B", "1.5 KiB", "10.0 MiB"]
