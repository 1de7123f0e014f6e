"""Asking whoever sits at the terminal for a user name, a password, or a yes.

Responsible for the terminal alone, which is asked even where input and output are files. Where
there is none nobody is asked. Must not know what the answers are for.
"""

from __future__ import annotations

import os

from virtproto.model.credentials import Concealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtproto.model.credentials import CredentialRequest

__all__ = ["TERMINAL", "ask"]

TERMINAL = "/dev/tty"


def ask(requests: Sequence[CredentialRequest]) -> list[str] | None:
    """Ask each question in turn; return None where there is no terminal, or its user gave up."""
    answers: list[str] = []
    try:
        # Without becoming the terminal of a process that has none.
        descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    with os.fdopen(descriptor, "r+b", buffering=0) as terminal:
        for request in requests:
            prompt = _shown(request)
            if request.is_secret:
                from getpass import getpass

                try:
                    answer = getpass(prompt)
                except EOFError:
                    return None
            else:
                terminal.write(os.fsencode(prompt))
                line = terminal.readline()
                if not line:
                    return None
                answer = os.fsdecode(line).rstrip("\r\n")
            answers.append(Concealed(answer or request.default or ""))
    return answers


def _shown(request: CredentialRequest) -> str:
    """Return a prompt of which nothing can play tricks on the terminal; hosts have a say in it."""
    text = "".join(each if each.isprintable() else "?" for each in request.prompt)
    if request.default:
        text += f" [{request.default}]"
    return f"{text.rstrip(': ')}: "
