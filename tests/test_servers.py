"""The test servers themselves: they end with their interpreter and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import PostgresServer, S3Server

SCRIPT = """
import sys, time
from tests.servers import run_postgres, run_s3_server
with {manager}() as running:
    print(running.server.process.pid, running.server.folder, flush=True)
    time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.faults
@pytest.mark.parametrize("manager", ["run_s3_server", "run_postgres"])
def test_a_server_ends_when_its_interpreter_is_killed(manager):
    command = [sys.executable, "-c", SCRIPT.format(manager=manager)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        pid, folder = script.stdout.readline().split()
        assert not is_gone(int(pid))
        script.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while not is_gone(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline, "the server outlived its interpreter"
        time.sleep(0.02)


def test_the_s3_server_checks_signatures_and_does_not_make_buckets(s3_server: S3Server):
    from botocore.exceptions import ClientError

    from islandflow_resources.s3_store import S3Store

    stranger = s3_server.settings("lake").__class__(
        s3_server.endpoint, "lake", "us-east-1", s3_server.access_key, "wrong"
    )
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        S3Store(stranger).client.list_buckets()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3_server.client().put_object(Bucket="no-such-bucket", Key="a", Body=b"")


def test_the_servers_listen_on_loopback_alone(s3_server: S3Server, postgres_server: PostgresServer):
    ports = [int(s3_server.endpoint.rpartition(":")[2]), postgres_server.port]
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        own = [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line]
        addresses = {
            line.split()[1].partition(":")[0]
            for line in listening.splitlines()
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
        }
        assert own
        assert addresses == {"0100007F"}


def test_databases_of_two_tests_are_apart(postgres_server: PostgresServer):
    first, second = postgres_server.create_database(), postgres_server.create_database()
    assert first != second
    for name in (first, second):
        postgres_server.drop_database(name)
