"""What the URIs are observed with does not see what is not there, and misses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.differential.uri_likeness import contradictions, essence, parts_that_differ
from tests.differential.uri_trace import connects_by_case

MARK = 'connect(3, {sa_family=AF_UNIX, sun_path=@"virtproto-uri-case-%d"}, 23) = -1 ECONNREFUSED'


def traced(*calls: str) -> list[str]:
    """Return what the only case of a trace connected to."""
    lines = [f"7 {MARK % 4} (Connection refused)", *(f"7 {call}" for call in calls)]
    return connects_by_case(lines)[4]


@pytest.mark.parametrize(
    ("call", "address"),
    [
        ('connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 9) = 0', "unix:/run/x"),
        ('connect(3, {sa_family=AF_UNIX, sun_path=@"x"}, 4) = 0', "unix:@x"),
        (r'connect(3, {sa_family=AF_UNIX, sun_path=@"x\0\0"}, 6) = 0', "unix:@x and 2 NULs"),
        (r'connect(3, {sa_family=AF_UNIX, sun_path="/\303\274\"}"}, 9) = 0', 'unix:/ü"}'),
        (
            "connect(3, {sa_family=AF_INET, sin_port=htons(9), "
            'sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
            "tcp:127.0.0.1:9",
        ),
        (
            "connect(3, {sa_family=AF_INET6, sin6_port=htons(9), sin6_flowinfo=htonl(0), "
            'inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28 <unfinished ...>',
            "tcp:[::1]:9",
        ),
    ],
)
def test_an_address_is_read(call: str, address: str) -> None:
    assert traced(call) == [address]


def test_datagram_sockets_connect_to_nothing() -> None:
    inet = 'connect(5, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("10.0.0.1")}, 16)'
    assert traced("socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 5", f"{inet} = 0") == []
    # The descriptor's next socket may be another.
    again = "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP <unfinished ...>"
    assert traced(again, "<... socket resumed>) = 5", f"{inet} = 0") == ["tcp:10.0.0.1:9"]


def test_what_the_c_library_connects_to_by_itself_is_left_out() -> None:
    assert (
        traced('connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1') == []
    )


def test_cases_are_told_apart() -> None:
    line = 'connect(3, {sa_family=AF_UNIX, sun_path="%s"}, 9) = 0'
    lines = [MARK % 1, line % "/a", MARK % 2, MARK % 3, line % "/b", line % "/c"]
    found = connects_by_case(f"7 {each}" for each in lines)
    assert found == {1: ["unix:/a"], 2: [], 3: ["unix:/b", "unix:/c"]}


def observation(**changes: Any) -> dict[str, Any]:
    """Return what is observed of an opening that went well, but for ``changes``."""
    opened = {"way": "unix:/s", "calls": [66, 1], "name": "test:///default", "flags": 0}
    usual = {"refused": None, "connects": ["unix:/s"], "opened": [opened], "ran": [], "tls": []}
    return {**usual, "ssh": [], "remembered": [], "asked": [], **changes}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, set()),
        ({"refused": {"kind": "URIError", "text": ""}}, {"refused"}),
        ({"connects": ["unix:/s", "unix:/t"]}, {"connects"}),
        ({"connects": ["unix:/s", "unix:/s"]}, set()),
        ({"connects": ["unix:/run/uri/agent", "unix:/s"]}, {"agent"}),
        ({"opened": []}, {"opened"}),
        ({"ran": [{"argv": ["ssh"], "environment": []}]}, {"ran", "environment"}),
        ({"ran": [{"argv": [], "environment": []}]}, {"ran", "environment"}),
        ({"tls": [{"client": "one", "version": "TLSv1.3"}]}, {"tls"}),
        ({"ssh": [{"user": "root"}]}, {"ssh"}),
        ({"remembered": [["/known", "box"]]}, {"remembered"}),
        ({"asked": [[5]]}, {"asked"}),
    ],
)
def test_differences_are_seen(changes: dict[str, Any], parts: set[str]) -> None:
    assert parts_that_differ(essence(observation()), essence(observation(**changes))) == parts


def test_a_name_and_read_only_differ_but_other_flags_do_not() -> None:
    usual = observation()["opened"][0]
    theirs = essence(observation())
    for change, parts in (
        ({"name": "test:///other"}, {"opened"}),
        ({"flags": 1}, {"opened"}),
        ({"flags": 6}, set()),
        ({"calls": [66, 70, 1]}, {"opened"}),
    ):
        ours = essence(observation(opened=[{**usual, **change}]))
        assert parts_that_differ(theirs, ours) == parts


def test_the_usual_port_may_be_written() -> None:
    theirs = essence(observation(remembered=[["/known", "[box]:22"]]))
    assert theirs == essence(observation(remembered=[["/known", "box"]]))
    assert theirs != essence(observation(remembered=[["/known", "[box]:2222"]]))


@pytest.mark.parametrize(
    ("road", "changes", "contradicted"),
    [
        ({"kind": "unix", "path": "/s"}, {}, []),
        ({"kind": "unix", "path": "/t"}, {}, ["path"]),
        ({"kind": "unix", "path": "/t"}, {"connects": []}, []),
        ({"kind": "tcp", "port": 7}, {"connects": ["tcp:[::1]:7", "tcp:127.0.0.1:7"]}, []),
        ({"kind": "tls", "port": 7}, {"connects": ["tcp:[::1]:7", "tcp:127.0.0.1:8"]}, ["port"]),
        ({"kind": "ssh", "argv": ["ssh", "h"], "program": "/ssh"}, {}, []),
        (
            {"kind": "ext", "argv": ["x", "h"], "program": "/x"},
            {"ran": [{"argv": ["/y", "i"], "environment": []}]},
            ["argv", "program"],
        ),
        (
            {"kind": "libssh", "remote_command": "nc", "user": "root", "port": 22},
            {"ssh": [{"command": "sh", "user": "fred", "at": ["::1", 23]}]},
            ["remote_command", "user", "port"],
        ),
    ],
)
def test_contradictions_are_seen(
    road: dict[str, Any], changes: dict[str, Any], contradicted: list[str]
) -> None:
    told = {"road": road, "open": {"name": "test:///default"}}
    found = contradictions(told, observation(**changes))
    assert [what for what, _told, _seen in found] == contradicted
    told["open"] = {"name": "test:///other"}
    assert "name" in [what for what, _told, _seen in contradictions(told, observation(**changes))]
