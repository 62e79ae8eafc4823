"""The command `islandflow serve` as a process: it says where it listens, answers, and ends."""

import json
import os
import signal
import subprocess
import sys
from urllib.request import urlopen

from islandflow_jobs.serve.server import listen
from tests.graph import KERNELS


def test_the_command_serves_until_it_is_ended(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/kernels").symlink_to(KERNELS)
    command = [sys.executable, "-c", "from islandflow_jobs.cli import main; main()"]
    with subprocess.Popen(
        [*command, "serve", "--port", "0"],
        env={**os.environ, "ISLANDFLOW_HOME": str(tmp_path / "home"), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.removeprefix("serving at ").strip()
        assert address.startswith("http://127.0.0.1:")
        with urlopen(f"{address}/healthz", timeout=60) as answer:
            assert json.load(answer)["ok"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_an_address_that_is_taken_is_said(islandflow, bare_home):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code, out, err = islandflow("serve", "--port", port)
    assert (code, out) == (1, [])
    assert "ADDRESS_TAKEN" in err[0]
    assert str(port) in err[0]
