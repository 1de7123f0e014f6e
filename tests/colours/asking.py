"""What a scripted daemon was asked, and the domain that it knows.

Responsible for telling a test's own calls from those of opening, closing and finding, and for how
what a read-only connection does not send is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from virtproto.errors import OperationDeniedError
from virtproto.testing import ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.procedure import Procedure

__all__ = ["WEB", "asked", "asked_after_opening", "assert_denied"]

# What the fixture ``server`` answers when it is asked for a domain by name.
WEB = NonnullDomain(name="web", uuid=bytes(range(16)), id=7)

_OPENING_AND_CLOSING: tuple[Procedure[Any, Any], ...] = (
    remote.AUTH_LIST,
    remote.CONNECT_SUPPORTS_FEATURE,
    remote.CONNECT_OPEN,
    remote.CONNECT_CLOSE,
)


def asked_after_opening(
    server: ScriptedServer, *finding: Procedure[Any, Any]
) -> list[tuple[int, bytes]]:
    """Return number and arguments of each call but those of opening, closing and ``finding``."""
    left_out = {procedure.number for procedure in (*_OPENING_AND_CLOSING, *finding)}
    return [
        (call.procedure, call.payload) for call in server.calls if call.procedure not in left_out
    ]


def asked(server: ScriptedServer) -> list[tuple[int, bytes]]:
    """Return number and arguments of what was asked once the domain was found by its name."""
    return asked_after_opening(server, remote.DOMAIN_LOOKUP_BY_NAME)


def assert_denied(target: Any, method: str, args: Iterable[Any]) -> None:
    """Call a method of an object whose connection is read-only: the error names both."""
    kind = repr(target).split()[0].lstrip("<")
    with pytest.raises(OperationDeniedError, match=rf"\b{kind}\.{method} ") as caught:
        getattr(target, method)(*args)
    assert caught.value.code == 29
    assert caught.value.object == target
