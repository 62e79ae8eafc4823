"""The bytes of three results are those of the day their versions were given.

``python -m tests.engine.backtest.test_golden`` writes tests/golden/backtest.json anew and refuses
to replace a digest under the same versions: bump VERSION of engine.backtest or engine.dsl first.
Whether the numbers are right is tested in test_agreement.py.
"""

import json
import sys

import pytest

import engine.backtest
import engine.dsl
from engine.backtest import run
from engine.paths import domain_version
from tests.architecture.sources import ROOT
from tests.engine.backtest.cases import crossover, digest, evaluation, market, scenario

GOLDEN = ROOT / "tests" / "golden" / "backtest.json"
FIXTURES = ("scenario_trend_up_mid", "scenario_vol_cluster_high", "scenario_shocky")
COSTS = {"fee_bps": 1.0, "base_bps": 0.5, "k_vol": 0.25}
Entry = dict[str, str]


def versions() -> str:
    """Versions that a result depends on; the bars' own golden is tests/golden/paths.json."""
    return f"backtest {engine.backtest.VERSION} dsl {engine.dsl.VERSION} paths {domain_version()}"


def entry(name: str) -> Entry:
    data = [market(scenario(name, duration_bars=5000), seed) for seed in (1, 2)]
    found = run(data, [evaluation(crossover(), COSTS, index) for index in range(2)])
    assert all(one.fills > 20 for one in found)
    return {"versions": versions(), "digest": "-".join(digest(one) for one in found)}


def complaint(name: str, stored: Entry | None, made: Entry) -> str | None:
    """Say what is wrong with output beside its golden entry, None if nothing is."""
    if stored is None:
        return f"{name}: no golden entry; run python -m {__spec__.name}"
    if stored == made:
        return None
    if stored["versions"] == made["versions"]:
        return f"{name}: output changed without a version bump"
    return f"{name}: {made['versions']} has no golden entry; run python -m {__spec__.name}"


def rewritten(stored: dict[str, Entry], made: dict[str, Entry]) -> dict[str, Entry]:
    """Return the new entries, or refuse those that changed under the same versions."""
    for name, new in made.items():
        old = stored.get(name)
        if old and old["versions"] == new["versions"] and old["digest"] != new["digest"]:
            raise SystemExit(complaint(name, old, new))
    return made


def read() -> dict[str, Entry]:
    return json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}


@pytest.mark.parametrize("name", FIXTURES)
def test_output_is_that_of_its_versions(name):
    wrong = complaint(name, read().get(name), entry(name))
    assert wrong is None, wrong


def test_the_golden_file_holds_these_fixtures_and_no_others():
    assert set(read()) == set(FIXTURES)


def test_a_changed_output_is_told_from_a_new_version():
    old = {"versions": "backtest 1 dsl 1", "digest": "aa"}
    assert complaint("x", old, old) is None
    changed = complaint("x", old, old | {"digest": "bb"})
    assert changed == "x: output changed without a version bump"
    bumped = complaint("x", old, {"versions": "backtest 2 dsl 1", "digest": "bb"})
    assert bumped is not None
    assert "backtest 2 dsl 1 has no golden entry" in bumped


def test_a_golden_digest_is_not_replaced_under_the_same_versions():
    stored = {"x": {"versions": "1", "digest": "aa"}}
    with pytest.raises(SystemExit, match="without a version bump"):
        rewritten(stored, {"x": {"versions": "1", "digest": "bb"}})
    made = {"x": {"versions": "2", "digest": "bb"}}
    assert rewritten(stored, made) == made


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps(rewritten(read(), {name: entry(name) for name in FIXTURES}), indent=2) + "\n",
        "utf-8",
    )
    sys.stdout.write(f"wrote {GOLDEN.name}\n")
