"""Tunes the scoring policy of the detector on seeds of its own, and writes it.

Each hypothesis is a logistic regression of one against all others on the features of
``contracts.flow_features``. The levels from which on it is said are chosen on the half of the
sessions that its weights were not fitted to, so that in every preset what is said is right often
enough, and confident mistakes on background are rare. ``python -m benchmarks.studies.flow_policy
FOLDER`` keeps what it has looked at in a folder, and prints the policy.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.studies.flow_sessions import judged, spec_of, with_words
from contracts.control import PRESETS
from contracts.flow_features import FEATURE_NAMES
from contracts.flow_policy import USUAL_POLICY, ScoringPolicy
from contracts.smart_flow import HYPOTHESES, MODEL_VERSION, POLICY_VERSION, UNCLEAR
from contracts.tape_defaults import DEFAULT_SYMBOLS
from engine.flow.quantities import features_of_rows

SEEDS: Final = tuple(range(9001, 9007))
VERSION: Final = "1.0"
PRECISION: Final = 0.935
"""Precision that every preset must have on the other half."""
FALSE_HIGH: Final = {
    "directional_accumulation": 1.4,
    "retail_attention_flow": 0.2,
    "event_positioning": 0.2,
    "volatility_supply": 0.2,
    "structure_arbitrage": 0.1,
    "hedge_rebalance": 0.25,
}
"""Confident mistakes a session that each hypothesis may make; 3.9 are one in 2,000 windows."""
KEPT: Final = 0.25
"""Share of the background that the weights are fitted to, with the weight of the whole."""
CEILINGS: Final = {
    "directional_accumulation": 0.92,
    "retail_attention_flow": 0.76,
    "event_positioning": 0.72,
    "volatility_supply": 0.74,
    "structure_arbitrage": 0.76,
    "hedge_rebalance": 0.78,
}
"""Greatest confidence of each, from the expected outputs of the predecessor's catalogue."""
GROUPING: Final = {
    "min_print_usd": 150.0,
    "leg_gap_ms": 6.0,
    "packet_ms": 500.0,
    "quiet_s": 4.0,
    "longest_s": 60.0,
    "stale_ms": 1500.0,
}
RULES: Final[dict[str, float]] = {
    "min_premium_usd": 10_000.0,
    "min_orders": 3,
    "min_coverage": 0.35,
    "max_stale": 0.5,
    "wide_spread_bps": 800.0,
    "wide_underlying_bps": 150.0,
    "min_margin": 0.5,
}


def main(folder: Path) -> str:
    """The tuned policy, as its document."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(folder, preset, seed) for seed in SEEDS for preset in PRESETS]
    with ProcessPoolExecutor(2) as pool:
        paths = list(pool.map(_looked_at, wanted))
    data = [np.load(path) for path in paths]
    x = np.concatenate([one["features"] for one in data])
    y = np.concatenate([one["classes"] for one in data])
    session = np.repeat(np.arange(len(data)), [len(one["classes"]) for one in data])
    bursts = np.array([one["bursts"] for one in data])
    z = _other_half(x, y, session)
    policy = _document(
        {
            name: _hypothesis(x, y, session, bursts, z[:, place], place)
            for place, name in enumerate(HYPOTHESES)
        }
    )
    return json.dumps(ScoringPolicy.model_validate(policy).model_dump(mode="json"), indent=1)


def _looked_at(wanted: tuple[Path, str, int]) -> Path:
    """Features and classes of one session's eligible clusters, kept in a file."""
    folder, preset, seed = wanted
    path = folder / f"{preset}-{seed}.npz"
    if path.exists():
        return path
    found = judged(spec_of(preset), seed, ScoringPolicy.model_validate(_document(_nothing())))
    rows = with_words(found.detections.hypotheses)
    mine = (rows["premium_usd"] >= RULES["min_premium_usd"]) & (
        rows["orders"] >= RULES["min_orders"]
    )
    features = features_of_rows({name: values[mine] for name, values in rows.items()})
    real = found.bursts["actor"] != 2
    bursts = np.bincount(found.bursts["expected_class"][real], minlength=UNCLEAR + 1)
    np.savez_compressed(
        path, features=features.astype(np.float32), classes=found.classes[mine], bursts=bursts
    )
    return path


def _other_half(x: Any, y: Any, session: Any) -> Any:
    """Log-odds of every row under weights fitted to the other half of the seeds."""
    half = session // len(PRESETS) % 2
    z = np.zeros((len(y), len(HYPOTHESES)))
    for part in (0, 1):
        for place in range(len(HYPOTHESES)):
            intercept, weights = _fitted(x[half != part], y[half != part] == place)
            z[half == part, place] = intercept + x[half == part] @ weights
    return z


def _fitted(x: Any, is_mine: Any) -> tuple[float, Any]:
    """Intercept and weights of one hypothesis, of the features as they are."""
    kept = is_mine | (np.arange(len(is_mine)) % round(1 / KEPT) == 0)
    x, y = x[kept].astype(np.float64), is_mine[kept]
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    sure = np.where(y, 1.0, 1.0 / KEPT)
    model = LogisticRegression(C=0.3, solver="newton-cholesky", max_iter=100)
    model.fit((x - mean) / deviation, y, sample_weight=sure)
    weights = np.asarray(model.coef_)[0] / deviation
    return float(np.asarray(model.intercept_)[0] - weights @ mean), weights


def _hypothesis(x: Any, y: Any, session: Any, bursts: Any, z: Any, place: int) -> dict[str, Any]:
    """Weights fitted to all sessions, and the levels chosen on the other halves."""
    intercept, weights = _fitted(x, y == place)
    is_mine, preset = y == place, session % len(PRESETS)
    alert_z = max(_least(z[preset == p], is_mine[preset == p]) for p in range(len(PRESETS)))
    wrong = np.sort(z[y == UNCLEAR])[::-1]
    name = HYPOTHESES[place]
    high_z = float(wrong[int(FALSE_HIGH[name] * len(bursts))])
    recalls = [
        (is_mine & (z >= alert_z) & (preset == p)).sum() / bursts[p :: len(PRESETS), place].sum()
        for p in range(len(PRESETS))
    ]
    said = [f"{recall:.3f}" for recall in recalls]
    high = (is_mine & (z >= high_z)).sum() / bursts[:, place].sum()
    sys.stderr.write(
        f"{name}: alert {alert_z:.2f}, high {high_z:.2f} ({high:.2f}), recall {said}\n"
    )
    return {
        "intercept": round(intercept, 4),
        "weights": {
            one: round(float(weight), 4) for one, weight in zip(FEATURE_NAMES, weights, strict=True)
        },
        "alert_z": round(alert_z, 2),
        "high_z": round(max(high_z, alert_z + 1.0), 2),
        "ceiling": CEILINGS[name],
    }


def _least(z: Any, is_mine: Any) -> float:
    """Least level at which what is said is right often enough, not below even odds."""
    order = np.argsort(-z)
    right = np.cumsum(is_mine[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(right >= PRECISION)
    return max(float(z[order[good[-1]]]), 0.0)


def _nothing() -> dict[str, Any]:
    nothing = {"intercept": 0.0, "weights": dict.fromkeys(FEATURE_NAMES, 0.0)}
    levels = {"alert_z": 0.0, "high_z": 1.0}
    return {name: {**nothing, **levels, "ceiling": CEILINGS[name]} for name in HYPOTHESES}


def _document(hypotheses: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": USUAL_POLICY,
        "version": VERSION,
        "policy_version": POLICY_VERSION,
        "model_version": MODEL_VERSION,
        "grouping": GROUPING,
        "rules": RULES,
        "hypotheses": hypotheses,
        "tuning": {
            "seeds": [str(seed) for seed in SEEDS],
            "markets": [f"default-{DEFAULT_SYMBOLS}-{preset}" for preset in PRESETS],
        },
    }


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])) + "\n")
