"""Draws what the commands print on a terminal, as the pictures in docs/screens.

    python docs/screens.py [FOLDER]

Responsible for which commands are shown, and for turning a terminal's text into SVG: without fonts
or anything else from elsewhere. What is traced is a recording of a real virsh and a real libvirtd,
docs/screens/example.vprec.gz; how it was made says docs/screens/example.sh. Must not know how lines
are made: it runs the commands.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from virtproto.cli.app import run
from virtproto.testing import ScriptedServer
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import pack_head, pack_record
from virtproto.wire import remote

__all__ = ["FOLDER", "pictures", "write"]

FOLDER = Path(__file__).parent / "screens"
_EXAMPLE = FOLDER / "example.vprec.gz"
_COLUMNS = 132
# Where it is in a packet.
_PROCEDURE = 12

# In pixels: a character's width is that of most fixed fonts, and texts are stretched to it.
_SIZE, _WIDTH, _HEIGHT, _EDGE, _BAR = 13, 7.83, 18, 16, 30
_BACK, _FRONT, _BAR_BACK = "#16191d", "#d5d9de", "#24292f"
# The sixteen colours of terminals, by rich's numbers.
_COLORS = (
    *("#16191d", "#f07178", "#8fc76b", "#e6c07b", "#6cb0f6", "#c792ea", "#56c8d8", "#d5d9de"),
    *("#7a828c", "#ff8b92", "#b5e890", "#ffd58a", "#8fc7ff", "#ddb0ff", "#7fe3ef", "#ffffff"),
)

_WANTED = "not (CONNECT_* or *LOOKUP* or AUTH_LIST or *POOL*) or error"
_DOMAINS = (
    ("router", 1, 1),
    ("web", 3, 1),
    ("database", 7, 1),
    ("build-runner", 12, 3),
    ("übungsraum", -1, 5),
    ("old-mail", -1, 6),
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pictures() -> dict[str, str]:
    """Return every picture's SVG, by the name of its file."""
    example = str(_EXAMPLE)
    one = "DOMAIN_SET_USER_PASSWORD"
    return {
        "trace.svg": _picture(
            f"virtproto trace --filter '{_WANTED}' -- sh example.sh",
            _run("decode", "--filter", _WANTED, example),
        ),
        "summary.svg": _picture(
            "virtproto trace --summary -- sh example.sh", _run("decode", "--summary", example)
        ),
        "hex.svg": _picture(
            f"virtproto decode --hex --filter '{one}' example.vprec.gz",
            _run("decode", "--hex", "--filter", one, example),
        ),
        "damage.svg": _picture("virtproto decode damaged.vprec", _decode_damaged()),
        "list.svg": _picture("virtproto list --uuid", _list()),
    }


def write(folder: Path) -> None:
    """Write every picture into ``folder``."""
    for name, text in pictures().items():
        (folder / name).write_text(text, encoding="utf-8")


def _run(*arguments: str, code: int = 0) -> str:
    """Run a command as on a terminal; return what it shows there."""
    command, *rest = arguments
    if command == "decode":
        rest = ["--color", "always", "--width", str(_COLUMNS), *rest]
    before = sys.stdout, sys.stderr, dict(os.environ)
    shown = _Terminal()
    os.environ |= {"TERM": "xterm", "COLUMNS": str(_COLUMNS)}
    os.environ.pop("NO_COLOR", None)
    sys.stdout = sys.stderr = shown
    try:
        found = run([command, *rest])
    finally:
        sys.stdout, sys.stderr, environment = before
        os.environ.clear()
        os.environ.update(environment)
    if found != code:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {found}\n{shown.getvalue()}")
    return shown.getvalue()


def _decode_damaged() -> str:
    """Return what is said of the example's beginning, damaged in four ways."""
    reader = RecordReader()
    records = reader.feed(gzip.decompress(_EXAMPLE.read_bytes()))[:16]
    parts = [pack_head(reader.about or {})]
    for record in records:
        body = bytearray(record.body)
        if b"qemu:///system" in body:
            # A text that is longer than its packet.
            body[body.index(b"qemu:///system") - 2] = 1
        elif record is records[6]:
            # A procedure that no release has.
            body[_PROCEDURE : _PROCEDURE + 4] = (4711).to_bytes(4, "big")
        elif record is records[9]:
            # Half of a packet.
            body = body[:30]
        time_us = round(record.time_s * 1e6)
        parts.append(
            pack_record(record.kind, record.flags, record.conversation, time_us, bytes(body))
        )
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        # The last record is cut.
        Path(folder, "damaged.vprec").write_bytes(b"".join(parts)[:-21])
        os.chdir(folder)
        try:
            return _run("decode", "damaged.vprec", code=1)
        finally:
            os.chdir(before)


def _list() -> str:
    domains = [
        remote.NonnullDomain(name=name, uuid=bytes([0x5E, index]) * 8, id=number)
        for index, (name, number, _state) in enumerate(_DOMAINS)
    ]
    states = {name: state for name, _number, state in _DOMAINS}
    listed = remote.ConnectListAllDomainsRet(domains=domains, ret=len(domains))
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedServer({remote.CONNECT_LIST_ALL_DOMAINS: listed}) as server,
    ):
        server.handle(
            remote.DOMAIN_GET_STATE,
            lambda call: remote.DomainGetStateRet(
                state=states[remote.DomainGetStateArgs.unpack(call.payload).dom.name], reason=0
            ),
        )
        uri = f"qemu:///system?socket={server.listen(Path(folder) / 'socket')}"
        return _run("list", "--uuid", "-c", uri)


def _picture(command: str, shown: str) -> str:
    """Return a terminal with a command and what it shows, as SVG."""
    text = Text.from_ansi(shown.rstrip("\n"))
    # What is longer goes on in the next line, as on every terminal.
    lines = [
        part
        for line in text.split("\n", allow_blank=True)
        for part in line.divide(range(_COLUMNS, max(len(line), 1), _COLUMNS))
    ]
    width = round(max([cell_len(command) + 2, *(line.cell_len for line in lines)]) * _WIDTH)
    across, down = width + 2 * _EDGE, _BAR + _HEIGHT * (len(lines) + 1) + _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" '
        f'viewBox="0 0 {across} {down}" role="img">',
        f"<title>{escape(command)}</title>",
        f'<rect width="{across}" height="{down}" rx="8" fill="{_BACK}"/>',
        f'<path d="M0 8a8 8 0 0 1 8-8H{across - 8}a8 8 0 0 1 8 8V{_BAR - 8}H0z" '
        f'fill="{_BAR_BACK}"/>',
        *(
            f'<circle cx="{18 + 18 * index}" cy="{(_BAR - 8) // 2}" r="5" fill="{color}"/>'
            for index, color in enumerate(("#f07178", "#e6c07b", "#8fc76b"))
        ),
        '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
        f'font-size="{_SIZE}" fill="{_FRONT}" xml:space="preserve">',
    ]
    parts += _spans(0, [("$ ", Style.parse("bold green")), (command, Style.parse("bold"))])
    for row, line in enumerate(lines, 1):
        parts += _spans(row, _styled(line))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _styled(line: Text) -> list[tuple[str, Style]]:
    """Return a line in pieces of one style each."""
    styles = [Style() for _ in line.plain]
    for span in line.spans:
        for index in range(span.start, min(span.end, len(styles))):
            look = span.style if isinstance(span.style, Style) else Style.parse(span.style)
            styles[index] += look
    pieces: list[tuple[str, Style]] = []
    for character, style in zip(line.plain, styles, strict=True):
        if pieces and pieces[-1][1] == style:
            pieces[-1] = pieces[-1][0] + character, style
        else:
            pieces.append((character, style))
    return pieces


def _spans(row: int, pieces: list[tuple[str, Style]]) -> Iterator[str]:
    """Yield the texts of a row, each where its columns are whatever the font is."""
    column, down = 0, _BAR + _HEIGHT * row + _SIZE
    for text, style in pieces:
        for part in re.findall(r" {2,}|(?:(?! {2}).)+", text):
            bare = part.strip(" ")
            if bare:
                left = _EDGE + (column + len(part) - len(part.lstrip(" "))) * _WIDTH
                yield (
                    f'<text x="{left:.1f}" y="{down}" textLength="{cell_len(bare) * _WIDTH:.1f}" '
                    f'lengthAdjust="spacingAndGlyphs"{_look(style)}>{escape(bare)}</text>'
                )
            column += cell_len(part)


def _look(style: Style) -> str:
    color = style.color
    look = ""
    if color is not None and color.number is not None and color.number < len(_COLORS):
        look += f' fill="{_COLORS[color.number]}"'
    if style.bold:
        look += ' font-weight="bold"'
    return look + (' opacity="0.6"' if style.dim else "")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
