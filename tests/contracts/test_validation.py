"""Settings of Monte Carlo, walk-forward and overfitting control: defaults, bounds, one measure."""

import json

import pytest
from pydantic import TypeAdapter

from contracts.columns import MONTE_CARLO as TABLE
from contracts.document import load
from contracts.errors import ContractError
from contracts.validation import (
    BLOCKS,
    MONTE_CARLO,
    MONTE_CARLO_STATISTICS,
    WALK_FORWARD,
    OverfittingSettings,
)
from tests.contracts.fixture_files import valid_files

OVERFITTING = TypeAdapter(OverfittingSettings)
ADAPTERS = {"monte_carlo": MONTE_CARLO, "walk_forward": WALK_FORWARD, "overfitting": OVERFITTING}
DEFAULTS = {
    "monte_carlo": {
        "method": "circular", "block_bars": 40, "paths": None, "precision": None,
        "max_paths": 200_000, "ruin_drawdown": 0.5, "seed": "0",
    },
    "walk_forward": {"folds": 5, "scheme": "anchored", "purge_bars": 0, "embargo_bars": 0},
    "overfitting": {"blocks": 16, "purge_bars": 0, "embargo_bars": 0, "probes": 5},
}  # fmt: skip
BOUNDS = [
    ("monte_carlo", "block_bars", 1, 100_000),
    ("monte_carlo", "paths", 20, 10_000_000),
    ("monte_carlo", "max_paths", 2_000, 10_000_000),
    ("walk_forward", "folds", 1, 100),
    ("walk_forward", "purge_bars", 0, 1_000_000),
    ("walk_forward", "embargo_bars", 0, 1_000_000),
    ("overfitting", "purge_bars", 0, 1_000_000),
    ("overfitting", "embargo_bars", 0, 1_000_000),
    ("overfitting", "probes", 1, 100),
]


def read(name: str, **fields):
    return load(ADAPTERS[name], json.dumps(fields), name)


def refusal(name: str, **fields) -> list[tuple[str, str]]:
    with pytest.raises(ContractError) as caught:
        read(name, **fields)
    return [(one.code, one.loc) for one in caught.value.problems]


@pytest.mark.parametrize("name", ADAPTERS)
def test_nothing_written_is_the_defaults_and_hashes_to_nothing(name):
    assert read(name).model_dump(mode="json") == DEFAULTS[name]
    assert read(name, **DEFAULTS[name]).document() == {}


@pytest.mark.parametrize(("name", "field", "least", "most"), BOUNDS)
def test_a_count_is_read_up_to_its_bounds_and_not_beyond(name, field, least, most):
    for value in (least, most):
        assert getattr(read(name, **{field: value}), field) == value
    for value in (least - 1, most + 1):
        assert refusal(name, **{field: value}) == [
            (f"{name.upper()}_VALUE_OUT_OF_RANGE", f"/{field}")
        ]
    for value in (least + 0.5, str(least), True):
        assert refusal(name, **{field: value}) == [(f"{name.upper()}_VALUE_INVALID", f"/{field}")]


@pytest.mark.parametrize(("field", "most"), [("precision", 0.5), ("ruin_drawdown", 1)])
def test_a_share_is_above_zero_and_at_most_its_bound(field, most):
    assert getattr(read("monte_carlo", **{field: most}), field) == most
    for value in (0, -0.1, most + 1e-9):
        assert refusal("monte_carlo", **{field: value}) == [
            ("MONTE_CARLO_VALUE_OUT_OF_RANGE", f"/{field}")
        ]


def test_paths_and_precision_are_two_measures_of_one_thing():
    assert read("monte_carlo").fixed_paths == 1_000
    assert read("monte_carlo", paths=70).fixed_paths == 70
    assert read("monte_carlo", precision=0.1).fixed_paths is None
    found = refusal("monte_carlo", paths=70, precision=0.1)
    assert found == [("MONTE_CARLO_RULE_BROKEN", "/precision")]


@pytest.mark.parametrize("blocks", [2, 4, 8, 16])
def test_blocks_are_merged_by_halves(blocks):
    assert read("overfitting", blocks=blocks).blocks == blocks
    assert BLOCKS % blocks == 0
    assert refusal("overfitting", blocks=blocks + 1)[0][1] == "/blocks"


def test_the_gap_is_what_is_purged_and_what_is_embargoed():
    assert read("overfitting", purge_bars=7, embargo_bars=5).gap_bars == 12


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("monte_carlo", "method", "block"),
        ("walk_forward", "scheme", "Anchored"),
        ("overfitting", "blocks", 32),
        ("overfitting", "blocks", "16"),
    ],
)
def test_a_word_outside_the_list_is_unknown(name, field, value):
    assert refusal(name, **{field: value}) == [(f"{name.upper()}_VALUE_UNKNOWN", f"/{field}")]


def test_the_statistics_are_columns_of_the_summary_in_their_order():
    names = [name for name in TABLE.names if name in MONTE_CARLO_STATISTICS]
    assert names == list(MONTE_CARLO_STATISTICS)


@pytest.mark.parametrize("kind", ["monte_carlo", "walk_forward"])
def test_the_fixtures_differ_from_the_defaults_in_what_they_say(kind):
    for path in valid_files(f"{kind}_settings"):
        written = json.loads(path.read_text("utf-8"))
        found = load(ADAPTERS[kind], path.read_bytes(), kind).document()
        assert found == written | ({"seed": str(written["seed"])} if "seed" in written else {})
