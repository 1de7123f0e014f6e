"""The command ``virtproto replay``: its options and arguments.

Responsible for click, and for which options go together. What the command does is `replaying`'s.
"""

from __future__ import annotations

import click

from virtproto.cli.options import complete_commands, complete_files, listening, refuse
from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["replay"]


@click.command("replay", short_help="Play the daemon or the client of a recording.")
@listening
@click.option("--to", metavar="URI", help="Play the client's side, to the daemon of URI.")
@click.option(
    "-c", "--connect", "uri", metavar="URI", help="What COMMAND connects to unless it says so."
)
@click.option(
    "--socket", "sockets", multiple=True, metavar="PATH", help="Lead this socket here as well."
)
@click.option("--once", is_flag=True, help="With --listen: end when everything was played.")
@click.option("--loose", is_flag=True, help="Answer calls whose arguments differ all the same.")
@click.option("--pace", is_flag=True, help="Take as long as it took when it was recorded.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="With --to: fields that do not count, such as '*.uuid' or 'DOMAIN_GET_INFO:memory'.",
)
@click.option("--strict", is_flag=True, help="Count everything: see above.")
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="With --to: how long to wait for a daemon that says nothing.",
)
@click.option(
    "--allow-changes", is_flag=True, help="With --to: make calls that change something as well."
)
@click.option("--json", "as_json", is_flag=True, help="Tell what differs as JSON, one a line.")
@click.argument("file", shell_complete=complete_files)
@click.argument(
    "command",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND [ARGS]...]",
    shell_complete=complete_commands,
)
@click.pass_context
def replay(
    context: click.Context,
    /,
    file: str,
    command: tuple[str, ...],
    listen: str | None,
    to: str | None,
    uri: str | None,
    sockets: tuple[str, ...],
    mode: int | None,
    to_all: bool,
    allow_changes: bool,
    **options: Any,
) -> None:
    """Play FILE, a recording of `virtproto trace --record`, to a client or to a daemon.

    To a client: COMMAND is run, and what it asks of a libvirt daemon is answered as in the
    recording, without any daemon; with --listen SOCK clients come by themselves. A call is found by
    its procedure and arguments, whatever its order; what is not in the recording gets an error that
    says so. Nobody has to authenticate.

    To a daemon, with --to URI: what the client said is said again, in its order, and each answer is
    compared field by field. Times, counters and numbers that a daemon gives out are passed over,
    unless --strict. Calls whose secrets are overwritten in the recording are left out. Where some
    may change something, such as DOMAIN_DESTROY, nothing is sent without --allow-changes: a
    recording of somebody else's may do whatever you may do at that daemon.

    With --strict and a client it also counts if he makes fewer calls than recorded, or one more
    often.

    Exit code: COMMAND's; 1 if anything differs; 2 if this cannot be done as asked.
    """
    from virtproto.cli import replaying
    from virtproto.cli.output import complain
    from virtproto.proxy.reading_recordings import read_recording

    given = {f"--{name}": options[name] for name in ("once", "ignore", "loose")}
    given |= {"-c": uri, "--socket": sockets, "--mode": mode, "--to-all": to_all}
    given["--allow-changes"] = allow_changes
    _check(bool(command), listen is not None, to is not None, given)
    manner = replaying.Manner(**options)
    recalled, fault = read_recording(file)
    if fault is not None:
        complain(f"{file}: {fault}; what is whole before that is played")
    if to is not None:
        code = replaying.replay_to_daemon(recalled, to, manner, allow_changes=allow_changes)
    elif listen is not None:
        allowed = 0o600 if mode is None else mode
        code = replaying.replay_to_clients(recalled, listen, manner, mode=allowed, to_all=to_all)
    else:
        code = replaying.replay_to_command(recalled, command, manner, uri=uri, sockets=sockets)
    context.exit(code)


def _check(runs: bool, listens: bool, leads: bool, given: dict[str, object]) -> None:
    """Refuse what does not go with a COMMAND, --listen or --to, of which there is to be one."""
    if [runs, listens, leads].count(True) != 1:
        raise UsageError("name a COMMAND to run, or --listen SOCK, or --to URI: one of the three")
    for fits, names, why in (
        (runs, ("-c", "--socket"), "for a COMMAND"),
        (listens, ("--mode", "--to-all", "--once"), "for --listen"),
        (leads, ("--ignore", "--allow-changes"), "for --to"),
        (not leads, ("--loose",), "not for --to"),
    ):
        if not fits:
            refuse({name: given[name] for name in names}, why)
