"""The command's options and arguments, and what becomes of its errors.

Responsible for click: each command here hands plain values to the module that does the work.
Nothing below this module knows of click or prints errors.
"""

from __future__ import annotations

import functools
import sys

import click

import virtproto
from virtproto.cli import decode_command, pki_commands, replay_command, trace_commands
from virtproto.cli.output import complain, discard_output, tell
from virtproto.errors import (
    EncodeError,
    LibvirtError,
    UnknownProcedureError,
    URIError,
    UsageError,
    VirtprotoError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["app", "run"]

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130

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


def _connect(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options that say which daemon is meant; what opens a connection heeds the second."""

    @functools.wraps(command)
    def obey(*, autostart: bool, **others: Any) -> object:
        from virtproto.cli.opening import starting

        with starting(autostart):
            return command(**others)

    return _uri(_autostart(obey))


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code; an error is one line on stderr."""
    try:
        code = _obey(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough.
        discard_output()
        return FAILED
    except OSError as error:
        # Those of the way to a daemon are among VirtprotoError.
        complain(f"the output cannot be written: {error.strerror or error}")
        discard_output()
        return FAILED
    return code


def _obey(arguments: list[str]) -> int:
    try:
        with app.make_context("virtproto", arguments) as context:
            app.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        context_of = getattr(error, "ctx", None)
        command = context_of.command_path if context_of is not None else "virtproto"
        complain(f"{error.format_message()} ({command} --help shows how)")
        return MISUSED
    except (UsageError, URIError, EncodeError) as error:
        complain(str(error))
        return MISUSED
    except LibvirtError as error:
        complain(_with_origin(error))
        return FAILED
    except VirtprotoError as error:
        complain(str(error))
        return FAILED
    return DONE


def _with_origin(error: LibvirtError) -> str:
    """Return the daemon's words, and which call they answer: "... (DOMAIN_GET_INFO, error 42)"."""
    if isinstance(error, UnknownProcedureError):
        # These are virtproto's words: they name the procedure, and the code is not the daemon's.
        return str(error)
    origin = f"error {error.code}"
    if error.procedure is not None:
        origin = f"{error.procedure}, {origin}"
    return f"{error} ({origin})"


@click.group(
    name="virtproto",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(virtproto.__version__, "--version", message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """Speak to libvirt daemons, from Python alone."""
    if context.invoked_subcommand is None:
        tell(context.get_help())
        context.exit(MISUSED)


app.add_command(pki_commands.pki)
app.add_command(trace_commands.trace)
app.add_command(decode_command.decode)
app.add_command(replay_command.replay)


@app.command("list", short_help="List domains, running or not.")
@_connect
@click.option("--active", is_flag=True, help="Only domains that run.")
@click.option("--inactive", is_flag=True, help="Only domains that do not run.")
@click.option("--uuid", "with_uuid", is_flag=True, help="Show UUIDs too.")
@_json
def list_(uri: str | None, active: bool, inactive: bool, with_uuid: bool, as_json: bool) -> None:
    """List domains: all of them, running or not, unless --active or --inactive is given."""
    from virtproto.cli.listing import print_domains

    print_domains(uri, active=active, inactive=inactive, with_uuid=with_uuid, as_json=as_json)


@app.command()
@_connect
@click.argument("proc")
@click.argument("args", nargs=-1)
def call(uri: str | None, proc: str, args: tuple[str, ...]) -> None:
    """Call one procedure and print its result as JSON.

    PROC is a name or number as `virtproto procs` shows it, of another program than remote as
    qemu:NAME; REMOTE_PROC_NAME and QEMU_PROC_NAME will do too. ARGS are one JSON object, or fields
    as name=value (dom.name=web for a field of a field). UUIDs are written as usual, other bytes in
    hexadecimal. Arrays of characters, such as security labels, are text, shown without the NUL at
    its end; where they are no printable text, hex: and hexadecimal digits.
    """
    from virtproto.cli.calling import print_call

    print_call(uri, proc, args)


@app.command()
@click.argument("pattern", default="")
@click.option("--program", help="Only this program: remote, qemu, lxc or admin.")
@_json
def procs(pattern: str, program: str | None, as_json: bool) -> None:
    """List the procedures of the protocol.

    PATTERN is part of a name, or a whole name with * and ?; case does not matter. Names may be
    spelled as REMOTE_PROC_NAME too.
    """
    from virtproto.cli.procedures import print_procedures

    print_procedures(pattern, program, as_json=as_json)


@app.command(short_help="Join this terminal to a domain's console.")
@_connect
@click.option("--device", metavar="NAME", help="Which console, such as serial0; else the first.")
@click.option("--escape", default="^]", show_default=True, help="What leaves it; none for nothing.")
@click.option("--force", is_flag=True, help="Take the console from who has it.")
@click.option("--safe", is_flag=True, help="Only if the hypervisor keeps others out meanwhile.")
@click.argument("domain")
@click.pass_context
def console(
    context: click.Context,
    uri: str | None,
    device: str | None,
    escape: str,
    force: bool,
    safe: bool,
    domain: str,
) -> None:
    """Join this terminal to the console of a running DOMAIN (a name, UUID or number).

    Every key goes to the guest; ^] (control and ]) leaves the console, which goes on. The terminal
    is as before then. Where the input is no terminal all of it is sent to the guest as it is, and
    output goes on until the guest ends or the command is interrupted.

    Exit code: 0 if you left or the guest has shut off, 1 if the console or the connection was lost.
    """
    from virtproto.cli.console import run_console

    code = run_console(uri, domain, device=device, escape=escape, force=force, safe=safe)
    context.exit(code)


_offset = click.option(
    "--offset",
    default="0",
    metavar="BYTES",
    help="Where in the volume to begin: bytes, or as 10M or 10MiB.",
)
_sparse = click.option(
    "--sparse/--no-sparse",
    default=True,
    help="Whether holes stay holes, where the daemon knows how; they do unless told otherwise.",
)
_quiet = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


@app.command("vol-upload", short_help="Replace a volume's content by a file's.")
@_connect
@_offset
@click.option("--length", metavar="BYTES", help="How much of FILE; by default all of it.")
@_sparse
@_quiet
@click.argument("pool")
@click.argument("volume")
@click.argument("file")
@click.pass_context
def vol_upload(
    context: click.Context,
    uri: str | None,
    offset: str,
    length: str | None,
    sparse: bool,
    quiet: bool,
    pool: str,
    volume: str,
    file: str,
) -> None:
    """Replace the content of VOLUME in POOL by that of FILE, or of the input if that is -.

    VOLUME is its name, or its path or key. It exists already, and is large enough. If the command
    fails or is interrupted, the volume holds an unknown part of the file.
    """
    from virtproto.cli.transferring import run_upload

    code = run_upload(
        uri, pool, volume, file, offset=offset, length=length, sparse=sparse, quiet=quiet
    )
    context.exit(code)


@app.command("vol-download", short_help="Write a volume's content to a file.")
@_connect
@_offset
@click.option("--length", metavar="BYTES", help="How much of VOLUME; by default all of it.")
@_sparse
@click.option("--overwrite", is_flag=True, help="Let FILE take the place of one that exists.")
@_quiet
@click.argument("pool")
@click.argument("volume")
@click.argument("file")
@click.pass_context
def vol_download(
    context: click.Context,
    uri: str | None,
    offset: str,
    length: str | None,
    sparse: bool,
    overwrite: bool,
    quiet: bool,
    pool: str,
    volume: str,
    file: str,
) -> None:
    """Write the content of VOLUME in POOL to FILE, or to the output if that is -.

    VOLUME is its name, or its path or key. FILE has its name once it is complete: if the command
    fails or is interrupted, nothing is left of it, and a file that it was to replace is as before.
    """
    from virtproto.cli.transferring import run_download

    code = run_download(
        uri,
        pool,
        volume,
        file,
        offset=offset,
        length=length,
        sparse=sparse,
        overwrite=overwrite,
        quiet=quiet,
    )
    context.exit(code)


@app.command(short_help="Print what happens at the daemon.")
@_connect
@click.option("--domain", "domains", multiple=True, help="Only events of this domain (repeatable).")
@click.option("--count", type=int, metavar="N", help="Stop after N events.")
@click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Stop after that time.")
@click.option("--list", "as_list", is_flag=True, help="List the kinds of event instead.")
@_json
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.pass_context
def events(
    context: click.Context,
    uri: str | None,
    domains: tuple[str, ...],
    count: int | None,
    timeout_s: float | None,
    as_list: bool,
    as_json: bool,
    kinds: tuple[str, ...],
) -> None:
    """Print what happens at the daemon, a line for each event, until interrupted.

    KINDs are names such as domain-lifecycle; without any it is all that the daemon knows, but for
    qemu-monitor-event. With --json each line is a JSON object.

    Exit code: 1 if fewer than --count events came within --timeout, or the connection was lost.
    """
    from virtproto.cli.watching import print_events, print_kinds

    if as_list:
        print_kinds()
        return
    code = print_events(
        uri, kinds, domains=domains, count=count, timeout_s=timeout_s, as_json=as_json
    )
    context.exit(code)


@app.command("uri", short_help="Explain what a connection URI means here.")
@click.option("-r", "--readonly", is_flag=True, help="As for a connection that changes nothing.")
@_json
@click.argument("uri", required=False, metavar="[URI]")
def explain_uri(uri: str | None, readonly: bool, as_json: bool) -> None:
    """Explain step by step what opening URI would do, without doing it.

    Which URI is meant (it may be an alias of libvirt.conf, and without one the default is), what
    becomes of its parts, where it leads, how one authenticates, and what the daemon is told.
    Nothing is connected to, and no password is shown.
    """
    from virtproto.cli.explaining import print_explanation

    print_explanation(uri, readonly=readonly, as_json=as_json)
