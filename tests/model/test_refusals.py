"""Errors that stand for the daemon's; live tests hold them against libvirt's client."""

from __future__ import annotations

import pytest

from virtproto.constants import DomainXMLFlags, ErrorDomain, ErrorNumber
from virtproto.errors import OperationDeniedError
from virtproto.model.refusals import read_only


def test_a_refusal_has_the_fields_of_libvirts_own() -> None:
    concerned = object()
    error = read_only("Domain.destroy", concerned)
    assert isinstance(error, OperationDeniedError)
    assert (error.code, error.domain, error.level) == (29, 20, 2)
    assert error.object is concerned
    # Nothing was sent.
    assert error.procedure is None
    assert error.str1 == "operation forbidden: %s"
    assert error.str2 == "Domain.destroy while the connection is read-only"
    assert error.message == str(error) == error.str1 % error.str2
    assert (error.str3, error.int1, error.int2) == (None, -1, -1)


def test_a_question_is_not_called_a_change() -> None:
    assert "change" not in str(read_only("Domain.get_hostname"))


def test_flags_that_are_too_much_are_named() -> None:
    both = DomainXMLFlags.SECURE | DomainXMLFlags.MIGRATABLE
    name = "Domain.get_xml_description"
    words = {
        asked: read_only(name, enum="DomainXMLFlags", asked=asked).str2 for asked in (1, int(both))
    }
    assert words[1] == f"{name} with SECURE while the connection is read-only"
    assert words[9] == f"{name} with SECURE|MIGRATABLE while the connection is read-only"
    unnamed = read_only(name, enum="DomainInterfaceAddressesSource", asked=77).str2
    assert unnamed == f"{name} with 77 while the connection is read-only"


def test_the_other_end_is_named() -> None:
    error = read_only("Domain.migrate", where="dest_conn")
    assert str(error).endswith("Domain.migrate while dest_conn is read-only")


@pytest.mark.parametrize(
    ("method", "domain"),
    [
        ("Connection.define_domain", ErrorDomain.DOMAIN),
        ("Connection.node_suspend_for_duration", ErrorDomain.DOMAIN),
        ("Connection.define_nwfilter", ErrorDomain.NWFILTER),
        ("Connection.qemu_attach", ErrorDomain.NONE),
        ("Domain.set_interface_parameters", ErrorDomain.DOMAIN),
        ("Domain.create_snapshot", ErrorDomain.DOMAIN_SNAPSHOT),
        ("Domain.lxc_open_namespace", ErrorDomain.NONE),
        ("NWFilterBinding.delete", ErrorDomain.NWFILTER),
        ("Secret.get_value", ErrorDomain.SECRET),
        ("StorageVol.delete", ErrorDomain.STORAGE),
    ],
)
def test_the_refusing_part_of_libvirt_is_the_objects_own(method: str, domain: int) -> None:
    error = read_only(method)
    assert (error.code, error.domain) == (ErrorNumber.OPERATION_DENIED, domain)
