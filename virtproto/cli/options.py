"""Options that several commands have, for click.

Responsible for which daemon is meant, for where clients may come to, and for JSON; for what a shell
may complete there; and for refusing options that do not go together.
"""

from __future__ import annotations

import functools

import click
from click.shell_completion import CompletionItem

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = [
    "complete_commands",
    "complete_domains",
    "complete_files",
    "complete_kinds",
    "complete_pools",
    "complete_volumes",
    "connect",
    "json_option",
    "listening",
    "offers",
    "refuse",
]

_uri = click.option(
    "-c",
    "--connect",
    "uri",
    metavar="URI",
    help="Connection URI; by default LIBVIRT_DEFAULT_URI, then libvirt.conf's, then the daemon's.",
)

_autostart = click.option(
    "--autostart",
    is_flag=True,
    help="Start this user's own daemon where its socket is meant and nobody listens.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def connect(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options that say which daemon is meant; what opens a connection heeds the second."""

    @functools.wraps(command)
    def obey(*, autostart: bool, **others: Any) -> object:
        from virtproto.cli.opening import starting

        with starting(autostart):
            return command(**others)

    return _uri(_autostart(obey))


def _permissions(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> int | None:
    if text is None:
        return None
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise UsageError(f"--mode: expected octal permissions such as 660, not {text!r}")
    return mode


_listen = click.option(
    "--listen", metavar="SOCK", help="Let clients come to SOCK instead of running any."
)
_mode = click.option(
    "--mode",
    metavar="OCTAL",
    callback=_permissions,
    help="With --listen: permissions of SOCK, by default 600.",
)
_to_all = click.option(
    "--to-all",
    is_flag=True,
    help="With --listen tcp:.. or @NAME: let other hosts and users come as well.",
)


def listening(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options for a socket that clients come to: ``listen``, ``mode``, ``to_all``."""
    return _listen(_mode(_to_all(command)))


def refuse(given: dict[str, object], why: str) -> None:
    """Raise UsageError for the first option that was given, by its name, and say ``why``."""
    for name, value in given.items():
        if value not in (None, False, ()):
            raise UsageError(f"{name} is {why}")


def offers(words: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """Return words, each with what it is, as click wants what a shell may complete."""
    return [CompletionItem(word, help=said) for word, said in words]


def complete_files(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Leave it to the shell, which knows its user's files."""
    return [CompletionItem(begun, type="file")]


def complete_commands(
    context: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Leave it to the shell, which knows commands; the words after one may be files."""
    already = context.params.get(parameter.name or "")
    return [CompletionItem(begun, type="file" if already else "command")]


def complete_domains(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the domains of the daemon that the command line means."""
    from virtproto.cli.completing import domain_names

    return offers(domain_names(begun, context.params.get("uri")))


def complete_pools(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the storage pools of the daemon that the command line means."""
    from virtproto.cli.completing import pool_names

    return offers(pool_names(begun, context.params.get("uri")))


def complete_volumes(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the volumes of the pool that the command line names."""
    from virtproto.cli.completing import volume_names

    pool = context.params.get("pool") or ""
    return offers(volume_names(pool, begun, context.params.get("uri")))


def complete_kinds(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return kinds of event."""
    from virtproto.cli.watching import kind_names

    return offers((name, "") for name in kind_names() if name.startswith(begun))
