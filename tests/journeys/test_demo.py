"""``islandflow demo``, the README's first command, on an empty machine without a network."""

import os
import re

from tests.journeys import children, homes
from tests.journeys.state import objects_of


def test_the_demo_runs_with_an_empty_home_and_recomputes_nothing_the_second_time(tmp_path):
    user = tmp_path / "user"
    user.mkdir()
    home = homes.fresh(tmp_path / "demo")
    environment = {**children.embedded(home), "HOME": str(user)}
    first = children.run(children.islandflow("demo"), environment).expect()
    assert "scenario_dataset: 30 partitions, 30 computed, 0 found" in first
    assert "backtest_result: 30 partitions, 30 computed, 0 found" in first
    made = {key: os.stat(home / "objects" / key).st_mtime_ns for key in objects_of(environment)}
    digests = objects_of(environment)

    second = children.run(children.islandflow("demo"), environment).expect()
    assert "scenario_dataset: 30 partitions, nothing recomputed" in second
    assert "backtest_result: 30 partitions, nothing recomputed" in second
    assert _results(second) == _results(first) != []
    assert objects_of(environment) == digests
    assert made == {key: os.stat(home / "objects" / key).st_mtime_ns for key in digests}


def _results(output: str) -> list[str]:
    """Lines of the printed table that name a scenario, and the lines that say where objects lie."""
    return [line for line in output.splitlines() if re.match(r"│ scenario_|objects|summary", line)]
