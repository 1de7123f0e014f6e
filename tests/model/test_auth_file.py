"""auth.conf: what it says, and of whom."""

from __future__ import annotations

import pytest

from virtproto.model.auth_file import find_credentials, read_sections

WHOLE = """\
# who I am
[credentials-test]
authname=fred
password=12\\s3456

  [credentials-prod]
username = boss
authname\t=\tbar baz
realm=R
password=#[=]
[auth-libvirt-test1.example.com]
credentials=test
[auth-libvirt-default]
credentials=prod
[auth-ssh-test1.example.com]
credentials=prod
"""


def looked_up(text: str, host: str, service: str = "libvirt") -> tuple[dict[str, str], str]:
    sections, fault = read_sections(text)
    assert fault is None
    found, where, fault = find_credentials(sections, service, host)
    if fault is not None:
        return {}, fault
    names = ("username", "authname", "password", "realm")
    known = {name: getattr(found, name) for name in names if getattr(found, name, None) is not None}
    return known, where


def test_the_host_s_own_section_comes_first() -> None:
    known, where = looked_up(WHOLE, "test1.example.com")
    assert known == {"authname": "fred", "password": "12 3456"}
    assert where == "[credentials-test]"


def test_other_hosts_get_the_default() -> None:
    known, where = looked_up(WHOLE, "test2.example.com")
    assert known == {"username": "boss", "authname": "bar baz", "realm": "R", "password": "#[=]"}
    assert where == "[credentials-prod]"


def test_services_are_apart() -> None:
    assert looked_up(WHOLE, "test1.example.com", "ssh")[0]["realm"] == "R"
    known, where = looked_up(WHOLE, "other", "ssh")
    assert known == {}
    assert where == "no [auth-ssh-other] or [auth-ssh-default]"


def test_a_backslash_that_means_nothing_stands_for_itself() -> None:
    text = "[auth-libvirt-h]\ncredentials=x\n[credentials-x]\nauthname=a\\qb\npassword=c\\\n"
    assert looked_up(text, "h")[0] == {"authname": "a\\qb", "password": "c"}


def test_equal_sections_are_one_and_the_last_value_counts() -> None:
    text = "[credentials-a]\nauthname=x\n[auth-libvirt-h]\ncredentials=a\n"
    text += "[credentials-a]\r\npassword=one\r\npassword=two\r\n"
    assert looked_up(text, "h")[0] == {"authname": "x", "password": "two"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[auth-libvirt-h]\n", "[auth-libvirt-h]: no credentials=NAME"),
        ("[auth-libvirt-h]\ncredentials=x\n", "there is no [credentials-x], which it names"),
        (
            "[auth-libvirt-h]\ncredentials=x\n[credentials-x]\npassword=se\udcffcret\n",
            "[credentials-x]: password: not UTF-8",
        ),
    ],
)
def test_sections_that_do_not_lead_on(text: str, fault: str) -> None:
    known, said = looked_up(text, "h")
    assert known == {}
    assert fault in said
    assert "cret" not in said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a=s3cret\n", "line 1: a stands before the first [section]"),
        ("\n# x\n[open\n", "line 3: expected [section]"),
        ("[a] s3cret\n", "line 1: expected [section]"),
        ("[]\n", "line 1: expected [section]"),
        ("[a]\ns3cret\n", "line 2: expected [section] or key=value"),
        ("[a]\n=s3cret\n", "line 2: expected [section] or key=value"),
    ],
)
def test_lines_that_are_none(text: str, fault: str) -> None:
    assert read_sections(text) == ({}, fault)


def test_no_repr_shows_a_value() -> None:
    sections, _ = read_sections("[a]\npassword=s3cret\n")
    assert sections["a"]["password"] == "s3cret"
    assert "s3cret" not in repr(sections)
