"""The command's options and arguments, and what becomes of its errors.

Responsible for click: each command here hands plain values to the module that does the work.
Nothing below this module knows of click or prints errors.
"""

from __future__ import annotations

import sys

import click

import virtproto
from virtproto.cli import (
    decode_command,
    pki_commands,
    protocol_commands,
    replay_command,
    trace_commands,
)
from virtproto.cli.options import (
    complete_domains,
    complete_kinds,
    complete_pools,
    complete_volumes,
    connect,
    json_option,
)
from virtproto.cli.output import complain, discard_output, tell
from virtproto.errors import (
    EncodeError,
    LibvirtError,
    UnknownProcedureError,
    URIError,
    UsageError,
    VirtprotoError,
)

__all__ = ["app", "run"]

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


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
for _command in protocol_commands.COMMANDS:
    app.add_command(_command)
app.add_command(trace_commands.trace)
app.add_command(decode_command.decode)
app.add_command(replay_command.replay)


@app.command("list", short_help="List domains, running or not.")
@connect
@click.option("--active", is_flag=True, help="Only domains that run.")
@click.option("--inactive", is_flag=True, help="Only domains that do not run.")
@click.option("--uuid", "with_uuid", is_flag=True, help="Show UUIDs too.")
@json_option
def list_(uri: str | None, active: bool, inactive: bool, with_uuid: bool, as_json: bool) -> None:
    """List domains: all of them, running or not, unless --active or --inactive is given."""
    from virtproto.cli.listing import print_domains

    print_domains(uri, active=active, inactive=inactive, with_uuid=with_uuid, as_json=as_json)


@app.command(short_help="Join this terminal to a domain's console.")
@connect
@click.option("--device", metavar="NAME", help="Which console, such as serial0; else the first.")
@click.option("--escape", default="^]", show_default=True, help="What leaves it; none for nothing.")
@click.option("--force", is_flag=True, help="Take the console from who has it.")
@click.option("--safe", is_flag=True, help="Only if the hypervisor keeps others out meanwhile.")
@click.argument("domain", shell_complete=complete_domains)
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
@connect
@_offset
@click.option("--length", metavar="BYTES", help="How much of FILE; by default all of it.")
@_sparse
@_quiet
@click.argument("pool", shell_complete=complete_pools)
@click.argument("volume", shell_complete=complete_volumes)
@click.argument("file", type=click.Path(allow_dash=True))
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
@connect
@_offset
@click.option("--length", metavar="BYTES", help="How much of VOLUME; by default all of it.")
@_sparse
@click.option("--overwrite", is_flag=True, help="Let FILE take the place of one that exists.")
@_quiet
@click.argument("pool", shell_complete=complete_pools)
@click.argument("volume", shell_complete=complete_volumes)
@click.argument("file", type=click.Path(allow_dash=True))
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
@connect
@click.option(
    "--domain",
    "domains",
    multiple=True,
    shell_complete=complete_domains,
    help="Only events of this domain (repeatable).",
)
@click.option("--count", type=int, metavar="N", help="Stop after N events.")
@click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Stop after that time.")
@click.option("--list", "as_list", is_flag=True, help="List the kinds of event instead.")
@json_option
@click.argument("kinds", nargs=-1, metavar="[KIND]...", shell_complete=complete_kinds)
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
@json_option
@click.argument("uri", required=False, metavar="[URI]")
def explain_uri(uri: str | None, readonly: bool, as_json: bool) -> None:
    """Explain step by step what opening URI would do, without doing it.

    Which URI is meant (it may be an alias of libvirt.conf, and without one the default is), what
    becomes of its parts, where it leads, how one authenticates, and what the daemon is told.
    Nothing is connected to, and no password is shown.
    """
    from virtproto.cli.explaining import print_explanation

    print_explanation(uri, readonly=readonly, as_json=as_json)
