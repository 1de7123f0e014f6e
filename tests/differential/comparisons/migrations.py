"""A running guest moved between two daemons, there and back, in every way there is."""

from __future__ import annotations

from typing import Any

from tests.differential.comparison import Comparison, ConnectionArgument, Do, Remove, See
from tests.differential.comparisons.domain_changes import without_id
from tests.differential.writing import act, ask, scenario

__all__ = ["COMPARISONS"]

LIVE, PEER2PEER, TUNNELLED, UNSAFE = 1, 2, 4, 512
NON_SHARED_DISK, NON_SHARED_INC = 64, 128
PLAIN = LIVE | UNSAFE
BY_ITSELF = PLAIN | PEER2PEER

_TARGET, _SOURCE = ConnectionArgument("$target_uri"), ConnectionArgument("$source_uri")
_SOCKET = "unix://$folder/m.sock"
_FREE = Remove("$folder/m.sock")
_HERE, _THERE = See("domain", "state"), See("moved", "state")
_BACK = (
    _FREE,
    Do("moved", "migrate", (_SOURCE, PLAIN, None, _SOCKET, 0), may_fail=True),
)


def _params(**more: Any) -> dict[str, Any]:
    return {"migrate_uri": _SOCKET, **more}


COMPARISONS: tuple[Comparison, ...] = (
    scenario(
        "moved by the client, there and back",
        "migration",
        _FREE,
        ask(
            "Domain.migrate",
            "migrate",
            _TARGET,
            None,
            PLAIN,
            None,
            _SOCKET,
            0,
            binding_args=(_TARGET, PLAIN, None, _SOCKET, 0),
            both=without_id,
        ),
        _HERE,
        _THERE,
        _FREE,
        ask(
            "Domain.migrate2",
            "migrate2",
            _SOURCE,
            None,
            PLAIN,
            None,
            _SOCKET,
            0,
            on="moved",
            both=without_id,
        ),
        _HERE,
        _THERE,
        afterwards=_BACK,
    ),
    scenario(
        "moved by the client, with parameters",
        "migration",
        _FREE,
        ask(
            "Domain.migrate",
            "migrate3",
            _TARGET,
            _params(bandwidth=500),
            PLAIN,
            both=without_id,
        ),
        _HERE,
        _THERE,
        _FREE,
        ask(
            "Domain.migrate",
            "migrate3",
            _SOURCE,
            _params(),
            PLAIN,
            on="moved",
            both=without_id,
        ),
        _HERE,
        _THERE,
        afterwards=_BACK,
    ),
    scenario(
        "moved by the source daemon",
        "migration",
        _FREE,
        act("Domain.migrate_to_uri", "migrateToURI3", "$target_uri", _params(), BY_ITSELF),
        _HERE,
        _THERE,
        _FREE,
        act(
            "Domain.migrate_to_uri2",
            "migrateToURI2",
            "$source_uri",
            _SOCKET,
            None,
            BY_ITSELF,
            None,
            0,
            on="moved",
        ),
        _HERE,
        _THERE,
        afterwards=_BACK,
    ),
    scenario(
        "moved by the source daemon, through a tunnel",
        "migration",
        act(
            "Domain.migrate_to_uri",
            "migrateToURI",
            "$target_uri",
            None,
            BY_ITSELF | TUNNELLED,
            None,
            0,
            binding_args=("$target_uri", BY_ITSELF | TUNNELLED, None, 0),
        ),
        _HERE,
        _THERE,
        afterwards=_BACK,
    ),
    scenario(
        "not moved",
        "!migration",
        ask(
            "Domain.migrate_to_uri",
            "migrateToURI3",
            "qemu+unix:///system?socket=/none",
            _params(),
            BY_ITSELF,
        ),
        _HERE,
        ask(
            "Domain.migrate",
            "migrate3",
            _TARGET,
            {"no_such_parameter": 1},
            PLAIN,
        ),
        _HERE,
    ),
    scenario(
        "flags that only the client looks at",
        "!migration",
        ask(
            "Domain.migrate",
            "migrate",
            _TARGET,
            None,
            PLAIN | TUNNELLED,
            None,
            _SOCKET,
            0,
            binding_args=(_TARGET, PLAIN | TUNNELLED, None, _SOCKET, 0),
            by_client=True,
        ),
        ask("Domain.migrate", "migrate3", _TARGET, _params(), PLAIN | TUNNELLED, by_client=True),
        ask("Domain.migrate", "migrate3", _TARGET, _params(), BY_ITSELF, by_client=True),
        ask(
            "Domain.migrate",
            "migrate3",
            _TARGET,
            _params(),
            PLAIN | NON_SHARED_DISK | NON_SHARED_INC,
            by_client=True,
        ),
        _HERE,
    ),
)
