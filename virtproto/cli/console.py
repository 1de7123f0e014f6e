"""``virtproto console``: a guest's console in the terminal that the command runs in.

Responsible for the bytes on their ways, both at once, and for what is said when there is no console
to be had. What the terminal needs for it is in `terminal`.

The main thread reads what is typed. One thread sends it, so that a guest that takes no more does
not keep the escape character from being heard; one writes what the guest says, so that a terminal
that takes no more keeps nothing else. Where input is no terminal it is sent as it is, to its end,
without an escape character, and output goes on until the console ends: the command in a pipe.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections import deque
from contextlib import suppress

from virtproto.cli.finding import find_domain
from virtproto.cli.opening import open_connection
from virtproto.cli.output import tell
from virtproto.cli.table import visible
from virtproto.cli.terminal import RawTerminal, Signals
from virtproto.errors import (
    ConnectionLostError,
    DeadlineError,
    InternalError,
    LibvirtError,
    NoDomainError,
    OperationFailedError,
    OperationInvalidError,
    UsageError,
    VirtprotoError,
)
from virtproto.transport.deadline import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.sync import Domain, Stream

__all__ = ["read_escape", "run_console"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
# virDomainConsoleFlags.
_FORCE, _SAFE = 1, 2

_READ_SIZE = 4096
# Typed or piped in, and not taken by the guest: no more is read then.
_BACKLOG_MAX = 1 << 20
# How long leaving waits for what was typed before to be sent, and for the daemon to agree.
_LEAVE_S = 1.0
# How long a domain may take to be off after its console has ended.
_SHUT_OFF_S = 2.0
_LOOK_AGAIN_S = 0.05


def read_escape(text: str) -> bytes:
    """Return the escape character of a command line: "^]", "~", or "none", which is b"".

    Raises UsageError.
    """
    if text == "none":
        return b""
    if len(text) == 1 and text.isascii():
        return text.encode()
    if len(text) == 2 and text[0] == "^" and ("?" <= text[1].upper() <= "_"):
        return bytes([ord(text[1].upper()) ^ 0x40])
    raise UsageError(
        f"--escape: expected one character, ^ and another for a control character, or none, "
        f"not {visible(text)!r}"
    )


def show_escape(escape: bytes) -> str:
    """Return the escape character as people write it."""
    code = escape[0]
    return f"^{chr(code ^ 0x40)}" if code < 0x20 or code == 0x7F else escape.decode()


def run_console(
    uri: str | None, name: str, *, device: str | None, escape: str, force: bool, safe: bool
) -> int:
    """Join the terminal to a domain's console until one of them ends; return the exit code.

    0 where the user left, or the guest ended; 128 and its number for a signal. Raises
    UsageError, VirtprotoError, and OSError where the output cannot be written.
    """
    leave_at = read_escape(escape)
    with open_connection(uri) as connection:
        domain = find_domain(connection, name)
        stream = connection.new_stream()
        try:
            domain.open_console(stream, device, (_FORCE if force else 0) | (_SAFE if safe else 0))
        except LibvirtError as error:
            raise _explained(error, domain, device) from None
        talk = _Talk(stream, leave_at if os.isatty(_STDIN) else b"")
        talk.run(_banner(domain, leave_at))
        if not talk.is_stuck:
            _say_goodbye(stream)
        return talk.outcome(domain)


def _banner(domain: Domain, escape: bytes) -> str:
    way_out = f"; {show_escape(escape)} leaves it" if escape else ""
    return f"connected to the console of {visible(domain.get_name())}{way_out}"


def _say_goodbye(stream: Stream) -> None:
    """Give the console back; a daemon that is busy notices when the connection closes."""
    with suppress(VirtprotoError), deadline(_LEAVE_S):
        stream.abort()


class _Talk:
    """What goes back and forth between this process's input and output and one console."""

    def __init__(self, stream: Stream, escape: bytes) -> None:
        self._stream = stream
        self._escape = escape
        self._at_terminal = os.isatty(_STDIN)
        self._input_open = True
        self._signals = Signals()
        # Guards the backlog.
        self._news = threading.Condition()
        self._backlog: deque[bytes] = deque()
        self._behind = 0
        # Set when the user leaves, and when the console, or the way to it, has ended.
        self._left = False
        self._hung_up = False
        self._ended = False
        self._failure: BaseException | None = None

    def run(self, banner: str) -> None:
        """Talk until either side ends. The terminal is as before then."""
        with self._signals:
            with RawTerminal(_STDIN):
                if self._at_terminal:
                    # Not before: what is typed in answer to it is for the guest.
                    tell(f"{banner}\r" if os.isatty(_STDERR) else banner)
                for work in (self._listen, self._send):
                    threading.Thread(target=work, name="virtproto console", daemon=True).start()
                try:
                    self._read_keys()
                    if self._left:
                        self._wait_for_sending()
                finally:
                    self._left = True
                    with self._news:
                        self._news.notify_all()
            if self._at_terminal and not self._hung_up:
                tell("")

    @property
    def is_stuck(self) -> bool:
        """Whether the daemon takes no more, and so could not be told anything."""
        return self._behind > 0

    def outcome(self, domain: Domain) -> int:
        """Return the exit code, or raise what ended the talk."""
        name = visible(domain.get_name())
        if self._signals.caught:
            return 128 + self._signals.caught
        if self._hung_up:
            return 128 + signal.SIGHUP
        if not self._ended:
            tell(f"left the console of {name}")
            return 0
        error = self._failure
        if isinstance(error, ConnectionLostError):
            # Of the procedure that opened the console nobody wants to hear.
            why = domain.connection._channel._closed
            raise ConnectionLostError(f"the connection was lost: {why or error}") from error
        if error is not None and not isinstance(error, LibvirtError):
            raise error
        if _is_off(domain):
            if self._at_terminal:
                tell(f"{name} has shut off")
            return 0
        reason = f" ({error})" if error is not None else ""
        raise ConnectionLostError(
            f"the console of {name} was closed, or taken by somebody else{reason}"
        )

    # The main thread.

    def _read_keys(self) -> None:
        ready = select.poll()
        ready.register(self._signals, select.POLLIN)
        listening = False
        while not (self._ended or self._left or self._hung_up or self._signals.caught):
            wanted = self._input_open and self._behind < _BACKLOG_MAX
            if wanted != listening:
                listening = wanted
                if wanted:
                    ready.register(_STDIN, select.POLLIN)
                else:
                    ready.unregister(_STDIN)
            for fd, _ in ready.poll():
                if fd == _STDIN:
                    self._take(_read())
                else:
                    self._signals.heard()

    def _take(self, data: bytes | None) -> None:
        """Take what was typed or piped in; b"" is the end."""
        if data is None:
            return
        if not data:
            self._input_open = False
            # A terminal ends when its window is closed.
            self._hung_up = self._at_terminal
            return
        if self._escape:
            data, found, _ = data.partition(self._escape)
            self._left = bool(found)
        if data:
            with self._news:
                self._backlog.append(data)
                self._behind += len(data)
                self._news.notify_all()

    def _wait_for_sending(self) -> None:
        with self._news:
            self._news.wait_for(lambda: not self._behind or self._ended, _LEAVE_S)

    # The two others.

    def _send(self) -> None:
        """Send what was typed, as fast as the guest takes it."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._backlog or self._left or self._ended)
                if not self._backlog:
                    return
                data = b"".join(self._backlog)
                self._backlog.clear()
            try:
                self._stream.send(data)
            except BaseException as error:
                self._end(error)
                return
            with self._news:
                was_full = self._behind >= _BACKLOG_MAX
                self._behind -= len(data)
                self._news.notify_all()
            if was_full:
                self._signals.wake()

    def _listen(self) -> None:
        """Write what the guest says, as fast as the output takes it."""
        try:
            for data in self._stream:
                _write(data)
                if self._left:
                    return
        except BaseException as error:
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if self._left or self._ended:
            # Nobody asks any more.
            return
        self._failure = error
        self._ended = True
        self._signals.wake()
        with self._news:
            self._news.notify_all()


def _read() -> bytes | None:
    """Return what is there of the input, b"" at its end, None where nothing is after all."""
    try:
        return os.read(_STDIN, _READ_SIZE)
    except BlockingIOError:
        return None
    except OSError:
        # The terminal has gone, or it is nothing that can be read.
        return b""


def _write(data: bytes) -> None:
    """Write all of it, also where somebody else has made the output one that never blocks."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(_STDOUT, rest) :]
        except BlockingIOError:
            room = select.poll()
            room.register(_STDOUT, select.POLLOUT)
            room.poll()


def _is_off(domain: Domain) -> bool:
    """Return whether a domain has ended, or does so presently.

    libvirtd throws away a call that comes in the moment when it takes the console from this
    connection, and never answers it (daemonStreamFilter): what is not known in time is no.
    """
    with deadline(_SHUT_OFF_S):
        try:
            while domain.is_active():
                time.sleep(_LOOK_AGAIN_S)
        except DeadlineError:
            return False
        except NoDomainError:
            # It was not a persistent one.
            pass
    return True


def _explained(error: LibvirtError, domain: Domain, device: str | None) -> LibvirtError:
    """Return the daemon's refusal to open a console, with what can be done about it."""
    text = str(error)
    if isinstance(error, OperationFailedError):
        text += "; --force takes it over"
    elif isinstance(error, OperationInvalidError) and not domain.is_active():
        text += "; start it first"
    elif isinstance(error, InternalError):
        found = _devices_of(domain)
        if found:
            text += f"; it has {', '.join(found)}"
        elif found is not None and device is None:
            # The daemon speaks of a device whose name is nothing.
            text = f"domain {visible(domain.get_name())} has no console or serial line"
        elif found is not None:
            text += "; it has no console or serial line"
    if text == str(error):
        return error
    return type(error)(text, code=error.code, procedure=error.procedure)


def _devices_of(domain: Domain) -> list[str] | None:
    """Return what consoles a running domain has, each once; None where it cannot be told."""
    from xml.etree import ElementTree

    try:
        devices = ElementTree.fromstring(domain.get_xml_description()).find("devices")
    except (VirtprotoError, ElementTree.ParseError):
        return None
    found: dict[str, str] = {}
    for one in devices if devices is not None else ():
        alias = one.find("alias")
        if one.tag in ("console", "serial", "parallel") and alias is not None:
            # A serial line is listed as a console once more.
            name = visible(alias.get("name", ""))
            found.setdefault(name, f"{name} ({one.tag}, {visible(one.get('type', ''))})")
    return list(found.values())
