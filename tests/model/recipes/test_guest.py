"""Recipes on guests' agents and on confidential guests."""

from __future__ import annotations

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import UsageError
from virtproto.model.recipes.guest import authorized_ssh_keys_set
from virtproto.model.recipes.security import get_launch_security_info
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import STRING, UINT, TypedParams

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)


@pytest.mark.parametrize(("keys", "flags"), [([], 0), (["a", "b"], 1), (["a"], 2)])
def test_keys_are_written(keys: list[str], flags: int) -> None:
    args = remote.DomainAuthorizedSshKeysSetArgs(dom=DOMAIN, user="root", keys=keys, flags=flags)
    recipe = authorized_ssh_keys_set(DOMAIN, user="root", keys=keys, flags=flags)
    assert drive(recipe, [None]) == ([("DOMAIN_AUTHORIZED_SSH_KEYS_SET", args)], None)


def test_keys_cannot_be_added_and_taken_away_at_once() -> None:
    with pytest.raises(UsageError, match=r"^flags: APPEND and REMOVE exclude each other"):
        next(authorized_ssh_keys_set(DOMAIN, user="root", keys=["a"], flags=3))


@pytest.mark.parametrize("flags", [1, 2])
def test_adding_and_taking_away_want_a_key(flags: int) -> None:
    with pytest.raises(UsageError, match=r"^keys: at least one"):
        next(authorized_ssh_keys_set(DOMAIN, user="root", keys=[], flags=flags))


def test_texts_are_welcome_in_what_vouches_for_a_guest() -> None:
    values = TypedParams.from_items([("sev-measurement", STRING, "m"), ("sev-policy", UINT, 1)])
    calls, info = drive(
        get_launch_security_info(DOMAIN, flags=0),
        [remote.DomainGetLaunchSecurityInfoRet(params=values)],
    )
    args = remote.DomainGetLaunchSecurityInfoArgs(dom=DOMAIN, flags=4)
    assert calls == [("DOMAIN_GET_LAUNCH_SECURITY_INFO", args)]
    assert info == {"sev-measurement": "m", "sev-policy": 1}
