"""All URIs of the table given to one client, and everything noted that comes of each.

Run as a program with the client's name ("c", "sync", "aio" or "told"), in mount and network
namespaces that nobody else is in. Prints what `observe` returns, as JSON. It must not judge: every
client is observed in exactly the same manner.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.differential.uri_cases import Case, read_cases
from tests.differential.uri_certificates import lay_out_certificates
from tests.differential.uri_listening import Listening
from tests.differential.uri_place import (
    HOMES,
    PLACE,
    USERS,
    environment_of,
    lay_out,
    write_config,
)
from tests.differential.uri_ssh_host import SshHost, known_hosts, lay_out_keys
from tests.differential.uri_trace import STRACE, connects_by_case
from tests.lab.place import repository

__all__ = ["observe"]

_TRACE = PLACE / "trace"
_PARTY = Path(__file__).with_name("uri_party.py")
# Debian's package of the binding is for Debian's interpreter.
_BINDINGS_PYTHON = "/usr/bin/python3"


def _environment(way: str) -> dict[str, str]:
    """Return the environment of a client's process: only ours is to find virtproto."""
    if way == "c":
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    sources = filter(None, [str(repository), os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}


class _Party:
    """The client's process, under strace."""

    def __init__(self, way: str) -> None:
        python = _BINDINGS_PYTHON if way == "c" else sys.executable
        self._process = subprocess.Popen(
            [*STRACE, str(_TRACE), python, str(_PARTY), way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(way),
            text=True,
        )
        self.release = self._read().strip()

    def ask(self, number: int, case: Case) -> dict[str, Any]:
        """Return what the client says about ``case``."""
        question = {
            "number": number,
            "uri": case.uri,
            "readonly": case.readonly,
            "aliases": case.aliases,
            "autostart": case.autostart,
            "answers": case.answers,
            "environment": environment_of(case.user, case.environment),
            "uid": USERS[case.user],
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def end(self) -> None:
        """Wait for its end, after which the trace is complete."""
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the client's process ended")
        return line


@contextmanager
def _configured(case: Case) -> Iterator[None]:
    if not case.config:
        yield
        return
    path = write_config(case.user, case.config)
    try:
        yield
    finally:
        path.unlink()


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = PLACE / "pki/server"
    context.load_cert_chain(folder / "servercert.pem", folder / "serverkey.pem")
    context.load_verify_locations(folder / "cacert.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    # Tickets come before the byte that says that the client is let in, and the C client trips.
    context.num_tickets = 0
    return context


def observe(way: str, cases: list[Case]) -> dict[str, Any]:
    """Return the C library's "release" and, of "cases", what comes of each by its name."""
    lay_out()
    lay_out_certificates(PLACE / "pki", Path(HOMES["nobody"], ".pki/libvirt"))
    lay_out_keys()
    listening = Listening(_tls_context())
    listening.start()
    host = SshHost(lambda visit: listening.note("ssh", visit), listening.converse_beside)
    host.start()
    party = _Party(way)
    observed: dict[str, Any] = {}
    for number, case in enumerate(cases):
        known, began = known_hosts(), time.monotonic()
        watching = listening.watching(case.sockets, case.offers, case.started)
        with _configured(case), watching as seen:
            answer = party.ask(number, case)
            host.settle()
        observed[case.name] = {
            **answer,
            **seen,
            "remembered": sorted(known_hosts() - known),
            "took_s": time.monotonic() - began,
        }
    party.end()
    connects = connects_by_case(_TRACE.read_text().splitlines())
    for number, case in enumerate(cases):
        observed[case.name]["connects"] = connects.get(number, [])
    return {"release": party.release, "cases": observed}


def main() -> None:
    """Observe the client that the command line names."""
    os.umask(0o022)
    json.dump(observe(sys.argv[1], read_cases()), sys.stdout)


if __name__ == "__main__":
    main()
