"""Commands of the project as child processes, and the environments they run in.

Every child is one fresh process, as a user starts it; ``forker`` starts the same commands from a
process that has imported everything. What they leave behind is looked at in ``state``.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from islandflow_resources.settings import S3Settings

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "contracts" / "fixtures"
STRATEGY = FIXTURES / "strategies" / "strategy_ma_crossover.json"
TIMEOUT_S = 240.0
# Not the defaults, so that a run which ignores its configuration is seen.
RUN_CONFIG = "resources: {backtest_settings: {config: {fee_bps: 2.0, bar_delay: 2}}}\n"

_GUARD = ROOT / "tests" / "guard"
_KEY = b"a key that everybody may know .."
SIGNING = {"ISLANDFLOW_SIGNING_KEY": base64.b64encode(_KEY).decode("ascii")}
"""The same in every home, so that signatures are the same to the byte, too."""
_OUTSIDE_SETTINGS = ("ISLANDFLOW_", "DAGSTER_", "AWS_", "PG")


@dataclass(frozen=True, slots=True)
class Done:
    """How a child ended, and everything that it printed."""

    code: int
    output: str

    def expect(self, code: int = 0) -> str:
        """Its output, if it ended with `code`."""
        assert self.code == code, f"exit {self.code}, expected {code}:\n{self.output[-6000:]}"
        return self.output


def scenario(name: str) -> Path:
    """File of a scenario fixture."""
    return FIXTURES / "scenarios" / f"scenario_{name}.json"


def document(folder: Path, fixture: str, **changes: object) -> Path:
    """Write a scenario fixture with some of its values changed."""
    text = {**json.loads(scenario(fixture).read_text("utf-8")), **changes}
    path = folder / f"{text['id']}.json"
    path.write_text(json.dumps(text), "utf-8")
    return path


def embedded(home: Path) -> dict[str, str]:
    """Variables of a home in the embedded profile, from which the network is closed."""
    kept = {
        name: text for name, text in os.environ.items() if not name.startswith(_OUTSIDE_SETTINGS)
    }
    return {**kept, "PYTHONPATH": str(_GUARD), "ISLANDFLOW_HOME": str(home), **SIGNING}


def services(home: Path, bucket: S3Settings, database_url: str) -> dict[str, str]:
    """Variables of a home in the services profile, from which the network is closed."""
    return {
        **embedded(home),
        "ISLANDFLOW_S3_ENDPOINT": bucket.endpoint,
        "ISLANDFLOW_S3_BUCKET": bucket.bucket,
        "ISLANDFLOW_S3_ACCESS_KEY": bucket.access_key,
        "ISLANDFLOW_S3_SECRET_KEY": bucket.secret_key,
        "ISLANDFLOW_DATABASE_URL": database_url,
    }


def islandflow(*arguments: str | Path) -> list[str]:
    """Command line of ``islandflow``."""
    return [_script("islandflow"), *map(str, arguments)]


def research(config: Path, first: str, last: str) -> list[str]:
    """Command line of the job over the box between two partitions ``scenario|seed``."""
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    return _research(config, tags)


def research_one(config: Path, partition: str) -> list[str]:
    """Command line of the job over one partition ``scenario|seed``."""
    key, seed = partition.split("|")
    return _research(config, {"dagster/partition/scenario": key, "dagster/partition/seed": seed})


def run(command: list[str], environment: dict[str, str]) -> Done:
    """Run a command to its end; nothing that it started outlives this call."""
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=TIMEOUT_S)
    finally:
        _end(child)
    return Done(child.returncode, output)


def exported(lines: str) -> dict[str, str]:
    """Variables that a shell has after evaluating what ``islandflow env`` printed."""
    script = f"{lines}\nexec env -0"
    shell = subprocess.run(
        ["/bin/sh", "-c", script], env={}, capture_output=True, text=True, check=True
    )
    return dict(entry.split("=", 1) for entry in shell.stdout.split("\0") if entry)


def registered(output: str) -> list[str]:
    """Partition keys that ``islandflow scenario register`` printed."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("registered ")]


def _research(config: Path, tags: dict[str, str]) -> list[str]:
    command = [_script("dagster"), "job", "execute", "-m", "islandflow_jobs.definitions"]
    return [*command, "-j", "research", "-c", str(config), "--tags", json.dumps(tags)]


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
