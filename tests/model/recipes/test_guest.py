"""Recipes on confidential guests."""

from __future__ import annotations

from tests.model.recipes.driving import drive
from virtproto.model.recipes.security import get_launch_security_info
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import STRING, UINT, TypedParams

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)


def test_texts_are_welcome_in_what_vouches_for_a_guest() -> None:
    values = TypedParams.from_items([("sev-measurement", STRING, "m"), ("sev-policy", UINT, 1)])
    calls, info = drive(
        get_launch_security_info(DOMAIN, flags=0),
        [remote.DomainGetLaunchSecurityInfoRet(params=values)],
    )
    args = remote.DomainGetLaunchSecurityInfoArgs(dom=DOMAIN, flags=4)
    assert calls == [("DOMAIN_GET_LAUNCH_SECURITY_INFO", args)]
    assert info == {"sev-measurement": "m", "sev-policy": 1}
