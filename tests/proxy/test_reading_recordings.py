"""What a recording that is to be played holds, and the words for one that holds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproto.errors import RecordingError
from virtproto.proxy.reading_recordings import read_recording


@pytest.mark.parametrize(
    ("data", "words", "offset"),
    [
        (b"what is this\n", "there are no bytes in the text", None),
        (b"\x89VPREC\r\n", "byte 0: the recording ends within its head", 0),
    ],
    ids=["text", "head"],
)
def test_a_file_with_nothing_to_play_is_named(
    tmp_path: Path, data: bytes, words: str, offset: int | None
) -> None:
    path = tmp_path / "what"
    path.write_bytes(data)
    with pytest.raises(RecordingError) as raised:
        read_recording(str(path))
    assert str(raised.value).startswith(f"{path}: {words}")
    assert raised.value.offset == offset
