"""Opening a connection for whoever runs the command.

Responsible for whether anybody can be asked, for how long an answer may take, and for whether a
daemon may be started. Must not know what is asked, or what the connection is for.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar

from virtproto import sync
from virtproto.cli.asking import TERMINAL, ask
from virtproto.model.endpoint import CommandEndpoint
from virtproto.transport.resolve import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtproto.model.credentials import CredentialRequest
    from virtproto.sync import Connection

__all__ = ["asked_and_patience", "open_connection", "starting"]

# Whether whoever runs the command wants a daemon of his own started where nobody listens.
_autostart: ContextVar[bool] = ContextVar("virtproto_cli_autostart", default=False)


@contextmanager
def starting(autostart: bool) -> Iterator[None]:
    """Have a user's own daemon started, if that is wanted, by what opens connections within."""
    token = _autostart.set(autostart)
    try:
        yield
    finally:
        _autostart.reset(token)


# Of each step.
_TIMEOUT_S = 10.0
# That OpenSSH's server waits for a login, unless it is told otherwise.
_LOGIN_S = 120.0


def open_connection(uri: str | None) -> Connection:
    """Open a connection; who sits at the terminal, if there is one, is asked for what is missing.

    Raises what `virtproto.open` does.
    """
    credentials, timeout_s = asked_and_patience(uri)
    return sync.open(uri, timeout_s=timeout_s, credentials=credentials, autostart=_autostart.get())


def asked_and_patience(
    uri: str | None, *, readonly: bool = False
) -> tuple[Callable[[Sequence[CredentialRequest]], list[str] | None] | None, float]:
    """Return who is asked for what is missing, and how many seconds a step may take.

    Nobody is where there is no terminal. Where the system's ssh may ask as well, it is given as
    long as a server waits for people: ssh does not tell whether it waits for the host or for an
    answer. Raises URIError, ConfigFileError.
    """
    if not _has_terminal():
        return None, _TIMEOUT_S
    _uri, endpoint = resolve(uri, readonly=readonly)
    may_ask = isinstance(endpoint, CommandEndpoint) and endpoint.kind == "ssh" and endpoint.tty
    return ask, _LOGIN_S if may_ask else _TIMEOUT_S


def _has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
