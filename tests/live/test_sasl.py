"""Logging in to real daemons by SASL: each mechanism and road, and each way to be refused.

What encrypts by itself, DIGEST-MD5 and GSSAPI, has a suite of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.lab.sasl import auth_file, sasl_daemon, users
from virtproto import Credentials
from virtproto.errors import (
    AuthenticationError,
    ConfigFileError,
    ConnectionLostError,
    CredentialsMissingError,
    LibvirtError,
)

pytestmark = pytest.mark.lab

USERS = {"fred": "Passw0rd-of-fred", "a,b=c": "pä ss,w=rd"}
FRED = Credentials("fred", USERS["fred"])
AUTH_FAILED = 45

PROVING = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
EVERY = ("scram-sha-1", "scram-sha-256", "scram-sha-512", "plain", "anonymous")


class Daemons:
    """Daemons by what they offer, each started when it is first wanted, on every road."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._users = users(folder, USERS)
        self._running: dict[tuple[str, ...], PrivateDaemon] = {}
        self._ports: dict[tuple[str, ...], tuple[int, int]] = {}
        self.certificates = Lab(folder / "pki")

    def offering(self, *mechanisms: str) -> PrivateDaemon:
        """Return the daemon that offers these."""
        if mechanisms not in self._running:
            tls, tcp = self._ports[mechanisms] = free_port(), free_port()
            settings = {**self.certificates.settings(), "listen_tcp": 1}
            settings |= {"tls_port": str(tls), "tcp_port": str(tcp)}
            daemon = sasl_daemon(
                self._folder / "+".join(mechanisms), self._users, mechanisms, **settings
            )
            self._running[mechanisms] = self._stack.enter_context(daemon)
        return self._running[mechanisms]

    def uri(self, road: str, *mechanisms: str) -> str:
        """Return the URI of that daemon's test driver by one of its roads; it ends in a query."""
        daemon = self.offering(*mechanisms)
        tls, tcp = self._ports[mechanisms]
        if road == "unix":
            return f"test+unix:///default?socket={daemon.socket_path}"
        if road == "tcp":
            return f"test+tcp://127.0.0.1:{tcp}/default?x=1"
        return f"test+tls://127.0.0.1:{tls}/default?pkipath={self.certificates.client('good')}"


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    with ExitStack() as stack:
        yield Daemons(tmp_path_factory.mktemp("sasl"), stack)


@pytest.fixture(autouse=True)
def _no_file_of_the_machine_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LIBVIRT_AUTH_FILE", raising=False)


@pytest.fixture(params=["unix", "tls"])
def road(request: pytest.FixtureRequest) -> str:
    """A road on which nobody can listen."""
    name: str = request.param
    return name


def use(open_in_colour: Open, uri: str, **options: Any) -> tuple[bool, bool]:
    """Use a connection a little; return whether it is secure, and encrypted."""
    with open_in_colour(uri, **options) as connection:
        assert connection.get_domain_by_name("test").get_name() == "test"
        return connection.is_secure(), connection.is_encrypted()


@pytest.mark.parametrize("name", [*PROVING, "ANONYMOUS"])
def test_each_mechanism_lets_in(
    daemons: Daemons, road: str, name: str, open_in_colour: Open
) -> None:
    # Where nothing needs to be told, nothing is.
    options = {} if name == "ANONYMOUS" else {"credentials": FRED}
    how = use(open_in_colour, daemons.uri(road, name.lower()), **options)
    assert how == (True, road == "tls")


@pytest.mark.parametrize("name", PROVING)
@pytest.mark.parametrize(
    ("user", "password"), [("fred", "not-Passw0rd"), ("nobody-here", USERS["fred"])]
)
def test_who_is_not_known_is_not_let_in(
    daemons: Daemons, road: str, name: str, user: str, password: str, open_in_colour: Open
) -> None:
    uri = daemons.uri(road, name.lower())
    with pytest.raises(LibvirtError) as caught:
        use(open_in_colour, uri, credentials=Credentials(user, password))
    assert caught.value.code == AUTH_FAILED
    host = "localhost" if road == "unix" else "127.0.0.1"
    said = f"SASL mechanism {name} for libvirt at {host} as {user}, from credentials"
    assert str(caught.value).endswith(said)
    assert password not in str(caught.value)


@pytest.mark.parametrize("name", PROVING)
def test_names_and_passwords_of_any_letters(
    daemons: Daemons, name: str, open_in_colour: Open
) -> None:
    uri = daemons.uri("unix", name.lower())
    use(open_in_colour, uri, credentials=Credentials("a,b=c", USERS["a,b=c"]))


@pytest.mark.parametrize("name", [*PROVING, "ANONYMOUS"])
def test_nothing_is_told_over_plain_tcp(daemons: Daemons, name: str, open_in_colour: Open) -> None:
    def asked(_requests: Sequence[Any]) -> None:
        raise AssertionError("nobody is to be asked")

    # The daemon itself offers none of these there; what a false one offers is tried elsewhere.
    with pytest.raises(LibvirtError) as caught:
        use(open_in_colour, daemons.uri("tcp", name.lower()), credentials=asked)
    assert caught.value.code == AUTH_FAILED
    assert "no SASL mechanism" in str(caught.value)


@pytest.mark.parametrize("known", [("login",), ("cram-md5", "login")])
def test_a_daemon_that_offers_nothing_that_is_known(
    daemons: Daemons, known: tuple[str, ...], road: str, open_in_colour: Open
) -> None:
    with pytest.raises(AuthenticationError, match="none is known here") as caught:
        use(open_in_colour, daemons.uri(road, *known), credentials=FRED)
    for name in known:
        assert name.upper() in str(caught.value)


def test_external_is_nothing_that_a_daemon_of_libvirt_s_offers(
    daemons: Daemons, road: str, open_in_colour: Open
) -> None:
    with pytest.raises(LibvirtError, match="no SASL mechanism"):
        use(open_in_colour, daemons.uri(road, "external"))


def test_the_strongest_of_many_unless_the_uri_insists(
    daemons: Daemons, road: str, open_in_colour: Open
) -> None:
    uri = daemons.uri(road, *EVERY)
    wrong = Credentials("fred", "wrong")
    for wanted, taken in [("", "SCRAM-SHA-512"), *((name, name) for name in PROVING)]:
        insisting = uri + (f"&auth=sasl.{wanted}" if wanted else "")
        with pytest.raises(LibvirtError, match=f"mechanism {taken} for libvirt"):
            use(open_in_colour, insisting, credentials=wrong)
        use(open_in_colour, insisting, credentials=FRED)
    use(open_in_colour, uri + "&auth=SASL.ANONYMOUS", credentials=wrong)
    with pytest.raises(AuthenticationError, match="wants SASL mechanism DIGEST-MD5"):
        use(open_in_colour, uri + "&auth=sasl.DIGEST-MD5", credentials=FRED)


def test_a_daemon_that_lets_anybody_in_is_not_what_the_uri_insists_on(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with pytest.raises(AuthenticationError, match="wants authentication by sasl"):
        use(open_in_colour, libvirtd.uri("test:///default") + "&auth=sasl", credentials=FRED)


# auth.conf.


@pytest.mark.parametrize("host", ["this", "default"])
def test_the_user_s_file(
    daemons: Daemons, road: str, host: str, tmp_path: Path, open_in_colour: Open
) -> None:
    name = {"unix": "localhost", "tls": "127.0.0.1"}[road] if host == "this" else host
    (tmp_path / "libvirt").mkdir()
    path = tmp_path / "libvirt" / "auth.conf"
    auth_file(path, name, authname="fred", password=USERS["fred"])
    use(open_in_colour, daemons.uri(road, "scram-sha-256"))


@pytest.mark.parametrize("name", PROVING)
def test_acting_as_oneself_and_as_somebody_else(
    daemons: Daemons, name: str, open_in_colour: Open
) -> None:
    uri = daemons.uri("unix", name.lower())
    use(open_in_colour, uri, credentials=Credentials("fred", USERS["fred"], username="fred"))
    with pytest.raises((LibvirtError, AuthenticationError)):
        use(open_in_colour, uri, credentials=Credentials("fred", USERS["fred"], username="a,b=c"))


def test_the_file_of_the_uri_and_that_of_the_environment(
    daemons: Daemons, tmp_path: Path, open_in_colour: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = auth_file(tmp_path / "r", "localhost", authname="fred", password=USERS["fred"])
    wrong = auth_file(tmp_path / "w", "localhost", authname="fred", password="wrong")
    uri = daemons.uri("unix", "scram-sha-256")
    use(open_in_colour, f"{uri}&authfile={right}")
    with pytest.raises(LibvirtError, match=rf"as fred, from {wrong} \[credentials-lab\]"):
        use(open_in_colour, f"{uri}&authfile={wrong}")
    # What the caller says counts more than any file.
    use(open_in_colour, f"{uri}&authfile={wrong}", credentials=FRED)
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(right))
    use(open_in_colour, f"{uri}&authfile={wrong}")


def test_where_nothing_is_told_nothing_is_sent(
    daemons: Daemons, tmp_path: Path, open_in_colour: Open
) -> None:
    uri = daemons.uri("unix", "plain")
    other = auth_file(tmp_path / "o", "elsewhere", authname="fred", password=USERS["fred"])
    with pytest.raises(CredentialsMissingError, match=r"no \[auth-libvirt-localhost\]"):
        use(open_in_colour, f"{uri}&authfile={other}")
    with pytest.raises(ConfigFileError, match="none: cannot be read: No such file"):
        use(open_in_colour, f"{uri}&authfile={tmp_path}/none")


# Functions that are asked.


def answering(told: list[Any]) -> Callable[[Any], Any]:
    def answer(requests: Any) -> list[str]:
        told.extend((each.kind.name, each.service, each.host) for each in requests)
        return ["fred" if each.kind.name == "AUTHNAME" else USERS["fred"] for each in requests]

    return answer


def test_a_function_is_asked_what_no_file_knows(
    daemons: Daemons, tmp_path: Path, open_in_colour: Open
) -> None:
    told: list[Any] = []
    uri = daemons.uri("tls", "scram-sha-256")
    use(open_in_colour, uri, credentials=answering(told))
    half = auth_file(tmp_path / "h", "127.0.0.1", authname="fred")
    use(open_in_colour, f"{uri}&authfile={half}", credentials=answering(told))
    assert told == [
        ("AUTHNAME", "libvirt", "127.0.0.1"),
        ("PASSPHRASE", "libvirt", "127.0.0.1"),
        ("PASSPHRASE", "libvirt", "127.0.0.1"),
    ]


def test_a_coroutine_function_is_awaited(daemons: Daemons) -> None:
    async def answer(_requests: Any) -> list[str]:
        return ["fred", USERS["fred"]]

    async def used() -> str:
        uri = daemons.uri("unix", "scram-sha-1")
        async with await virtproto.aio.open(uri, credentials=answer) as connection:
            return await connection.get_hostname()

    assert asyncio.run(used(), debug=True)


def test_a_lasting_connection_logs_in_again_while_it_may(
    tmp_path: Path, open_in_colour: Open
) -> None:
    database = users(tmp_path, USERS)
    with sasl_daemon(tmp_path / "conf", database, ["scram-sha-256"]) as daemon:
        told: list[Any] = []
        uri = daemon.uri("test:///default")
        with open_in_colour(uri, credentials=answering(told), reconnect=True) as connection:
            daemon.kill()
            until(connection, lambda: connection.state == "reconnecting")
            daemon.restart()
            assert connection.get_domain_by_name("test").get_name() == "test"
            assert [kind for kind, _, _ in told] == ["AUTHNAME", "PASSPHRASE"] * 2
            daemon.kill()
            until(connection, lambda: connection.state == "reconnecting")
            users(tmp_path, {"fred": "another"})
            daemon.restart()
            # Trying the same password for ever might lock the user out.
            with pytest.raises(ConnectionLostError, match=r"could not be opened anew.* as fred"):
                connection.get_domain_by_name("test")
            assert len(told) == 6
