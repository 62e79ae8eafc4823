"""What packets tell of bursts is noticed where they tell it: the short form of flow_leaks.

The long form, on packets of whole sessions, is benchmarks/studies/flow_leaks.py.
"""

import numpy as np
import pytest

from benchmarks.studies.flow_leaks import LIMIT_AUC, Packets, areas, short_tree

pytestmark = pytest.mark.studies
COUNT, BURSTS = 4_000, 100


def packets(phase, **fields):
    """A tenth of the packets are of bursts, four of each; `fields` are made of who is one."""
    place = np.arange(COUNT)
    is_burst = place % 10 == phase
    burst = np.where(is_burst, place // 40, -1)
    # the same numbers in another order for each session, of bursts and of others alike
    values = {"noise": (place * 7919 + phase * 104_729) % COUNT / COUNT}
    values |= {name: make(is_burst, values["noise"]) for name, make in fields.items()}
    return Packets({name: np.asarray(one, float) for name, one in values.items()}, burst, BURSTS, 0)


def both(**fields):
    return [packets(3, **fields)], [packets(6, **fields)]


def test_a_field_that_tells_nothing_has_an_area_of_a_half():
    assert areas(*both())["noise"] == pytest.approx((0.5, 0.5), abs=0.06)


def test_a_field_that_tells_by_its_order_is_noticed_either_way_round():
    found = areas(
        *both(
            up=lambda is_burst, noise: noise + 0.8 * is_burst,
            down=lambda is_burst, noise: noise - 0.8 * is_burst,
        )
    )
    assert min(*found["up"], *found["down"]) > LIMIT_AUC


def test_a_field_that_tells_in_the_middle_is_noticed_by_what_is_learned():
    found = areas(
        *both(middle=lambda is_burst, noise: np.where(is_burst, 0.45 + noise / 10, noise))
    )
    plain, learned = found["middle"]
    assert plain < 0.6
    assert learned > LIMIT_AUC


def test_a_word_tells_whatever_its_code():
    found = areas(*both(symbol=lambda is_burst, noise: np.where(is_burst, 5, noise * 10 // 1)))
    assert found["symbol"][0] == 0.5
    assert found["symbol"][1] > LIMIT_AUC


def test_a_short_tree_finds_what_two_questions_tell_and_no_more():
    two = both(
        one=lambda is_burst, noise: is_burst | (noise < 0.3),
        other=lambda is_burst, noise: is_burst | (noise > 0.7),
    )
    assert short_tree(*two) == (1.0, 1.0)
    assert short_tree(*both()) == (0.0, 0.0)
    half = both(some=lambda is_burst, noise: is_burst & (noise < 0.5))
    share, of_packets = short_tree(*half)
    assert 0.4 < of_packets < 0.6
    assert share > of_packets
