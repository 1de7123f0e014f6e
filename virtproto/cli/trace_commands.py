"""The command ``virtproto trace``: its options and arguments.

Responsible for click, and for which options go together. What the command does is `tracing`'s.
"""

from __future__ import annotations

import click

from virtproto.cli.options import complete_commands, complete_files, listening, refuse
from virtproto.cli.showing_options import showing_options
from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.cli.showing_options import ShowingOptions

__all__ = ["trace"]


@click.command(
    "trace",
    short_help="Show what a program and libvirt daemons say to each other.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "-c", "--connect", "uri", metavar="URI", help="What COMMAND connects to unless it says so."
)
@listening
@click.option("--to", metavar="URI", help="With --listen: where clients are led.")
@click.option(
    "--record",
    metavar="FILE",
    shell_complete=complete_files,
    help="Keep what passes in FILE; .gz compresses it.",
)
@click.option("--overwrite", is_flag=True, help="Let --record replace a file that exists.")
@click.option(
    "--socket", "sockets", multiple=True, metavar="PATH", help="Look at this socket as well."
)
@click.option(
    "--authenticate/--no-authenticate",
    default=None,
    help="Whether virtproto logs in to the daemon in the client's stead.",
)
@showing_options
@click.argument(
    "command",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[--] COMMAND [ARGS]...",
    shell_complete=complete_commands,
)
@click.pass_context
def trace(
    context: click.Context,
    uri: str | None,
    listen: str | None,
    to: str | None,
    mode: int | None,
    to_all: bool,
    record: str | None,
    overwrite: bool,
    sockets: tuple[str, ...],
    authenticate: bool | None,
    showing: ShowingOptions,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND, and show each message that it and libvirt daemons exchange.

    COMMAND is any program that uses libvirt: it is run as it is, with this terminal, and what it
    says, it says as without. Messages are told on stderr. Local sockets are looked at wherever the
    program opens them; TLS, TCP and SSH where -c, COMMAND's own -c or --connect, or the environment
    name the URI, as virtproto then goes there itself.

    With --listen SOCK (a path, @NAME or tcp:HOST:PORT) clients come by themselves, and are led to
    the daemon of --to. Messages are told on stdout, until control and C.

    Exit code: COMMAND's; 126 if it cannot be run, 127 if it is not there, and 128 and a signal's
    number if that ended it.
    """
    from virtproto.cli import tracing

    keeping = tracing.Keeping(record, overwrite=overwrite)
    if overwrite and record is None:
        raise UsageError("--overwrite is for --record FILE")
    if listen is None:
        refuse({"--to": to, "--mode": mode, "--to-all": to_all}, "for --listen")
        if not command:
            raise UsageError("name a COMMAND to run, or --listen SOCK")
        code = tracing.trace_command(
            command, showing, keeping, uri=uri, sockets=sockets, authenticate=authenticate
        )
    else:
        refuse({"COMMAND": command, "-c": uri, "--socket": sockets}, "not for --listen")
        code = tracing.trace_clients(
            listen,
            showing,
            keeping,
            uri=to,
            mode=0o600 if mode is None else mode,
            to_all=to_all,
            authenticate=authenticate,
        )
    context.exit(code)
