"""How well does the detector find what is hidden? The usual policy judged on seeds of its own.

Full sessions under every preset, none of a seed that the policy was tuned on, and but for the
default session of no such date; coverage assistance is on, as by default.
``python -m benchmarks.studies.flow_evaluation FOLDER`` keeps each tape's score in a folder, so that
it may be run in parts and goes on where it was left, and prints ``docs/flow-evaluation.md``
with the studies ``flow_twins`` and ``flow_leaks``. Its tables are ``flow_page``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.studies import flow_leaks, flow_page, flow_twins
from benchmarks.studies.flow_sessions import USUAL_MARKET, Market, kept_in, observed, spec_of
from contracts.control import PRESETS
from contracts.flow_policy import ScoringPolicy, usual_policy
from engine.evaluation import coverage_levels, levels, pooled, score_tape, tape_score

MARKETS: Final = {
    21_001: USUAL_MARKET,
    21_002: Market("2026-06-15"),
    21_003: Market("2026-01-27"),
    21_004: Market("2026-06-10"),
    21_005: Market("2026-10-22"),
    21_006: Market("2026-11-27"),  # closes early
    21_007: Market("2026-04-17", symbols=40),
    21_008: Market("2026-08-04", symbols=8),
    21_009: Market("2026-07-24"),
    21_010: USUAL_MARKET,
    21_011: Market("2026-02-23"),
    21_012: Market("2026-05-05"),
    21_013: Market("2026-09-09", symbols=12),
    21_014: Market("2026-12-10"),
    21_015: Market("2026-10-16"),
    21_016: Market("2026-03-25", symbols=40),
    21_017: Market("2026-05-14", load="active"),
    21_018: USUAL_MARKET,
    21_019: Market("2026-08-10", symbols=8),
    21_020: Market("2026-06-30", symbols=60),
}
"""By the seeds that are judged on, each with every preset."""
PROCESSES: Final = 2


def scored(preset: str, seed: int, policy: ScoringPolicy) -> dict[str, Any]:
    """The score of one session as a document, with its events and the detector's CPU seconds.

    Raises
    ------
    ContractError
        ``FLOW_SEED_TUNED``.
    """
    policy.refuse_tuned(seed)
    spec = spec_of(preset, MARKETS[seed])
    seen = observed(spec, seed, policy)
    control = spec.control.at(spec.start_ns)
    score = score_tape(
        seen.tables,
        seed=seed,
        preset=preset,
        symbols=len(spec.symbols),
        coverage_window_minutes=control.coverage_window_minutes,
    )
    return {
        "score": score.document(),
        "events": seen.events,
        "detecting_s": seen.detecting_s,
    }


def kept(folder: Path, preset: str, seed: int) -> dict[str, Any]:
    """The same, read from the folder if it is there."""
    path = kept_in(folder) / f"{MARKETS[seed].slug}-{preset}-{seed}.json"
    if not path.exists():
        written = path.with_suffix(".new")
        written.write_text(json.dumps(scored(preset, seed, usual_policy())), "utf-8")
        written.rename(path)
    return json.loads(path.read_text("utf-8"))


def scores_of(folder: Path, seeds: Iterable[int], presets: Sequence[str]) -> list[dict[str, Any]]:
    """Scores of all these sessions, made by several processes where they are missing."""
    wanted = [(folder, preset, seed) for seed in seeds for preset in presets]
    with ProcessPoolExecutor(PROCESSES) as pool:
        return list(pool.map(kept, *zip(*wanted, strict=True)))


def page(documents: Sequence[dict[str, Any]]) -> tuple[str, int]:
    """The tables of some sessions, and how many levels are not reached."""
    scores = [tape_score(one["score"]) for one in documents]
    together = pooled(scores)
    verdicts = [*levels(together), *coverage_levels(together)]
    events = sum(one["events"] for one in documents)
    # the first sessions compile kernels
    rate = median(one["events"] / one["detecting_s"] for one in documents)
    head = flow_page.head(usual_policy(), scores, events, rate, verdicts)
    sections = flow_page.sections(together, scores, verdicts)
    seeds = sorted({score.seed for score in scores})
    each = {
        seed: pooled([score for score in scores if score.seed == seed]).everything for seed in seeds
    }
    told = flow_page.markets({MARKETS[seed].name(seed): group for seed, group in each.items()})
    return "\n\n".join([head, *sections, told]), sum(not one.ok for one in verdicts)


def main(arguments: Sequence[str]) -> None:
    """Print the page, which says which levels are not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where scores are kept")
    parser.add_argument("--seeds", type=int, default=len(MARKETS), help="only the first ones")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS)
    parser.add_argument("--twin-seeds", type=int, default=len(flow_twins.SEEDS))
    parser.add_argument("--only-scores", action="store_true", help="leave the other studies out")
    chosen = parser.parse_args(arguments)
    seeds = list(MARKETS)[: chosen.seeds]
    text, _ = page(scores_of(chosen.folder, seeds, chosen.presets))
    print(text)
    if not chosen.only_scores:
        twins = flow_twins.section(chosen.folder, flow_twins.SEEDS[: chosen.twin_seeds])
        for section, _ in (twins, flow_leaks.section(chosen.folder)):
            print(f"\n{section}", end="")


if __name__ == "__main__":
    main(sys.argv[1:])
