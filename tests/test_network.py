"""The refusal of tests/guard: nothing in the session or its Python children leaves the machine."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from tests.guard.sitecustomize import OffLoopbackError, is_loopback

# TEST-NET-1 and the documentation prefix: addresses that belong to nobody.
OUTSIDE_IPV4 = "192.0.2.1"
OUTSIDE_IPV6 = "2001:db8::1"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", b"localhost", "::ffff:127.0.0.1"]
)
def test_this_machine_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        OUTSIDE_IPV4,
        OUTSIDE_IPV6,
        "example.com",
        "localhost.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "",
        None,
    ],
)
def test_everything_else_is_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, OUTSIDE_IPV4),
        (socket.AF_INET, "example.com"),
        (socket.AF_INET6, OUTSIDE_IPV6),
    ],
)
def test_a_connection_off_loopback_is_refused(family, host):
    with (
        socket.socket(family, socket.SOCK_STREAM) as sock,
        pytest.raises(OffLoopbackError, match=host),
    ):
        sock.connect((host, 443))


def test_a_connection_whose_error_would_only_be_returned_is_refused():
    with socket.socket() as sock, pytest.raises(OffLoopbackError):
        sock.connect_ex((OUTSIDE_IPV4, 443))


def test_a_datagram_off_loopback_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(OffLoopbackError):
            sock.sendto(b"x", (OUTSIDE_IPV4, 53))
        with pytest.raises(OffLoopbackError):
            sock.sendto(b"x", 0, (OUTSIDE_IPV4, 53))
        with pytest.raises(OffLoopbackError):
            sock.sendmsg([b"x"], [], 0, (OUTSIDE_IPV4, 53))


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: socket.getaddrinfo("example.com", 443),
        lambda: socket.gethostbyname("example.com"),
        lambda: socket.create_connection(("example.com", 443), timeout=1),
    ],
)
def test_a_name_that_is_not_local_is_not_looked_up(look_up):
    with pytest.raises(OffLoopbackError, match=r"example\.com"):
        look_up()


def test_loopback_and_unix_sockets_stay_open(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def accept_and_close():
            server.accept()[0].close()

        answering = threading.Thread(target=accept_and_close)
        answering.start()
        with socket.create_connection(("localhost", port), timeout=5) as client:
            assert client.recv(1) == b""
        answering.join()
    path = os.path.relpath(tmp_path / "s") if len(str(tmp_path)) > 90 else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert client.getpeername() == path


def test_a_python_child_refuses_too():
    connect = f"import socket; socket.create_connection(({OUTSIDE_IPV4!r}, 443), timeout=1)"
    child = subprocess.run(
        [sys.executable, "-c", connect], capture_output=True, text=True, check=False
    )
    assert child.returncode == 1
    assert "OffLoopbackError" in child.stderr
    assert "tests stay on this machine" in child.stderr


def test_settings_of_the_machine_do_not_reach_the_session():
    seen = [name for name in os.environ if name.startswith(("ISLANDFLOW_", "DAGSTER_", "AWS_"))]
    assert seen == []
