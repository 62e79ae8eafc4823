"""Labels are the first of the four barriers of the reference, by the plainest loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.ml.labels import first_moves

TICK = 0.25


def label(mid, t, tp_ticks, sl_ticks, horizon_bins):
    """The reference's rule: +tp, −tp, −sl, +sl, asked in this order at every later bin."""
    if not mid[t] > 0:
        return 0
    for j in range(t + 1, min(t + horizon_bins, len(mid))):
        if not mid[j] > 0:
            continue
        for ticks, way in ((tp_ticks, 1), (-tp_ticks, -1), (-sl_ticks, -1), (sl_ticks, 1)):
            edge = mid[t] + ticks * TICK
            if (mid[j] >= edge) if ticks > 0 else (mid[j] <= edge):
                return way
    return 0


mids = st.lists(
    st.one_of(st.integers(80, 120).map(lambda i: i * TICK / 2), st.sampled_from([0.0, np.nan])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60)
@given(mids, st.integers(1, 8), st.integers(1, 8), st.integers(1, 12))
def test_the_nearer_barrier_labels_as_all_four_do(mid, tp_ticks, sl_ticks, horizon_bins):
    mid = np.array(mid)
    move = min(tp_ticks, sl_ticks) * TICK
    found = first_moves(mid, 0, len(mid), move, horizon_bins)
    wanted = [label(mid, t, tp_ticks, sl_ticks, horizon_bins) for t in range(len(mid))]
    assert found.tolist() == wanted


def test_a_part_of_the_labels_is_that_part_of_all():
    mid = 100.0 + TICK * np.cumsum(np.random.default_rng(1).integers(-1, 2, 300))
    whole = first_moves(mid, 0, 300, 1.0, 50)
    assert set(whole.tolist()) == {-1, 0, 1}
    assert first_moves(mid, 70, 90, 1.0, 50).tolist() == whole[70:90].tolist()


def test_a_label_depends_on_no_bin_at_its_horizon_or_later():
    mid = np.full(30, 100.0)
    mid[12:] = 200.0
    assert first_moves(mid, 2, 3, 1.0, 10).tolist() == [0]
    assert first_moves(mid, 2, 3, 1.0, 11).tolist() == [1]
