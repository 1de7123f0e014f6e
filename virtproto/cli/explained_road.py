"""The way to a daemon in words, for ``virtproto uri``: sockets, files and programs on it.

Responsible for one endpoint of each kind, and for what of it this machine has. Must not know the
URI, and neither connects nor runs anything.
"""

from __future__ import annotations

import os
import shlex
import stat
from shutil import which

from virtproto.model.endpoint import (
    CommandEndpoint,
    LibsshEndpoint,
    TcpEndpoint,
    TlsEndpoint,
    UnixEndpoint,
)
from virtproto.transport.resolve import environment, user_folder
from virtproto.transport.unix import socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.endpoint import Endpoint

__all__ = ["road_steps"]


def road_steps(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as plain values, fit for JSON, with its ``steps`` in words."""
    if isinstance(endpoint, UnixEndpoint):
        return _unix(endpoint)
    if isinstance(endpoint, TlsEndpoint):
        return _tls(endpoint)
    if isinstance(endpoint, TcpEndpoint):
        return {**_host("tcp", endpoint), "steps": [_connecting(endpoint), _OPEN]}
    if isinstance(endpoint, CommandEndpoint):
        return _command(endpoint)
    return _libssh(endpoint)


_OPEN = "nothing on this way is secret or safe from change, unless SASL makes it so"


def _unix(endpoint: UnixEndpoint) -> dict[str, Any]:
    # A path that is too long is refused as it would be.
    socket_address(endpoint.path)
    sockets = {path: _socket_state(path) for path in (endpoint.path, *endpoint.candidates)}
    steps = [f"connect to the socket {endpoint.path} ({sockets[endpoint.path]})"]
    others = [f"{path} ({sockets[path]})" for path in sockets if path != endpoint.path]
    if others:
        steps.append(f"considered too: {', '.join(others)}")
    if endpoint.daemon is not None:
        there = "" if os.access(endpoint.daemon, os.X_OK) else ", which is not there"
        steps.append(
            f"where nobody listens, and autostart is asked for: run {endpoint.daemon}{there}"
        )
    return {
        "kind": "unix",
        "path": endpoint.path,
        "candidates": [
            {"path": path, "state": sockets[path], "exists": _exists(path)}
            for path in endpoint.candidates
        ],
        "daemon": endpoint.daemon,
        "steps": steps,
    }


def _exists(path: str) -> bool | None:
    # Of names in the abstract space one learns by connecting only.
    return None if path.startswith("@") else os.path.exists(path)


def _socket_state(path: str) -> str:
    if path.startswith("@"):
        return "a name in Linux's abstract space"
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        return "in a folder that this user may not look into"
    except OSError:
        return "not there"
    if not stat.S_ISSOCK(mode):
        return "there, but no socket"
    return "there" if os.access(path, os.W_OK) else "there, but this user may not open it"


def _host(kind: str, endpoint: TcpEndpoint) -> dict[str, Any]:
    return {"kind": kind, "host": endpoint.host, "port": endpoint.port}


def _connecting(endpoint: TcpEndpoint) -> str:
    return f"connect by TCP to {endpoint.name}, each address of the host in turn"


def _tls(endpoint: TlsEndpoint) -> dict[str, Any]:
    from virtproto.transport.tls.files import files_here
    from virtproto.transport.tls.priority import read_priority

    # Words that mean nothing here are refused as they would be.
    policy = read_priority(endpoint.priority)
    files = files_here(endpoint.pkipath)
    pair = (files.certificate, files.key)
    named = {"ca": files.ca, "crl": files.crl, "certificate": pair[0], "key": pair[1]}
    there = "" if os.path.exists(files.ca) else " (not there: connecting fails)"
    checks = "checked first" if endpoint.check_files else "not checked, as no_sanity is on"
    if None in pair:
        cert, key = files.missing_pair or ("", "")
        own = f"this side shows no certificate: {cert} and {key} are not both there"
    else:
        own = f"this side shows {pair[0]}, with the key {pair[1]}"
    steps = [
        _connecting(endpoint),
        f"speak {policy.oldest} to {policy.newest}, as the priority {policy.text} allows",
        f"the CA's certificate is {files.ca}{there}",
        f"revoked certificates are listed in {files.crl}"
        if files.crl is not None
        else "no list of revoked certificates is there",
        own,
        f"these files are {checks} (virtproto pki check tells what is in them)",
        f"the host's certificate has to be right, and to name {endpoint.host}"
        if endpoint.verify
        else "the host's certificate may be anybody's, as no_verify is on",
        "wait until the daemon has accepted this side's certificate",
    ]
    return {
        **_host("tls", endpoint),
        "pkipath": endpoint.pkipath,
        "priority": endpoint.priority,
        "verify": endpoint.verify,
        "check_files": endpoint.check_files,
        "files": named,
        "steps": steps,
    }


def _command(endpoint: CommandEndpoint) -> dict[str, Any]:
    program = endpoint.argv[0]
    found = which(program)
    place = "" if found == program else f"{program} is {found}" if found else None
    steps = [f"run {shlex.join(endpoint.argv)}"]
    if place is None:
        steps.append(f"there is no program {program} that could be run: connecting fails")
    elif place:
        steps.append(place)
    if endpoint.kind == "ssh":
        asks = "may ask on the terminal" if endpoint.tty else "must ask nothing"
        steps.append(f"{program} logs in on {endpoint.host} by its own rules, and {asks}")
    else:
        steps.append(_OPEN)
    steps.append("the daemon is at its input and output")
    return {
        "kind": endpoint.kind,
        "host": endpoint.host,
        "argv": list(endpoint.argv),
        "program": found,
        "tty": endpoint.tty,
        "steps": steps,
    }


_UNKNOWN_KEYS = {
    "normal": "one that is not there is asked about",
    "auto": "one that is not there is added",
    "ignore": "but any is taken",
}


def _libssh(endpoint: LibsshEndpoint) -> dict[str, Any]:
    known_hosts = endpoint.known_hosts or f"{user_folder(environment())}/known_hosts"
    there = "" if os.path.exists(known_hosts) else ", which is not there"
    unknown = _UNKNOWN_KEYS[endpoint.known_hosts_verify]
    key = f" (key {endpoint.keyfile})" if endpoint.keyfile is not None else ""
    steps = [
        f"connect by {endpoint.name}, within this process",
        f"the host's key has to be the one in {known_hosts}{there}; {unknown}",
        f"log in by the first that works of {', '.join(endpoint.methods)}{key}",
        f"run there {endpoint.remote_command}",
    ]
    if endpoint.socket_path is not None:
        steps.append(f"where that cannot be run: have ssh lead to {endpoint.socket_path}")
    return {
        "kind": endpoint.kind,
        "host": endpoint.host,
        "port": endpoint.port,
        "user": endpoint.user,
        "known_hosts": known_hosts,
        "known_hosts_verify": endpoint.known_hosts_verify,
        "keyfile": endpoint.keyfile,
        "methods": list(endpoint.methods),
        "remote_command": endpoint.remote_command,
        "socket_path": endpoint.socket_path,
        "steps": steps,
    }
