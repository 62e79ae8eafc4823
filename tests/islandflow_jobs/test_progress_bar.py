"""A bar on a terminal, nothing anywhere else: seen through a real pseudo-terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAM = """
import time
from islandflow_jobs.progress_bar import progress_bar
from islandflow_resources.progress import Progress
with progress_bar():
    told = Progress("trials", lambda line: None)
    for done in range(0, 1_001, 250):
        told(done, 1_000)
        time.sleep(0.15)
print("done")
"""


def on_a_terminal():
    """What the program writes to its terminal on stderr."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=follower,
        cwd=TOP,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(follower)
        drawn = b""
        try:
            while part := os.read(leader, 4096):
                drawn += part
        except OSError:  # Linux says so when the last writer is gone
            pass
        out, _ = process.communicate()
    os.close(leader)
    return out, drawn.decode()


def test_a_terminal_shows_a_bar_that_counts_and_is_gone_at_the_end():
    out, drawn = on_a_terminal()
    assert out == b"done\n"
    assert "trials" in drawn
    assert "1000/1000" in drawn
    assert drawn.rstrip().endswith("\x1b[2K") or "\x1b[1A" in drawn


def test_without_a_terminal_nothing_is_drawn():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, cwd=TOP, check=True)
    assert (done.stdout, done.stderr) == (b"done\n", b"")
