"""The CI entry on real servers: one run that must pass, and one that must fail.

``python -m tests.journeys.ci_entry`` (``make ci-journey``) starts an S3 store and a PostgreSQL, and
does with commands alone what a CI system does. Lines that begin with ``ci-entry:`` say how far it
came; everything the commands print comes between them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.journeys import children
from tests.postgres import run_postgres
from tests.seaweed import run_s3_server

SCENARIOS = ("trend_up_mid", "trend_down_high")
BUCKET = "islandflow-ci"


def main() -> None:
    """Run both journeys; an assertion error ends the process with exit code 1."""
    started_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="ci-entry-") as folder,
        run_s3_server() as store,
        run_postgres() as database,
    ):
        url = database.url(database.create_database())
        home = Path(folder)
        (home / "research.yaml").write_text(children.RUN_CONFIG, "utf-8")
        journey(home, children.services(home / "home", store.settings(BUCKET), url))
    _say(f"passed after {time.monotonic() - started_s:.0f} s")


def journey(folder: Path, environment: dict[str, str]) -> None:
    """Provision, register, run and fail in `folder`, which holds the run's configuration."""
    _step(environment, "islandflow provision", children.islandflow("provision"))
    lines = children.run(children.islandflow("env"), environment).expect()
    environment = {**environment, **children.exported(lines)}
    _say("islandflow env: evaluated by a shell")
    keys = _register(environment)
    command = children.research(folder / "research.yaml", f"{keys[0]}|1", f"{keys[-1]}|2")
    output = _step(environment, "dagster job execute, 2 scenarios x 2 seeds: exit 0", command)
    assert "RUN_SUCCESS" in output
    _fail(folder, environment)


def _register(environment: dict[str, str]) -> list[str]:
    files = [children.scenario(name) for name in SCENARIOS]
    command = children.islandflow("scenario", "register", *files, "--seeds", "1-2")
    output = _step(environment, "islandflow scenario register: 2 scenarios, seeds 1-2", command)
    command = children.islandflow("strategy", "register", children.STRATEGY)
    _step(environment, "islandflow strategy register", command)
    return children.registered(output)


def _fail(folder: Path, environment: dict[str, str]) -> None:
    """Run a partition whose blocking check fails: CI must see it, and see why."""
    # Valid, but its price falls below what ticks can hold, whatever the seed.
    sinking = children.document(
        folder, "trend_up_mid", id="scenario_sinking", params={"drift": -50, "sigma": 5}
    )
    bad = children.islandflow("scenario", "register", sinking)
    output = _step(environment, "islandflow scenario register: an unrepresentable one", bad)
    [key] = children.registered(output)
    command = children.research(folder / "research.yaml", f"{key}|1", f"{key}|1")
    output = _step(environment, "dagster job execute, a failing blocking check: exit 1", command, 1)
    for named in ("guards_hold", f"{key}|1", "SCENARIO_UNREPRESENTABLE"):
        assert named in output, f"the failed run does not name {named}"
    _say(f"the failed run names the check guards_hold and the partition {key}|1")


def _step(environment: dict[str, str], what: str, command: list[str], code: int = 0) -> str:
    started_s = time.monotonic()
    done = children.run(command, environment)
    sys.stdout.write(done.output)
    output = done.expect(code)
    _say(f"{what} ({time.monotonic() - started_s:.1f} s)")
    return output


def _say(line: str) -> None:
    sys.stdout.write(f"ci-entry: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
