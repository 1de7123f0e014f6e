"""Which connections of a program are led elsewhere, and that it does not notice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.proxy.led import children, run_led
from virtproto.proxy.steering import Target, connect_to, is_libvirt_socket

CONNECT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1] if sys.argv[1][0] != "@" else "\\0" + sys.argv[1][1:])
sys.exit(0 if s.recv(10) == b"led" else 1)
"""


@pytest.mark.parametrize(
    "path",
    [
        b"/var/run/libvirt/libvirt-sock",
        b"/run/user/1000/libvirt/libvirt-sock-ro",
        b"/run/libvirt/libvirt-admin-sock",
        b"/run/libvirt/virtqemud-sock",
        b"virtproxyd-sock-ro",
        b"/run/libvirt/virtnetworkd-admin-sock",
        b"\0some/where/libvirt-sock\0\0\0",
    ],
)
def test_libvirts_sockets_are_known_by_name(path: bytes) -> None:
    assert is_libvirt_socket(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/run/libvirt/virtlogd-sock",
        b"/run/libvirt/virtlockd-sock",
        b"/run/libvirt/libvirt-sock.old",
        b"/run/libvirt/libvirt-sock/other",
        b"/run/dbus/system_bus_socket",
        b"\0libvirt-sock-of-mine",
        b"",
    ],
)
def test_other_sockets_are_let_alone(path: bytes) -> None:
    assert not is_libvirt_socket(path)


def test_others_are_known_when_named() -> None:
    others = {b"/tmp/mine", b"\0mine"}
    assert is_libvirt_socket(b"/tmp/mine", others)
    assert is_libvirt_socket(b"\0mine".ljust(108, b"\0"), others)
    assert not is_libvirt_socket(b"/tmp/mine2", others)


def test_a_connection_is_led(tmp_path: Path) -> None:
    path = tmp_path / "libvirt-sock"
    led = run_led(CONNECT, str(path))
    assert (led.code, led.count, led.notes) == (0, 1, [])
    (target,) = led.targets
    assert (target.name, target.path) == (str(path), os.fsencode(path))
    assert target.about()["pid"] == target.pid
    assert target.about() == {"client": target.program, "pid": target.pid, "daemon": str(path)}
    assert "python" in target.program


def test_a_relative_path_is_the_programs_own(tmp_path: Path) -> None:
    seen = []

    def look(target: Target) -> None:
        seen.append(os.path.realpath(os.path.dirname(target.path)))

    program = f"import os; os.chdir({str(tmp_path)!r})\n{CONNECT}"
    led = run_led(program, "libvirt-sock", lead=look)
    assert led.code == 1, "nobody listens there"
    assert seen == [os.fsencode(tmp_path.resolve())]


def test_an_abstract_name_is_led_too() -> None:
    led = run_led(CONNECT, "@some/libvirt-sock")
    assert (led.code, led.targets[0].name) == (0, "@some/libvirt-sock")


def test_a_socket_of_another_name_is_led_when_named(tmp_path: Path) -> None:
    path = str(tmp_path / "mine")
    assert run_led(CONNECT, path, others=[os.fsencode(path)]).code == 0
    assert run_led(CONNECT, path).targets == []


def test_a_program_that_is_not_led_gets_its_own_error(tmp_path: Path) -> None:
    program = """
import errno, socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except FileNotFoundError:
    sys.exit(7)
"""
    led = run_led(program, str(tmp_path / "libvirt-sock"), lead=lambda _target: None)
    assert (led.code, led.count, len(led.targets)) == (7, 0, 1)


def test_a_socket_stays_as_the_program_made_it(tmp_path: Path) -> None:
    program = """
import fcntl, os, select, socket, sys
s = socket.socket(socket.AF_UNIX)
s.setblocking(False)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 12345)
before = s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), fcntl.fcntl(s, fcntl.F_GETFL)
poll = select.epoll()
poll.register(s.fileno(), select.EPOLLIN)
number = s.fileno()
s.connect(sys.argv[1])
assert (s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), fcntl.fcntl(s, fcntl.F_GETFL)) == before
while not (events := poll.poll()) or not events[0][1] & select.EPOLLIN: pass
assert s.recv(10) == b"led"
try:
    s.connect(sys.argv[1])
except FileNotFoundError:
    sys.exit(0)  # it was let through: the path comes first
sys.exit(9)
"""
    assert run_led(program, str(tmp_path / "libvirt-sock")).code == 0


def test_what_is_no_stream_is_let_alone(tmp_path: Path) -> None:
    path = tmp_path / "libvirt-sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        program = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.send(b"datagram")
"""
        led = run_led(program, str(path))
        assert (led.code, led.count, other.recv(20)) == (0, 0, b"datagram")


def test_other_connections_go_their_own_way(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = """
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[2])
except FileNotFoundError:
    pass
"""
        led = run_led(program, str(server.getsockname()[1]), str(tmp_path / "other"))
        assert (led.code, led.targets) == (0, [])
        server.accept()[0].close()


def test_threads_and_children_are_led_as_well(tmp_path: Path) -> None:
    program = """
import os, socket, sys, threading
def go(results):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    results.append(s.recv(10))
results = []
threads = [threading.Thread(target=go, args=(results,)) for _ in range(20)]
for each in threads: each.start()
for each in threads: each.join()
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        go(results)
        os._exit(results[-1] != b"led")
    children.append(child)
failed = any([os.waitpid(each, 0)[1] for each in children])
sys.exit(failed or results != [b"led"] * 20)
"""
    led = run_led(program, str(tmp_path / "libvirt-sock"))
    assert (led.code, led.count) == (0, 25)


def test_signals_in_between_do_not_disturb(tmp_path: Path) -> None:
    program = """
import signal, socket, sys
count = 0
def hear(*_):
    global count
    count += 1
signal.signal(signal.SIGALRM, hear)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for _ in range(300):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    assert s.recv(10) == b"led"
    s.close()
signal.setitimer(signal.ITIMER_REAL, 0)
sys.exit(count == 0)
"""
    led = run_led(program, str(tmp_path / "libvirt-sock"))
    assert (led.code, led.count) == (0, 300)


def test_a_program_that_dies_while_it_waits_harms_nobody(tmp_path: Path) -> None:
    program = """
import os, signal, socket, sys, time
for _ in range(10):
    child = os.fork()
    if child == 0:
        socket.socket(socket.AF_UNIX).connect(sys.argv[1])
        os._exit(0)
    while open(f"/proc/{child}/stat").read().split()[2] == "R": pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
sys.exit(s.recv(10) != b"led")
"""
    led = run_led(program, str(tmp_path / "libvirt-sock"))
    assert led.code == 0


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_led(CONNECT, str(tmp_path / "libvirt-sock"))
    before, born = sorted(os.listdir("/proc/self/fd")), children()
    for _ in range(3):
        assert run_led(CONNECT, str(tmp_path / "libvirt-sock")).code == 0
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert os.listdir(tmp_path) == []
    assert children() == born


def test_what_goes_on_behind_it_may_connect_wherever_it_wants(tmp_path: Path) -> None:
    """A daemon that the program began, say: it outlasts the program, and whoever looked at it."""
    told = tmp_path / "told"
    program = """
import os, socket, sys, time
if os.fork():
    sys.exit(0)
while not os.path.exists(sys.argv[3]): time.sleep(0.005)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
with open(sys.argv[2] + ".new", "wb") as file:
    file.write(s.recv(10))
os.rename(sys.argv[2] + ".new", sys.argv[2])
"""
    path = tmp_path / "libvirt-sock"
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        daemon.listen()
        daemon.settimeout(20)
        ready = tmp_path / "ready"
        led = run_led(program, str(path), str(told), str(ready))
        assert (led.code, led.count) == (0, 0)
        ready.touch()
        client, _ = daemon.accept()
        with client:
            client.sendall(b"by itself")
        deadline = time.monotonic() + 20
        while not told.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert told.read_bytes() == b"by itself"


def test_a_place_of_another_root_is_found(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may change its root")
    below = tmp_path / "root"
    (below / "real").mkdir(parents=True)
    (below / "run").symlink_to("/real")
    found = []

    def look(target: Target) -> None:
        found.append(os.stat(target.path).st_ino)

    program = (
        f"import socket, os, sys; os.chroot({str(below)!r}); os.chdir('/')\n"
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    )
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(below / "real" / "libvirt-sock"))
        daemon.listen()
        assert run_led(program, "/run/libvirt-sock", lead=look).code == 0
        assert found == [os.stat(below / "real" / "libvirt-sock").st_ino]


def test_a_folder_for_passing_things_with_a_long_name_is_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert run_led(CONNECT, str(tmp_path / "libvirt-sock")).code == 0
    assert list(folder.iterdir()) == []


def test_the_way_there_by_ourselves(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    path = folder / "libvirt-sock"
    target = Target(b"libvirt-sock", os.fsencode(path), os.getpid(), "test")
    assert connect_to(target) is None
    with socket.socket(socket.AF_UNIX) as daemon:
        at = os.open(folder, os.O_PATH)
        daemon.bind(f"/proc/self/fd/{at}/libvirt-sock")
        os.close(at)
        daemon.listen()
        ours = connect_to(target)
        assert ours is not None
        with ours, daemon.accept()[0] as theirs:
            theirs.sendall(b"there")
            ours.setblocking(True)
            assert ours.recv(10) == b"there"


def test_another_user_is_not_taken_for_us(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    program = f"import os; os.setgid(65534); os.setuid(65534)\n{CONNECT}"
    led = run_led(program, str(tmp_path / "libvirt-sock"))
    assert (led.code, led.targets) == (1, [])
    assert "another user" in led.notes[0]


POWERLESS = {
    "a program without root's powers": (
        "import ctypes; libc = ctypes.CDLL(None)\n"
        "import struct; head = struct.pack('=II', 0x20080522, 0)\n"
        "assert libc.capset(head, bytes(24)) == 0\n"
    ),
    "a program among users of its own": (
        "import ctypes; libc = ctypes.CDLL(None)\n"
        "import sys; libc.unshare(0x10000000) and sys.exit(77)\n"
    ),
    "a program in fewer groups": "import os; os.setgroups([])\n",
}


@pytest.mark.parametrize("what", list(POWERLESS))
def test_nobody_gets_further_by_us_than_by_himself(what: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has powers to lose")
    before = os.getgroups()
    os.setgroups([*before, 4242])
    try:
        led = run_led(POWERLESS[what] + CONNECT, str(tmp_path / "libvirt-sock"))
    finally:
        os.setgroups(before)
    if led.code == 77:
        pytest.skip("no namespaces of users here")
    assert (led.code, led.targets) == (1, [])
    assert "may do less than this command" in led.notes[0]


def test_links_lead_out_of_no_other_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may change its root")
    below = tmp_path / "root"
    below.mkdir()
    (below / "libvirt-sock").symlink_to(f"../../../../../..{tmp_path}/libvirt-sock")
    program = (
        f"import os, socket, sys; os.chroot({str(below)!r}); os.chdir('/')\n"
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    )
    reached = []

    def look(target: Target) -> None:
        reached.append(connect_to(target))

    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "libvirt-sock"))
        daemon.listen()
        assert run_led(program, "/libvirt-sock", lead=look).code != 0
    assert reached == [None]


def test_a_program_within_a_program_that_holds_calls_too() -> None:
    """Only one can: the inner one is told so, and does without."""
    program = (
        "from virtproto.proxy import seccomp; import sys; sys.exit('refused' in "
        "(seccomp.unavailable() or ''))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    assert done.returncode == 0
    led = run_led(program, environ={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert led.code == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
