"""A libvirt daemon for tests that answers as a recording has it.

Responsible for the thread that it runs on. What it says, `virtproto.proxy.playing_daemon` knows.

::

    with replayed("two-domains.vprec") as daemon:
        with virtproto.open(daemon.uri()) as connection:
            assert len(connection.list_all_domains()) == 2
    assert not daemon.deviations
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

from virtproto.errors import DeadlineError, UsageError
from virtproto.proxy.carriage import Carriage
from virtproto.proxy.listening import Listener
from virtproto.proxy.playing_daemon import PlayingDaemon
from virtproto.proxy.reading_recordings import read_recording
from virtproto.trace.replaying.opening_answers import is_aside, opened_name

if TYPE_CHECKING:
    from types import TracebackType

    from virtproto.trace.replaying.deviation import Deviation

__all__ = ["ReplayedDaemon", "replayed"]

_STOP_S = 10.0


def replayed(
    path: str | os.PathLike[str], *, loose: bool = False, pace: bool = False
) -> ReplayedDaemon:
    """Return a daemon that answers as the recording at ``path`` has it; a context manager.

    A call is found by its procedure and arguments, also with other arguments where it is
    ``loose``; one that the recording does not have gets an error that says so. With ``pace``
    answers and events take as long as they did. Raises RecordingError for what is no recording or
    is damaged, UsageError for a file that cannot be opened.
    """
    return ReplayedDaemon(path, loose=loose, pace=pace)


class ReplayedDaemon:
    """A played daemon on a thread of its own, for any number of clients; made by `replayed`."""

    def __init__(
        self, path: str | os.PathLike[str], *, loose: bool = False, pace: bool = False
    ) -> None:
        recalled, fault = read_recording(os.fspath(path))
        if fault is not None:
            raise fault
        self._name = opened_name(recalled)
        self._carriage = Carriage(None)
        # Appended to on the daemon's thread; each by one step that others see whole.
        self._deviations: list[Deviation] = []
        self._daemon = PlayingDaemon(
            recalled, self._carriage, self._deviations.append, loose=loose, pace=pace
        )
        self._folder = tempfile.mkdtemp(prefix="virtproto-")
        self._listener = Listener(f"{self._folder}/libvirt-sock")
        self._listener.attend(self._carriage, self._daemon)
        self._thread = threading.Thread(
            target=self._carriage.run, name="replayed-daemon", daemon=True
        )
        self._stopped = False
        self._thread.start()

    def __enter__(self) -> ReplayedDaemon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def socket_path(self) -> str:
        """Path of the unix socket, until `stop`."""
        return self._listener.address

    @property
    def deviations(self) -> list[Deviation]:
        """What clients did otherwise than recorded, so far, that is more than another manner."""
        return [each for each in list(self._deviations) if not each.mild]

    @property
    def not_made(self) -> list[str]:
        """Procedures of recorded calls that no client made; known once it is stopped."""
        return [
            each.call.procedure or f"{each.call.packet.procedure}"
            for script in self._daemon.scripts
            for each in script.unplayed
            if not is_aside(each.call)
        ]

    def uri(self, name: str | None = None) -> str:
        """Return a URI for clients; ``name`` is what they open, by default what was recorded."""
        text = name if name is not None else self._name
        scheme, colon, rest = text.partition(":")
        query = f"socket={quote(self.socket_path, safe='/')}"
        if not colon:
            return f"remote+unix:///?{query}"
        return f"{scheme}+unix:{rest}{'&' if '?' in rest else '?'}{query}"

    def connect(self) -> socket.socket:
        """Return a blocking socket whose other end is played to; the caller closes it."""
        if self._stopped:
            raise UsageError("the replayed daemon is stopped")
        ours, theirs = socket.socketpair()
        self._carriage.from_thread(lambda: self._daemon.adopt(ours))
        return theirs

    def stop(self) -> None:
        """Send every client away and end the thread. Harmless twice."""
        if self._stopped:
            return
        self._stopped = True
        self._carriage.from_thread(self._end)
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise DeadlineError("the replayed daemon did not stop")
        self._carriage.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        self._listener.close()
        self._daemon.close()
        self._carriage.stop(drain=False)
