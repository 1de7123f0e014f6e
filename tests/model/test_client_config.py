"""What libvirt's client configuration says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virtproto.errors import ConfigFileError
from virtproto.model.client_config import ClientConfig, parse_config

URI = "qemu+ssh://host/system"


def read(text: str) -> ClientConfig:
    return parse_config(text, "/etc/some.conf")


@pytest.mark.parametrize(
    "text",
    [
        f'uri_default = "{URI}"',
        f"uri_default='{URI}'\n",
        f'  uri_default\t=\t"""{URI}"""  # for all\r\n',
        f'# remarks\n\n\tother = -5\nuri_default = "{URI}"; third = 7',
        f'uri_default = "{URI}"\nuri_default = "qemu:///system"\n',
        f'list = [ 1, "two", [ +3 ],\n\n  ]\nlines = """a\n#b\n"""\nuri_default = "{URI}"',
        f"empty = []\nlong = {'9' * 5000}\nuri_default = '{URI}'",
    ],
)
def test_settings_are_read_as_libvirt_reads_them(text: str) -> None:
    assert read(text).default_uri() == URI


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "#\n  # nothing\n"])
def test_what_is_not_there_is_none(text: str) -> None:
    config = read(text)
    assert config.default_uri() is None
    assert config.text("tls_priority") is None
    assert config.choice("remote_mode", ("auto",)) is None
    assert config.alias("web") is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("uri_default = qemu:///system", 1, "not 'qemu:///system'"),
        ("a = 1\nuri_default =\n", 2, "not the end of the line"),
        ("a = 1\n\nuri_default\n", 3, "expected = behind uri_default"),
        ("a.b = 1", 1, "expected = behind a"),
        ("a-b = 1", 1, "expected = behind a"),
        ("_a = 1", 1, "expected the name of a setting, not '_a = 1'"),
        ("1a = 1", 1, "expected the name of a setting"),
        ("\ufeffa = 1", 1, "expected the name of a setting"),
        ("= 1", 1, "expected the name of a setting"),
        ("a = 5.5", 1, "'.5' is too much"),
        ('a = "x" b = "y"', 1, "one setting stands in a line"),
        ("a = -", 1, "- is no number"),
        ('a = 1\nb = "x\n"', 2, 'a text that begins with " does not end'),
        ("b = 'x", 1, "a text that begins with ' does not end"),
        ('b = """x\n"" \n', 1, "does not end"),
        ("a = [ 1 2 ]", 1, "expected , or ] in a list"),
        ("a = [ 1,\n2\n", 3, "expected , or ] in a list"),
        ("a = [ 1,\n\n", 3, "not the end of the line"),
        ("a = [ , ]", 1, "not ', ]'"),
        ("a = [ 1, # one\n2 ]", 1, "not '# one'"),
        ("a = " + "[" * 5000, 1, "none goes that deep"),
    ],
)
def test_a_file_that_is_not_in_order_is_named_with_the_line(
    text: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigFileError) as caught:
        read(text)
    assert str(caught.value).startswith(f"/etc/some.conf, line {line}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("value", ["5", '[ "qemu:///system" ]', '""'])
def test_a_default_uri_is_a_text(value: str) -> None:
    config = read(f"\nuri_default = {value}")
    with pytest.raises(ConfigFileError, match=r"^/etc/some\.conf, line 2: uri_default: "):
        config.default_uri()


def test_a_choice_is_one_of_a_few_words() -> None:
    config = read('remote_mode = "direct"\nremote_proxy = "Native"\n')
    assert config.choice("remote_mode", ("auto", "direct")) == "direct"
    with pytest.raises(ConfigFileError, match=r"line 2: remote_proxy: 'Native' is none of auto"):
        config.choice("remote_proxy", ("auto", "native"))


def test_an_alias_is_its_whole_name() -> None:
    config = read(
        'uri_aliases = [\n  "web-1=qemu+ssh://web/system?a=b",\n'
        '  "DB_2=qemu://db/system",\n  "web-1=test:///default",\n]\n'
    )
    assert config.alias("web-1") == "qemu+ssh://web/system?a=b"
    assert config.alias("DB_2") == "qemu://db/system"
    for other in ("db_2", "web-1?x=y", "web", "qemu:///system", ""):
        assert config.alias(other) is None


def test_an_alias_may_stand_for_what_is_none() -> None:
    # Whether that is a URI is asked of the URI; aliases do not lead to aliases.
    config = read('uri_aliases = [ "a=b", "b=c" ]')
    assert config.alias("a") == "b"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ('"web=x"', "expected a list of texts"),
        ('[ 5, "web=x" ]', "5 is no text"),
        ('[ "web" ]', "'web' has no ="),
        ('[ "w.eb=x" ]', "'w.eb' is no alias"),
        ('[ "web =x" ]', "'web ' is no alias"),
    ],
)
def test_a_wrong_entry_is_named(entries: str, said: str) -> None:
    config = read(f"\n\nuri_aliases = {entries}")
    with pytest.raises(ConfigFileError) as caught:
        config.alias("web")
    assert str(caught.value).startswith("/etc/some.conf, line 3: uri_aliases: ")
    assert said in str(caught.value)


def test_entries_behind_the_one_that_fits_are_not_looked_at() -> None:
    assert read('uri_aliases = [ "web=x", "b.c=y" ]').alias("web") == "x"


def test_it_shows_what_it_holds() -> None:
    assert repr(read("a = 1")) == "<ClientConfig /etc/some.conf: a>"
    assert repr(read("")) == "<ClientConfig /etc/some.conf: nothing>"


@given(st.text(alphabet="ab_-=[],;#'\"+ 1\n\r\t\x0c\0é\udc80", max_size=40))
@example("a = \x0c")
@example("a = 1 \x0cb")
def test_any_text_is_read_or_refused(text: str) -> None:
    said = ""
    try:
        read(text)
    except ConfigFileError as error:
        said = str(error)
    assert said == "" or said.startswith("/etc/some.conf, line ")
