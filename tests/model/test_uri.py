"""Connection URIs. The expected names were taken from the wire, from libvirt's own C client."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virtproto.errors import URIError
from virtproto.model.client_config import parse_config
from virtproto.model.uri import (
    TRANSPORTS,
    ConnectionURI,
    meant_text,
    parse_uri,
    resolve_uri,
    shown,
)

SENT = [
    ("qemu:///system", "qemu:///system"),
    ("qemu+unix:///system?socket=/s", "qemu:///system"),
    ("test+unix:///default?socket=/s&a=b%20c#frag", "test:///default?a=b%20c#frag"),
    ("lxc+unix:///?socket=/s;x=1;y=2", "lxc:///?x=1&y=2"),
    ("remote+unix:///system?socket=/s&x=1", ""),
    ("remote:///system", ""),
    ("qemu+unix:///system?name=lxc:///&socket=/s&x=1", "lxc:///"),
    ("qemu:///system?name=a%2Fb%20c", "a/b c"),
    ("qemu:///system?name=", ""),
    ("qemu:///system?name=a&NAME=b", "b"),
    ("ch+unix:?socket=/s", "ch://"),
    ("ch+unix:/?socket=/s", "ch:///"),
    ("ch+unix:foo?socket=/s", "ch://foo"),
    ("QEMU+UNIX:///system", "QEMU:///system"),
    ("qemu://fred:pw@host:16514/system?no_verify=1&k=v", "qemu:///system?k=v"),
    ("qemu+ssh://[fe80::1]:22/system", "qemu:///system"),
    ("qemu+unix:////system//x", "qemu:////system//x"),
    ("qemu:///sys%2Ftem%20x", "qemu:///sys/tem%20x"),
    ("lxc:///%c3%a9", "lxc:///%C3%A9"),
    ("lxc:///-&:a?a=:.", "lxc:///-&%3Aa?a=%3A."),
    ("lxc:///?x=1-no_verify=1/~", "lxc:///?x=1-no_verify%3D1%2F~"),
    ("lxc:///?%61%20b=c", "lxc:///?a b=c"),
    ("lxc:///?a?b=c&d", "lxc:///?a?b=c&d="),
    ("lxc:///?=x&&a=1", "lxc:///?a=1"),
    ("lxc:///?SOCKET=/s&Mode=legacy", "lxc:///"),
    ("lxc:///#", "lxc:///#"),
    ("lxc:///#a%20b[", "lxc:///#a%20b["),
    ("lxc:///?a=1;b=2&c=3;d=4", "lxc:///?a=1%3Bb%3D2&c=3&d=4"),
]


@pytest.mark.parametrize(("text", "name"), SENT)
def test_the_name_sent_is_what_libvirt_sends(text: str, name: str) -> None:
    assert parse_uri(text).name_to_send() == name


def test_every_part_is_taken_out_and_decoded() -> None:
    uri = parse_uri("qemu+SSH://fr%20ed@h%2Dost:22/sys%20tem?keyfile=/k%26&x=%3D#f%20g")
    assert (uri.scheme, uri.driver, uri.transport) == ("qemu+SSH", "qemu", "ssh")
    assert (uri.user, uri.server, uri.port) == ("fr ed", "h-ost", 22)
    assert (uri.path, uri.fragment) == ("/sys tem", "f g")
    assert uri.params == (("keyfile", "/k&"), ("x", "="))


def test_brackets_of_an_ipv6_server_are_stripped() -> None:
    uri = parse_uri("qemu://[2001:db8::1]:16514/system")
    assert (uri.server, uri.port, uri.transport) == ("2001:db8::1", 16514, "tls")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_transport_is_known_in_any_case(transport: str) -> None:
    assert parse_uri(f"qemu+{transport.upper()}:///system").transport == transport


def test_without_a_transport_a_server_decides() -> None:
    assert parse_uri("qemu:///system").transport == "unix"
    assert parse_uri("qemu://host/system").transport == "tls"
    # A user alone is not a server, and a port without one means nothing.
    alone = parse_uri("qemu://fred@:22/system")
    assert (alone.transport, alone.user, alone.server, alone.port) == ("unix", "fred", None, 0)


def test_parameters_ignore_case_and_the_last_wins() -> None:
    uri = parse_uri("qemu:///system?Socket=/a&socket=/b&other=1")
    assert uri.parameter("socket") == "/b"
    assert uri.parameter("mode") is None


@pytest.mark.parametrize(("value", "on"), [("1", True), ("0", False), ("-1", True), ("00", False)])
def test_switches_are_numbers(value: str, on: bool) -> None:
    assert parse_uri(f"qemu://h/system?no_verify={value}").switch("no_verify") is on
    assert parse_uri("qemu://h/system").switch("no_verify") is False


REFUSED = [
    ("system", "no driver"),
    ("/run/sock", "no driver"),
    ("?a:b", "no driver"),
    ("1x:///", "not a driver name"),
    (":///x", "not a driver name"),
    ("q_x:///", "not a driver name"),
    ("qemu+:///system", "'' is not a transport"),
    ("qemu+smoke:///system", "'smoke' is not a transport"),
    ("qemu+unix+x:///system", "'unix+x' is not a transport"),
    ("qemu+unix://host/system", "a server 'host' is named"),
    ("qemu://system", "did you mean qemu:///system"),
    ("vbox://session", "did you mean vbox:///session"),
    ("qemu:///sys tem", "' ' may not stand in its path as it is; write %20"),
    ("qemu:///\ud800", "'\\ud800' in its path is half a character"),
    ("qemu:///system?socket=/é", "'é' may not stand in its query as it is; write %C3%A9"),
    ("qemu:///a%2", "'%' may not stand in its path"),
    ("qemu:///a?b=%zz", "'%' may not stand in its query"),
    ("qemu:///a#b#c", "'#' may not stand in its fragment"),
    ("qemu:///a?b=%00", "%00 may not stand in it"),
    ("qemu://host:/system", "'' is not a port number"),
    ("qemu://host:x/system", "'x' is not a port number"),
    ("qemu://host:65536/system", "'65536' is not a port number"),
    ("qemu://[::1/system", "IPv6"),
    ("qemu://[::1]x/system", "IPv6"),
    ("qemu://[10.0.0.1]/system", "[10.0.0.1] is no IPv6 address"),
    ("qemu://[::1 ]/system", "' ' may not stand in its server"),
    ("qemu:///system?no_tty=1%20", "no_tty=1 : expected a number"),
    ("qemu:///system?no_tty=0x1", "no_tty=0x1: expected a number"),
    ("qemu:///system?no_tty=2147483648", "expected a number"),
    ("qemu:///system?no_tty=-2147483649", "expected a number"),
    ("qemu:///system?no_sanity=x&no_sanity=1", "no_sanity=x: expected a number"),
    ("qemu:///system?no_verify=yes", "no_verify=yes: expected a number"),
    ("qemu:///system?no_tty=", "no_tty=: expected a number"),
    ("qemu:///system?mode=Auto", "mode=Auto: expected one of auto, legacy, direct"),
    ("qemu:///system?auth=none", "auth=none: expected sasl"),
    ("qemu:///system?auth=", "auth=: expected sasl"),
    ("qemu:///system?auth=sasl.", "auth=sasl.: expected sasl"),
    ("qemu:///system?auth=polkit.x", "auth=polkit.x: expected sasl"),
    ("qemu:///system?proxy=x", "proxy=x: expected one of"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_wrong_is_said(text: str, reason: str) -> None:
    with pytest.raises(URIError) as caught:
        parse_uri(text)
    assert reason in str(caught.value)


def test_no_password_is_shown() -> None:
    text = "qemu+unix://fred:hunter2@host/system?a=x@y"
    with pytest.raises(URIError) as caught:
        parse_uri(text)
    assert "hunter2" not in str(caught.value)
    assert "fred:***@host" in str(caught.value)
    assert "hunter2" not in repr(parse_uri("qemu+tls://fred:hunter2@host/system"))
    assert shown("qemu:///system?a=b:c@d") == "qemu:///system?a=b:c@d"
    assert shown("qemu:x") == "qemu:x"


@pytest.mark.parametrize(
    "text",
    [
        "qemu+ssh://fred:hun/ter2@host/system",
        "qemu+ssh://fred:hun?ter2@host/system",
        "qemu+ssh://fred:hun#ter2@host/system",
        "qemu+ssh://fred:hun@ter2@host/system",
        "qemu+ssh://fred:hun ter2@host/system",
        "qemu+ssh:/fred:hunter2@host/system",
        "qemu+ssh:fred:hunter2@host/system",
        "qemu+ssh//fred:hunter2@host/system",
    ],
)
def test_no_password_is_shown_of_a_uri_that_cannot_be_read(text: str) -> None:
    assert shown(text).endswith("fred:***@host/system")
    try:
        said = repr(parse_uri(text))
    except URIError as error:
        said = str(error)
    assert "hun" not in said
    assert "ter2" not in said


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("x:///?name=qemu://a:pw@b/", "x:///?name=qemu://a:***@b/"),
        ("x:///?u=v@w&NAME=qemu%2Btcp://a:pw%40b/#c", "x:///?u=v@w&NAME=qemu%2Btcp://a:***@b/#c"),
        ("x:///?a;name=q://a:p@b;c", "x:///?a;name=q://a:***@b;c"),
        ("x:///?name=q://a:p%00@b", "x:///?name=***"),
        ("q://a:p@b/?name=q://c:p@d/%3Fe=f", "q://a:***@b/?name=q://c:***@d/?e=f"),
        ("q://a@b/?name=q://c@d/", "q://a@b/?name=q://c@d/"),
    ],
)
def test_no_password_is_shown_of_a_uri_within_a_uri(text: str, plain: str) -> None:
    assert shown(text) == plain


@pytest.mark.parametrize(
    "text",
    ["qemu://host:22/a@b", "qemu://host:x/a", "qemu://[::1]:x/a@b", "qemu://host:/a@b", "qemu", ""],
)
def test_what_is_no_password_is_shown(text: str) -> None:
    assert shown(text) == text


def test_no_text_means_the_default_of_the_environment() -> None:
    assert resolve_uri(None, {}) is None
    assert resolve_uri("", {"LIBVIRT_DEFAULT_URI": ""}) is None
    found = resolve_uri(None, {"LIBVIRT_DEFAULT_URI": "test:///default"})
    assert found is not None
    assert found.text == "test:///default"
    named = resolve_uri("qemu:///system", {"LIBVIRT_DEFAULT_URI": "test:///default"})
    assert named is not None
    assert named.driver == "qemu"


ALIASES = """
uri_default = "web"
uri_aliases = [ "web=qemu+ssh://web/system", "xen=qemu:///system", "a=web" ]
"""


@pytest.mark.parametrize(
    ("text", "environment", "steps"),
    [
        ("qemu:///session", "x", [("argument", "qemu:///session")]),
        ("web", "x", [("argument", "web"), ("uri_aliases", "qemu+ssh://web/system")]),
        # An alias does not lead to another one, and Xen's short name comes first.
        ("a", "x", [("argument", "a"), ("uri_aliases", "web")]),
        ("xen", "x", [("argument", "xen"), ("xen", "xen:///system")]),
        (None, "x", [("LIBVIRT_DEFAULT_URI", "x")]),
        (None, "Xen", [("LIBVIRT_DEFAULT_URI", "Xen")]),
        ("", "a", [("LIBVIRT_DEFAULT_URI", "a"), ("uri_aliases", "web")]),
        (None, "", [("uri_default", "web"), ("uri_aliases", "qemu+ssh://web/system")]),
    ],
)
def test_the_first_of_three_places_names_a_uri_or_an_alias(
    text: str | None, environment: str, steps: list[tuple[str, str]]
) -> None:
    config = parse_config(ALIASES, "libvirt.conf")
    environ = {"LIBVIRT_DEFAULT_URI": environment}
    assert list(meant_text(text, environ, config)) == steps
    plain = [step for step in steps if step[0] != "uri_aliases"]
    assert list(meant_text(text, environ, config, aliases=False)) == plain


def test_without_aliases_a_short_name_is_no_uri() -> None:
    config = parse_config(ALIASES, "libvirt.conf")
    found = resolve_uri("web", {}, config)
    assert found is not None
    assert found.server == "web"
    with pytest.raises(URIError, match="'web': it has no driver"):
        resolve_uri("web", {}, config, aliases=False)


def test_a_fault_says_who_wrote_the_uri() -> None:
    config = parse_config('uri_default = "smoke"\nuri_aliases = [ "web=fire" ]', "/c/libvirt.conf")
    for text, environ, place in (
        (None, {}, r"uri_default in /c/libvirt\.conf"),
        ("web", {}, r"uri_aliases in /c/libvirt\.conf"),
        (None, {"LIBVIRT_DEFAULT_URI": "x"}, "the environment's LIBVIRT_DEFAULT_URI"),
    ):
        with pytest.raises(URIError, match=rf"it has no driver.*\(from {place}\)$"):
            resolve_uri(text, environ, config)
    with pytest.raises(URIError, match=r":///system$"):
        resolve_uri("smoke", {}, config)


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("[::1]", "::1"),
        ("[fe80::1%25eth0]", "fe80::1%eth0"),
        ("[fe80::1%eth0]", "fe80::1%eth0"),
        ("[fe80::1%2]", "fe80::1%2"),
        ("%31%30.0.0.1", "10.0.0.1"),
    ],
)
def test_a_server_is_decoded(host: str, server: str) -> None:
    assert parse_uri(f"qemu://{host}:5/system").server == server


@pytest.mark.parametrize(
    ("value", "on"),
    [("0", False), ("1", True), ("-1", True), ("%2b2", True), ("%20%0900", False), ("007", True)],
)
def test_a_switch_is_a_number(value: str, on: bool) -> None:
    assert parse_uri(f"qemu:///system?no_verify={value}").switch("no_verify") is on


def test_the_auth_file_is_the_first_that_is_written_just_so() -> None:
    assert parse_uri("qemu:///system?AuthFile=/a&authfile=/b&authfile=/c").authfile == "/b"
    assert parse_uri("qemu:///system?AUTHFILE=/a").authfile is None


@pytest.mark.parametrize("text", ["xen", "XEN", "xen://"])
def test_xen_has_short_names(text: str) -> None:
    uri = resolve_uri(text, {})
    assert uri is not None
    assert uri.name_to_send() == "xen:///system"


def test_xen_is_short_only_where_a_caller_writes_it() -> None:
    with pytest.raises(URIError, match="has no driver"):
        resolve_uri(None, {"LIBVIRT_DEFAULT_URI": "xen"})


def test_a_user_without_a_name_is_none() -> None:
    assert parse_uri("qemu+ssh://@h/system").user is None


def test_a_uri_is_text() -> None:
    with pytest.raises(URIError, match="not int"):
        resolve_uri(3, {})  # type: ignore[arg-type]


@given(st.text(max_size=60))
@example("qemu://[")
@example("qemu://:@/")
@example("qemu:?%")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        uri = parse_uri(text)
    except URIError:
        return
    assert isinstance(uri, ConnectionURI)
    uri.name_to_send().encode("utf-8", "surrogateescape")


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_forwarded_value_survives_the_journey(value: str) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in value.encode())
    sent = parse_uri(f"lxc:///?k={escaped}").name_to_send()
    assert parse_uri(sent).params == (("k", value),)
