"""The command's options and arguments, and what becomes of its errors.

Responsible for click: each command here hands plain values to the module that does the work.
Nothing below this module knows of click or prints errors.
"""

from __future__ import annotations

import sys

import click

import virtproto
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

_connect = click.option(
    "-c",
    "--connect",
    "uri",
    metavar="URI",
    help="Connection URI; by default LIBVIRT_DEFAULT_URI, then the daemon's choice.",
)
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


@app.command("list")
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
