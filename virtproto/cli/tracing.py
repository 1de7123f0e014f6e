"""Running a program, or listening for clients, and telling what passes between them and a daemon.

Responsible for the order in which the proxy's parts begin and end, and for what the user is told
beside the messages. Must not know click, or how any of the parts works.

Two processes do it. This one carries; the reporter, made before anything else, is given what passed
as records, and prints and keeps it.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from virtproto.cli.opening import asked_and_patience
from virtproto.cli.output import complain
from virtproto.cli.showing import Shower
from virtproto.cli.trace_reporting import Report
from virtproto.errors import ConfigFileError, URIError
from virtproto.model.endpoint import UnixEndpoint
from virtproto.proxy.carriage import Carriage
from virtproto.proxy.led_programs import LedProgram
from virtproto.proxy.listening import Listener
from virtproto.proxy.reaching import Destination
from virtproto.proxy.reporting import Reporter
from virtproto.proxy.rewriting import VARIABLES, is_daemons
from virtproto.proxy.running import Signals
from virtproto.proxy.steering import connect_to
from virtproto.transport.resolve import resolve
from virtproto.transport.road import Road

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket
    from typing import TextIO

    from virtproto.cli.showing_options import ShowingOptions
    from virtproto.model.uri import ConnectionURI
    from virtproto.proxy.steering import Target
    from virtproto.proxy.writing_recordings import RecordingFile

__all__ = ["Keeping", "trace_clients", "trace_command"]


class Keeping:
    """Whether what passes is recorded, and in which file."""

    __slots__ = ("overwrite", "path")

    def __init__(self, path: str | None = None, *, overwrite: bool = False) -> None:
        self.path = path
        self.overwrite = overwrite


def trace_command(
    argv: Sequence[str],
    showing: ShowingOptions,
    keeping: Keeping,
    *,
    uri: str | None = None,
    sockets: Sequence[str] = (),
    authenticate: bool | None = None,
) -> int:
    """Run ``argv`` with its libvirt connections led through here; return its exit code.

    ``uri`` is what it connects to by default, ``sockets`` are led as libvirt's own are. Messages
    are told on stderr. Raises UsageError, URIError, ConfigFileError before anything is run.
    """
    if uri is not None:
        resolve(uri, readonly=False)
    with _Tracing(showing, keeping, sys.stderr) as tracing:
        running = _Running(tracing, authenticate)
        code = running.run(argv, uri, sockets)
    if running.failure is not None:
        complain(f"{argv[0]} cannot be run: {running.failure.strerror}")
    elif not tracing.seen and not running.said_why:
        complain(f"no connection to a libvirt daemon was seen{running.why}")
    return code


def trace_clients(
    address: str,
    showing: ShowingOptions,
    keeping: Keeping,
    *,
    uri: str | None = None,
    mode: int = 0o600,
    to_all: bool = False,
    authenticate: bool | None = None,
) -> int:
    """Lead whoever comes to ``address`` to ``uri``, until a signal; return the exit code.

    Messages are told on stdout. Raises UsageError, URIError, ConfigFileError.
    """
    destination = _destination(uri, authenticate)
    with _Tracing(showing, keeping, sys.stdout) as tracing:
        carriage = tracing.carriage
        listener = tracing.parts.enter_context(Listener(address, mode=mode, to_all=to_all))
        listener.attend(carriage, destination)
        tracing.parts.callback(destination.close)

        def stop(number: int, *_: object) -> None:
            if number != Signals.NEWS:
                carriage.stop()

        tracing.signals.when = stop
        tracing.signals.attend(carriage)
        complain(f"listening at {listener.address}, leading to {destination.name}")
        carriage.run()
    return tracing.code


class _Tracing:
    """The carrying and the telling; a context manager, within which conversations are carried.

    ``parts`` are closed before the carriage is, ``after`` once nothing is carried any more.
    ``code`` is the reporter's exit code at the end, ``seen`` the number of conversations.
    """

    def __init__(self, showing: ShowingOptions, keeping: Keeping, stream: TextIO) -> None:
        recording: RecordingFile | None = None
        shower = Shower(showing, stream=stream)
        if keeping.path is not None:
            from virtproto.proxy.writing_recordings import RecordingFile

            recording = RecordingFile(
                keeping.path, overwrite=keeping.overwrite, show_secrets=showing.show_secrets
            )
        self._report = Report(shower, recording)
        self._path = keeping.path
        self._payloads = showing.wants_payloads or recording is not None
        self._stack = ExitStack()
        self.parts = ExitStack()
        self.after = ExitStack()
        self.code = 0
        self.seen = 0
        # What is to be done whenever a conversation has ended.
        self.when_ended: Callable[[], object] = lambda: None

    def __enter__(self) -> _Tracing:
        with ExitStack() as stack:
            reporter = Reporter(self._report.work)
            stack.callback(self._wait, reporter)
            self.signals = stack.enter_context(Signals())
            stack.enter_context(self.after)
            try:
                self.carriage = Carriage(
                    reporter.fd, payloads=self._payloads, when_ended=self._count
                )
            except BaseException:
                # Without records the reporter ends.
                os.close(reporter.fd)
                raise
            stack.callback(self.carriage.close)
            stack.enter_context(self.parts)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _wait(self, reporter: Reporter) -> None:
        code = reporter.wait()
        self.code = 1 if code else 0
        if code < 0:
            # By anybody's hand but ours, it could not say so itself.
            unkept = f", and {self._path} is not a whole recording" if self._path else ""
            complain(
                f"what passed is not told to its end{unkept}: the process that does that was "
                f"killed (signal {-code})"
            )

    def _count(self, number: int) -> None:
        self.seen = max(self.seen, number)
        self.when_ended()


class _Running:
    """One program, run and traced."""

    def __init__(self, tracing: _Tracing, authenticate: bool | None) -> None:
        self._tracing = tracing
        self._authenticate = authenticate
        self._program = LedProgram(tracing.carriage, tracing.signals, tracing.parts)
        self.failure: OSError | None = None
        # Why something was not seen that was to be, the last of them.
        self.missed: str | None = None
        # Whether the user was told of it by then.
        self.said_why = False
        # The scheme of a URI that libvirt's own library serves within the program.
        self._within: str | None = None

    @property
    def why(self) -> str:
        """Why nothing was seen, or what to do then."""
        if self.missed is not None:
            return f": {self.missed}"
        if self._program.obstacle is not None:
            return (
                f": {self._program.obstacle}, so that only those are led here that follow from -c, "
                "--connect or the environment; virtproto trace --listen is for all others"
            )
        if self._within is not None:
            return (
                f"; for {self._within}:// libvirt's own library needs none: "
                f"{self._within}+unix:// asks a daemon"
            )
        return (
            "; where the program goes by TLS, TCP or SSH itself, lead it here with -c URI, or "
            "point it to virtproto trace --listen"
        )

    def run(self, argv: Sequence[str], uri: str | None, sockets: Sequence[str]) -> int:
        """Run ``argv`` to its end; return its exit code."""
        carriage = self._tracing.carriage
        environ = dict(os.environ)
        if uri is not None:
            environ |= dict.fromkeys(VARIABLES, uri)
        command = self._program.start(
            argv,
            environ,
            lead=self._lead,
            redirect=self._redirect,
            sockets=sockets,
            note=self._miss,
        )
        self.failure = command.failure

        def see() -> None:
            if command.code is not None and not carriage.conversations:
                carriage.stop()

        self._tracing.when_ended = see
        # Whatever happens here, the program is not left alone with the terminal.
        self._tracing.after.callback(command.end)
        command.attend(carriage, see, lambda: carriage.stop(drain=False))
        carriage.run()
        assert command.code is not None
        return command.code

    def _miss(self, why: str) -> None:
        self._tracing.carriage.note(why)
        self.missed = why

    def _lead(self, target: Target) -> Callable[[socket], object] | None:
        sock = connect_to(target)
        if sock is None:
            self.missed = f"{target.program} did not get to {target.name}"
            return None
        road = Road(sock, target.name)
        return lambda client: self._tracing.carriage.add(client, road, target.about())

    def _redirect(
        self, text: str | None, readonly: bool
    ) -> tuple[ConnectionURI | None, str] | None:
        """Make a socket that leads to where ``text`` does; None where that is not needed."""
        try:
            uri, endpoint = resolve(text, readonly=readonly)
            if uri is not None and not is_daemons(uri):
                self._within = uri.scheme
            if isinstance(endpoint, UnixEndpoint) and (
                self._program.obstacle is None
                or not is_daemons(uri)
                or not os.path.exists(endpoint.path)
            ):
                return None
            destination = _destination(text, self._authenticate, readonly=readonly)
        except (URIError, ConfigFileError):
            # The program has words of its own for that.
            return None
        self._tracing.parts.callback(destination.close)
        return uri, self._program.listen(_Led(destination, self._failed))

    def _failed(self, why: str) -> None:
        # The program only learns that its connection has ended.
        complain(why)
        self.said_why = True


class _Led:
    """A destination of which somebody is told when it cannot be reached."""

    def __init__(self, destination: Destination, failed: Callable[[str], object]) -> None:
        self._destination = destination
        self._failed = failed

    def lead(self, carriage: Carriage, client: socket, about: dict[str, object]) -> None:
        """Lead a client there."""
        self._destination.lead(carriage, client, about, self._failed)


def _destination(
    uri: str | None, authenticate: bool | None, *, readonly: bool = False
) -> Destination:
    credentials, timeout_s = asked_and_patience(uri, readonly=readonly)
    return Destination(
        uri,
        readonly=readonly,
        authenticate=authenticate,
        credentials=credentials,
        timeout_s=timeout_s,
    )
