"""One attempt by a mechanism, for tests: what it is made with does not matter to most of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtproto.model.credentials import CredentialType
from virtproto.transport.sasl import mechanism_class

if TYPE_CHECKING:
    from virtproto.transport.sasl import Mechanism

__all__ = ["FRED", "attempt"]

FRED = {CredentialType.AUTHNAME: "fred", CredentialType.PASSPHRASE: "s3cret"}


def attempt(name: str, **options: int) -> Mechanism:
    bounds = {"min_ssf": 0, "max_ssf": 0, "external_ssf": 0, **options}
    return mechanism_class(name)("libvirt", "host", local=None, remote=None, **bounds)
