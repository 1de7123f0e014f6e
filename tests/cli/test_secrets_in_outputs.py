"""No output of trace and decode shows a secret, of sound conversations and of damaged ones."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.trace.conversations import Script, packet, secretive
from tests.trace.secrets.planting import CONTRACT, PAYLOADS, Planter
from tests.wire.messages import REFERENCE
from virtproto.cli.showing import Shower
from virtproto.cli.showing_options import ShowingOptions
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import Record
from virtproto.trace.secrets.masking import mask_record
from virtproto.trace.telling import Teller

SAID = "geheim-4711"
# As text, as bytes in hexadecimal, and as bytes of which each takes a word.
FORMS = (
    SAID,
    SAID.encode().hex(),
    SAID.encode().hex(" "),
    "".join(f"000000{each:02x}" for each in SAID.encode()),
    " ".join(f"00 00 00 {each:02x}" for each in SAID.encode()),
    SAID.encode().hex(" ", 4),
)
OUTPUTS: dict[str, dict[str, Any]] = {
    "lines": {"width": 0},
    "json": {"as_json": True},
    "json and hex": {"as_json": True, "as_hex": True},
    "hex": {"as_hex": True},
    "summary": {"summary": True},
    "summary as json": {"summary": True, "as_json": True},
}


def shown(records: list[Record], *, show_secrets: bool = False, **options: Any) -> str:
    """Return what is printed of records."""
    stream = io.StringIO()
    shower = Shower(ShowingOptions(show_secrets=show_secrets, **options), stream=stream)
    teller = Teller()
    for record in records:
        shower.show(teller.tell(record))
    shower.show(teller.finish())
    shower.finish()
    return stream.getvalue()


def every_type() -> list[Record]:
    """Return records of every message of the contract with a secret wherever one may be."""
    script = Script()
    for number, (program, version, rows) in enumerate(CONTRACT.programs.values()):
        del version
        for row in rows:
            for kind, name in zip((0, 1, 2), row[2:5], strict=True):
                if name is None or PAYLOADS[name][0] != program:
                    continue
                payload = REFERENCE.encode(name, Planter(SAID).planted(name))
                serial = 1000 * number + row[0]
                one = packet(kind, row[0], serial, payload=payload)
                one.program = program
                script.send(one, from_client=kind == 0)
    return script.records


def damaged(records: list[Record]) -> list[Record]:
    """Return records whose packets are cut, a word shorter each, and longer by one."""
    made = []
    for record in records:
        for cut in range(4, len(record.body) - 28, 12):
            made.append(_with(record, record.body[:-cut]))
        made.append(_with(record, record.body + b"more"))
    return made


def _with(record: Record, body: bytes) -> Record:
    body = len(body).to_bytes(4, "big") + body[4:]
    return Record(record.kind, record.flags, record.conversation, record.time_s, body)


@pytest.mark.parametrize("options", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("what", ["sound", "damaged", "every type"])
def test_no_output_shows_a_secret(options: dict[str, Any], what: str) -> None:
    records = every_type() if what == "every type" else secretive(SAID).records
    if what == "damaged":
        # An error in words that answers a call which nobody saw cannot be known to hold one.
        words = b"agent command with"
        records = damaged([e for e in records if len(e.body) > 32 and words not in e.body])
    text = shown(records, **options)
    flat = "".join(text.split())
    for form in FORMS:
        assert form not in text
        assert "".join(form.split()) not in flat
    if what == "sound" and not options.get("summary"):
        assert "<secret>" in text
        assert SAID in shown(records, show_secrets=True, **options)


@pytest.mark.parametrize("options", OUTPUTS.values(), ids=OUTPUTS)
def test_masked_recording_tells_the_same_to_everybody(options: dict[str, Any]) -> None:
    teller = Teller()
    masked = []
    for record in secretive(SAID).records:
        told = teller.tell(record)[0]
        assert isinstance(told, TracedMessage) or record.kind != 2
        masked.append(mask_record(record, told))
    text = shown(masked, show_secrets=True, **options)
    assert not any(form in text for form in FORMS)
    if not options.get("summary"):
        assert "<secret>" in text
