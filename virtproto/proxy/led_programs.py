"""A program that is run with its connections led elsewhere, by whichever way there is.

Responsible for both ways together: its calls of ``connect`` where they can be held, its URIs where
they cannot or lead over a network; and for the sockets that URIs are rewritten to. Must not know
where connections lead.
"""

from __future__ import annotations

import os
import shutil
import tempfile

from virtproto.proxy import seccomp
from virtproto.proxy.listening import Listener
from virtproto.proxy.rewriting import rewrite, sockets_named
from virtproto.proxy.running import Command
from virtproto.proxy.steering import Steering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from virtproto.proxy.carriage import Carriage
    from virtproto.proxy.listening import Host
    from virtproto.proxy.rewriting import Redirect
    from virtproto.proxy.running import Signals
    from virtproto.proxy.steering import Lead

__all__ = ["LedProgram"]


class LedProgram:
    """One program, and what leads it.

    ``obstacle`` is why its calls of ``connect`` cannot be held here, None where they can.
    """

    def __init__(self, carriage: Carriage, signals: Signals, parts: ExitStack) -> None:
        """Look whether calls can be held; to be called before there are threads.

        What is begun goes on in ``carriage``, and is ended with ``parts``.
        """
        self.obstacle = seccomp.unavailable()
        self._carriage = carriage
        self._signals = signals
        self._parts = parts
        self._folder: str | None = None
        self._count = 0

    def listen(self, host: Host) -> str:
        """Return the path of a socket of this user's, whose clients are led to ``host``."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="virtproto-")
            self._parts.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._count += 1
        listener = self._parts.enter_context(Listener(f"{self._folder}/{self._count}-sock"))
        listener.attend(self._carriage, host)
        return listener.address

    def start(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        lead: Lead,
        redirect: Redirect,
        sockets: Sequence[str] = (),
        note: Callable[[str], object],
    ) -> Command:
        """Start ``argv``, and have its connections led.

        ``lead`` is asked about what is held (see `Steering`), ``redirect`` about each URI (see
        `rewrite`); ``sockets`` are held as libvirt's own are, and those that URIs name. ``note`` is
        told what could not be led.
        """
        named = {*sockets, *sockets_named([*argv, *environ.values()])}
        words, variables = rewrite(argv, environ, redirect)
        command = Command(words, variables, self._signals, hold=self.obstacle is None)
        if command.listener is not None:
            others = {_as_said(each) for each in named}
            steering = Steering(command.listener, lead, others=others, note=note)
            self._parts.callback(steering.close)
            steering.attend(self._carriage)
        return command


def _as_said(socket: str) -> bytes:
    """Return a socket's path, as people write it, as programs say it to the kernel."""
    return b"\0" + os.fsencode(socket[1:]) if socket.startswith("@") else os.fsencode(socket)
