"""Where a connection URI leads that names a way off this machine, or a program as the way.

Responsible for hosts, ports, programs and what they are told, by transport; which URI is meant, and
what of it the configuration adds, comes in. Opens nothing, and knows nothing of this machine.
"""

from __future__ import annotations

from virtproto.model.endpoint import (
    SYSTEM_FOLDER,
    CommandEndpoint,
    LibsshEndpoint,
    TcpEndpoint,
    TlsEndpoint,
)
from virtproto.model.ssh_command import remote_command, ssh_arguments
from virtproto.model.uri import uri_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import Endpoint
    from virtproto.model.uri import ConnectionURI

__all__ = ["SSH_METHODS", "SSH_PORT", "TCP_PORT", "TLS_PORT", "choose_far_endpoint"]

TCP_PORT = 16509
TLS_PORT = 16514
SSH_PORT = 22
# In the order in which they are tried.
SSH_METHODS = ("agent", "privkey", "password", "keyboard-interactive")
_HOST_KEY_CHECKS = ("normal", "auto", "ignore")


def choose_far_endpoint(
    uri: ConnectionURI,
    *,
    mode: str,
    proxy: str | None,
    priority: str | None,
    readonly: bool,
    session_sockets: str | None,
) -> Endpoint:
    """Choose the way for a URI whose transport is not unix.

    ``mode``, ``proxy`` and ``priority`` are those of the URI or the configuration;
    ``session_sockets`` is the folder of the user's own sockets where the URI is a session matter,
    else None. Raises URIError. Source: doRemoteOpen.
    """
    if uri.transport == "tcp":
        return TcpEndpoint(uri.server or "localhost", uri.port or TCP_PORT)
    if uri.transport == "tls":
        return _tls_endpoint(uri, priority)
    if uri.transport == "ext":
        return _ext_endpoint(uri)
    command, path = _far_command(
        uri, mode, proxy, readonly=readonly, session_sockets=session_sockets
    )
    if uri.transport == "ssh":
        return _ssh_endpoint(uri, command)
    return _libssh_endpoint(uri, command, path)


def _tls_endpoint(uri: ConnectionURI, priority: str | None) -> TlsEndpoint:
    return TlsEndpoint(
        uri.server or "localhost",
        uri.port or TLS_PORT,
        pkipath=uri.parameter("pkipath"),
        priority=priority,
        verify=not uri.switch("no_verify"),
        check_files=not uri.switch("no_sanity"),
    )


def _ext_endpoint(uri: ConnectionURI) -> CommandEndpoint:
    program = uri.parameter("command")
    if not program:
        raise uri_fault(uri.text, "transport ext needs a program to run: command=PROGRAM")
    return CommandEndpoint("ext", (program,), host=uri.server or "localhost")


def _far_command(
    uri: ConnectionURI,
    mode: str,
    proxy: str | None,
    *,
    readonly: bool,
    session_sockets: str | None,
) -> tuple[str, str]:
    """Return what to run on the far host, and the socket there."""
    path = uri.parameter("socket")
    netcat = uri.parameter("netcat")
    if proxy is None:
        proxy = "netcat" if path is not None else "native" if session_sockets else "auto"
    if path is None:
        if mode == "direct":
            raise uri_fault(
                uri.text,
                f"mode direct does not go with transport {uri.transport}, as nothing is known of "
                "the sockets there; name one with socket=PATH",
            )
        # The user's own sockets are those of this machine, as libvirt has it: netcat on the far one
        # cannot find out more. They have no counterpart that is for reading only.
        suffix = "-ro" if readonly and not session_sockets else ""
        path = f"{session_sockets or SYSTEM_FOLDER}/libvirt-sock{suffix}"
    if netcat is not None and proxy == "native":
        raise uri_fault(
            uri.text,
            "netcat= names a program that is not used: the far side's virt-ssh-helper is, for a "
            "session and wherever proxy is native; leave it out, or add proxy=netcat",
        )
    if netcat is not None:
        proxy = "netcat"
    # The plain name, without mode= and socket=. Newer clients of libvirt leave those in, but old
    # helpers pass over them: so a URI means the same daemon whatever the release over there.
    command = remote_command(
        proxy, netcat=netcat, socket_path=path, name=uri.name_to_send(), readonly=readonly
    )
    return command, path


def _ssh_endpoint(uri: ConnectionURI, command: str) -> CommandEndpoint:
    program = uri.parameter("command")
    if program == "":
        raise uri_fault(uri.text, "command= names no program to run in ssh's place")
    host = uri.server or "localhost"
    tty = not uri.switch("no_tty")
    argv = ssh_arguments(
        program or "ssh",
        host,
        command,
        port=uri.port,
        user=uri.user,
        keyfile=uri.parameter("keyfile"),
        tty=tty,
        verify=not uri.switch("no_verify"),
    )
    return CommandEndpoint("ssh", argv, host=host, tty=tty)


def _libssh_endpoint(uri: ConnectionURI, command: str, path: str) -> LibsshEndpoint:
    verify = uri.parameter("known_hosts_verify")
    if verify is not None and verify.lower() not in _HOST_KEY_CHECKS:
        known = ", ".join(_HOST_KEY_CHECKS)
        raise uri_fault(uri.text, f"known_hosts_verify={verify}: expected one of {known}")
    named = uri.parameter("sshauth")
    methods = tuple(named.lower().split(",")) if named is not None else SSH_METHODS
    for method in methods:
        if method not in SSH_METHODS:
            known = ", ".join(SSH_METHODS)
            raise uri_fault(
                uri.text, f"sshauth={named}: {method!r} is no way to log in; there are {known}"
            )
    return LibsshEndpoint(
        uri.transport,
        uri.server or "localhost",
        uri.port or SSH_PORT,
        uri.user or "root",
        remote_command=command,
        socket_path=path,
        keyfile=uri.parameter("keyfile"),
        known_hosts=uri.parameter("known_hosts"),
        known_hosts_verify=(verify or "normal").lower(),
        methods=methods,
        uri=uri,
    )
