"""The gate keeps luck out and lets skill in: the short form of the study of the gate.

The long one, with the shares and their intervals, is benchmarks/studies/gate_calibration.py.
"""

import numpy as np
import pytest

from benchmarks.studies import gate_calibration as study
from benchmarks.studies import gate_sizes as sizes
from benchmarks.studies.gate_worlds import (
    COSTLY,
    FREE,
    STRATEGIES,
    campaign,
    judged,
    noise_market,
    skill_market,
    temporary_resources,
    true_ratios,
)

pytestmark = pytest.mark.studies
STRONGEST = sizes.STRENGTHS["crossover"][-1]
ASKED = {
    "trades", "out_of_sample", "deflated_sharpe", "overfitting", "ruin", "parity", "latency",
    "checksums",
}  # fmt: skip


@pytest.fixture(scope="module")
def resources():
    with temporary_resources() as made:
        yield made


@pytest.fixture(scope="module")
def noise(resources):
    return [
        judged(resources, campaign(name, noise_market(sizes.BARS), FREE, seed))
        for seed, name in enumerate(STRATEGIES)
    ]


@pytest.fixture(scope="module")
def skill(resources):
    market = skill_market("crossover", STRONGEST, sizes.BARS)
    return study.group(resources, "crossover", market, COSTLY, range(1, 4))


def test_no_luck_is_promoted_and_its_dossier_says_why(noise):
    assert len(noise) == 3
    for dossier in noise:
        assert not dossier.passed
        assert "deflated_sharpe" in study.failed(dossier)
        assert {one.name for one in dossier.criteria} == ASKED
        assert not {"parity", "checksums", "ruin"} & {*study.failed(dossier)}


def test_large_skill_is_promoted(skill):
    assert skill.promoted >= 2
    assert skill.failures.total() <= 1


@pytest.mark.parametrize("strategy", sizes.CAMPAIGNS)
def test_the_best_set_truly_has_the_ratio_that_is_planted(strategy):
    place = sizes.TARGETS.index(sizes.POWER_AT)
    market = skill_market(strategy, sizes.STRENGTHS[strategy][place], sizes.BARS)
    ratios = true_ratios(strategy, market, COSTLY, range(20_000_000, 20_000_025))
    assert ratios.shape == (100,)
    assert abs(ratios.max() - sizes.POWER_AT) <= 4 / 25**0.5


def test_costs_take_from_the_true_ratio():
    market = noise_market(1_000)
    free, costly = (true_ratios("crossover", market, one, range(8)) for one in (FREE, COSTLY))
    assert (costly < free).all()


def test_the_interval_is_the_exact_one():
    assert study.clopper_pearson(0, 200) == pytest.approx((0.0, 1 - 0.025 ** (1 / 200)))
    assert study.clopper_pearson(200, 200) == pytest.approx((0.025 ** (1 / 200), 1.0))
    assert study.clopper_pearson(5, 10) == pytest.approx((0.187086, 0.812914), abs=1e-6)


def test_promises_break_where_luck_gets_in_or_skill_does_not(noise, skill):
    [luck, *_], [winner, *_] = noise, [one for one in skill.dossiers if one.passed]
    assert study.luck_is_kept_out(study.Group("all", [winner] * 4 + [luck] * 236))
    assert not study.luck_is_kept_out(study.Group("all", [winner] * 6 + [luck] * 234))
    for promoted, holds in [(4, True), (3, False)]:
        some = study.Group("crossover", [winner] * promoted + [luck])
        assert study.skill_is_let_in([study.Point(6.0, 1.0, np.array([6.0]), some)]) is holds


def test_the_page_has_every_share_and_a_handful_of_campaigns_proves_nothing(monkeypatch, capsys):
    few = {
        "NOISE_CAMPAIGNS": 1, "NOISE_CAMPAIGNS_WITH_COSTS": 1, "TARGETS": (8.0,),
        "CAMPAIGNS": {"crossover": 2}, "STRENGTHS": {"crossover": (STRONGEST,)},
        "MEASURING_SEEDS": range(4),
    }  # fmt: skip
    for name, value in few.items():
        monkeypatch.setattr(sizes, name, value)
    assert study.main() == 1
    page = capsys.readouterr().out
    assert "| all | 3 | 0 | 0.0% | 0.0% … 70.8% |" in page
    assert "at most 5% is promoted (required): does not hold" in page
    assert "`min_deflated_sharpe` 0.95, `max_overfitting` 0.3" in page
