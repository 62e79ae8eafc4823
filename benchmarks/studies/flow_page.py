"""Tables of the page of ``flow_evaluation``, in markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.timing import table
from contracts.flow import EXPECTED_CLASS, SUBTYPES
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import HYPOTHESES, HYPOTHESIS_NAMES
from engine.evaluation import (
    Curves,
    Delay,
    Figure,
    GroupScore,
    Level,
    Pooled,
    ProfileScore,
    TapeScore,
    curves,
)

ALL: Final = "all"
NOTHING: Final = "–"


def head(
    policy: ScoringPolicy,
    scores: Sequence[TapeScore],
    events: int,
    rate: float,
    verdicts: Sequence[Level],
) -> str:
    """What was judged by what, and which levels are not reached."""
    seeds = sorted({score.seed for score in scores})
    missed = [one for one in verdicts if not one.ok]
    said = f"{len(verdicts) - len(missed)} of {len(verdicts)} levels are reached."
    digest, tuned = policy.policy_digest[:19], _ranges(policy.tuning.seeds)
    lines = [
        f"""# Smart flow against the hidden truth

Written by `make studies`: `benchmarks/studies/flow_evaluation.py`. How a detection is judged is
`engine/evaluation`.

Policy `{policy.id}` {policy.version}, `{digest}…`, tuned on the seeds {tuned}; judged
on the seeds {_ranges(seeds)}: {len(scores)} full sessions of {_sizes(scores)} symbols,
{events:,} events, coverage assistance on. The detector took {rate:,.0f} events/s of one CPU
in the median session. Intervals are 95 %, resampled over seeds.

**{said}**"""
    ]
    for one in missed:
        name = " ".join(part for part in (one.preset, one.hypothesis, one.name) if part)
        rule = "at least" if one.rule == "at_least" else "below"
        lines.append(f"- not reached: {name} {figure(one.figure)}, {rule} {one.bound:g} is wanted")
    return "\n".join(lines)


def sections(together: Pooled, scores: Sequence[TapeScore], verdicts: Sequence[Level]) -> list[str]:
    """All tables."""
    groups = {**together.presets, ALL: together.everything}
    drawn = curves(scores)
    return [
        _by_preset("Precision", "precision", groups, verdicts, lambda one: one.precision),
        _by_preset("Recall", "recall", groups, verdicts, lambda one: one.recall),
        _background(groups, verdicts),
        _profiles(together.everything, drawn),
        _regimes(together.everything),
        _subtypes(groups),
        _confusion(together.everything),
        _reliability(drawn),
    ]


def markets(groups: dict[str, GroupScore]) -> str:
    """Each market by itself, all presets together."""
    rows = [
        (
            name,
            *(
                f"{_value(group.profiles[one].precision)} / {_value(group.profiles[one].recall)}"
                for one in HYPOTHESES
            ),
            _value(group.noise_abstained),
            _value(group.false_high),
        )
        for name, group in groups.items()
    ]
    heads = ["seed and market", *HYPOTHESES, "noise abstained", "false high in 2,000"]
    told = "Precision / recall, all presets together; half days close at 13:00."
    return f"## Market by market\n\n{told}\n\n" + table(heads, rows).rstrip()


def figure(one: Figure) -> str:
    """A value with its interval.

    Examples
    --------
    >>> figure(Figure(9, 10, 0.9, 0.85, 0.94))
    '0.900 (0.850–0.940)'
    """
    if one.value is None:
        return NOTHING
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f}–{one.high:.3f})"


def _by_preset(
    title: str,
    name: str,
    groups: dict[str, GroupScore],
    verdicts: Sequence[Level],
    of: Callable[[ProfileScore], Figure],
) -> str:
    missed = {(one.preset, one.hypothesis) for one in verdicts if one.name == name and not one.ok}
    bound = next(one.bound for one in verdicts if one.name == name)
    rows = [
        [
            profile,
            *(
                figure(of(group.profiles[profile])) + (" ✗" if (preset, profile) in missed else "")
                for preset, group in groups.items()
            ),
        ]
        for profile in HYPOTHESES
    ]
    return f"## {title}: at least {bound:.2f}\n\n" + table(["profile", *groups], rows).rstrip()


def _background(groups: dict[str, GroupScore], verdicts: Sequence[Level]) -> str:
    missed = {(one.name, one.preset) for one in verdicts if not one.ok}
    wanted: tuple[tuple[str, str, Callable[[GroupScore], Figure]], ...] = (
        ("noise abstained from, at least 0.95", "noise_abstained", lambda one: one.noise_abstained),
        ("false high alerts in 2,000 windows, below 1", "false_high", lambda one: one.false_high),
        ("windows with all six found, at least 0.95", "covered", lambda one: one.covered),
        ("windows with all six there", "", lambda one: one.there),
        ("decoys that an alert is of", "", lambda one: one.decoys_alerted),
    )
    rows = [
        [
            said,
            *(
                figure(of(group)) + (" ✗" if (name, preset) in missed else "")
                for preset, group in groups.items()
            ),
        ]
        for said, name, of in wanted
    ]
    counted = [
        ["windows of background", *(f"{one.false_high.of:,}" for one in groups.values())],
        ["bursts of noise", *(f"{one.noise_abstained.of:,}" for one in groups.values())],
        ["decoys", *(f"{one.decoys_alerted.of:,}" for one in groups.values())],
    ]
    return (
        "## Background, noise and coverage\n\n"
        "A window of background is a minute and a symbol without a print of a burst. A window of "
        "coverage lasts 20 minutes\nand begins at every minute; a profile is found in it by a "
        "right alert, there by the first print of a burst.\n\n"
        + table(["", *groups], [*rows, *counted]).rstrip()
    )


def _profiles(everything: GroupScore, drawn: dict[str, Curves]) -> str:
    header = (
        *("profile", "bursts", "alerts", "direction right", "repeated", "windows found in"),
        *("from first print, median / p90 s", "from last print, median / p90 s"),
        *("average precision", "Brier"),
    )
    rows = []
    for name in HYPOTHESES:
        one, curve = everything.profiles[name], drawn[name]
        rows.append(
            [
                *(name, f"{one.recall.of:,}", f"{one.precision.of:,}"),
                *(figure(one.direction), figure(one.repeated), figure(one.covered)),
                *(_delay(one.from_first_print), _delay(one.from_last_print)),
                *(_number(curve.average_precision, ".3f"), _number(curve.brier, ".5f")),
            ]
        )
    return (
        "## Profiles, all presets together\n\n"
        "Average precision is over clusters by the log-odds of their first hypothesis, abstained "
        "from or not; Brier is of the\nlog-odds as probabilities, over all clusters.\n\n"
        + table(header, rows).rstrip()
    )


def _regimes(everything: GroupScore) -> str:
    regimes = list(everything.regimes[HYPOTHESES[0]])
    rows = [
        [
            name,
            *(
                f"{_value(everything.regimes[name][regime].precision)} / "
                f"{_value(everything.regimes[name][regime].recall)}"
                for regime in regimes
            ),
        ]
        for name in HYPOTHESES
    ]
    return "## Precision / recall by regime\n\n" + table(["profile", *regimes], rows).rstrip()


def _subtypes(groups: dict[str, GroupScore]) -> str:
    presets = [group for name, group in groups.items() if name != ALL]
    rows = [
        [
            subtype.name,
            EXPECTED_CLASS[subtype.family],
            *(_value(group.subtypes[subtype.name]) for group in presets),
            figure(groups[ALL].subtypes[subtype.name]),
        ]
        for subtype in SUBTYPES
    ]
    return (
        "## Recall by subtype\n\nOf noise: the share that was abstained from.\n\n"
        + table(["subtype", "should be called", *groups], rows).rstrip()
    )


def _confusion(everything: GroupScore) -> str:
    rows = [
        [true, *(f"{everything.confusion[true][said]:,}" for said in HYPOTHESIS_NAMES)]
        for true in HYPOTHESIS_NAMES
    ]
    return (
        "## Confusion\n\nClusters by what they are (down) and what was said; `unclear` is noise "
        "and background, and silence. Of the\nbackground only what was said something of is "
        "counted, and the noise.\n\n" + table(["", *HYPOTHESIS_NAMES], rows).rstrip()
    )


def _reliability(drawn: dict[str, Curves]) -> str:
    bins = drawn[HYPOTHESES[0]].reliability
    rows = [
        [
            f"{of.low:.1f} … {of.high:.1f}",
            *(
                f"{_number(one.stated, '.2f')} / {_number(one.observed, '.2f')} of {one.clusters:,}"
                for one in (drawn[name].reliability[place] for name in HYPOTHESES)
            ),
        ]
        for place, of in enumerate(bins)
    ]
    return (
        "## Reliability\n\nStated probability 1 / (1 + e⁻ᶻ) against the share that is true, and "
        "of how many clusters; with those that are\nrejected as evidence, of which nothing is said "
        "and which no weight was fitted to, such as packages of little premium.\n\n"
        + table(["stated", *HYPOTHESES], rows).rstrip()
    )


def _delay(one: Delay) -> str:
    if one.median_ns is None or one.p90_ns is None:
        return NOTHING
    return f"{one.median_ns * 1e-9:.1f} / {one.p90_ns * 1e-9:.1f}"


def _value(one: Figure) -> str:
    return _number(one.value, ".3f")


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _sizes(scores: Sequence[TapeScore]) -> str:
    """The smallest and the largest universe."""
    sizes = sorted({score.symbols for score in scores})
    return f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])


def _ranges(seeds: Sequence[int]) -> str:
    """Runs of consecutive numbers.

    Examples
    --------
    >>> _ranges([3, 1, 2, 7])
    '1–3, 7'
    """
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)
