"""``virtproto uri``: what a connection URI means on this machine, step by step, without doing it.

Responsible for the words. Decides nothing: what is told is what the model, asked with this
machine's environment and files, answers. Must not open a connection, nor show a secret.
"""

from __future__ import annotations

import json
import os

from virtproto.cli.explained_road import road_steps
from virtproto.cli.table import visible
from virtproto.errors import ConfigFileError
from virtproto.model.endpoint import choose_endpoint
from virtproto.model.uri import PARAMETERS, meant_text, parse_uri, resolve_uri, shown
from virtproto.transport.resolve import config_path, environment, read_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from virtproto.model.client_config import ClientConfig
    from virtproto.model.uri import ConnectionURI

__all__ = ["explain", "print_explanation"]

_SSH = ("ssh", "libssh", "libssh2")
# Which transports use a parameter, nothing for all, and what for.
_USES: dict[str, tuple[tuple[str, ...], str]] = {
    "name": ((), "is the name that the daemon is told, in place of what else the URI says"),
    "auth": ((), "is how this client authenticates, if the daemon offers it"),
    "authfile": ((), "is the file with user names and passwords"),
    "mode": (("unix", *_SSH), "is which daemon's socket is meant"),
    "socket": (("unix", *_SSH), "is the daemon's socket"),
    "command": (("ssh", "ext"), "is the program to run"),
    "netcat": (_SSH, "is the program that leads to the socket on the host"),
    "proxy": (_SSH, "is what leads to the daemon on the host"),
    "keyfile": (_SSH, "is the private key"),
    "no_tty": (("ssh",), "says whether ssh must ask nothing"),
    "no_verify": (("tls", "ssh"), "says whether the host may be anybody"),
    "known_hosts": (("libssh", "libssh2"), "is the file of known host keys"),
    "known_hosts_verify": (("libssh", "libssh2"), "says what becomes of an unknown host key"),
    "sshauth": (("libssh", "libssh2"), "is how to log in on the host"),
    "pkipath": (("tls",), "is the folder of certificates and key"),
    "tls_priority": (("tls",), "is what TLS may use, in GnuTLS's words"),
    "no_sanity": (("tls",), "says whether this side's certificates go unchecked"),
}
_WITHOUT_A_NAME = [
    "virt-ssh-helper refuses the empty name that it gets: where the host has it, add proxy=netcat"
]
_ENCRYPTING = "SASL has to encrypt what follows here: GSSAPI and DIGEST-MD5 do"


def print_explanation(text: str | None, *, readonly: bool, as_json: bool) -> None:
    """Print what opening ``text`` would do. Raises URIError and ConfigFileError, as opening does.

    None means what opening without a URI means.
    """
    told = explain(text, readonly=readonly)
    if as_json:
        print(json.dumps(told, indent=2))
        return
    for line in _lines(told):
        print(visible(line))


def explain(text: str | None, *, readonly: bool) -> dict[str, Any]:
    """Return what opening ``text`` would do, fit for JSON; each part has its ``steps`` in words."""
    environ, euid = environment(), os.geteuid()
    config = read_config("libvirt.conf", environ, euid)
    path = config_path("libvirt.conf", environ, euid)
    found = meant_text(text, environ, config)
    real = resolve_uri(text, environ, config)
    # Read without its passwords, so that nothing that is made of it has one.
    uri = parse_uri(shown(real.text)) if real is not None else None
    endpoint = choose_endpoint(
        uri, readonly=readonly, euid=euid, environ=environ, exists=os.path.exists, config=config
    )
    road = road_steps(endpoint)
    if uri is not None and uri.transport in _SSH and not uri.name_to_send():
        command = road["remote_command"] if "remote_command" in road else road["argv"][-1]
        road["steps"] += _WITHOUT_A_NAME if "virt-ssh-helper" in command else []
    return {
        "given": _given(found, environ, config, path),
        "uri": _uri(uri, environ) if uri is not None else None,
        "road": road,
        "authentication": _authentication(uri),
        "open": _opening(uri, readonly=readonly),
    }


def _given(
    found: tuple[tuple[str, str], ...],
    environ: Mapping[str, str],
    config: ClientConfig | None,
    path: str,
) -> dict[str, Any]:
    steps = [_source(source, shown(text), path) for source, text in found]
    if not found:
        steps = [
            "no URI is given, and LIBVIRT_DEFAULT_URI is "
            + ("empty" if "LIBVIRT_DEFAULT_URI" in environ else "not set"),
            f"{path} has no uri_default" if config is not None else _silent(path),
            "so the daemon chooses its driver",
        ]
    return {
        "sources": [{"source": source, "text": shown(text)} for source, text in found],
        "file": path,
        "steps": steps,
    }


def _silent(path: str) -> str:
    there = os.path.exists(path)
    return f"{path} sets nothing" if there else f"there is no {path}"


def _source(source: str, text: str, path: str) -> str:
    if source == "argument":
        return f"{text} is given"
    if source == "LIBVIRT_DEFAULT_URI":
        return f"nothing is given, and the environment's LIBVIRT_DEFAULT_URI is {text}"
    if source == "uri_default":
        return f"nothing is given, and uri_default in {path} is {text}"
    if source == "xen":
        return f"that is short for {text}"
    return f"that is an alias in {path} for {text}"


def _uri(uri: ConnectionURI, environ: Mapping[str, str]) -> dict[str, Any]:
    parts = {
        "driver": uri.driver,
        "transport": uri.transport,
        "user": uri.user,
        "server": uri.server,
        "port": uri.port or None,
        "path": uri.path,
        "fragment": uri.fragment,
    }
    parameters = [
        {"name": name, "value": value, "effect": _effect(uri, index, environ)}
        for index, (name, value) in enumerate(uri.params)
    ]
    steps = [f"{part} {value}" for part, value in parts.items() if value is not None]
    if "+" not in uri.scheme:
        steps[1] += ", as a server is named" if uri.server else ", as no server is named"
    if uri.scheme == "test" and uri.server is None:
        steps[0] += ", the daemon's; libvirt's own client would take the one in its library"
    if uri.path == "/session" and os.geteuid() == 0:
        steps.append("root has no session of its own, so this means the system")
    steps += [f"parameter {each['name']}={each['value']} {each['effect']}" for each in parameters]
    return {"text": uri.text, **parts, "parameters": parameters, "steps": steps}


def _effect(uri: ConnectionURI, index: int, environ: Mapping[str, str]) -> str:
    """Return what becomes of a parameter."""
    written, _value = uri.params[index]
    name = written.lower()
    if name not in PARAMETERS:
        if uri.parameter("name") is not None:
            return "is ignored: name= says all that the daemon is told"
        if uri.driver == "remote":
            return "is ignored: the driver remote leaves all to the daemon"
        return "is passed on to the daemon"
    transports, purpose = _USES[name]
    if transports and uri.transport not in transports:
        return f"is ignored: only {_either(transports)} uses it"
    if name == "authfile":
        return _effect_of_authfile(uri, index, environ)
    if any(other.lower() == name for other, _ in uri.params[index + 1 :]):
        return "is ignored: it is named again further on"
    if name == "mode" and uri.parameter("socket") is not None:
        return "is ignored: socket= names the socket"
    return purpose


def _effect_of_authfile(uri: ConnectionURI, index: int, environ: Mapping[str, str]) -> str:
    if "LIBVIRT_AUTH_FILE" in environ:
        return "is ignored: the environment's LIBVIRT_AUTH_FILE takes its place"
    if uri.params[index][0] != "authfile":
        return "is ignored: this one has to be in small letters"
    if any(name == "authfile" for name, _ in uri.params[:index]):
        return "is ignored: it was named before"
    return _USES["authfile"][1]


def _either(transports: tuple[str, ...]) -> str:
    *first, last = transports
    return f"transport {', '.join(first)} or {last}" if first else f"transport {last}"


def _authentication(uri: ConnectionURI | None) -> dict[str, Any]:
    auth = uri.parameter("auth") if uri is not None else None
    transport = uri.transport if uri is not None else "unix"
    encrypts = transport in ("tcp", "ext")
    if auth is not None:
        kind, _dot, mechanism = auth.partition(".")
        wanted = f"SASL by {mechanism}" if mechanism else kind.lower()
        steps = [f"the daemon has to offer {wanted}"]
    else:
        steps = ["as the daemon wants it: not at all, by polkit or by SASL"]
    if encrypts:
        steps.append(_ENCRYPTING)
    host = (uri.server if uri is not None else None) or "localhost"
    services = ["libvirt", "ssh"] if transport in ("libssh", "libssh2") else ["libvirt"]
    known = {service: _known(service, host, uri) for service in services}
    steps += [f"{_SERVICES[service]} {host}: {said}" for service, said in known.items()]
    return {"auth": auth, "sasl_has_to_encrypt": encrypts, "known": known, "steps": steps}


_SERVICES = {"libvirt": "for SASL at", "ssh": "for the login on"}


def _known(service: str, host: str, uri: ConnectionURI | None) -> str:
    """Return in words what ``auth.conf`` knows, and which file that is; never a value."""
    from virtproto.transport.auth_files import look_up

    try:
        credentials, where = look_up(service, host, uri)
    except ConfigFileError as fault:
        return f"auth.conf cannot be used: {fault}"
    if credentials is None:
        return f"no file knows anything; looked at {', '.join(where)}"
    names = ("authname", "password", "username", "realm")
    held = [name for name in names if getattr(credentials, name) is not None]
    return f"{' and '.join(held) or 'nothing'} from {', '.join(where)}"


def _opening(uri: ConnectionURI | None, *, readonly: bool) -> dict[str, Any]:
    name = uri.name_to_send() if uri is not None else ""
    named = f"the name {name}" if name else "an empty name: it chooses its driver"
    manner = "only look at things" if readonly else "change things"
    return {
        "name": name,
        "readonly": readonly,
        "steps": [f"the daemon is told {named}", f"the connection may {manner}"],
    }


def _lines(told: dict[str, Any]) -> Iterator[str]:
    heads = {
        "given": "The URI",
        "uri": "What it says",
        "road": "The way to the daemon",
        "authentication": "Authentication",
        "open": "The connection",
    }
    number = 0
    for part, head in heads.items():
        if told[part] is None:
            continue
        number += 1
        yield f"{number}. {head}"
        for step in told[part]["steps"]:
            yield f"   {step}"
