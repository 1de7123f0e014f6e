"""The commands that lead over ssh to a daemon: what is run on the far host, and the call of ssh.

Responsible for the exact words, which are those of libvirt's own client: what a host allows by
name (a forced command, sudo rules) then goes for both. Must not know where the parts come from, and
runs nothing.
"""

from __future__ import annotations

__all__ = ["remote_command", "ssh_arguments"]

# What makes a shell's word more than its letters.
_SPECIAL = frozenset("\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")


def remote_command(
    proxy: str, *, netcat: str | None, socket_path: str | None, name: str, readonly: bool
) -> str:
    """Return the command for the far host, whose input and output become the connection.

    ``proxy`` is "native" (virt-ssh-helper, which finds the daemon of ``name`` there), "netcat"
    (``netcat`` on ``socket_path``), or "auto": the helper where there is one, else netcat. The
    socket's path is given to the far shell as it is, as libvirt's client does.
    Source: virNetClientSSHHelperCommand.
    """
    # Read by two shells: the one that ssh speaks to, and the one that this command starts.
    program = _quoted_twice(netcat if netcat is not None else "nc")
    by_netcat = (
        f'if {program} -q 2>&1 | grep "requires an argument" >/dev/null 2>&1; '
        f"then ARG=-q0;else ARG=;fi;{program} $ARG -U {socket_path or ''}"
    )
    by_helper = f"virt-ssh-helper {'-r ' if readonly else ''}{_quoted_twice(name)}"
    if proxy == "netcat":
        return f"sh -c '{by_netcat}'"
    if proxy == "native":
        return f"sh -c '{by_helper}'"
    return (
        "sh -c 'which virt-ssh-helper 1>/dev/null 2>&1; if test $? = 0; "
        f"then     {by_helper}; else    {by_netcat}; fi'"
    )


def ssh_arguments(
    program: str,
    host: str,
    command: str,
    *,
    port: int = 0,
    user: str | None = None,
    keyfile: str | None = None,
    tty: bool = True,
    verify: bool = True,
) -> tuple[str, ...]:
    """Return the argv of the system's ssh that runs ``command`` on ``host``.

    ``port`` 0 leaves the port to ssh, as no ``user`` and None for ``keyfile`` do; without ``tty``
    ssh asks nothing, without ``verify`` it takes any host key that does not contradict a known one.
    Source: virNetSocketNewConnectSSH.
    """
    argv = [program]
    if port:
        argv += ["-p", str(port)]
    # ssh refuses an empty one.
    if user:
        argv += ["-l", user]
    if keyfile is not None:
        argv += ["-i", keyfile]
    argv += ["-T", "-e", "none"]
    if not tty:
        argv += ["-o", "BatchMode=yes"]
    if not verify:
        argv += ["-o", "StrictHostKeyChecking=no"]
    return (*argv, "--", host, command)


def _quoted_twice(word: str) -> str:
    # What stands around it is in single quotes already: these end them, and begin them again.
    return f"'{_quoted(_quoted(word))}'"


def _quoted(word: str) -> str:
    if word and _SPECIAL.isdisjoint(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
