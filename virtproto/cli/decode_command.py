"""The command that prints what was recorded.

Responsible for click's side of it alone; `decoding` does the work.
"""

from __future__ import annotations

import click

from virtproto.cli.options import complete_files
from virtproto.cli.showing_options import showing_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.cli.showing_options import ShowingOptions

__all__ = ["decode"]


@click.command(short_help="Print what was recorded, captured, or pasted into a report.")
@showing_options
@click.argument("file", shell_complete=complete_files)
@click.pass_context
def decode(context: click.Context, file: str, showing: ShowingOptions) -> None:
    """Print the conversations with libvirt daemons that are in FILE, or in the input if that is -.

    FILE is a recording (trace --record), a capture (pcap or pcapng, of tcpdump, Wireshark or
    tshark), or a text that has packets in it somewhere: hexadecimal digits, dumps of xxd, hexdump,
    od or tshark -x, arrays of bytes, escaped strings, system calls as strace prints them. Each may
    be packed by gzip. In captures libvirt is found on any port; what is inside TLS stays there.

    Exit code: 0 if all was read, 1 if something is damaged, missing or unknown (stderr says where
    reading stopped), 2 if the command was misused.
    """
    from virtproto.cli.decoding import run_decode

    context.exit(run_decode(file, showing))
