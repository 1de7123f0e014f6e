"""libvirtd 9.0.0 with its test driver, in both colours, beside what the C binding says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.c_binding import CBinding, CBindingError
from tests.lab.daemon import PrivateDaemon
from virtproto import aio
from virtproto.wire import remote

pytestmark = pytest.mark.lab

URI = "test:///default"

# VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_XML_INACTIVE and the states used here (libvirt-domain.h).
XML_INACTIVE = 2
RUNNING, SHUT_OFF = 1, 5

SPARE = """<domain type='test'>
  <name>sp\N{LATIN SMALL LETTER A WITH DIAERESIS}re</name><memory unit='KiB'>204800</memory>
  <vcpu>1</vcpu><os><type>hvm</type></os></domain>"""


@pytest.fixture
def binding(libvirtd: PrivateDaemon) -> Iterator[CBinding]:
    """The C binding on the same driver; the driver's state is shared while both are connected."""
    with CBinding(libvirtd.uri(URI)) as binding:
        yield binding


def test_connection_says_what_the_c_binding_says(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open
) -> None:
    uri = libvirtd.uri(URI)
    with open_in_colour(uri) as connection:
        assert connection.is_alive()
        assert connection.get_uri() == uri == binding.ask("getURI")
        assert connection.get_library_version() == binding.ask("getLibVersion") == 9_000_000
        assert connection.get_version() == binding.ask("getVersion")
        assert connection.get_hostname() == binding.ask("getHostname")
        assert connection.get_type() == binding.ask("getType") == "TEST"
    assert not connection.is_alive()


def test_domains_are_those_of_the_c_binding(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open
) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        ours = [
            {
                "object": "virDomain",
                "name": d.get_name(),
                "uuid": d.get_uuid_string(),
                "id": d.get_id(),
            }
            for d in connection.list_all_domains()
        ]
        assert ours == binding.ask("listAllDomains", 0)
        assert [item["name"] for item in ours] == ["test"]


@pytest.mark.parametrize("key", ["name", "id", "uuid", "uuid text"])
def test_lookups_find_the_same_domain(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open, key: str
) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        domain = {
            "name": lambda: connection.get_domain_by_name("test"),
            "id": lambda: connection.get_domain_by_id(1),
            "uuid": lambda: connection.get_domain_by_uuid(binding.ask_domain("test", "UUID")),
            "uuid text": lambda: connection.get_domain_by_uuid(
                binding.ask_domain("test", "UUIDString")
            ),
        }[key]()
        assert domain.get_name() == "test"
        assert domain.get_uuid() == binding.ask_domain("test", "UUID")
        assert domain.get_uuid_string() == binding.ask_domain("test", "UUIDString")
        assert domain.get_id() == binding.ask_domain("test", "ID") == 1


def test_domain_is_described_as_the_c_binding_does(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open
) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        # The CPU time of the test driver is the time of day: only its order can be compared.
        *fixed, before = binding.ask_domain("test", "info")
        info = domain.get_info()
        *_, after = binding.ask_domain("test", "info")
        assert [info.state, info.max_memory_kib, info.memory_kib, info.vcpus] == fixed
        assert before <= info.cpu_time_ns <= after
        assert list(domain.get_state()) == binding.ask_domain("test", "state", 0)
        for flags in (0, XML_INACTIVE):
            xml = domain.get_xml_description(flags)
            assert xml == binding.ask_domain("test", "XMLDesc", flags)


def test_life_of_a_domain(libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        domain = connection.define_domain(SPARE)
        name = domain.get_name()
        assert name == "sp\N{LATIN SMALL LETTER A WITH DIAERESIS}re"
        assert not domain.is_active()
        assert domain.get_id() == -1
        domain.create()
        assert domain.is_active()
        assert domain.get_id() == binding.ask_domain(name, "ID") > 1
        assert domain.get_state().state == RUNNING
        assert {d.get_name() for d in connection.list_all_domains()} == {"test", name}
        domain.destroy()
        assert domain.get_state().state == SHUT_OFF == binding.ask_domain(name, "state", 0)[0]
        domain.undefine()
        with pytest.raises(virtproto.NoDomainError):
            connection.get_domain_by_name(name)


def test_error_has_every_field_that_the_c_binding_has(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open
) -> None:
    with pytest.raises(CBindingError) as theirs:
        binding.ask("lookupByName", "nosuch")
    with open_in_colour(libvirtd.uri(URI)) as connection:
        with pytest.raises(virtproto.NoDomainError) as ours:
            connection.get_domain_by_name("nosuch")
        assert {name: getattr(ours.value, name) for name in theirs.value.fields} == (
            theirs.value.fields
        )
        assert ours.value.procedure == "DOMAIN_LOOKUP_BY_NAME"
        assert connection.get_domain_by_name("test").get_id() == 1


def test_bad_xml_is_refused_and_the_connection_goes_on(
    libvirtd: PrivateDaemon, binding: CBinding, open_in_colour: Open
) -> None:
    with pytest.raises(CBindingError) as theirs:
        binding.ask("defineXML", "<domain>")
    with open_in_colour(libvirtd.uri(URI)) as connection:
        with pytest.raises(virtproto.LibvirtError) as ours:
            connection.define_domain("<domain>")
        assert (ours.value.code, ours.value.domain) == (
            theirs.value.fields["code"],
            theirs.value.fields["domain"],
        )
        assert ours.value.message == theirs.value.fields["message"]
        assert connection.is_alive()


def test_readonly_connection_may_look_and_not_touch(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    # On the read-write socket as well: the client asks for it and the daemon keeps to it.
    with open_in_colour(libvirtd.uri(URI), readonly=True) as connection:
        domain = connection.get_domain_by_name("test")
        assert domain.get_info().vcpus == 2
        with pytest.raises(virtproto.LibvirtError) as caught:
            domain.destroy()
        assert caught.value.code == 29  # VIR_ERR_OPERATION_DENIED


def test_any_procedure_can_be_called(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        assert connection.call(remote.NODE_GET_INFO, None).cpus == 16
        domain = connection.get_domain_by_name("test")
        dom = remote.NonnullDomain(name="test", uuid=domain.get_uuid(), id=domain.get_id())
        args = remote.DomainGetMemoryParametersArgs(dom=dom, nparams=3, flags=0)
        reply = connection.call(remote.DOMAIN_GET_MEMORY_PARAMETERS, args)
        assert list(reply.params.to_dict()) == ["hard_limit", "soft_limit", "swap_hard_limit"]


def test_many_calls_at_once_on_one_connection(libvirtd: PrivateDaemon) -> None:
    async def main() -> None:
        async with await aio.open(libvirtd.uri(URI)) as connection:
            domains = await asyncio.gather(
                *(connection.get_domain_by_name("test") for _ in range(100))
            )
            infos = await asyncio.gather(*(domain.get_info() for domain in domains))
            failures = await asyncio.gather(
                *(connection.get_domain_by_id(number) for number in range(2, 30)),
                return_exceptions=True,
            )
        assert {info.vcpus for info in infos} == {2}
        assert {type(failure) for failure in failures} == {virtproto.NoDomainError}

    asyncio.run(main())
