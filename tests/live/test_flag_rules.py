"""Flags that do not go together: each daemon refuses them by itself, so nothing here does."""

from __future__ import annotations

import pytest

from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from virtproto.errors import InvalidArgError

pytestmark = pytest.mark.lab

SNAPSHOT, CHECKPOINT = "<domainsnapshot/>", "<domaincheckpoint/>"

# What is wrong, and the call: whose, which, and what it is given.
RULES: list[tuple[str, str, str, tuple[object, ...]]] = [
    ("CURRENT without REDEFINE", "domain", "create_snapshot", (SNAPSHOT, 2)),
    ("REDEFINE and NO_METADATA", "domain", "create_snapshot", (SNAPSHOT, 1 | 4)),
    ("REDEFINE and HALT", "domain", "create_snapshot", (SNAPSHOT, 1 | 8)),
    ("RUNNING and PAUSED", "snapshot", "revert_to", (1 | 2,)),
    ("CHILDREN and CHILDREN_ONLY", "snapshot", "delete", (1 | 4,)),
    ("REDEFINE and QUIESCE", "domain", "create_checkpoint", (CHECKPOINT, 1 | 2)),
    ("REDEFINE_VALIDATE without REDEFINE", "domain", "create_checkpoint", (CHECKPOINT, 4)),
    ("CHILDREN and CHILDREN_ONLY", "checkpoint", "delete", (1 | 4,)),
    ("COPY without a destination", "domain", "block_rebase", ("vda", None, 0, 8)),
    ("SHALLOW without COPY", "domain", "block_rebase", ("vda", None, 0, 1)),
    ("REUSE_EXT without COPY", "domain", "block_rebase", ("vda", None, 0, 2)),
    ("COPY_RAW without COPY", "domain", "block_rebase", ("vda", None, 0, 4)),
    ("COPY_DEV without COPY", "domain", "block_rebase", ("vda", None, 0, 32)),
    ("APPEND and REMOVE", "domain", "authorized_ssh_keys_set", ("root", ["k"], 1 | 2)),
    ("APPEND without a key", "domain", "authorized_ssh_keys_set", ("root", [], 1)),
    ("REMOVE without a key", "domain", "authorized_ssh_keys_set", ("root", [], 2)),
]


def test_flags_that_do_not_go_together_are_refused_by_the_daemon(
    any_release: tuple[str, PrivateDaemon], open_in_colour: Open
) -> None:
    _, daemon = any_release
    with open_in_colour(daemon.uri("test:///default")) as connection:
        domain = connection.get_domain_by_name("test")
        # The daemon looks at the flags first; a domain has no snapshots beside checkpoints.
        snapshot = domain.create_snapshot(SNAPSHOT)
        snapshot.delete()
        checkpoint = domain.create_checkpoint(CHECKPOINT)
        checkpoint.delete()
        owners = {"domain": domain, "snapshot": snapshot, "checkpoint": checkpoint}
        for what, owner, method, args in RULES:
            with pytest.raises(InvalidArgError) as caught:
                getattr(owners[owner], method)(*args)
            assert (caught.value.code, caught.value.object) == (8, owners[owner]), what
