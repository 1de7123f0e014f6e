"""The methods of a connection in both colours: what they send, and what they refuse to send."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.colours.asking import WEB
from tests.colours.asking import asked_after_opening as asked
from tests.colours.driving import Open
from virtproto.constants import CPUCompareResult, SecretUsageType
from virtproto.errors import ArgumentTypeError, OperationDeniedError, UsageError
from virtproto.records import NodeInfo
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import (
    DomainStatsRecord,
    NonnullDomain,
    NonnullNetwork,
    NonnullSecret,
    NonnullStoragePool,
    NonnullStorageVol,
)
from virtproto.xdr.message import Message
from virtproto.xdr.procedure import Procedure
from virtproto.xdr.typedparams import INT, STRING, ULLONG, TypedParams

UUID = bytes(range(16))
MAIL = NonnullDomain(name="mail", uuid=UUID[::-1], id=-1)
LAN = NonnullNetwork(name="lan", uuid=UUID)
POOL = NonnullStoragePool(name="pool", uuid=UUID)
VOLUME = NonnullStorageVol(pool="pool", name="disk", key="/pool/disk")
SECRET = NonnullSecret(uuid=UUID, usageType=2, usageID="ceph")


def numbers(server: ScriptedServer) -> list[int]:
    return [number for number, _ in asked(server)]


# Every method that changes something or that libvirt treats as if it did, with good arguments.
REFUSED: list[tuple[str, tuple[Any, ...]]] = [
    ("create_domain", ("<domain/>",)),
    ("create_domain_with_files", ("<domain/>", [])),
    ("define_domain", ("<domain/>",)),
    ("define_domain", ("<domain/>", 1)),
    ("create_network", ("<network/>",)),
    ("define_network", ("<network/>",)),
    ("create_storage_pool", ("<pool/>",)),
    ("define_storage_pool", ("<pool/>",)),
    ("find_storage_pool_sources", ("logical",)),
    ("create_node_device", ("<device/>",)),
    ("define_node_device", ("<device/>",)),
    ("create_interface", ("<interface/>",)),
    ("define_interface", ("<interface/>",)),
    ("interface_change_begin", ()),
    ("interface_change_commit", ()),
    ("interface_change_rollback", ()),
    ("define_secret", ("<secret/>",)),
    ("define_nwfilter", ("<filter/>",)),
    ("create_nwfilter_binding", ("<filterbinding/>",)),
    ("restore_domain", ("/f",)),
    ("define_save_image_xml", ("/f", "<domain/>")),
    ("get_save_image_xml_description", ("/f",)),
    ("domain_xml_from_native", ("xen-xl", "")),
    ("domain_xml_to_native", ("qemu-argv", "<domain/>")),
    ("get_domain_capabilities", ()),
    ("compare_hypervisor_cpu", (None, None, None, None, "<cpu/>")),
    ("baseline_hypervisor_cpu", (None, None, None, None, ["<cpu/>"])),
    ("get_node_sev_info", ()),
    ("node_suspend_for_duration", (0, 60)),
    ("node_alloc_pages", ({4: 1}, 0, 0)),
    ("set_node_memory_parameters", ({"shm_pages_to_scan": 1},)),
]


def test_what_a_read_only_connection_refuses_is_not_sent(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    with open_in_colour(uri, readonly=True) as connection:
        for name, args in REFUSED:
            with pytest.raises(OperationDeniedError, match=f"Connection.{name} ") as caught:
                getattr(connection, name)(*args)
            assert caught.value.code == 29
        assert asked(server) == []


# What a method is given, and what is said of it.
BAD: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("create_domain", (None,), ArgumentTypeError, "xml: a text is required, not None"),
    ("create_domain", ("a\0",), UsageError, "xml: a NUL"),
    ("define_network", (b"<a/>",), ArgumentTypeError, "xml: expected text, not bytes"),
    ("define_nwfilter", ("<a/>", -1), UsageError, "flags: -1 is not within"),
    ("list_domain_ids", (-1,), UsageError, "maxids: -1 is not within"),
    ("list_domain_ids", (16385,), UsageError, "maxids: 16385 is not within"),
    ("list_defined_domain_names", ("3",), ArgumentTypeError, "maxnames: expected a whole number"),
    ("list_node_device_names", (1,), ArgumentTypeError, "capability: expected text, not int"),
    ("list_node_device_names", (None, 65537), UsageError, "maxnames: 65537 is not within"),
    ("list_secret_uuids", (-1,), UsageError, "maxuuids: -1 is not within"),
    ("get_network_by_uuid", ("no",), UsageError, "uuid: 'no' is not a UUID"),
    ("get_secret_by_uuid", (b"short",), UsageError, "uuid: a raw UUID has 16 bytes"),
    ("get_secret_by_usage", ("ceph", "x"), ArgumentTypeError, "usage_type: expected a whole"),
    ("get_secret_by_usage", (2, None), ArgumentTypeError, "usage_id: a text is required"),
    ("get_storage_pool_by_volume", ("disk",), ArgumentTypeError, "vol: expected a StorageVol"),
    ("get_storage_volume_by_path", (None,), ArgumentTypeError, "path: a text is required"),
    ("get_interface_by_mac", (0x52,), ArgumentTypeError, "mac: expected text, not int"),
    ("find_storage_pool_sources", (None,), ArgumentTypeError, "type: a text is required"),
    ("get_node_cpu_stats", (2**31,), UsageError, "cpu_num: 2147483648 is not within"),
    ("get_node_memory_stats", ("0",), ArgumentTypeError, "cell_num: expected a whole number"),
    ("get_node_cells_free_memory", (-1, 0), UsageError, "start: -1 is not within"),
    ("get_node_cells_free_memory", (1, 0), UsageError, "end: the last cell, 0, comes before"),
    ("get_node_free_pages", (4, 0, 0), ArgumentTypeError, "page_sizes: expected several whole"),
    ("get_node_free_pages", ([-4], 0, 0), UsageError, r"page_sizes\[0\]: -4 is not within"),
    ("get_node_free_pages", (range(1025), 0, 0), UsageError, "page_sizes: more than"),
    ("get_node_free_pages", ([], 0, 0), UsageError, "page_sizes: at least one size"),
    ("get_node_free_pages", ([4, 2048], 0, 2**31 - 1), UsageError, "end: 2147483648 cells of 2"),
    ("node_alloc_pages", ([2048], 0, 0), ArgumentTypeError, "pages: expected a mapping"),
    ("node_alloc_pages", ({2048: -1}, 0, 0), UsageError, r"pages\[2048\]: -1 is not within"),
    ("set_node_memory_parameters", (1,), ArgumentTypeError, "params: expected a mapping"),
    ("node_suspend_for_duration", (0, -1), UsageError, "duration_s: -1 is not within"),
    ("node_suspend_for_duration", (None, 60), ArgumentTypeError, "target: a whole number"),
    ("set_identity", ({"user-name": 1},), ArgumentTypeError, r"params\['user-name'\]: "),
    ("set_identity", ({str(n): "" for n in range(21)},), UsageError, "params: more"),
    ("compare_cpu", (None,), ArgumentTypeError, "xml: a text is required"),
    ("baseline_cpu", ("<cpu/>",), ArgumentTypeError, "xmls: expected several texts, not one"),
    ("baseline_cpu", (["<cpu/>", None],), ArgumentTypeError, r"xmls\[1\]: a text is required"),
    ("baseline_cpu", (["<cpu/>"] * 257,), UsageError, "xmls: more than the 256 allowed"),
    ("get_max_vcpus", (1,), ArgumentTypeError, "domtype: expected text, not int"),
    ("restore_domain", ("",), UsageError, "file: "),
    ("restore_domain", ("/f", None, {"parallel.channels": "x"}), ArgumentTypeError, r"params\["),
    ("restore_domain", ("/f", None, {"file": "/g"}), UsageError, r"params\['file'\]: "),
    ("get_all_domain_stats", (-1,), UsageError, "stats: -1 is not within"),
    ("get_all_domain_stats", (0, []), UsageError, "doms: at least one domain is required"),
    ("get_all_domain_stats", (0, ["web"]), ArgumentTypeError, r"doms\[0\]: expected a Domain"),
]  # fmt: skip


def test_bad_arguments_send_nothing(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    with open_in_colour(uri) as connection:
        for name, args, kind, complaint in BAD:
            with pytest.raises(kind, match=f"^{complaint}"):
                getattr(connection, name)(*args)
        assert asked(server) == []
        assert connection.is_alive()


def test_statistics_of_many_domains(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    stats = TypedParams.from_items([("state.state", INT, 1), ("block.0.name", STRING, "vda")])
    records = [
        DomainStatsRecord(dom=WEB, params=stats),
        DomainStatsRecord(dom=MAIL, params=TypedParams()),
    ]
    answer = remote.ConnectGetAllDomainStatsRet(retStats=records)
    server.handle(remote.CONNECT_GET_ALL_DOMAIN_STATS, answer)
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
    with open_in_colour(uri) as connection:
        web, mail = connection.get_all_domain_stats(3, flags=1 << 31)
        assert web.params == {"state.state": 1, "block.0.name": "vda"}
        assert web.domain == connection.get_domain_by_name("web")
        assert (mail.domain.get_name(), mail.params) == ("mail", {})
        connection.get_all_domain_stats(doms=(web.domain, mail.domain))
    every, _, some = (payload for _, payload in asked(server))
    args = remote.ConnectGetAllDomainStatsArgs.unpack(every)
    assert (args.doms, args.stats, args.flags) == ([], 3, 1 << 31)
    args = remote.ConnectGetAllDomainStatsArgs.unpack(some)
    assert (args.doms, args.stats, args.flags) == ([WEB, MAIL], 0, 0)


def test_statistics_of_another_connections_domain_send_nothing(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    records = [DomainStatsRecord(dom=WEB, params=TypedParams())]
    answer = remote.ConnectGetAllDomainStatsRet(retStats=records)
    server.handle(remote.CONNECT_GET_ALL_DOMAIN_STATS, answer)
    with open_in_colour(uri) as other, open_in_colour(uri) as connection:
        stranger = other.get_all_domain_stats()[0].domain
        with pytest.raises(UsageError, match=r"^doms\[0\]: .* belongs to another connection"):
            connection.get_all_domain_stats(doms=[stranger])
        assert numbers(server) == [remote.CONNECT_GET_ALL_DOMAIN_STATS.number]


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_unix_socket_is_secure_and_not_encrypted(
    server: ScriptedServer, uri: str, beyond: int, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_IS_SECURE, remote.ConnectIsSecureRet(secure=beyond))
    with open_in_colour(uri) as connection:
        assert connection.is_secure() is bool(beyond)
        assert connection.is_encrypted() is False
    # The daemon is asked both times: it may know of a way beyond it.
    assert numbers(server) == [remote.CONNECT_IS_SECURE.number] * 2


def test_lists_leave_out_what_is_gone(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    ids = remote.ConnectListDomainsRet(ids=[7, 9])
    server.handle(remote.CONNECT_LIST_DOMAINS, ids)
    server.handle(remote.DOMAIN_LOOKUP_BY_ID, ReplyError("Domain not found", code=42, domain=10))
    with open_in_colour(uri) as connection:
        assert connection.list_domains() == []
        server.handle(remote.DOMAIN_LOOKUP_BY_ID, remote.DomainLookupByIdRet(dom=WEB))
        assert [domain.get_name() for domain in connection.list_domains()] == ["web", "web"]


def test_lists_in_one_call_ask_for_results(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    nets = remote.ConnectListAllNetworksRet(nets=[LAN], ret=1)
    server.handle(remote.CONNECT_LIST_ALL_NETWORKS, nets)
    secrets = remote.ConnectListAllSecretsRet(secrets=[SECRET], ret=1)
    server.handle(remote.CONNECT_LIST_ALL_SECRETS, secrets)
    models = remote.ConnectGetCpuModelNamesRet(models=["qemu64", "max"], ret=2)
    server.handle(remote.CONNECT_GET_CPU_MODEL_NAMES, models)
    with open_in_colour(uri) as connection:
        (net,) = connection.list_all_networks(2)
        assert repr(net).startswith("<Network 'lan'")
        (secret,) = connection.list_all_secrets()
        assert secret.get_uuid() == UUID
        assert connection.get_cpu_model_names("x86_64") == ["qemu64", "max"]
    wanted = [
        remote.ConnectListAllNetworksArgs(need_results=1, flags=2),
        remote.ConnectListAllSecretsArgs(need_results=1, flags=0),
        remote.ConnectGetCpuModelNamesArgs(arch="x86_64", need_results=1, flags=0),
    ]
    assert [payload for _, payload in asked(server)] == [args.pack() for args in wanted]


def test_flags_choose_the_call_that_takes_them(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.NETWORK_DEFINE_XML, remote.NetworkDefineXmlRet(net=LAN))
    server.handle(remote.NETWORK_DEFINE_XML_FLAGS, remote.NetworkDefineXmlFlagsRet(net=LAN))
    server.handle(remote.NETWORK_CREATE_XML, remote.NetworkCreateXmlRet(net=LAN))
    server.handle(remote.NETWORK_CREATE_XML_FLAGS, remote.NetworkCreateXmlFlagsRet(net=LAN))
    with open_in_colour(uri) as connection:
        assert connection.define_network("<a/>").get_name() == "lan"
        assert connection.define_network("<b/>", 1).get_name() == "lan"
        assert connection.create_network("<c/>").get_name() == "lan"
        assert connection.create_network("<d/>", 1).get_name() == "lan"
    wanted: list[tuple[Procedure[Any, Any], Message]] = [
        (remote.NETWORK_DEFINE_XML, remote.NetworkDefineXmlArgs(xml="<a/>")),
        (remote.NETWORK_DEFINE_XML_FLAGS, remote.NetworkDefineXmlFlagsArgs(xml="<b/>", flags=1)),
        (remote.NETWORK_CREATE_XML, remote.NetworkCreateXmlArgs(xml="<c/>")),
        (remote.NETWORK_CREATE_XML_FLAGS, remote.NetworkCreateXmlFlagsArgs(xml="<d/>", flags=1)),
    ]
    assert asked(server) == [(procedure.number, args.pack()) for procedure, args in wanted]


def test_paths_of_saved_domains_are_made_absolute_here(
    server: ScriptedServer, uri: str, tmp_path: Path, open_in_colour: Open
) -> None:
    server.handle(remote.DOMAIN_RESTORE, b"")
    server.handle(remote.DOMAIN_SAVE_IMAGE_DEFINE_XML, b"")
    told = remote.DomainSaveImageGetXmlDescRet(xml="<domain/>")
    server.handle(remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC, told)
    here = os.getcwd()
    with open_in_colour(uri) as connection:
        connection.restore_domain("a/../web.img")
        connection.define_save_image_xml("/x//y/./web.img", "<domain/>")
        assert connection.get_save_image_xml_description("web.img", 1) == "<domain/>"
    restored, defined, read = (payload for _, payload in asked(server))
    assert remote.DomainRestoreArgs.unpack(restored).from_ == f"{here}/web.img"
    assert remote.DomainSaveImageDefineXmlArgs.unpack(defined).file == "/x/y/web.img"
    args = remote.DomainSaveImageGetXmlDescArgs.unpack(read)
    assert (args.file, args.flags) == (f"{here}/web.img", 1)


def test_answers_in_records_and_enums(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    numbers_of_host = {"cpus": 4, "mhz": 1, "nodes": 1, "sockets": 1, "cores": 4, "threads": 1}
    info = remote.NodeGetInfoRet(model=b"x86_64".ljust(32, b"\0"), memory=8, **numbers_of_host)
    server.handle(remote.NODE_GET_INFO, info)
    cpus = remote.NodeGetCpuMapRet(cpumap=b"\x05", online=2, ret=4)
    server.handle(remote.NODE_GET_CPU_MAP, cpus)
    server.handle(remote.CONNECT_COMPARE_CPU, remote.ConnectCompareCpuRet(result=2))
    with open_in_colour(uri) as connection:
        assert connection.get_node_info() == NodeInfo("x86_64", 8, 4, 1, 1, 1, 4, 1)
        assert connection.get_node_cpu_map() == (4, frozenset({0, 2}), 2)
        compared = connection.compare_cpu("<cpu/>")
        assert compared is CPUCompareResult.SUPERSET
        server.handle(remote.CONNECT_COMPARE_CPU, remote.ConnectCompareCpuRet(result=9))
        unknown = connection.compare_cpu("<cpu/>")
        assert (unknown, type(unknown)) == (9, int)
    args = remote.NodeGetCpuMapArgs.unpack(asked(server)[1][1])
    assert (args.need_map, args.need_online, args.flags) == (1, 1, 0)


def test_arguments_may_be_members_of_enums(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.SECRET_LOOKUP_BY_USAGE, remote.SecretLookupByUsageRet(secret=SECRET))
    with open_in_colour(uri) as connection:
        connection.get_secret_by_usage(SecretUsageType.CEPH, "ceph")
    ((_, payload),) = asked(server)
    args = remote.SecretLookupByUsageArgs.unpack(payload)
    assert (args.usageType, args.usageID) == (2, "ceph")


def test_the_pool_of_a_volume(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    found = remote.StorageVolLookupByKeyRet(vol=VOLUME)
    server.handle(remote.STORAGE_VOL_LOOKUP_BY_KEY, found)
    pool = remote.StoragePoolLookupByVolumeRet(pool=POOL)
    server.handle(remote.STORAGE_POOL_LOOKUP_BY_VOLUME, pool)
    with open_in_colour(uri) as connection:
        volume = connection.get_storage_volume_by_key("/pool/disk")
        assert connection.get_storage_pool_by_volume(volume).get_name() == "pool"
    assert asked(server)[1][1] == VOLUME.pack()


def test_an_identity_goes_out_with_the_types_it_has(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    server.handle(remote.CONNECT_SET_IDENTITY, b"")
    with open_in_colour(uri) as connection:
        connection.set_identity({"user-name": "joe", "unix-user-id": 1000})
    ((_, payload),) = asked(server)
    assert list(remote.ConnectSetIdentityArgs.unpack(payload).params) == [
        ("user-name", STRING, "joe"),
        ("unix-user-id", ULLONG, 1000),
    ]
