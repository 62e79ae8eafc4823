"""Fits come when they are due, and see no row whose label later bins may still decide."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.studies.ml_shuffled import planted
from contracts.errors import ContractError
from engine.signals.ml.labels import first_moves
from engine.signals.ml.svm_sp import SvmSpatial
from engine.signals.ml.walk_forward import Plan
from tests.engine.signals.ml.examples_seen import QUICK, kept

SERIES = planted(600, 4)
GAP = QUICK["max_hold_bins"] + QUICK["embargo_bins"]


def test_fits_come_at_the_first_bin_and_then_at_equal_distances():
    _, learner, fitted_at = kept(SERIES)
    assert fitted_at == list(range(150, 600, 50))
    assert (learner.refits, learner.partial_refits) == (9, 0)


def test_a_fit_is_put_off_until_there_are_rows_enough():
    _, _, fitted_at = kept(SERIES, first_bin=0, min_train_rows=80)
    assert fitted_at[0] > GAP + 80
    assert fitted_at == list(range(fitted_at[0], 600, 50))


def test_full_fits_alternate_with_partial_ones_over_the_rows_since():
    keeper, learner, fitted_at = kept(SERIES, full_refit_bins=100)
    assert fitted_at == list(range(150, 600, 50))
    assert (learner.refits, learner.partial_refits) == (9, 4)
    stops = [int(one.bins[-1]) + 1 for one in keeper.full]
    for at, (one, stop) in enumerate(zip(keeper.partial, stops, strict=False)):
        assert one.bins[0] >= stop
        assert one.bins[-1] <= 200 + 100 * at - GAP
    assert keeper.full[1].bins[0] == keeper.full[0].bins[0]


def test_examples_have_settled_labels_up_to_the_gap_and_no_newer_ones():
    keeper, _, fitted_at = kept(SERIES)
    everything = first_moves(SERIES.mid_price, 0, 600, 2 * SERIES.tick_size, 40)
    for bin_, examples in zip(fitted_at, keeper.full, strict=True):
        settled = np.flatnonzero(everything[: bin_ - GAP + 1])
        assert examples.bins.tolist() == settled.tolist()
        assert examples.labels.tolist() == everything[settled].tolist()


def test_without_an_embargo_the_gap_is_still_the_horizon_of_the_labels():
    keeper, _, fitted_at = kept(SERIES, embargo_bins=0)
    newest = [bin_ - int(one.bins[-1]) for bin_, one in zip(fitted_at, keeper.full, strict=True)]
    assert min(newest) == QUICK["max_hold_bins"]
    assert Plan.of(SvmSpatial.bound({})).gap_bins == 2 * 1200


def test_mids_within_the_embargo_change_no_example():
    mid = SERIES.mid_price.copy()
    mid[500 - QUICK["embargo_bins"] : 501] = 1e6
    changed = replace(SERIES, mid_price=mid)
    one, other = kept(SERIES)[0].full[7], kept(changed)[0].full[7]
    assert kept(SERIES)[2][7] == 500
    assert one.features.tobytes() == other.features.tobytes()
    assert one.labels.tolist() == other.labels.tolist()
    mid[500 - GAP + 1 : 500 - QUICK["embargo_bins"]] = 1e6
    settled = kept(replace(SERIES, mid_price=mid))[0].full[7]
    assert settled.labels.tolist() != one.labels.tolist()


def test_only_the_newest_rows_are_trained_on():
    keeper, _, fitted_at = kept(SERIES, max_train_rows=70)
    whole, _, _ = kept(SERIES)
    for bin_, some, every in zip(fitted_at, keeper.full, whole.full, strict=True):
        newest = every.where(every.bins > bin_ - GAP - 70)
        assert some.bins.tolist() == newest.bins.tolist()
        assert some.features.tobytes() == newest.features.tobytes()


def test_bins_without_a_valid_book_have_no_prediction_and_no_label():
    learner = SvmSpatial.learner(QUICK, 100)
    found = np.array([learner.update(SERIES, bin_) for bin_ in range(600)])
    missing = np.isnan(SERIES.mid_price)
    assert missing[150:].any()
    assert np.isnan(found[150:]).tolist() == missing[150:].tolist()
    assert not missing[kept(SERIES)[0].full[-1].bins].any()


def test_rows_that_are_not_finite_are_neither_trained_on_nor_asked():
    rows = SERIES.columns["pressure_variant"].copy()
    rows[120, 50] = np.inf
    broken = replace(SERIES, columns={**SERIES.columns, "pressure_variant": rows})
    with np.errstate(invalid="ignore"):
        keeper, _, _ = kept(broken)
    assert all(np.isfinite(one.features).all() for one in keeper.full)
    assert 120 not in keeper.full[-1].bins
    assert len(keeper.full[-1]) > 50


@pytest.mark.parametrize("bin_", [0, 5])
def test_bins_out_of_order_are_refused(bin_):
    learner = SvmSpatial.learner({}, 100)
    for i in range(3):
        learner.update(SERIES, i)
    with pytest.raises(ContractError, match=f"asked for bin {bin_} where bin 3 is next") as caught:
        learner.update(SERIES, bin_)
    assert caught.value.code == "SIGNAL_BIN_OUT_OF_ORDER"
