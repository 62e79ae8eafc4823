"""The bytes of every family are those of the day its version was given.

``python -m tests.engine.paths.test_golden`` writes tests/golden/paths.json anew and
refuses to replace a digest under the same version: bump VERSION of the family in
engine/paths first. Whether the numbers are right is tested in test_agreement.py.
"""

import json
import sys
from pathlib import Path

import pytest

from engine.paths import simulate, version
from tests.engine.paths.markets import CASES, FAMILIES, PLAIN, digest, load

GOLDEN = Path(__file__).parents[2] / "golden" / "paths.json"
SEED = 20240229
BARS = 3000
Entry = dict[str, str]


def entry(family: str) -> Entry:
    spec = load({**PLAIN[family], "duration_bars": BARS})
    return {"version": version(spec), "digest": digest(simulate(spec, SEED))}


def complaint(family: str, stored: Entry | None, made: Entry) -> str | None:
    """Say what is wrong with output beside its golden entry, None if nothing is."""
    if stored is None:
        return f"{family}: no golden entry; run python -m {__spec__.name}"
    if stored == made:
        return None
    if stored["version"] == made["version"]:
        return f"{family}: output changed without a version bump"
    return f"{family}: version {made['version']} has no golden entry; run python -m {__spec__.name}"


def rewritten(stored: dict[str, Entry], made: dict[str, Entry]) -> dict[str, Entry]:
    """Return the new entries, or refuse those that changed under the same version."""
    for family, new in made.items():
        old = stored.get(family)
        if old and old["version"] == new["version"] and old["digest"] != new["digest"]:
            raise SystemExit(complaint(family, old, new))
    return made


def read() -> dict[str, Entry]:
    return json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}


@pytest.mark.parametrize("family", FAMILIES)
def test_output_is_that_of_its_version(family):
    wrong = complaint(family, read().get(family), entry(family))
    assert wrong is None, wrong


def test_a_changed_output_is_told_from_a_new_version():
    old = {"version": "1.1", "digest": "aa"}
    changed = complaint("trend", old, {"version": "1.1", "digest": "bb"})
    assert changed == "trend: output changed without a version bump"
    bumped = complaint("trend", old, {"version": "1.2", "digest": "bb"})
    assert bumped is not None
    assert "version 1.2 has no golden entry" in bumped


def test_a_golden_digest_is_not_replaced_under_the_same_version():
    stored = {"trend": {"version": "1.1", "digest": "aa"}}
    with pytest.raises(SystemExit, match="without a version bump"):
        rewritten(stored, {"trend": {"version": "1.1", "digest": "bb"}})
    made = {"trend": {"version": "1.2", "digest": "bb"}}
    assert rewritten(stored, made) == made


def test_every_family_of_the_contract_has_a_golden_and_a_case():
    from typing import get_args

    from contracts.scenario import ScenarioSpec

    union = get_args(get_args(ScenarioSpec)[0])
    families = {get_args(member.model_fields["family"].annotation)[0] for member in union}
    assert families == set(read()) == set(FAMILIES) == {doc["family"] for doc in CASES.values()}


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps(rewritten(read(), {family: entry(family) for family in FAMILIES}), indent=2)
        + "\n",
        "utf-8",
    )
    sys.stdout.write(f"wrote {GOLDEN.name}\n")
