"""The options and arguments of `virtproto pki`.

Responsible for click, as ``app`` is: each command hands plain values to the module that does the
work.
"""

from __future__ import annotations

import click

from virtproto.cli.options import complete_files

__all__ = ["pki"]

DONE, FAULTY = 0, 1


@click.group(short_help="Certificates for TLS: look at them, make them.")
def pki() -> None:
    """Look at the certificates that TLS with a daemon takes, or make them."""


@pki.command(short_help="Explain what TLS finds on this machine.")
@click.option("--connect", "connects", is_flag=True, help="Ask the URI's daemon, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("uri", required=False)
@click.pass_context
def check(context: click.Context, connects: bool, as_json: bool, uri: str | None) -> None:
    """Explain which files TLS uses on this machine, and what is wrong with them.

    Without a URI these are the usual places, for connecting from here and for a daemon here. With
    one it is what that URI would use to connect. Nothing is changed, and nobody is asked but with
    --connect.

    Exit code: 1 if TLS would fail.
    """
    from virtproto.cli.pki_checking import run_check

    context.exit(DONE if run_check(uri, connects=connects, as_json=as_json) else FAULTY)


@pki.command(short_help="Make certificates that libvirt accepts.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME[,NAME...]",
    help="A server's names and addresses, as they stand in URIs (repeatable: another server).",
)
@click.option("--client", "clients", multiple=True, metavar="NAME", help="A client (repeatable).")
@click.option("--organization", default="libvirt", show_default=True, help="In every name.")
@click.option("--days", default=825, show_default=True, help="How long they are valid.")
@click.option(
    "--key",
    "kind",
    type=click.Choice(["rsa", "ec"]),
    default="rsa",
    show_default=True,
    help="Kind of keys: RSA of 3072 bits, or the elliptic curve P-256.",
)
@click.option("--force", is_flag=True, help="Replace servers and clients that are there.")
@click.argument("folder", shell_complete=complete_files)
def create(
    hosts: tuple[str, ...],
    clients: tuple[str, ...],
    organization: str,
    days: int,
    kind: str,
    force: bool,
    folder: str,
) -> None:
    """Make a CA in FOLDER, or use the one there, and have it sign servers and clients.

    FOLDER/server/HOST has what a server needs, FOLDER/client/NAME what a client needs, as ?pkipath=
    takes it. A CA is never replaced: another FOLDER has another.
    """
    from virtproto.cli import pki_creating

    pki_creating.create(
        folder,
        hosts=hosts,
        clients=clients,
        organization=organization,
        days=days,
        kind="ec" if kind == "ec" else "rsa",
        force=force,
    )


@pki.command(short_help="Have certificates refused from now on.")
@click.argument("folder", shell_complete=complete_files)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def revoke(folder: str, names: tuple[str, ...]) -> None:
    """Put clients or servers on the list of those that the CA in FOLDER vouches for no more.

    NAME is a client's or a server's, or the path of a certificate that this CA signed.
    """
    from virtproto.cli import pki_creating

    pki_creating.revoke(folder, names)
