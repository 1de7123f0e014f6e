"""Playing a recording: the daemon's side to a program or to whoever comes, or the client's side.

Responsible for the order in which the parts begin and end, and for what the user is told. Must not
know click, or how any of the parts works.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack

from virtproto.cli.opening import asked_and_patience
from virtproto.cli.output import complain
from virtproto.cli.table import visible
from virtproto.errors import ConfigFileError, URIError, UsageError
from virtproto.model.endpoint import UnixEndpoint
from virtproto.proxy.carriage import Carriage
from virtproto.proxy.led_programs import LedProgram
from virtproto.proxy.listening import Listener
from virtproto.proxy.playing_client import PlayingClient
from virtproto.proxy.playing_daemon import PlayingDaemon
from virtproto.proxy.rewriting import VARIABLES, redirected
from virtproto.proxy.running import Signals
from virtproto.trace.printing.value_text import counted
from virtproto.trace.replaying.effects import effects
from virtproto.trace.replaying.judging import Judge
from virtproto.trace.replaying.opening_answers import is_aside, opened_name
from virtproto.transport.resolve import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from virtproto.model.uri import ConnectionURI
    from virtproto.trace.replaying.deviation import Deviation
    from virtproto.trace.replaying.recalling import Recalled

__all__ = ["Manner", "replay_to_clients", "replay_to_command", "replay_to_daemon"]

# Of calls that change something.
_MOST_NAMED = 10

_FAILED = 1


class Manner:
    """How a recording is played: see the options of ``virtproto replay``."""

    def __init__(
        self,
        *,
        pace: bool = False,
        loose: bool = False,
        strict: bool = False,
        once: bool = False,
        as_json: bool = False,
        ignore: Sequence[str] = (),
        timeout_s: float = 10.0,
    ) -> None:
        if not 0 < timeout_s < float("inf"):
            raise UsageError("--timeout: expected seconds above 0")
        self.pace = pace
        self.loose = loose
        self.strict = strict
        self.once = once
        self.as_json = as_json
        self.ignore = tuple(ignore)
        self.timeout_s = timeout_s


def replay_to_daemon(
    recalled: Recalled, uri: str, manner: Manner, *, allow_changes: bool = False
) -> int:
    """Play the client's side to the daemon of ``uri``; return 1 if answers differ, else 0.

    What differs is told on stdout. Raises as `virtproto.open` does, and UsageError, before anything
    is sent, where calls may change something and ``allow_changes`` is false.
    """
    found = effects(recalled)
    if found and not allow_changes:
        names = [name if count == 1 else f"{name} ({count} times)" for name, count in found.items()]
        more = f" and {len(names) - _MOST_NAMED} others" if len(names) > _MOST_NAMED else ""
        raise UsageError(
            f"FILE has calls that may change something: {', '.join(names[:_MOST_NAMED])}{more}; "
            "nothing was sent; --allow-changes sends them"
        )
    told = _Told(sys.stdout, manner, recalled)
    judge = Judge(told.tell, ignore=manner.ignore, strict=manner.strict)
    credentials, patience_s = asked_and_patience(uri)
    client = PlayingClient(
        recalled,
        uri,
        judge,
        timeout_s=manner.timeout_s,
        opening_s=max(patience_s, manner.timeout_s),
        pace=manner.pace,
        credentials=credentials,
    )
    try:
        client.run()
    finally:
        if client.calls:
            numbers = {
                "calls": client.calls,
                "compared": judge.compared,
                "passed_over": judge.passed_over,
            }
            passed_over = counted(judge.passed_over, "difference")
            told.finish(
                numbers,
                f"{counted(client.calls, 'call')} made, {counted(judge.compared, 'answer')} "
                f"compared, {passed_over} passed over",
            )
    return _FAILED if told.counted else 0


def replay_to_clients(
    recalled: Recalled, address: str, manner: Manner, *, mode: int = 0o600, to_all: bool = False
) -> int:
    """Play the daemon's side to whoever comes to ``address``, until a signal.

    With ``manner.once`` it ends by itself when all conversations were played and the last client
    has gone. What differs is told on stdout. Returns 1 if anything did.
    """
    told = _Told(sys.stdout, manner, recalled)
    with _Stage(recalled, told, manner) as stage:
        carriage = stage.carriage
        listener = stage.parts.enter_context(Listener(address, mode=mode, to_all=to_all))
        listener.attend(carriage, stage.daemon)

        def stop(number: int, *_: object) -> None:
            if number != Signals.NEWS:
                carriage.stop(drain=False)

        def look() -> None:
            if manner.once and not stage.daemon.visitors and not stage.daemon.unplayed:
                carriage.stop()

        stage.signals.when = stop
        stage.signals.attend(carriage)
        stage.when_left = look
        complain(f"playing the daemon at {listener.address}")
        carriage.run()
    return _FAILED if told.counted else 0


def replay_to_command(
    recalled: Recalled,
    argv: Sequence[str],
    manner: Manner,
    *,
    uri: str | None = None,
    sockets: Sequence[str] = (),
) -> int:
    """Run ``argv`` with its libvirt connections led to the recording; return its exit code.

    That is 1 as well where the program succeeded and did not do as recorded. ``uri`` is what it
    connects to by default, ``sockets`` are led here as libvirt's own are. What differs is told on
    stderr.
    """
    told = _Told(sys.stderr, manner, recalled)
    with _Stage(recalled, told, manner) as stage:
        running = _Running(stage, recalled)
        code = running.run(argv, uri, sockets)
    if running.failure is not None:
        complain(f"{argv[0]} cannot be run: {running.failure.strerror}")
    elif not stage.daemon.connections:
        complain("the program made no connection to a libvirt daemon")
        return code or _FAILED
    return code or (_FAILED if told.counted else 0)


class _Told:
    """What differs, printed as it is found; ``counted`` is how much of it counts."""

    def __init__(self, stream: TextIO, manner: Manner, recalled: Recalled) -> None:
        self.counted = 0
        self._stream = stream
        self._as_json = manner.as_json
        self._several = len(recalled.conversations) > 1
        for text in recalled.unplayable:
            complain(f"{text}; not played")

    def tell(self, deviation: Deviation) -> None:
        self.counted += not deviation.mild
        if self._as_json:
            lines = [json.dumps(deviation.plain())]
        else:
            lines = [visible(line) for line in deviation.lines(several=self._several)]
        print("\n".join(lines), file=self._stream, flush=True)

    def finish(self, numbers: Mapping[str, object], text: str) -> None:
        """Print the sum of it all."""
        if self._as_json:
            line = json.dumps({"summary": {**numbers, "deviations": self.counted}})
            print(line, file=self._stream, flush=True)
        else:
            print(f"{text}; {counted(self.counted, 'deviation')}", file=self._stream, flush=True)


class _Stage:
    """The played daemon and its loop; a context manager, at whose end the sum is told.

    ``parts`` are closed before the loop is; ``when_left`` is called when a client has gone.
    """

    def __init__(self, recalled: Recalled, told: _Told, manner: Manner) -> None:
        self._recalled = recalled
        self._told = told
        self._manner = manner
        self._stack = ExitStack()
        self.parts = ExitStack()
        self.when_left: Callable[[], object] = lambda: None

    def __enter__(self) -> _Stage:
        with ExitStack() as stack:
            self.carriage = Carriage(None)
            stack.callback(self.carriage.close)
            self.daemon = PlayingDaemon(
                self._recalled,
                self.carriage,
                self._told.tell,
                pace=self._manner.pace,
                loose=self._manner.loose,
                strict=self._manner.strict,
                when_left=lambda: self.when_left(),
            )
            stack.callback(self._sum_up)
            stack.callback(self.daemon.close)
            self.signals = stack.enter_context(Signals())
            stack.enter_context(self.parts)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _sum_up(self) -> None:
        daemon = self.daemon
        left = [
            each for script in daemon.scripts for each in script.unplayed if not is_aside(each.call)
        ]
        numbers = {
            "connections": daemon.connections,
            "calls": daemon.answered,
            "not_made": len(left),
        }
        names = ", ".join(dict.fromkeys(each.call.procedure or "?" for each in left[:5]))
        not_made = f", {counted(len(left), 'recorded call')} not made ({names})" if left else ""
        text = f"{counted(daemon.answered, 'call')} answered{not_made}"
        if left and self._manner.strict:
            self._told.counted += len(left)
        if self._told.counted or left or self._manner.as_json:
            self._told.finish(numbers, text)


class _Running:
    """One program, run with a recording for its daemon."""

    def __init__(self, stage: _Stage, recalled: Recalled) -> None:
        self._stage = stage
        self._recalled = recalled
        self._program = LedProgram(stage.carriage, stage.signals, stage.parts)
        self.failure: OSError | None = None

    def run(self, argv: Sequence[str], uri: str | None, sockets: Sequence[str]) -> int:
        """Run ``argv`` to its end; return its exit code."""
        carriage = self._stage.carriage
        environ = dict(os.environ)
        if uri is not None:
            environ |= dict.fromkeys(VARIABLES, uri)
        elif not any(environ.get(name) for name in VARIABLES):
            environ |= dict.fromkeys(VARIABLES, self._recorded_uri())
        command = self._program.start(
            argv,
            environ,
            lead=lambda _target: self._stage.daemon.adopt,
            redirect=self._redirect,
            sockets=sockets,
            note=complain,
        )
        self.failure = command.failure

        def see() -> None:
            if command.code is not None:
                carriage.stop()

        command.attend(carriage, see, lambda: carriage.stop(drain=False))
        carriage.run()
        assert command.code is not None
        return command.code

    def _recorded_uri(self) -> str:
        """Return a URI that leads here, and opens what was opened when it was recorded."""
        name = opened_name(self._recalled)
        if name:
            try:
                uri, _ = resolve(name, readonly=False, aliases=False)
                return redirected(uri, self._listen())
            except (URIError, ConfigFileError):
                # A name of the daemon's own.
                pass
        return redirected(None, self._listen())

    def _redirect(
        self, text: str | None, readonly: bool
    ) -> tuple[ConnectionURI | None, str] | None:
        """Make a socket that leads here for what ``text`` means; None where that is not needed."""
        try:
            uri, endpoint = resolve(text, readonly=readonly)
        except (URIError, ConfigFileError):
            # The program has words of its own for that.
            return None
        if isinstance(endpoint, UnixEndpoint) and self._program.obstacle is None:
            return None
        return uri, self._listen()

    def _listen(self) -> str:
        return self._program.listen(self._stage.daemon)
