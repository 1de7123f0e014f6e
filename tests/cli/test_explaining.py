"""``virtproto uri``: what opening a URI would do, in words and as JSON."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from virtproto.cli import main


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the home of a user who is not root and has no files yet."""
    for name in ("LIBVIRT_DEFAULT_URI", "LIBVIRT_AUTH_FILE", "XDG_CONFIG_HOME", "VIRTD_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (tmp_path / ".config" / "libvirt").mkdir(parents=True)
    return tmp_path


class Explained:
    """What the command printed of a URI, both ways."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        assert main(["uri", *arguments]) == 0
        self.text, said = capsys.readouterr()
        assert said == ""
        assert main(["uri", "--json", *arguments]) == 0
        self.json: dict[str, Any] = json.loads(capsys.readouterr().out)
        # Each says what the other says.
        for part in self.json.values():
            for step in part["steps"] if part is not None else ():
                assert step in self.text


def test_all_of_it_in_words(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    told = Explained(capsys, "qemu+tcp://fred@host:7/system?a=b&socket=/s", "--readonly")
    config = here / ".config" / "libvirt" / "auth.conf"
    missing = "(No such file or directory)"
    assert told.text.splitlines() == [
        "1. The URI",
        "   qemu+tcp://fred@host:7/system?a=b&socket=/s is given",
        "2. What it says",
        "   driver qemu",
        "   transport tcp",
        "   user fred",
        "   server host",
        "   port 7",
        "   path /system",
        "   parameter a=b is passed on to the daemon",
        "   parameter socket=/s is ignored: only transport unix, ssh, libssh or libssh2 uses it",
        "3. The way to the daemon",
        "   connect by TCP to host:7, each address of the host in turn",
        "   nothing on this way is secret or safe from change, unless SASL makes it so",
        "4. Authentication",
        "   as the daemon wants it: not at all, by polkit or by SASL",
        "   SASL has to encrypt what follows here: GSSAPI and DIGEST-MD5 do",
        f"   for SASL at host: no file knows anything; looked at {config} {missing}, "
        f"/etc/libvirt/auth.conf {missing}",
        "5. The connection",
        "   the daemon is told the name qemu:///system?a=b",
        "   the connection may only look at things",
    ]
    assert told.json["open"]["readonly"] is True


def test_no_uri_at_all(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    told = Explained(capsys)
    assert "no URI is given, and LIBVIRT_DEFAULT_URI is not set" in told.text
    assert f"there is no {here}/.config/libvirt/libvirt.conf" in told.text
    assert "so the daemon chooses its driver" in told.text
    assert told.json["uri"] is None
    assert told.json["given"]["sources"] == []
    assert told.json["open"]["name"] == ""
    assert told.json["road"]["path"] == f"{here}/run/libvirt/libvirt-sock"
    assert told.json["road"]["daemon"] == "/usr/sbin/libvirtd"


def test_where_the_uri_comes_from(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = here / ".config" / "libvirt" / "libvirt.conf"
    config.write_text('uri_default = "web"\nuri_aliases = [ "web=qemu+ssh://web/system" ]\n')
    told = Explained(capsys)
    assert [each["source"] for each in told.json["given"]["sources"]] == [
        "uri_default",
        "uri_aliases",
    ]
    assert f"nothing is given, and uri_default in {config} is web" in told.text
    assert f"that is an alias in {config} for qemu+ssh://web/system" in told.text
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "test:///default")
    assert "the environment's LIBVIRT_DEFAULT_URI is test:///default" in Explained(capsys).text
    assert "that is short for xen:///system" in Explained(capsys, "xen").text
    config.write_text("tls_priority = 'NORMAL'")
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "")
    told = Explained(capsys)
    assert "LIBVIRT_DEFAULT_URI is empty" in told.text
    assert f"{config} has no uri_default" in told.text


def test_sockets_are_there_or_not(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    folder = here / "run" / "libvirt"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "libvirt-sock"))
        told = Explained(capsys, "qemu:///session")
    direct, legacy = folder / "virtqemud-sock", folder / "libvirt-sock"
    assert f"connect to the socket {legacy} (there)" in told.text
    assert f"considered too: {direct} (not there)" in told.text
    assert [each["exists"] for each in told.json["road"]["candidates"]] == [False, True]
    direct.touch()
    assert f"{direct} (there, but no socket)" in Explained(capsys, "qemu:///session").text
    abstract = Explained(capsys, "qemu:///session?socket=@name")
    assert "@name (a name in Linux's abstract space)" in abstract.text
    assert abstract.json["road"]["candidates"][0]["exists"] is None


def test_ssh_is_shown_with_every_word(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = here / "ssh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(here))
    told = Explained(capsys, "qemu+ssh://fred@web:22/system?no_tty=1&netcat=my%20nc")
    argv = told.json["road"]["argv"]
    assert argv[:5] == ["ssh", "-p", "22", "-l", "fred"]
    assert "my nc" in argv[-1]
    assert told.json["road"]["program"] == str(program)
    assert f"ssh is {program}" in told.text
    assert "must ask nothing" in told.text
    missing = Explained(capsys, "qemu+ssh://web/system?command=nix")
    assert "there is no program nix that could be run: connecting fails" in missing.text


def test_the_helper_needs_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    said = "where the host has it, add proxy=netcat"
    assert said in Explained(capsys, "remote+ssh://web/system").text
    assert said in Explained(capsys, "remote+libssh://web/system?proxy=native").text
    assert said not in Explained(capsys, "qemu+ssh://web/system").text
    assert said not in Explained(capsys, "remote+ssh://web/system?proxy=netcat").text


def test_ext_is_a_program(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    told = Explained(capsys, "qemu+ext:///system?command=/bin/sh")
    assert told.json["road"]["argv"] == ["/bin/sh"]
    assert "run /bin/sh" in told.text
    assert "nothing on this way is secret" in told.text
    assert told.json["authentication"]["sasl_has_to_encrypt"] is True


def test_tls_shows_its_files(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    told = Explained(capsys, f"qemu://web/system?pkipath={here}")
    assert f"the CA's certificate is {here}/cacert.pem (not there: connecting fails)" in told.text
    assert "this side shows no certificate" in told.text
    assert "the host's certificate has to be right, and to name web" in told.text
    for name in ("cacert", "cacrl", "clientcert", "clientkey"):
        (here / f"{name}.pem").touch()
    told = Explained(
        capsys, f"qemu://web/?pkipath={here}&no_verify=1&no_sanity=1&tls_priority=NORMAL"
    )
    assert told.json["road"]["files"] == {
        "ca": f"{here}/cacert.pem",
        "crl": f"{here}/cacrl.pem",
        "certificate": f"{here}/clientcert.pem",
        "key": f"{here}/clientkey.pem",
    }
    assert f"revoked certificates are listed in {here}/cacrl.pem" in told.text
    assert "these files are not checked, as no_sanity is on (virtproto pki" in told.text
    assert "may be anybody's, as no_verify is on" in told.text
    assert "speak TLS1.2 to TLS1.3, as the priority NORMAL allows" in told.text


def test_ssh_within_the_process(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    told = Explained(capsys, "qemu+libssh://web/system?sshauth=agent,privkey&keyfile=/k")
    known_hosts = f"{here}/.config/libvirt/known_hosts"
    assert "connect by ssh to root@web:22, within this process" in told.text
    assert f"the one in {known_hosts}, which is not there; one that is not" in told.text
    assert "log in by the first that works of agent, privkey (key /k)" in told.text
    assert "have ssh lead to /var/run/libvirt/libvirt-sock" in told.text
    assert set(told.json["authentication"]["known"]) == {"libvirt", "ssh"}


def test_what_is_special_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "driver test, the daemon's; " in Explained(capsys, "test:///default").text
    assert "driver test\n" in Explained(capsys, "test+unix:///default").text
    root = "root has no session of its own"
    assert root not in Explained(capsys, "qemu:///session").text
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert root in Explained(capsys, "qemu:///session").text


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("qemu+tcp://h/?mode=auto&no_tty=0", "mode=auto is ignored: only transport unix, ssh, lib"),
        ("qemu+tcp://h/?no_tty=0", "no_tty=0 is ignored: only transport ssh uses it"),
        ("qemu:///?socket=/a&socket=/b", "socket=/a is ignored: it is named again further on"),
        ("qemu:///?SOCKET=/a&mode=direct", "mode=direct is ignored: socket= names the socket"),
        ("qemu:///?a=b&name=x", "a=b is ignored: name= says all that the daemon is told"),
        ("remote:///?a=b", "a=b is ignored: the driver remote leaves all to the daemon"),
        ("qemu:///?AuthFile=/a", "AuthFile=/a is ignored: this one has to be in small letters"),
        ("qemu:///?authfile=/a&authfile=/b", "authfile=/b is ignored: it was named before"),
        ("qemu:///?authfile=/a", "authfile=/a is the file with user names and passwords"),
        ("qemu:///?auth=sasl.PLAIN", "the daemon has to offer SASL by PLAIN"),
        ("qemu:///?auth=Polkit", "the daemon has to offer polkit"),
    ],
)
def test_what_becomes_of_parameters(
    capsys: pytest.CaptureFixture[str], uri: str, said: str
) -> None:
    assert said in Explained(capsys, uri).text


def test_what_auth_conf_knows_is_named_but_not_shown(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = here / ".config" / "libvirt" / "auth.conf"
    file.write_text(
        "[auth-libvirt-web]\ncredentials=c\n[credentials-c]\nauthname=fred\npassword=hunter2\n"
    )
    told = Explained(capsys, "qemu+tcp://web/system")
    assert "for SASL at web: authname and password from" in told.text
    assert str(file) in told.text
    assert "hunter2" not in told.text + json.dumps(told.json)
    file.write_text("[auth-libvirt-web]\n")
    assert "auth.conf cannot be used: " in Explained(capsys, "qemu+tcp://web/system").text
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", "/nowhere")
    told = Explained(capsys, "qemu+tcp://web/system?authfile=/b")
    assert "authfile=/b is ignored: the environment's LIBVIRT_AUTH_FILE takes" in told.text


@pytest.mark.parametrize(
    "uri",
    [
        "qemu+ssh://fred:hunter2@host/system",
        "qemu+libssh://fred:hunter2@host/system?name=qemu://u:hunter2@h/",
        "qemu+ssh://fred@host/system?name=qemu%2Bssh://u:hunter2%40h/",
        "qemu://fred:hunter2@host/system",
    ],
)
def test_no_password_is_shown(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    told = Explained(capsys, uri)
    assert "hunter2" not in told.text + json.dumps(told.json)
    assert "***" in told.text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["qemu"], 2, "'qemu': it has no driver"),
        (["qemu+x://h/"], 2, "'x' is not a transport"),
        (["esx://fred:hunter2@host/"], 2, "libvirt's own library drives esx"),
        (["qemu:///system?socket=/" + "x" * 200], 2, "and the system takes 107"),
        (["qemu://h/?tls_priority=NONSENSE"], 1, "NONSENSE"),
        (["qemu:///", "lxc:///"], 2, "unexpected extra argument"),
    ],
)
def test_a_wrong_uri_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(["uri", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert "hunter2" not in captured.err


def test_a_wrong_file_is_named(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    config = here / ".config" / "libvirt" / "libvirt.conf"
    config.write_text("\nuri_default = x\n")
    assert main(["uri", "qemu:///system"]) == 1
    assert capsys.readouterr().err.startswith(f"virtproto: {config}, line 2: ")
