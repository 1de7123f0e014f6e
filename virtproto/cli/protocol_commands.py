"""The options and arguments of the commands about the protocol itself: calls and procedures.

Responsible for click, as ``app`` is: each command hands plain values to the module that does the
work. The shell's completion is here, too, since click knows what stands where.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, ShellComplete

from virtproto.cli.options import connect, json_option, offers
from virtproto.errors import VirtprotoError

__all__ = ["COMMANDS"]

SAME, DIFFERENT, TROUBLE = 0, 1, 2
# What a shell offers by itself, by click's name for it.
_KINDS = {"file": "file", "dir": "file", "command": "command"}
# Something follows at once after these.
_UNFINISHED = ("=", ".", "/")


def _complete_procedures(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from virtproto.cli.completing import procedure_names

    only_calls = context.command.name == "call"
    return offers(procedure_names(begun, callable_only=only_calls))


def _complete_arguments(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from virtproto.cli.completing import argument_words

    given = context.params.get("args") or ()
    proc, uri = context.params.get("proc") or "", context.params.get("uri")
    return offers(argument_words(proc, given, begun, uri))


def _complete_programs(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from virtproto.cli.completing import program_names

    return offers(program_names(begun))


def _complete_releases(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from virtproto.cli.completing import release_names

    return offers(release_names(begun))


@click.command(short_help="Call one procedure, with its arguments by name.")
@connect
@click.argument("proc", shell_complete=_complete_procedures)
@click.argument("args", nargs=-1, shell_complete=_complete_arguments)
def call(uri: str | None, proc: str, args: tuple[str, ...]) -> None:
    """Call one procedure and print its result as JSON.

    PROC is a name or number as `virtproto procs` shows it, of another program than remote as
    qemu:NAME; REMOTE_PROC_NAME and QEMU_PROC_NAME will do too. `virtproto procs PROC` shows its
    arguments.

    ARGS are fields as name=value (dom.name=web for a field of a field), one JSON object, or - for
    one that the input holds; what is optional may be left out, and flags, which are 0 then.

    \b
      dom=web                 an object by name, UUID or number; see below
      flags=ACTIVE,TRANSIENT  numbers by the names of libvirt's constants
      params.weight=60        typed parameters by name; of a name that is not
      params.odd:uint=3       known here, with the type after it
      params='{"weight": 60}' the same as JSON

    A storage volume is POOL/VOLUME, its path or key, a snapshot or checkpoint DOMAIN/NAME, a port
    of a network NETWORK/UUID, a secret its UUID, its use, or TYPE:USE, a network filter's binding
    the port's device, an interface its name or MAC address.

    UUIDs are written as usual, other bytes in hexadecimal. Arrays of characters, such as security
    labels, are text, shown without the NUL at its end; where they are no printable text, hex: and
    hexadecimal digits. Other users of this machine can see a command's arguments: let a password
    come from the input.
    """
    from virtproto.cli.calling import print_call

    print_call(uri, proc, args)


@click.command(short_help="List procedures, or explain one.")
@click.argument("pattern", default="", shell_complete=_complete_procedures)
@click.option(
    "--program",
    help="Only this program: remote, qemu, lxc or admin.",
    shell_complete=_complete_programs,
)
@json_option
def procs(pattern: str, program: str | None, as_json: bool) -> None:
    """List the procedures of the protocol, or explain one of them.

    PATTERN is part of a name, or a whole name with * and ?; case does not matter. Names may be
    spelled as REMOTE_PROC_NAME too. The name or number of a procedure shows all there is to know
    of it: arguments and reply with their types and limits, what access is checked, which release
    brought it, which methods and events use it, and how to call it.
    """
    from virtproto.cli.procedures import print_procedures

    print_procedures(pattern, program, as_json=as_json)


@click.command("diff-protocol", short_help="Compare what two daemons or releases have.")
@json_option
@click.argument("a", shell_complete=_complete_releases)
@click.argument("b", shell_complete=_complete_releases)
@click.pass_context
def diff_protocol(context: click.Context, as_json: bool, a: str, b: str) -> None:
    """List the procedures that only one of A and B has.

    A and B are each a release such as 9.0.0, the URI of a daemon, or the URI of a daemon's
    administration (libvirtd:///system). A daemon is asked for each procedure in a way that it
    refuses before it does anything; what cannot be asked so is inferred from its neighbours, as
    procedures are numbered one after the other and none is ever taken away. Its log may tell of
    the refusals.

    Exit code: 0 if they have the same, 1 if not, 2 if that could not be found out. What cannot be
    told of a procedure is no difference.
    """
    from virtproto.cli.comparing_protocols import compare
    from virtproto.cli.output import complain

    try:
        code = SAME if compare(a, b, as_json=as_json) else DIFFERENT
    except VirtprotoError as error:
        # As diff has it: a daemon that is down is no difference.
        complain(str(error))
        code = TROUBLE
    context.exit(code)


@click.command(short_help="Print what makes a shell complete words.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete virtproto's words.

    \b
      eval "$(virtproto completion bash)"       in ~/.bashrc
      eval "$(virtproto completion zsh)"        in ~/.zshrc, after compinit
      virtproto completion fish | source        in ~/.config/fish/config.fish

    Commands, options, procedures and their arguments are completed, constants by name, and the
    names of domains, pools and other objects: these the daemon is asked for, if it answers within
    a second and nobody has to be asked for a password.
    """
    from virtproto.cli.completion_scripts import SCRIPTS

    click.echo(SCRIPTS[shell], nl=False)


@click.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def complete(context: click.Context, words: tuple[str, ...]) -> None:
    """Print what the last of WORDS may become, a line for each; for completion's scripts."""
    app = context.find_root().command
    *before, begun = words or ("",)
    asking = ShellComplete(app, {}, "virtproto", "_VIRTPROTO_COMPLETE")
    for item in asking.get_completions(list(before), begun.lstrip("'\"")):
        kind = _KINDS.get(item.type, "word")
        if kind == "word" and str(item.value).endswith(_UNFINISHED):
            kind = "part"
        # A name with a line's end in it could not be told from two.
        if str(item.value).isprintable():
            click.echo(f"{kind}\t{item.value}\t{item.help or ''}")


COMMANDS = (call, procs, diff_protocol, completion, complete)
